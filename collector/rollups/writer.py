"""Rolls hours up: those that are over, those that late samples came for, and days when they are over."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from collector.agents import Agents
from collector.analysis.expected import ExpectedTimes
from collector.analysis.rollup import Rollup, merge, rollup_of
from collector.analysis.rollup_codec import decode_rollup, encode_rollup
from collector.analysis.statistics import SubjectWindow
from collector.planned_subjects import PlannedSubject, PlannedSubjects
from collector.point_statistics import metrics_of, raw_statistics, reach_ms, window_of
from collector.register import Register
from collector.rollups.file import DAY_MS, HOUR_MS, Kept, Late, RollupFile, checksum
from collector.rollups.late import LateSamples
from collector.rollups.lines import gap_line
from collector.rollups.slots import affected_hours, asked_of, clipped
from collector.series import SeriesTable
from collector.store.base import Store
from setpoint.plan import Plan, PlanPoint
from setpoint.reading import Subject

log = logging.getLogger(__name__)

# The store is not told of hours longer ago: dashboards look back a month, and after a long catching up it
# would be told of years at once.
_TOLD_MS = 31 * DAY_MS
# How many hours of subjects one step rolls up at most: what it holds in memory, and how long it takes.
_STEP = 6000
_PROGRESS_EVERY_MS = 60_000


@dataclass(frozen=True, slots=True)
class Told:
    """Lines for the store, and the hours of which it then has been told."""

    lines: list[bytes] = field(default_factory=list)
    point: int = 0
    hours: list[tuple[Subject, int, int]] = field(default_factory=list)


class _Rolled(NamedTuple):
    """How far a point is rolled up; from ``thawed_ms`` on all its samples are there."""

    point: PlanPoint
    number: int
    done_ms: int
    thawed_ms: int


class RollupWriter:
    """Runs in one thread; one step at a time. ``collector`` is the tag ``host`` of what the store is told;
    ``settled_ms``: how long after its end an hour is rolled up.
    """

    def __init__(
        self,
        plan: Plan,
        store: Store,
        series: SeriesTable,
        agents: Agents,
        register: Register,
        file: RollupFile,
        late: LateSamples,
        *,
        collector: str,
        settled_ms: int = 300_000,
    ) -> None:
        self._plan = plan
        # Of a ratio two sums would have to be kept, which rollups do not have.
        self._points = [point for point in plan.points if point.ratio_to is None]
        self._store = store
        self._series = series
        self._agents = agents
        self._register = register
        self._file = file
        self._late = late
        self._collector = collector
        self._settled_ms = settled_ms
        self._again: dict[str, set[int]] = {}
        self._settling: list[Late] = []
        self._spacings: dict[tuple[int, int], dict[Subject, int]] = {}
        self._looked_at: set[tuple[int, int]] = set()
        self._reported_ms = 0

    def step(self, now_ms: int, raw_from_ms: int) -> Told | None:
        """Does a bounded part of what there is to do, and returns what the store is to be told; None when
        there is nothing left to do. Samples from before ``raw_from_ms`` may be gone: the hours of that time
        stay as they are. May raise StoreUnavailable, QueryError or sqlite3.Error.
        """
        settled_ms = _floor(now_ms - self._settled_ms)
        planned = PlannedSubjects(self._series, self._agents, self._register.planned_since())
        rolled = [self._rolled(point, planned, settled_ms, raw_from_ms, now_ms) for point in self._points]
        self._report(rolled, settled_ms, now_ms)
        if self._close_a_day(rolled, planned):
            return Told()
        behind = [one for one in rolled if one.done_ms < settled_ms]
        if behind:
            return self._next_hours(min(behind, key=lambda one: one.done_ms), planned, settled_ms, now_ms)
        self._look_for_more(rolled)
        for one in rolled:
            again = {h for h in self._again.pop(one.point.id, ()) if one.thawed_ms <= h < one.done_ms}
            if again:
                subjects = planned.of(one.point, min(again))
                hours = _one_step(again, len(subjects))
                told = self._roll_up(one, subjects, hours, now_ms)
                if len(again) > len(hours):
                    self._again[one.point.id] = again.difference(hours)
                return told
        if self._settling:
            self._file.settle(self._settling)
            self._late.settled(self._settling)
            self._settling = []
            return Told()
        return None

    def _rolled(
        self, point: PlanPoint, planned: PlannedSubjects, settled_ms: int, raw_from_ms: int, now_ms: int
    ) -> _Rolled:
        # The first hour that all samples are there of, also those that stand into it.
        thawed_ms = _floor(raw_from_ms + reach_ms(point)[1] + HOUR_MS - 1)
        number, done_ms = self._file.point(point.id, point.definition_hash)
        if done_ms is None:
            done_ms = min(max(_floor(planned.planned_since(point, now_ms)), thawed_ms), settled_ms)
            number = self._file.begin(point.id, point.definition_hash, done_ms)
            self._looked_at.add((number, -1))
        elif (number, -1) not in self._looked_at:
            # Those that were rolled up just before the last stop, and not told of.
            self._looked_at.add((number, -1))
            self._again.setdefault(point.id, set()).update(self._file.untold(number, now_ms - _TOLD_MS))
        return _Rolled(point, number, max(done_ms, min(thawed_ms, settled_ms)), thawed_ms)

    def _next_hours(self, one: _Rolled, planned: PlannedSubjects, settled_ms: int, now_ms: int) -> Told:
        subjects = planned.of(one.point, one.done_ms)
        hours = _one_step(range(one.done_ms, settled_ms, HOUR_MS), len(subjects))
        # First: what is stored after this is noted as late, what was stored before is read below.
        self._late.horizon_ms = max(self._late.horizon_ms, max(hours) + HOUR_MS)
        return self._roll_up(one, subjects, hours, now_ms, done_ms=max(hours) + HOUR_MS)

    def _look_for_more(self, rolled: Sequence[_Rolled]) -> None:
        """Takes over which hours late samples came for, and those that a reader found to be out of date."""
        if self._settling:
            return
        self._settling = self._late.take()
        stale = self._late.take_stale()
        for one in rolled:
            metrics = frozenset(metrics_of(one.point))
            late = {each.hour_ms for each in self._settling if each.metric in metrics}
            hours = affected_hours(late, *reach_ms(one.point))
            hours |= stale.get(one.point.id, set())
            if hours:
                self._again.setdefault(one.point.id, set()).update(hours)

    def _roll_up(
        self,
        one: _Rolled,
        subjects: Sequence[PlannedSubject],
        hours: Sequence[int],
        now_ms: int,
        *,
        done_ms: int | None = None,
    ) -> Told:
        """Rolls hours of one day up, in the place of what there is of them."""
        windows, slots = [], []
        for whole in self._windows(one.point, subjects, hours[0], hours[-1] + HOUR_MS):
            for hour_ms in hours:
                if whole.start_ms < hour_ms + HOUR_MS:
                    windows.append(clipped(whole, hour_ms, hour_ms + HOUR_MS))
                    slots.append(hour_ms)
        asked = self._with_spacings(one, subjects, windows, hours)
        statistics = raw_statistics(self._store, one.point, subjects, asked)
        rollups: dict[int, dict[Subject, Rollup]] = {hour_ms: {} for hour_ms in hours}
        kept: dict[int, dict[Subject, Kept]] = {hour_ms: {} for hour_ms in hours}
        before = self._file.hours(one.number, hours[0] - _longest_for(windows) - HOUR_MS, hours[-1] + HOUR_MS)
        told = Told(point=one.number)
        for window, slot_ms, shown in zip(windows, slots, statistics, strict=True):
            planned = subjects[window.subject]
            rollup = rollups[slot_ms][planned.subject] = rollup_of(shown, window)
            known = before.get(planned.subject, {}).get(slot_ms)
            known_told = None if known is None else known.told
            if slot_ms >= now_ms - _TOLD_MS:
                earlier = _earlier(planned.subject, rollup, rollups, before)
                line = gap_line(self._collector, one.point, planned, rollup, earlier)
                if known_told != checksum(line):
                    known_told = None
                    told.lines.extend([line] if line else [])
                    told.hours.append((planned.subject, slot_ms, checksum(line)))
            kept[slot_ms][planned.subject] = Kept(
                asked_of(window, slot_ms), known_told, encode_rollup(rollup)
            )
        self._file.replace(one.number, kept, done_ms=done_ms)
        self._looked_at -= {(one.number, hour_ms - hour_ms % DAY_MS) for hour_ms in hours}
        return told

    def _windows(
        self, point: PlanPoint, subjects: Sequence[PlannedSubject], start_ms: int, end_ms: int
    ) -> list[SubjectWindow]:
        """What is asked of those subjects that are expected in [start_ms, end_ms)."""
        announced = [one.maintenance() for one in self._register.maintenance()]
        expected = ExpectedTimes(start_ms, end_ms, [*self._plan.maintenance, *announced])
        found = []
        for n, subject in enumerate(subjects):
            window = window_of(n, subject, start_ms, end_ms)
            if window.start_ms < end_ms:
                spans, _ = expected.of(point.calendar, subject.tags, window.start_ms, end_ms)
                found.append(replace(window, spans=spans))
        return found

    def _with_spacings(
        self,
        one: _Rolled,
        subjects: Sequence[PlannedSubject],
        windows: Sequence[SubjectWindow],
        hours: Sequence[int],
    ) -> list[SubjectWindow]:
        """The windows, each with the spacing to use: where none is planned, that of the day before; on a
        subject's first day, that of the hours in which it is first known.
        """
        day_ms = hours[0] - hours[0] % DAY_MS
        unplanned = sorted({w.subject for w in windows if w.every_ms is None})
        if not unplanned:
            return list(windows)
        if (one.number, day_ms) not in self._spacings:
            # One day's are kept: hours come in order.
            self._spacings = {k: v for k, v in self._spacings.items() if k[0] != one.number}
            self._spacings[one.number, day_ms] = {}
        known = self._spacings[one.number, day_ms]
        for end_ms in (day_ms, hours[-1] + HOUR_MS):
            missing = [
                SubjectWindow(n, day_ms - DAY_MS, end_ms)
                for n in unplanned
                if subjects[n].subject not in known
            ]
            for shown in raw_statistics(self._store, one.point, subjects, missing):
                if shown.every_ms is not None:
                    known[subjects[shown.subject].subject] = shown.every_ms
        return [
            w if w.every_ms else replace(w, every_ms=known.get(subjects[w.subject].subject)) for w in windows
        ]

    def _close_a_day(self, rolled: Sequence[_Rolled], planned: PlannedSubjects) -> bool:
        """Whether a day was over that had not been looked at; then it has been closed. That comes
        first: while catching up, days would wait as single hours, which take twice the room.
        """
        for one in rolled:
            for day_ms in self._file.open_days(one.number, one.done_ms):
                if (one.number, day_ms) not in self._looked_at:
                    self._looked_at.add((one.number, day_ms))
                    self._close_day(one, planned.of(one.point, day_ms), day_ms)
                    return True
        return False

    def _close_day(self, one: _Rolled, subjects: Sequence[PlannedSubject], day_ms: int) -> None:
        """Subjects of which hours are missing, or answer what nobody asks any more, keep single hours."""
        days: dict[Subject, tuple[int, bytes]] = {}
        stale: set[tuple[int, int]] = set()
        hours = self._file.hours(one.number, day_ms, day_ms + DAY_MS)
        for window in self._windows(one.point, subjects, day_ms, day_ms + DAY_MS):
            subject = subjects[window.subject].subject
            kept = hours.get(subject, {})
            asked = {
                hour_ms: asked_of(clipped(window, hour_ms, hour_ms + HOUR_MS), hour_ms)
                for hour_ms in range(_floor(window.start_ms), day_ms + DAY_MS, HOUR_MS)
            }
            if {hour_ms: each.asked for hour_ms, each in kept.items()} == asked:
                rollup = merge([decode_rollup(kept[hour_ms].rollup) for hour_ms in asked])
                days[subject] = (asked_of(window, day_ms), encode_rollup(rollup))
            else:
                stale |= {(h, n) for h, n in asked.items() if h not in kept or kept[h].asked != n}
        self._late.ask_again(one.point.id, stale)
        self._file.close_day(one.number, day_ms, days)

    def _report(self, rolled: Sequence[_Rolled], settled_ms: int, now_ms: int) -> None:
        """Says once a minute how far catching up has come, while there is more than the last hour to do."""
        left = sum(max(0, settled_ms - one.done_ms) // HOUR_MS for one in rolled)
        if left > 2 * len(rolled) and now_ms - self._reported_ms >= _PROGRESS_EVERY_MS:
            self._reported_ms = now_ms
            log.info("rollups: %d hours of %d points are still to be rolled up", left, len(rolled))


def _floor(time_ms: int) -> int:
    return time_ms - time_ms % HOUR_MS


def _one_step(hours: Iterable[int], subjects: int) -> list[int]:
    """The first of the hours, all of one day and as many as one step takes."""
    ordered = sorted(hours)
    day_ms = ordered[0] - ordered[0] % DAY_MS
    most = max(1, _STEP // max(1, subjects))
    return [hour_ms for hour_ms in ordered[:most] if hour_ms < day_ms + DAY_MS]


def _longest_for(windows: Sequence[SubjectWindow]) -> int:
    levels = [level for w in windows for level in (w.warning, w.critical) if level is not None]
    return max((level.for_ms for level in levels), default=0)


def _earlier(
    subject: Subject,
    hour: Rollup,
    new: Mapping[int, Mapping[Subject, Rollup]],
    kept: Mapping[Subject, Mapping[int, Kept]],
) -> Rollup | None:
    """The time before the hour, as far back as the runs that lead into it have to be known; None where
    nothing leads into it.
    """
    open_ms = [level.open_at_start_ms for level in (hour.critical, hour.warning) if level is not None]
    if not any(open_ms):
        return None
    parts: list[Rollup] = []
    reach = hour.start_ms - max(hour.critical_for_ms, hour.warning_for_ms)
    slot_ms = _floor(hour.start_ms - 1)
    while slot_ms + HOUR_MS > reach or not parts:
        part = new.get(slot_ms, {}).get(subject)
        if part is None and slot_ms in kept.get(subject, {}):
            part = decode_rollup(kept[subject][slot_ms].rollup)
        if part is None or part.end_ms != (parts[0] if parts else hour).start_ms:
            break
        parts.insert(0, part)
        slot_ms -= HOUR_MS
    return merge(parts) if parts else None
