"""Samples that come for hours which are rolled up: which hours have to be rolled up again."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Iterable, Sequence

import numpy as np

from collector.rollups.file import HOUR_MS, Late, RollupFile
from collector.series import SeriesTable
from collector.store.base import Batch, Metric

log = logging.getLogger(__name__)

# The number of a series and that of an hour together in 64 bits: hours since 1970 need 20 of them.
_HOUR_BITS = 24


class LateSamples:
    """``horizon_ms``: what is older comes late. It has to be moved before the hours up to it are read:
    what is stored afterwards is noted then, and what was stored before is read.

    ``note`` and the others may be called from different threads.
    """

    def __init__(self, file: RollupFile, series: SeriesTable, metrics: Iterable[Metric]) -> None:
        self._file = file
        self._series = series
        self._metrics = frozenset(metrics)
        self._lock = threading.Lock()
        self._noted = {(one.metric, one.hour_ms): one for one in file.late()}
        self._next = max((one.noted for one in self._noted.values()), default=0) + 1
        self._taken: set[tuple[Metric, int]] = set()
        self._stale: dict[str, set[int]] = {}
        self._asked: set[tuple[str, int, int]] = set()
        self.horizon_ms = file.newest_done_ms()

    def note(self, batches: Iterable[Batch]) -> None:
        """Notes the hours of late samples in batches that are stored, on disk, so that it is safe to ack them
        afterwards: those that are not acked come again, and are noted then.
        """
        found: set[tuple[Metric, int]] = set()
        for batch in batches:
            late = batch.time_ms < self.horizon_ms
            if late.any():
                found |= self._hours(batch, late.nonzero()[0])
        with self._lock:
            fresh = {one for one in found if one not in self._noted or one in self._taken}
            if not fresh:
                return
            rows = [Late(metric, hour_ms, self._next) for metric, hour_ms in sorted(fresh)]
            self._next += 1
            self._noted.update({(row.metric, row.hour_ms): row for row in rows})
            self._taken -= fresh
            try:
                self._file.note_late(rows)
            except sqlite3.Error as error:
                # What was measured is stored, and the hours are rolled up again unless this process dies.
                log.error("late samples of %d hours are noted in memory only: %s", len(rows), error)

    def _hours(self, batch: Batch, late: np.typing.NDArray[np.intp]) -> set[tuple[Metric, int]]:
        hours = batch.time_ms[late] // HOUR_MS
        pairs = np.unique((batch.series[late].astype(np.int64) << _HOUR_BITS) | hours)
        found = set()
        for pair in pairs.tolist():
            key = self._series.entry(pair >> _HOUR_BITS).key
            metric = Metric(key.measurement, key.field)
            if metric in self._metrics:
                found.add((metric, (pair & ((1 << _HOUR_BITS) - 1)) * HOUR_MS))
        return found

    def hours(self, metrics: Iterable[Metric]) -> set[int]:
        """The hours of the metrics that late samples came for and that are not rolled up again yet."""
        wanted = set(metrics)
        with self._lock:
            return {hour_ms for metric, hour_ms in self._noted if metric in wanted}

    def take(self) -> list[Late]:
        """What is noted, in order; what comes from now on is noted anew."""
        with self._lock:
            self._taken = set(self._noted)
            return sorted(self._noted.values())

    def settled(self, late: Sequence[Late]) -> None:
        """Forgets what is rolled up again, as the file has done, unless it was noted anew meanwhile."""
        with self._lock:
            for one in late:
                if self._noted.get((one.metric, one.hour_ms)) == one:
                    del self._noted[one.metric, one.hour_ms]
                    self._taken.discard((one.metric, one.hour_ms))

    def ask_again(self, point: str, hours: Iterable[tuple[int, int]]) -> None:
        """Has (hour, what is asked of it) of a point rolled up again that answer something else than what is
        asked now; each once only, for who asks may not be who rolls up.
        """
        with self._lock:
            for hour_ms, asked in hours:
                if (point, hour_ms, asked) not in self._asked:
                    self._asked.add((point, hour_ms, asked))
                    self._stale.setdefault(point, set()).add(hour_ms)

    def take_stale(self) -> dict[str, set[int]]:
        """Point id → the hours that were asked for with ``ask_again`` since the last call."""
        with self._lock:
            stale, self._stale = self._stale, {}
            return stale
