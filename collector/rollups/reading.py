"""The statistics of any period: from rollups where they are kept, from samples for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from collector.analysis.rollup import Rollup, merge, rollup_of, statistics_of, unmeasured
from collector.analysis.rollup_codec import decode_rollup
from collector.analysis.statistics import Statistics, SubjectWindow
from collector.planned_subjects import PlannedSubject
from collector.point_statistics import metrics_of, raw_statistics, reach_ms
from collector.rollups.file import DAY_MS, HOUR_MS, Kept, RollupFile
from collector.rollups.late import LateSamples
from collector.rollups.slots import Questions, affected_hours, clipped
from collector.store.base import Store
from setpoint.plan import PlanPoint
from setpoint.reading import Subject

_Time = tuple[int, int]
_Piece = Rollup | _Time
"""What is kept, or a part of the window that has to be computed from samples."""


class RollupReader:
    """Its method may raise StoreUnavailable, QueryError or sqlite3.Error."""

    def __init__(self, store: Store, file: RollupFile, late: LateSamples) -> None:
        self._store = store
        self._file = file
        self._late = late

    def statistics(
        self,
        point: PlanPoint,
        subjects: Sequence[PlannedSubject],
        windows: Sequence[SubjectWindow],
        raw_from_ms: int,
    ) -> list[Statistics]:
        """One Statistics per window, the same as from samples alone. A window's ``subject`` is an index into
        ``subjects``; samples from before ``raw_from_ms`` may be gone.
        """
        number, done_ms = self._file.point(point.id, point.definition_hash)
        # Of a ratio two sums would have to be kept, which rollups do not have.
        if done_ms is None or not windows or point.ratio_to is not None:
            return raw_statistics(self._store, point, subjects, windows)
        before_ms, after_ms = reach_ms(point)
        late = affected_hours(self._late.hours(metrics_of(point)), before_ms, after_ms)
        kept = _Kept(self._file, number, min(done_ms, max(w.end_ms for w in windows)), late)
        pieces: list[list[_Piece]] = []
        for window in windows:
            # Two medians do not make one: an unplanned spacing is that of all of the window's samples.
            if window.every_ms is None and window.start_ms - after_ms >= raw_from_ms:
                pieces.append([(window.start_ms, window.end_ms)])
            else:
                pieces.append(kept.pieces(subjects[window.subject].subject, window, raw_from_ms))
        self._late.ask_again(point.id, kept.stale)
        raw = self._raw(point, subjects, windows, pieces)
        return [
            _together(window, [raw[n, p] if isinstance(p, tuple) else p for p in parts], point)
            for n, (window, parts) in enumerate(zip(windows, pieces, strict=True))
        ]

    def _raw(
        self,
        point: PlanPoint,
        subjects: Sequence[PlannedSubject],
        windows: Sequence[SubjectWindow],
        pieces: Sequence[Sequence[_Piece]],
    ) -> dict[tuple[int, _Time], Rollup]:
        """(index of the window, time) → what the samples say, of all pieces that are times."""
        # One train for all pieces that lie in the same hours.
        together: dict[_Time, dict[tuple[int, _Time], SubjectWindow]] = {}
        for n, (window, parts) in enumerate(zip(windows, pieces, strict=True)):
            every_ms = next((p.every_ms for p in reversed(parts) if isinstance(p, Rollup)), None)
            for part in parts:
                if isinstance(part, tuple):
                    asked = clipped(window, *part)
                    asked = replace(asked, every_ms=window.every_ms or every_ms)
                    hours = (part[0] // HOUR_MS, -(-part[1] // HOUR_MS))
                    together.setdefault(hours, {})[n, part] = asked
        found: dict[tuple[int, _Time], Rollup] = {}
        for asked_together in together.values():
            asked_windows = list(asked_together.values())
            statistics = raw_statistics(self._store, point, subjects, asked_windows)
            for key, asked, one in zip(asked_together, asked_windows, statistics, strict=True):
                found[key] = rollup_of(one, asked)
        return found


def _together(window: SubjectWindow, parts: Sequence[Rollup], point: PlanPoint) -> Statistics:
    return statistics_of(
        merge(parts or [unmeasured(window)]),
        window.subject,
        bounds=point.bounds,
        missing_bad=point.missing_bad,
        scale=point.scale,
    )


class _Kept:
    """What is kept of a point, read day by day as it is asked for."""

    def __init__(self, file: RollupFile, point: int, done_ms: int, late: set[int]) -> None:
        self._file = file
        self._point = point
        self._done_ms = done_ms
        self._late = late
        self._late_days = {hour - hour % DAY_MS for hour in late}
        self._hours: dict[int, dict[Subject, dict[int, Kept]]] = {}
        self.stale: set[tuple[int, int]] = set()
        """(hour, what is asked of it) where it was rolled up for something else."""

    def pieces(self, subject: Subject, window: SubjectWindow, raw_from_ms: int) -> list[_Piece]:
        """The window cut into what is kept, and windows for what is not."""
        found: list[_Piece] = []
        days = self._file.days(self._point, subject, window.start_ms - DAY_MS, self._done_ms)
        asked = Questions(window)
        t = window.start_ms
        while t < window.end_ms:
            day_ms, hour_ms = t - t % DAY_MS, t - t % HOUR_MS
            day, end_ms = days.get(day_ms), day_ms + DAY_MS
            if (
                day is not None
                and end_ms <= window.end_ms
                and day_ms not in self._late_days
                and day.asked == asked.of(t, end_ms, day_ms)
            ):
                found.append(decode_rollup(day.rollup))
                t = end_ms
                continue
            end_ms = min(hour_ms + HOUR_MS, window.end_ms)
            kept = None
            if hour_ms + HOUR_MS <= self._done_ms and hour_ms not in self._late:
                kept = self._hours_of(day_ms).get(subject, {}).get(hour_ms)
            if kept is not None and kept.asked == asked.of(t, end_ms, hour_ms):
                found.append(decode_rollup(kept.rollup))
                t = end_ms
                continue
            for piece in self._hour(subject, clipped(window, t, end_ms), hour_ms, raw_from_ms):
                former = found[-1] if found else None
                if isinstance(piece, tuple) and isinstance(former, tuple):
                    found[-1] = (former[0], piece[1])
                else:
                    found.append(piece)
            t = end_ms
        return found

    def _hour(self, subject: Subject, slot: SubjectWindow, hour_ms: int, raw_from_ms: int) -> list[_Piece]:
        """The pieces of an hour, or of a part of it, of which nothing is kept that answers what is asked."""
        time = (slot.start_ms, slot.end_ms)
        if hour_ms + HOUR_MS > self._done_ms:
            return [time]
        kept = self._hours_of(hour_ms - hour_ms % DAY_MS).get(subject, {}).get(hour_ms)
        if kept is None:
            return [time]
        asked = Questions(slot).of(slot.start_ms, slot.end_ms, hour_ms)
        if hour_ms >= raw_from_ms and time == (hour_ms, hour_ms + HOUR_MS) and kept.asked != asked:
            self.stale.add((hour_ms, asked))
        rollup = decode_rollup(kept.rollup)
        if hour_ms >= raw_from_ms or rollup.start_ms < slot.start_ms or rollup.end_ms > slot.end_ms:
            return [time]
        # It was frozen before something else was asked of it, such as to begin earlier: nothing is better.
        around = [(slot.start_ms, rollup.start_ms), (rollup.end_ms, slot.end_ms)]
        before, after = (
            [unmeasured(clipped(slot, start, end))] if start < end else [] for start, end in around
        )
        return [*before, rollup, *after]

    def _hours_of(self, day_ms: int) -> dict[Subject, dict[int, Kept]]:
        if day_ms not in self._hours:
            self._hours[day_ms] = self._file.hours(self._point, day_ms, day_ms + DAY_MS)
        return self._hours[day_ms]
