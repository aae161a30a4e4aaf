"""A store with what stands before it in a collector: what the tests of all engines write and read with."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from collector.decode import Decoder, Limits
from collector.series import SeriesTable
from collector.store.base import Batch, Metric, Store, StoreUnavailable, WriteResult
from setpoint.batch_header import body_hash, encode_header
from setpoint.reading import Subject

# A whole hour, since readers work by the hour; recent, since engines have a retention.
BASE_MS = (time.time_ns() // 1_000_000 // 3_600_000 - 48) * 3_600_000
CPU = Metric("cpu", "busy")
T = TypeVar("T")
Samples = dict[Subject, list[tuple[int, float]]]


def everything(_: Mapping[str, str]) -> bool:
    return True


class Site:
    """``open_store`` opens the engine as a collector does at its start; ``settle`` waits until what was
    written can be read.
    """

    def __init__(
        self, open_store: Callable[[SeriesTable], Store], settle: Callable[[], None] = lambda: None
    ) -> None:
        self._open_store = open_store
        self._settle = settle
        self._loop = asyncio.Runner()
        self._open()

    def _open(self) -> None:
        self.series = SeriesTable()
        self.store = self._open_store(self.series)
        self._decoder = Decoder(self.series, Limits(line_bytes=70_000))

    def reopen(self) -> None:
        """As a collector does that was stopped and started."""
        self._settle()
        self.store.close()
        self._open()

    def close(self) -> None:
        self.store.close()
        self._loop.close()

    def batch(
        self,
        *lines: str,
        sequence: int | None = 1,
        low: int = 1,
        epoch: str = "epoch",
        agent: str = "mon-01",
        received_ms: int = BASE_MS,
    ) -> Batch:
        """What the decoder makes of the lines; of another publisher, without an id, where there is no
        ``sequence``. Times are milliseconds after BASE_MS, with what a fraction of one they have.
        """
        body = "".join(f"{text} {_time_ns(ms)}\n" for text, ms in map(_split, lines)).encode()
        return self.decode(body, sequence, low, epoch, agent, received_ms)

    def decode(
        self,
        body: bytes,
        sequence: int | None = 1,
        low: int = 1,
        epoch: str = "epoch",
        agent: str = "mon-01",
        received_ms: int = BASE_MS,
    ) -> Batch:
        """The batch of a body, of which every line is good."""
        header = b"" if sequence is None else encode_header(epoch, sequence, body_hash(body), low, 0)
        decoded = self._decoder.decode("hq", agent, header + body, received_ms, enrolled=sequence is not None)
        assert decoded.batch is not None, decoded.reason
        assert not decoded.rejected_lines, decoded.reason
        return decoded.batch

    def write(self, *batches: Batch) -> WriteResult:
        """Returns when it is durable and can be read."""
        result = self.send(*batches)
        self._settle()
        return result

    def send(self, *batches: Batch) -> WriteResult:
        """Returns when it is durable."""
        return self.run(self._write(batches))

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs it in the event loop that writes."""
        return self._loop.run(coroutine)

    async def _write(self, batches: tuple[Batch, ...]) -> WriteResult:
        result = await self.store.write(batches)
        if result.durable is not None:
            await result.durable()
        return result

    def send_until_taken(self, *batches: Batch, timeout_s: float = 10) -> WriteResult:
        """As the intake does: again and again while the store is away."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                return self.send(*batches)
            except StoreUnavailable:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def samples(
        self,
        metric: Metric = CPU,
        start_ms: int = 0,
        end_ms: int = 10**6,
        where: Callable[[Mapping[str, str]], bool] = everything,
        by: tuple[str, ...] | None = None,
    ) -> Samples:
        """By subject, in order of time, as milliseconds after BASE_MS; of repeated rows one."""
        with self.store.train(metric, where, BASE_MS + start_ms, BASE_MS + end_ms, by) as train:
            found: Samples = {subject: [] for subject in train.subjects}
            for subject, time_ms, value in train.relation.distinct().order("t, value").fetchall():
                found[train.subjects[subject]].append((time_ms - BASE_MS, value))
        return found

    def values(self) -> list[float]:
        """Of ``cpu.busy`` of all subjects, in order of time."""
        return [value for _, value in sorted(itertools.chain(*self.samples().values()))]


def _time_ns(ms: str) -> int:
    whole, _, part = ms.partition(".")
    return (BASE_MS + int(whole)) * 10**6 + int(part.ljust(6, "0"))


def _split(line: str) -> tuple[str, str]:
    text, _, ms = line.rpartition(" ")
    return text, ms


def line(value: float, ms: int, host: str = "mon-01") -> str:
    return f"cpu,host={host} busy={value} {ms}"
