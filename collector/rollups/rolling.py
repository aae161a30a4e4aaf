"""The rollups of a collector: their file, what fills it and what reads it."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

from collector.agents import Agents
from collector.analysis.statistics import Statistics, SubjectWindow
from collector.planned_subjects import PlannedSubject
from collector.point_statistics import metrics_of
from collector.register import Register
from collector.rollups.file import DAY_MS, RollupFile
from collector.rollups.late import LateSamples
from collector.rollups.progress import RollupProgress, rollup_progress
from collector.rollups.reading import RollupReader
from collector.rollups.writer import RollupWriter, Told
from collector.series import SeriesTable
from collector.settings import CollectorSettings
from collector.steady_clock import SteadyClock
from collector.store.base import Store, StoreUnavailable
from setpoint.plan import Plan, PlanPoint

log = logging.getLogger(__name__)

# How long after its end an hour's last samples may come on the usual way; later ones are late.
_SETTLED_MS = 5 * 60_000
# Nobody notes what comes late where other collectors write, so that hours wait until little comes any more.
_SETTLED_SHARED_MS = 3 * DAY_MS
# Rolling up may take this share of the time at most, as reviews may.
_SHARE = 0.1
_IDLE_S = 60.0
_EXPIRE_EVERY_S = 3600.0
# A payload that the decoder takes may be twice as long.
_TELL_BYTES = 500_000


class Rolling:
    """Opening it may raise RollupFileError. ``now_ms``: the time, UTC milliseconds."""

    def __init__(
        self,
        settings: CollectorSettings,
        plan: Plan,
        data: Path,
        store: Store,
        series: SeriesTable,
        agents: Agents,
        register: Register,
        *,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._path = data / "rollups.db"
        self._retention_ms = int(settings.store.retention)
        self._keep_ms = int(settings.review.keep_rollups)
        self._now_ms = now_ms
        self.file = RollupFile(self._path)
        metrics = {metric for point in plan.points for metric in metrics_of(point)}
        self.late = LateSamples(self.file, series, metrics)
        self._plan = plan
        self._settled_ms = _SETTLED_SHARED_MS if settings.collector.share else _SETTLED_MS
        self._reader = RollupReader(store, self.file, self.late)
        self._writer = RollupWriter(
            plan,
            store,
            series,
            agents,
            register,
            self.file,
            self.late,
            collector=settings.collector.name,
            settled_ms=self._settled_ms,
        )
        self._expired_s = time.monotonic()
        self._clock = SteadyClock()
        self.error = ""
        """Why nothing is rolled up at present."""

    def statistics(
        self, point: PlanPoint, subjects: Sequence[PlannedSubject], windows: Sequence[SubjectWindow]
    ) -> list[Statistics]:
        """What the windows show: one Statistics each. StoreUnavailable also when the rollups are."""
        try:
            return self._reader.statistics(point, subjects, windows, self._now_ms() - self._retention_ms)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{self._path}: {error}") from error

    def progress(self) -> RollupProgress:
        """How far hours are rolled up. StoreUnavailable when the file cannot be read."""
        try:
            settled_ms = self._now_ms() - self._settled_ms
            return rollup_progress(self._plan, self.file, settled_ms, self.error)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{self._path}: {error}") from error

    async def step(self, tell: Callable[[bytes], Awaitable[object]], analysing: asyncio.Lock) -> float:
        """Rolls up a part of what there is to do, and tells the store of it; returns for how many seconds to
        leave the machine to others. ``analysing`` is held while samples are read.
        QueryError when they cannot be.
        """
        began = time.monotonic()
        told: Told | None = None
        try:
            async with analysing:
                began = time.monotonic()
                now_ms = self._now_ms()
                told = await asyncio.to_thread(self._writer.step, now_ms, now_ms - self._retention_ms)
            for lines in _chunks(told.lines if told is not None else ()):
                await tell(lines)
            if told is not None and told.hours:
                await asyncio.to_thread(self.file.tell, told.point, told.hours)
            if time.monotonic() - self._expired_s > _EXPIRE_EVERY_S and self._clock.is_steady():
                self._expired_s = time.monotonic()
                await asyncio.to_thread(self.file.expire, now_ms - self._keep_ms)
        except (StoreUnavailable, sqlite3.Error) as error:
            self.failed(error)
            return _IDLE_S
        self.error = ""
        return _IDLE_S if told is None else (time.monotonic() - began) * (1 / _SHARE - 1)

    def failed(self, error: Exception) -> None:
        """Notes why nothing was rolled up; the next step tries again."""
        self.error = f"rolling up failed: {error}"
        log.error("%s", self.error)


def _chunks(lines: Sequence[bytes]) -> Iterator[bytes]:
    chunk: list[bytes] = []
    size = 0
    for line in lines:
        chunk.append(line)
        size += len(line) + 1
        if size > _TELL_BYTES:
            yield b"\n".join(chunk) + b"\n"
            chunk, size = [], 0
    if chunk:
        yield b"\n".join(chunk) + b"\n"
