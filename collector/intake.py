"""From payloads to the store: decode, write, and say what became of every batch."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from collector.agents import Agents
from collector.attempts import GIVE_UP_AFTER, Attempts
from collector.decode import Decoded, Decoder
from collector.inbox import Incoming
from collector.rejected import RejectedEntry, RejectedFolder
from collector.series import SeriesTable
from collector.store.base import Batch, NewestSample, Store, StoreUnavailable, WriteResult
from setpoint.ack import Ack, RejectedBatch
from setpoint.batch_header import BatchHeader, parse_header, split_header

log = logging.getLogger(__name__)

_RETRY_FIRST_S = 0.5
# An attempt costs little, and after it the present waits for no longer than this.
_RETRY_LONGEST_S = 10.0
# A reason may quote a name as long as a line. Acks name many batches, and agents take no ack above 1 MiB.
_LONGEST_REASON = 500


class Origin(NamedTuple):
    """Whose payload it is. ``enrolled``: one of our agents, which waits for an ack."""

    site: str
    agent: str
    enrolled: bool


@dataclass(slots=True)
class IntakeCounters:
    """Since the start of this process. ``latency_s``: from sending to stored, of the newest batch."""

    batches: int = 0
    repeated: int = 0
    readings: int = 0
    rejected_batches: int = 0
    rejected_readings: int = 0
    clock_skew_readings: int = 0
    write_s: float = 0.0
    decode_s: float = 0.0
    commits: int = 0
    latency_s: float | None = None
    store_failures: int = 0


@dataclass(slots=True)
class _Work:
    """One payload on its way."""

    origin: Origin
    message: Incoming
    header: BatchHeader | None
    key: str
    decoded: Decoded | None = None


@dataclass(slots=True)
class Acks:
    """What is to be said, per enrolled agent."""

    by_agent: dict[tuple[str, str], Ack] = field(default_factory=dict)

    def of(self, origin: Origin) -> Ack:
        return self.by_agent.setdefault((origin.site, origin.agent), Ack())


class _Group(NamedTuple):
    """Payloads that were written together; ``result`` is that of the first writing."""

    works: Sequence[_Work]
    batches: Sequence[Batch]
    result: WriteResult


@dataclass(slots=True)
class _Written:
    """What the store has, and what is to be said of what it does not get."""

    groups: list[_Group] = field(default_factory=list)
    acks: Acks = field(default_factory=Acks)


class Intake:
    """Takes groups of payloads, and writes one group at a time. Everything it needs is given."""

    def __init__(
        self,
        *,
        decode: Decoder,
        store: Store,
        series: SeriesTable,
        rejected: RejectedFolder,
        attempts: Attempts,
        agents: Agents,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        stored: Callable[[Sequence[Batch]], None] = lambda _: None,
    ) -> None:
        """``stored`` is called, in a thread, with what is durable and not acked yet."""
        self._decoder = decode
        self._store = store
        self._series = series
        self._rejected = rejected
        self._attempts = attempts
        self._agents = agents
        self._now_ms = now_ms
        self._stored = stored
        self._taking = asyncio.Lock()
        # One thread at a time adds series or observes values.
        self._table = asyncio.Lock()
        self.store_error = ""
        self.counters = IntakeCounters()

    async def take(self, messages: Sequence[tuple[Origin, Incoming]]) -> Acks:
        """Returns when everything that could be stored is durable; the result says what to ack.

        While the store is away this waits and tries again: nothing is acked meanwhile.
        """
        confirm = await self.begin(messages)
        return await confirm()

    async def begin(self, messages: Sequence[tuple[Origin, Incoming]]) -> Callable[[], Awaitable[Acks]]:
        """The first half of ``take``: returns when the store has the messages, so that the next ones can
        follow. What it returns is to be called for the second half, which waits until they are durable.
        """
        async with self._taking:
            written = await self._write_all(messages)
        return lambda: self._confirm(written)

    async def take_over(self, found: Sequence[NewestSample]) -> None:
        """Makes the series table know what other collectors have written."""
        async with self._table:
            await asyncio.to_thread(self._series.take_over, found)

    async def _write_all(self, messages: Sequence[tuple[Origin, Incoming]]) -> _Written:
        written = _Written()
        together: list[_Work] = []
        for origin, message in messages:
            work = _work(origin, message)
            deaths = self._attempts.deaths(work.key)
            if deaths >= GIVE_UP_AFTER:
                self._give_up(work, deaths, written.acks)
            elif deaths:
                # It was under way when the collector died: alone, so that its neighbours are not suspected.
                written.groups.append(await self._write_group([work]))
            else:
                together.append(work)
        if together:
            written.groups.append(await self._write_group(together))
        return written

    async def _write_group(self, group: list[_Work]) -> _Group:
        keys = [work.key for work in group]
        self._attempts.begin(keys)
        try:
            began = time.perf_counter()
            async with self._table:
                await asyncio.to_thread(self._decode_all, group)
            decoded = time.perf_counter()
            self.counters.decode_s += decoded - began
            batches = [w.decoded.batch for w in group if w.decoded and w.decoded.batch is not None]
            result = await self._write(batches, keys)
            self.counters.write_s += time.perf_counter() - decoded
        except asyncio.CancelledError:
            # The collector is being stopped, not killed by these batches.
            self._attempts.end(keys)
            raise
        # The store has them: killed while it waits until they are durable, the collector was not killed by
        # them.
        self._attempts.end(keys)
        return _Group(group, batches, result)

    def _decode_all(self, group: Sequence[_Work]) -> None:
        for work in group:
            work.decoded = self._decoder.decode(
                work.origin.site,
                work.origin.agent,
                work.message.payload,
                work.message.received_ms,
                enrolled=work.origin.enrolled,
            )

    async def _write(self, batches: Sequence[Batch], keys: Sequence[str] = ()) -> WriteResult:
        """Tries again until the store has the batches; ``keys``: what is under way meanwhile."""
        if not batches:
            return WriteResult()
        delay = _RETRY_FIRST_S
        while True:
            try:
                result = await self._store.write(batches)
            except StoreUnavailable as error:
                self._store_failed(error, f"nothing is acked, next try in {delay:.1f} s")
                # Killed in this pause, the collector was not killed by what waits.
                self._attempts.end(keys)
                await asyncio.sleep(delay)
                delay = min(2 * delay, _RETRY_LONGEST_S)
                self._attempts.begin(keys)
                continue
            self.store_error = ""
            return result

    def _store_failed(self, error: StoreUnavailable, then: str) -> None:
        self.counters.store_failures += 1
        self.store_error = str(error)
        log.error("store: %s; %s", error, then)

    async def _confirm(self, written: _Written) -> Acks:
        for group in written.groups:
            result = await self._until_durable(group)
            if group.batches:
                self._count(group.batches, result)
                await asyncio.to_thread(self._stored, group.batches)
            async with self._table:
                await asyncio.to_thread(self._settle, group.works, written.acks)
        return written.acks

    async def _until_durable(self, group: _Group) -> WriteResult:
        result = group.result
        while result.durable is not None:
            try:
                await result.durable()
                break
            except StoreUnavailable as error:
                self._store_failed(error, "nothing of it is acked")
                async with self._taking:
                    result = await self._write(group.batches)
        return result

    def _count(self, batches: Sequence[Batch], result: WriteResult) -> None:
        self.counters.commits += 1
        self.counters.batches += len(batches)
        self.counters.repeated += result.repeated
        self.counters.readings += result.readings
        together: dict[tuple[str, str, str], list[bytes]] = {}
        for refused in result.refused:
            name = (refused.agent, str(refused.batch or ""), refused.reason)
            together.setdefault(name, []).append(refused.line)
        for (agent, batch, reason), lines in together.items():
            log.warning("%s: the store refused %d lines: %s", agent, len(lines), reason)
            self.counters.rejected_readings += len(lines)
            self._save(agent, batch, reason, len(lines), b"\n".join(lines))

    def _settle(self, group: Sequence[_Work], acks: Acks) -> None:
        """After the commit: rejects to their folder (on disk before the ack), counts, acks."""
        self._observe([work.decoded.batch for work in group if work.decoded and work.decoded.batch])
        for work in group:
            decoded = work.decoded
            assert decoded is not None
            agent = self._agents.get(work.origin.site, work.origin.agent) if work.origin.enrolled else None
            batch = decoded.batch
            if batch is not None:
                if agent is not None:
                    agent.first_ms = agent.first_ms or work.message.received_ms
                    agent.last_ms = work.message.received_ms
                    agent.batches += 1
                    agent.readings += batch.readings
                if work.header is not None:
                    self.counters.latency_s = max(0.0, self._now_ms() / 1000 - work.header.sent_ns / 1e9)
            if decoded.rejected is not None or decoded.rejected_lines:
                self._report(work, decoded)
            if agent is not None:
                agent.rejected_readings += decoded.rejected_readings
                agent.clock_offset_ms = decoded.clock_offset_ms
                agent.clock_skew_readings += decoded.clock_skew
                if decoded.clock_skew:
                    agent.clock_skew_ms = work.message.received_ms
                    agent.clock_off_ms = decoded.clock_offset_ms
                if work.header is not None:
                    agent.sent(work.header.sent_ns // 1_000_000 - work.message.received_ms)
            if work.origin.enrolled and work.header is not None:
                _answer(acks.of(work.origin), work.header.batch_id, decoded)

    def _observe(self, batches: Sequence[Batch]) -> None:
        if batches:
            self._series.observe(
                np.concatenate([batch.series for batch in batches]),
                np.concatenate([batch.time_ms for batch in batches]),
                np.concatenate([batch.value for batch in batches]),
            )

    def _report(self, work: _Work, decoded: Decoded) -> None:
        batch_id = work.header.batch_id if work.header else ""
        self.counters.rejected_readings += decoded.rejected_readings
        self.counters.clock_skew_readings += decoded.clock_skew
        if decoded.rejected is not None:
            self.counters.rejected_batches += 1
            content = work.message.payload
        else:
            content = b"\n".join(line for line, _ in decoded.rejected_lines)
        reason = _reason(decoded)
        log.warning("%s: refused %s: %s", work.origin.agent, batch_id or "a payload", reason)
        self._save(work.origin.agent, batch_id, reason, decoded.rejected_readings, content)

    def _save(self, agent: str, batch: str, reason: str, readings: int, content: bytes) -> None:
        entry = RejectedEntry(self._now_ms(), agent, batch, reason, readings, len(content))
        try:
            self._rejected.save(entry, content)
        except OSError as error:
            # The reason still goes to the agent and to the log; only the bytes are not kept.
            log.error("cannot keep what was refused: %s", error)

    def _give_up(self, work: _Work, deaths: int, acks: Acks) -> None:
        reason = f"the collector died {deaths} times while it worked on this batch"
        log.error("%s: batch %s is refused: %s", work.origin.agent, work.key, reason)
        self.counters.rejected_batches += 1
        batch_id = work.header.batch_id if work.header else ""
        self._save(work.origin.agent, batch_id, reason, 0, work.message.payload)
        if work.origin.enrolled and work.header is not None:
            acks.of(work.origin).rejected.append(RejectedBatch(id=work.header.batch_id, reason=reason))
        self._attempts.end([work.key])


def _work(origin: Origin, message: Incoming) -> _Work:
    header = parse_header(split_header(message.payload)[0])
    if header is not None:
        name = header.batch_id
    else:
        name = hashlib.blake2b(message.payload, digest_size=8).hexdigest()
    return _Work(origin, message, header, f"{origin.site}/{origin.agent}/{name}")


def _answer(ack: Ack, batch_id: str, decoded: Decoded) -> None:
    if decoded.batch is not None:
        ack.stored.append(batch_id)
    if decoded.rejected is not None or decoded.rejected_readings:
        rejected = RejectedBatch(id=batch_id, reason=_reason(decoded), readings=decoded.rejected_readings)
        ack.rejected.append(rejected)


def _reason(decoded: Decoded) -> str:
    reason = decoded.reason
    return reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]} ..."
