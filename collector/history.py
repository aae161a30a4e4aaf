"""Subjects' histories from the samples in the store, for what statistics of a period cannot tell."""

from __future__ import annotations

from collections.abc import Mapping

from collector.analysis.expected import ExpectedTimes
from collector.analysis.replay import History, read_histories
from collector.analysis.windows import SubjectWindow
from collector.point_statistics import metrics_of
from collector.store.base import Metric, Store
from setpoint.plan import PlanPoint
from setpoint.reading import Subject, subject_of

MOST_SAMPLES = 300_000
"""A month of samples every ten seconds; what is denser is thinned."""


def has_history(point: PlanPoint) -> bool:
    """Whether the point's value is that of one metric; what is made of several has statistics only."""
    return metrics_of(point) == [Metric(point.measurement, point.field)]


def histories_of(
    store: Store,
    point: PlanPoint,
    subjects: Mapping[Subject, Mapping[str, str]],
    every_ms: int,
    expected: ExpectedTimes,
    start_ms: int,
    end_ms: int,
) -> dict[Subject, History]:
    """What was measured of each of the subjects in the expected time of [start_ms, end_ms), in the point's
    unit; those are left out of which nothing was. They come with the tags that calendars and maintenance go
    by. Reading several takes little longer than reading one. May raise what the store does.
    """

    def wanted(tags: Mapping[str, str]) -> bool:
        return point.wants(tags) and subject_of(point.measurement, tags, point.by) in subjects

    reach_ms = 2 * every_ms
    with store.train(
        Metric(point.measurement, point.field),
        wanted,
        start_ms - reach_ms,
        end_ms + (reach_ms if point.rate else 0),
        point.by,
    ) as train:
        windows = []
        for number, subject in enumerate(train.subjects):
            spans, _ = expected.of(point.calendar, subjects[subject], start_ms, end_ms)
            windows.append(SubjectWindow(number, start_ms, end_ms, every_ms, spans=spans))
        if not windows:
            return {}
        found = read_histories(train, windows, rate=point.rate, scale=point.scale, most_samples=MOST_SAMPLES)
        subjects_found = list(train.subjects)
    return {one: history for one, history in zip(subjects_found, found, strict=True) if len(history.value)}
