"""Since when and until when each series of a store has samples, kept up to date as they are written."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from collector.series import NEVER

Numbers = npt.NDArray[np.int32]
Times = npt.NDArray[np.int64]

_NOT_YET: Final = int(np.iinfo(np.int64).max)
# The period that is running, the one before it, and some that somebody asks for.
_BEGINNINGS_KEPT: Final = 4
_FIRST_STEP_MS: Final = 3_600_000
_STEP_GROWS: Final = 4


class FirstTimes(Protocol):
    """Which of the series have samples in [start_ms, end_ms), and the first time there of each that has."""

    def __call__(self, series: Numbers, start_ms: int, end_ms: int) -> tuple[Numbers, Times]: ...


@dataclass(slots=True)
class _Beginning:
    """``first``: the first time of each series from ``since_ms`` on. ``read``: also of what was stored
    before it was asked for.
    """

    since_ms: int
    first: Times
    read: bool = False


class SeenTimes:
    """The newest time of every series and, for the last few beginnings that were asked for, the first time
    from there on. ``note`` and ``forget`` come after the commit of what they tell of.

    Methods may be called from any thread.
    """

    def __init__(self) -> None:
        self._asking, self._lock = threading.Lock(), threading.Lock()
        self._last = np.full(1024, NEVER, np.int64)
        self._kept: dict[int, _Beginning] = {}

    def note(self, series: Numbers, time_ms: Times) -> None:
        """Takes over samples that are in the store."""
        if not len(series):
            return
        with self._lock:
            self._grow(int(series.max()) + 1)
            np.maximum.at(self._last, series, time_ms)
            for kept in self._kept.values():
                earlier = (time_ms >= kept.since_ms) & (time_ms < kept.first[series])
                if earlier.any():
                    np.minimum.at(kept.first, series[earlier], time_ms[earlier])

    def forget(self, before_ms: int) -> None:
        """Takes over that everything older was deleted."""
        with self._lock:
            self._last[self._last < before_ms] = NEVER
            self._kept = {since_ms: kept for since_ms, kept in self._kept.items() if since_ms >= before_ms}

    def since(self, since_ms: int, first_times: FirstTimes) -> list[tuple[int, int, int]]:
        """(number, first time, newest time) of every series with samples from ``since_ms`` on, in order of
        the numbers.

        Of a new beginning the store is asked, for as much of the time after it as tells the first times of
        all; what it raises is raised here.
        """
        with self._asking:
            # What is written from now on is noted; what was written before is read.
            kept = self._begin(since_ms)
            begin_ms, step_ms = since_ms, _FIRST_STEP_MS
            while not kept.read and len(missing := self._missing(kept, begin_ms)):
                numbers, times = first_times(missing, begin_ms, begin_ms + step_ms)
                with self._lock:
                    np.minimum.at(kept.first, numbers, times)
                begin_ms, step_ms = begin_ms + step_ms, step_ms * _STEP_GROWS
            kept.read = True
            with self._lock:
                self._fit(kept)
                seen = np.flatnonzero(self._last >= since_ms)
                columns = seen.tolist(), kept.first[seen].tolist(), self._last[seen].tolist()
            return [row for row in zip(*columns, strict=True) if row[1] != _NOT_YET]

    def _begin(self, since_ms: int) -> _Beginning:
        with self._lock:
            kept = self._kept.pop(since_ms, None)
            if kept is None:
                kept = _Beginning(since_ms, np.full(len(self._last), _NOT_YET, np.int64))
            self._kept[since_ms] = kept
            for former in list(self._kept)[:-_BEGINNINGS_KEPT]:
                del self._kept[former]
            return kept

    def _missing(self, kept: _Beginning, begin_ms: int) -> Numbers:
        """The series with samples from ``begin_ms`` on of which none before is known."""
        with self._lock:
            self._fit(kept)
            missing = (self._last >= begin_ms) & (kept.first >= begin_ms)
            return np.flatnonzero(missing).astype(np.int32)

    def _grow(self, size: int) -> None:
        if size > len(self._last):
            grown = np.full(max(size, 2 * len(self._last)), NEVER, np.int64)
            grown[: len(self._last)] = self._last
            self._last = grown
        for kept in self._kept.values():
            self._fit(kept)

    def _fit(self, kept: _Beginning) -> None:
        if len(kept.first) < len(self._last):
            grown = np.full(len(self._last), _NOT_YET, np.int64)
            grown[: len(kept.first)] = kept.first
            kept.first = grown
