"""One subject's history from the samples in the store, for what statistics of a period cannot tell."""

from __future__ import annotations

from collections.abc import Mapping

from collector.analysis.expected import ExpectedTimes
from collector.analysis.replay import History, read_history
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


def history_of(
    store: Store,
    point: PlanPoint,
    subject: Subject,
    planned_tags: Mapping[str, str],
    every_ms: int,
    expected: ExpectedTimes,
    start_ms: int,
    end_ms: int,
) -> History | None:
    """What was measured of the subject in the expected time of [start_ms, end_ms), in the point's unit; None
    when nothing was. ``planned_tags`` are those that calendars and maintenance go by. May raise what the
    store does.
    """

    def wanted(tags: Mapping[str, str]) -> bool:
        return point.wants(tags) and subject_of(point.measurement, tags, point.by) == subject

    spans, _ = expected.of(point.calendar, planned_tags, start_ms, end_ms)
    window = SubjectWindow(0, start_ms, end_ms, every_ms, spans=spans)
    reach_ms = 2 * every_ms
    with store.train(
        Metric(point.measurement, point.field),
        wanted,
        start_ms - reach_ms,
        end_ms + (reach_ms if point.rate else 0),
        point.by,
    ) as train:
        found = read_history(train, window, rate=point.rate, scale=point.scale, most_samples=MOST_SAMPLES)
    return found if len(found.value) else None
