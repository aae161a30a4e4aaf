"""The statistics of a point's subjects from the samples in the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from collector.analysis.derived import beside, derivation_of, reach_after_ms, reach_before_ms
from collector.analysis.statistics import Levels, Statistics, SubjectWindow, period_statistics
from collector.planned_subjects import PlannedSubject
from collector.store.base import Metric, Store
from setpoint.limits import Comparison
from setpoint.plan import PlanPoint


class PeriodStatistics(Protocol):
    """One Statistics per window of a point. A window's ``subject`` is an index into ``subjects``; so is that
    of its statistics.
    """

    def __call__(
        self, point: PlanPoint, subjects: Sequence[PlannedSubject], windows: Sequence[SubjectWindow]
    ) -> list[Statistics]: ...


# How far before a window samples are fetched for subjects whose spacing is not planned: a sample stands for
# twice its spacing, and nothing slower than this is expected without an `every`.
_UNPLANNED_LOOKBACK_MS = 2 * 3_600_000


def window_of(index: int, planned: PlannedSubject, start_ms: int, end_ms: int) -> SubjectWindow:
    """What is asked of the subject in [start_ms, end_ms), as far as it is expected there; ``index`` is the
    number that the windows of one call know it by.
    """
    limits = planned.limits
    return SubjectWindow(
        subject=index,
        start_ms=min(max(start_ms, planned.since_ms), end_ms),
        end_ms=end_ms,
        every_ms=limits.every_ms,
        warning=_levels(limits.warning),
        critical=_levels(limits.critical),
        good=_levels(limits.good),
    )


def lookback_ms(windows: Sequence[SubjectWindow]) -> int:
    """How far before the windows the samples begin that stand into them."""
    return max((2 * w.every_ms if w.every_ms else _UNPLANNED_LOOKBACK_MS for w in windows), default=0)


def reach_ms(point: PlanPoint) -> tuple[int, int]:
    """For how long before and after its time a sample of the point's metrics matters at most."""
    limits = [point.limits, *(limits for _, limits in point.overrides)]
    lookback = max(2 * one.every_ms if one.every_ms else _UNPLANNED_LOOKBACK_MS for one in limits)
    before = (lookback if point.rate else 0) + reach_after_ms(point, lookback)
    return before, lookback + reach_before_ms(point, lookback)


def metrics_of(point: PlanPoint) -> list[Metric]:
    """The metrics whose samples decide the point's statistics."""
    return [Metric(point.measurement, point.field), *(asked.metric for asked in beside(point))]


def raw_statistics(
    store: Store,
    point: PlanPoint,
    subjects: Sequence[PlannedSubject],
    windows: Sequence[SubjectWindow],
) -> list[Statistics]:
    """One Statistics per window. A window's ``subject`` is an index into ``subjects``; so is that of its
    statistics.
    """
    if not windows:
        return []
    lookback = lookback_ms(windows)
    with store.train(
        Metric(point.measurement, point.field),
        point.wants,
        min(w.start_ms for w in windows) - lookback - reach_before_ms(point, lookback),
        # The interval of a rate that crosses the window's end belongs to the sample after it.
        max(w.end_ms for w in windows) + (lookback if point.rate else 0) + reach_after_ms(point, lookback),
        point.by,
        beside(point),
    ) as train:
        position = {subject: n for n, subject in enumerate(train.subjects)}
        spare = len(train.subjects)
        numbers = [position.get(s.subject, spare + n) for n, s in enumerate(subjects)]
        statistics = period_statistics(
            train,
            [replace(window, subject=numbers[window.subject]) for window in windows],
            rate=point.rate,
            scale=point.scale,
            bounds=point.bounds,
            missing_bad=point.missing_bad,
            derivation=derivation_of(point),
        )
    return [replace(one, subject=w.subject) for one, w in zip(statistics, windows, strict=True)]


def _levels(comparison: Comparison | None) -> Levels | None:
    if comparison is None:
        return None
    return Levels(
        high=comparison.high,
        low=comparison.low,
        equal=comparison.equal,
        unequal=comparison.unequal,
        for_ms=comparison.for_ms,
    )
