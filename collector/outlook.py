"""Where the values of points with a horizon are heading: their days, read once each, and the trend."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from collector.analysis.expected import ExpectedTimes
from collector.analysis.review import PointReview, Window
from collector.analysis.trend import Trend, fit
from collector.analysis.windows import SubjectWindow
from collector.planned_subjects import PlannedSubject
from collector.point_statistics import PeriodStatistics, window_of
from setpoint.maintenance import Maintenance
from setpoint.plan import Plan, PlanPoint
from setpoint.reading import Subject

MOST_DAYS: Final = 120
LEAST_COVERAGE: Final = 0.5
# So many days of subjects are read in one review for each point, and at least one day of all of them; none
# after so many seconds.
_MOST_WINDOWS: Final = 2_000
_MOST_SAMPLES: Final = 3_000_000
_MOST_S: Final = 5.0
_SPACING_MS: Final = 10_000
_DAY_MS: Final = 86_400_000
# The last batches of a day may still come from outboxes.
_LATE_MS: Final = 3_600_000


@dataclass(slots=True)
class _Days:
    """The mean value of each subject on each day that was read; NaN where too little was measured."""

    index: dict[Subject, int] = field(default_factory=dict)
    means: dict[int, npt.NDArray[np.float64]] = field(default_factory=dict)
    fitted_day: int = 0
    fitted: dict[Subject, Trend | str] = field(default_factory=dict)

    def of(self, subject: Subject, days: Sequence[int]) -> npt.NDArray[np.float64]:
        number = self.index.get(subject, -1)
        return np.array(
            [row[number] if 0 <= number < len(row) else np.nan for row in (self.means[day] for day in days)]
        )


class Outlook:
    """Keeps the days that it has read: at most 120 for each point. Its method may raise what the statistics
    do.
    """

    def __init__(self, plan: Plan, statistics: PeriodStatistics) -> None:
        self._zone = ZoneInfo(plan.timezone)
        self._statistics = statistics
        self._days: dict[str, _Days] = {}
        self._began = 0.0
        self.waiting = 0
        """How many days of points are still to be read."""

    def with_trends(
        self, points: Sequence[PointReview], window: Window, maintenance: Sequence[Maintenance]
    ) -> list[PointReview]:
        """The same points, with trends for the subjects of those that have a horizon, once all of their days
        have been read. At most a few days are read each time, for at most five seconds.
        """
        self._began = time.monotonic()
        self.waiting = 0
        found = [
            self._with_trends(reviewed, window, maintenance) if reviewed.point.horizon_ms else reviewed
            for reviewed in points
        ]
        planned = {reviewed.point.definition_hash for reviewed in points}
        self._days = {key: days for key, days in self._days.items() if key in planned}
        return found

    def _with_trends(
        self, reviewed: PointReview, window: Window, maintenance: Sequence[Maintenance]
    ) -> PointReview:
        days = self._days.setdefault(reviewed.point.definition_hash, _Days())
        last = self._last_day(window.end_ms)
        wanted = range(last - MOST_DAYS + 1, last + 1)
        missing = [day for day in reversed(wanted) if day not in days.means]
        if missing and reviewed.subjects:
            missing = self._read(reviewed, days, missing, maintenance)
            for gone in [day for day in days.means if day < last - 2 * MOST_DAYS]:
                del days.means[gone]
        self.waiting += len(missing) if reviewed.subjects else 0
        if missing:
            return reviewed
        if days.fitted_day != last:
            number = np.array(wanted, np.int64)
            days.fitted = {
                one.subject: fit(number, days.of(one.subject, wanted)) for one in reviewed.subjects
            }
            days.fitted_day = last
        return PointReview(
            reviewed.point,
            [replace(one, trend=days.fitted.get(one.subject)) for one in reviewed.subjects],
        )

    def _read(
        self, reviewed: PointReview, days: _Days, missing: list[int], maintenance: Sequence[Maintenance]
    ) -> list[int]:
        """Reads the newest of the missing days; returns those that are still missing."""
        if time.monotonic() - self._began > _MOST_S:
            return missing
        every_ms = min((one.limits.every_ms or _SPACING_MS for one in reviewed.subjects), default=_SPACING_MS)
        a_day = len(reviewed.subjects) * (_DAY_MS // every_ms)
        each = max(1, min(_MOST_WINDOWS // len(reviewed.subjects), _MOST_SAMPLES // max(a_day, 1)))
        now, missing = missing[:each], missing[each:]
        for one in reviewed.subjects:
            days.index.setdefault(one.subject, len(days.index))
        planned = [
            PlannedSubject(one.subject, one.tags, one.limits, one.named, 0, one.last_ms)
            for one in reviewed.subjects
        ]
        windows = list(self._windows(reviewed.point, planned, now, maintenance))
        statistics = self._statistics(reviewed.point, planned, [window for _, window in windows])
        for day in now:
            days.means[day] = np.full(len(days.index), np.nan)
        for (day, window), shown in zip(windows, statistics, strict=True):
            if shown.mean is not None and shown.coverage >= LEAST_COVERAGE:
                days.means[day][days.index[planned[window.subject].subject]] = shown.mean
        return missing

    def _windows(
        self,
        point: PlanPoint,
        planned: Sequence[PlannedSubject],
        days: Sequence[int],
        maintenance: Sequence[Maintenance],
    ) -> Iterator[tuple[int, SubjectWindow]]:
        for day in days:
            start_ms, end_ms = self._midnight(day), self._midnight(day + 1)
            expected = ExpectedTimes(start_ms, end_ms, maintenance)
            for n, one in enumerate(planned):
                spans, _ = expected.of(point.calendar, one.tags, start_ms, end_ms)
                yield day, replace(window_of(n, one, start_ms, end_ms), spans=spans)

    def _last_day(self, end_ms: int) -> int:
        """The newest day that was over, and could have been told of, at that time."""
        moment = datetime.fromtimestamp((end_ms - _LATE_MS) / 1000, self._zone)
        return moment.date().toordinal() - 1

    def _midnight(self, day: int) -> int:
        midnight = datetime.combine(date.fromordinal(day), datetime.min.time(), self._zone)
        return round(midnight.timestamp() * 1000)
