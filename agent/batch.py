"""Gathers encoded lines into batches, and puts each batch into the outbox."""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from typing import Literal

import zstandard

from agent.outbox import Outbox
from setpoint.line_protocol import encode_point
from setpoint.reading import Point

log = logging.getLogger(__name__)

Compression = Literal["zstd", "gzip", "none"]


def compressor(kind: Compression) -> Callable[[bytes], bytes]:
    """What makes a body smaller; the collector tells the kinds apart by their first bytes."""
    if kind == "zstd":
        return zstandard.ZstdCompressor(level=3).compress
    if kind == "gzip":
        return lambda body: gzip.compress(body, 6, mtime=0)
    return lambda body: body


class Batcher:
    """Collects lines until ``flush_s`` has passed since the first, or ``batch_bytes`` are there.

    ``on_stored`` is called after a batch is safely in the outbox.
    """

    def __init__(
        self,
        outbox: Outbox,
        executor: Executor,
        *,
        host: str,
        flush_s: float,
        batch_bytes: int,
        compression: Compression,
        on_stored: Callable[[], None],
    ) -> None:
        self._outbox = outbox
        self._executor = executor
        self._host = {"host": host}
        self._flush_s = flush_s
        self._batch_bytes = batch_bytes
        self._compress = compressor(compression)
        self._on_stored = on_stored
        self._lines: list[tuple[bytes, int]] = []
        self._size = 0
        self._readings = 0
        self._due: asyncio.TimerHandle | None = None
        self._flushing = asyncio.Lock()
        self._left_out: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Holds the error once a batch could not be handed over to the outbox."""

    def add(self, points: Iterable[Point], time_ms: int, tags: dict[str, str]) -> int:
        """Takes points; ``time_ms`` is for those without a time. Returns how many readings they hold.

        What line protocol cannot say, such as a counter beyond 2⁶³−1, is left out and costs no other point.
        """
        before = self._readings
        for point in points:
            try:
                line = encode_point(
                    point.measurement,
                    {**tags, **point.tags, **self._host},
                    point.fields,
                    time_ms if point.time_ms is None else point.time_ms,
                )
            except ValueError as error:
                if point.measurement not in self._left_out:
                    self._left_out.add(point.measurement)
                    log.warning('a point of "%s" is left out: %s', point.measurement, error)
                continue
            if line:
                self._lines.append((line, len(point.fields)))
                self._size += len(line) + 1
                self._readings += len(point.fields)
        if self._size >= self._batch_bytes:
            self._start_flush()
        elif self._lines and self._due is None:
            self._due = asyncio.get_running_loop().call_later(self._flush_s, self._start_flush)
        return self._readings - before

    def _start_flush(self) -> None:
        task = asyncio.get_running_loop().create_task(self.flush())
        self._tasks.add(task)
        task.add_done_callback(self._flushed)

    def _flushed(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and not self.failed.done():
            self.failed.set_exception(error)

    async def flush(self) -> None:
        """Returns when all that was added before is in the outbox (or counted there as dropped)."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        async with self._flushing:
            lines, self._lines, self._size, self._readings = self._lines, [], 0, 0
            if not lines:
                return
            await asyncio.get_running_loop().run_in_executor(self._executor, self._store, lines)
        self._on_stored()

    def _store(self, lines: list[tuple[bytes, int]]) -> None:
        """Cuts the lines into bodies of about ``batch_bytes`` and appends each."""
        body: list[bytes] = []
        size = readings = 0
        for position, (line, fields) in enumerate(lines, 1):
            body.append(line)
            size += len(line) + 1
            readings += fields
            if size >= self._batch_bytes or position == len(lines):
                self._outbox.append(self._compress(b"\n".join(body) + b"\n"), readings)
                body, size, readings = [], 0, 0
