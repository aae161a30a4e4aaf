"""From the outbox to the broker, and acks back: the only module of the agent that speaks MQTT.

A PUBACK is no proof that anything was kept: a batch leaves the outbox when the collector's ack says that it
is stored (or refused). Until then it is sent again, on every reconnect and after a multiple of the usual
ack latency.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

import aiomqtt

from agent.outbox import Outbox, Queued
from setpoint.ack import decode_ack
from setpoint.batch_header import encode_header
from setpoint.broker_settings import BrokerSettings
from setpoint.status import Status, encode_status
from setpoint.topics import Topic

log = logging.getLogger(__name__)

_FIRST_DELAY_S = 1.0
_LONGEST_DELAY_S = 30.0
_PUBACK_WITHIN_S = 30.0
_LARGEST_ACK = 1 << 20


@dataclass(slots=True)
class _InFlight:
    sent: float
    newest: bool
    id: str


@dataclass(slots=True)
class PublisherCounters:
    """Since the start of this process. ``ack_latency_s`` is a moving average, None before the first ack."""

    connected: bool = False
    connects: int = 0
    sent_batches: int = 0
    repeated_batches: int = 0
    acked_batches: int = 0
    ack_latency_s: float | None = None


class Publisher:
    """Keeps a connection and empties the outbox through it.

    ``executor`` runs what touches the disk. ``window``: batches under way at once, a quarter of it for the
    newest. ``resend_s``: how long at least an ack is waited for before a batch is sent again.
    """

    def __init__(
        self,
        broker: BrokerSettings,
        outbox: Outbox,
        executor: Executor,
        *,
        site: str,
        agent: str,
        status: Callable[[], Status],
        window: int = 32,
        resend_s: float = 30.0,
    ) -> None:
        self._broker = broker
        self._outbox = outbox
        self._executor = executor
        self._site, self._agent = site, agent
        self._status = status
        self._newest_slots = max(1, window // 4)
        self._oldest_slots = max(1, window - self._newest_slots)
        self._resend_s = resend_s
        self._in_flight: dict[int, _InFlight] = {}
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.counters = PublisherCounters()

    def wake(self) -> None:
        """Says that the outbox has something new."""
        self._wake.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Connects, and connects again, until ``stop``. Says "offline" before it leaves."""
        delay = _FIRST_DELAY_S
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                began = time.monotonic()
                try:
                    await self._session(stopping)
                except (aiomqtt.MqttError, OSError) as error:
                    log.warning("broker %s: %s", self._broker.address, _reason(error, self._username))
                if time.monotonic() - began > 2 * _LONGEST_DELAY_S or self.counters.connected:
                    delay = _FIRST_DELAY_S
                self.counters.connected = False
                if not stop.is_set():
                    # Half fixed, half random: a hundred agents do not come back in the same instant.
                    pause = delay * random.uniform(0.5, 1.0)
                    delay = min(2 * delay, _LONGEST_DELAY_S)
                    await asyncio.wait({stopping}, timeout=pause)
        finally:
            stopping.cancel()

    @property
    def _username(self) -> str:
        return self._broker.username or self._agent

    async def _session(self, stopping: asyncio.Task[bool]) -> None:
        """One connection, from connect to loss or stop. MqttError when it is lost."""
        status_topic = str(Topic(self._site, self._agent, "status"))
        lost = Status(state="offline", since_ms=time.time_ns() // 1_000_000, reason="connection lost")
        async with aiomqtt.Client(
            self._broker.host,
            self._broker.port,
            identifier=f"setpoint-{self._site}-{self._agent}",
            username=self._username if self._broker.password else self._broker.username,
            password=self._broker.password.reveal() if self._broker.password else None,
            tls_context=self._broker.tls_context(),
            keepalive=max(1, int(self._broker.keepalive.seconds)),
            clean_session=True,
            will=aiomqtt.Will(status_topic, encode_status(lost), qos=1, retain=True),
            max_inflight_messages=64,
        ) as client:
            client.pending_calls_threshold = 4 * (self._oldest_slots + self._newest_slots)
            await client.subscribe(str(Topic(self._site, self._agent, "ack")), qos=1)
            await client.publish(status_topic, encode_status(self._status()), qos=1, retain=True)
            self.counters.connected = True
            self.counters.connects += 1
            log.info("connected to the broker at %s as %s", self._broker.address, self._username)
            self._in_flight.clear()
            jobs: set[asyncio.Task[None]] = {
                asyncio.create_task(self._send(client)),
                asyncio.create_task(self._take_acks(client)),
            }
            try:
                await asyncio.wait({*jobs, stopping}, return_when=asyncio.FIRST_COMPLETED)
                for job in jobs:
                    if job.done():
                        job.result()
                said = Status(state="offline", since_ms=time.time_ns() // 1_000_000, reason="stopped")
                await client.publish(status_topic, encode_status(said), qos=1, retain=True, timeout=2)
            finally:
                for job in jobs | self._tasks:
                    job.cancel()
                await asyncio.gather(*jobs, *self._tasks, return_exceptions=True)

    # -- sending -----------------------------------------------------------------------------------

    async def _send(self, client: aiomqtt.Client) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._wake.clear()
            patience = self._forget_overdue()
            newest = sum(f.newest for f in self._in_flight.values())
            oldest_free = self._oldest_slots - (len(self._in_flight) - newest)
            newest_free = self._newest_slots - newest
            if oldest_free > 0 or newest_free > 0:
                batches = await loop.run_in_executor(
                    self._executor,
                    self._outbox.next_batches,
                    max(0, oldest_free),
                    max(0, newest_free),
                    tuple(self._in_flight),
                )
                for position, batch in enumerate(batches):
                    sent = _InFlight(time.monotonic(), position >= oldest_free, batch.id)
                    self._in_flight[batch.n] = sent
                    task = asyncio.create_task(self._publish(client, batch))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
            # Not wait_for(): Python 3.11's forgets that it was cancelled when it is woken in the same moment.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._wake.wait()

    async def _publish(self, client: aiomqtt.Client, batch: Queued) -> None:
        header = encode_header(batch.epoch, batch.sequence, batch.hash, batch.low, time.time_ns())
        topic = str(Topic(self._site, self._agent, "readings"))
        try:
            await client.publish(topic, header + batch.body, qos=1, timeout=_PUBACK_WITHIN_S)
        except aiomqtt.MqttError as error:
            # Whether the connection is lost is seen where acks are read; here the batch waits for its
            # next turn like any other that no ack has come for.
            log.debug("batch %s was not sent: %s", batch.id, error)
            return
        self.counters.sent_batches += 1

    def _forget_overdue(self) -> float:
        """Takes batches whose ack is overdue out of flight, so that they are sent again; returns for how
        many seconds no other will be overdue.
        """
        resend_after = max(self._resend_s, 4 * (self.counters.ack_latency_s or 0))
        now = time.monotonic()
        for n, sent in list(self._in_flight.items()):
            if now - sent.sent >= resend_after:
                del self._in_flight[n]
                self.counters.repeated_batches += 1
                log.info("no ack for batch %s in %.0f s; it goes again", sent.id, now - sent.sent)
        earliest = min((f.sent for f in self._in_flight.values()), default=now)
        return max(0.1, earliest + resend_after - now)

    # -- acks --------------------------------------------------------------------------------------

    async def _take_acks(self, client: aiomqtt.Client) -> None:
        loop = asyncio.get_running_loop()
        async for message in client.messages:
            payload = message.payload
            if not isinstance(payload, bytes) or len(payload) > _LARGEST_ACK:
                log.warning("ack: ignored a message of unexpected form or size")
                continue
            try:
                ack = decode_ack(payload)
            except ValueError as error:
                log.warning("ack: ignored: %s", error)
                continue
            for rejected in ack.rejected:
                log.warning(
                    "the collector refused %d readings of batch %s: %s",
                    rejected.readings,
                    rejected.id,
                    rejected.reason,
                )
            acked = dict.fromkeys(ack.stored, 0) | {r.id: r.readings for r in ack.rejected}
            removed = await loop.run_in_executor(self._executor, self._outbox.remove, acked)
            now = time.monotonic()
            for n in removed:
                self.counters.acked_batches += 1
                sent = self._in_flight.pop(n, None)
                if sent is not None:
                    known = self.counters.ack_latency_s
                    latency = now - sent.sent
                    self.counters.ack_latency_s = latency if known is None else 0.9 * known + 0.1 * latency
            self._wake.set()


def _reason(error: Exception, username: str) -> str:
    text = str(error)
    if "authori" in text.lower() or "bad user name" in text.lower():
        return f'refused the credential of "{username}" ({text}); check username and password'
    return text or type(error).__name__
