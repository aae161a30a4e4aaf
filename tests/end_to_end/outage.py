"""Takes the store away from a collector under load, and kills it; then counts what the store holds."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import psutil

from setpoint.ack import decode_ack
from setpoint.topics import parse_topic, subscription
from tests.end_to_end.engines import EmbeddedEngine, Engine, samples_read
from tests.end_to_end.site import CollectorProcess, NumberedAgent
from tests.servers import Login, Mosquitto, wait_until

NOBODY = Login(None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """``agents`` that emit ``rate`` numbers a second each, ``per_batch`` in a batch, for at least
    ``seconds`` and until the blows are over.
    """

    agents: int = 3
    rate: float = 1000
    per_batch: int = 100
    seconds: float = 20
    resend_s: float = 5


@dataclass(slots=True)
class OutageReport:
    """Numbers are those of all agents together, batches those of the agent that fared worst."""

    engine: str
    emitted: int = 0
    stored: int = 0
    lost: int = 0
    twice: int = 0
    """Of what a review reads."""
    rows_twice: int = 0
    """Rows that the engine keeps beyond one for each number."""
    away_s: float = 0.0
    kills: int = 0
    acks_while_away: int = 0
    queue_peak_bytes: int = 0
    dropped_messages: int = 0
    rss_before_bytes: int = 0
    rss_peak_bytes: int = 0
    backlog_batches: int = 0
    backlog_acked_before_fresh: int = 0
    """How many batches of the backlog were acked no later than the first one measured after it."""
    fresh_after_s: float = 0.0
    backlog_done_after_s: float = 0.0
    drained_after_s: float = 0.0
    """Since the last number was emitted, or the store was back if that was later, until every outbox was
    empty.
    """

    def __str__(self) -> str:
        text = (
            f"{self.engine}: {self.emitted} numbers, stored {self.stored}, lost {self.lost}, twice "
            f"{self.twice} (rows kept twice: {self.rows_twice}); store killed {self.kills} times; "
            f"outboxes empty {self.drained_after_s:.0f} s after the last number; collector "
            f"{self.rss_before_bytes / 1e6:.0f} MB before, {self.rss_peak_bytes / 1e6:.0f} MB at most, "
            f"queue {self.queue_peak_bytes / 1e6:.2f} MB at most, {self.dropped_messages} messages dropped"
        )
        if self.away_s:
            text += (
                f"; away {self.away_s:.0f} s, acks meanwhile {self.acks_while_away}; "
                f"fresh readings acked {self.fresh_after_s:.1f} s after the return, "
                f"all of the backlog {self.backlog_done_after_s:.1f} s; of {self.backlog_batches} batches "
                f"of an agent's backlog {self.backlog_acked_before_fresh} before its first fresh one"
            )
        return text


class AckWatch:
    """Sees every ack on its way to the agents: when each batch was first acked, by agent and sequence."""

    def __init__(self, port: int) -> None:
        self.first: dict[tuple[str, int], float] = {}
        self._ready = threading.Event()
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="ack-watch")
        self._client.on_connect = lambda client, *_: client.subscribe(subscription("ack"), 1)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._take
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._ready.wait(10)

    def _take(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        now = time.monotonic()
        topic = parse_topic(message.topic)
        assert topic is not None
        ack = decode_ack(message.payload)
        for batch in [*ack.stored, *(one.id for one in ack.rejected)]:
            self.first.setdefault((topic.agent, int(batch.split(".")[1])), now)

    def of(self, agent: str) -> dict[int, float]:
        """When each of the agent's batches was acked, by sequence."""
        return {n: at for (name, n), at in self.first.copy().items() if name == agent}

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class _Gauge:
    """The highest values that the collector's memory and queue had at any look."""

    def __init__(self, collector: CollectorProcess, report: OutageReport) -> None:
        self._collector = collector
        self._report = report

    def look(self) -> None:
        if not self._collector.running:
            return
        report = self._report
        report.rss_peak_bytes = max(report.rss_peak_bytes, self.rss_bytes())
        with contextlib.suppress(OSError):
            queued = int(self._collector.metric("setpoint_collector_queue_bytes"))
            report.queue_peak_bytes = max(report.queue_peak_bytes, queued)
            dropped = self._collector.metric("setpoint_collector_messages_dropped_total")
            report.dropped_messages = max(report.dropped_messages, int(dropped))

    def rss_bytes(self) -> int:
        return int(psutil.Process(self._collector.pid).memory_info().rss)

    def wait(self, seconds: float) -> None:
        """Looks for so long."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.look()
            time.sleep(min(0.25, left))


@contextlib.contextmanager
def _running(engine: Engine) -> Iterator[Engine]:
    engine.start()
    try:
        yield engine
    finally:
        if not isinstance(engine, EmbeddedEngine):
            engine.stop()


def run_outage(
    engine: Engine,
    folder: Path,
    load: Load,
    *,
    away_s: float = 0.0,
    kills: int = 0,
    pause_s: tuple[float, float] = (0.5, 2.0),
    seed: int = 0,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> OutageReport:
    """Stops the store for ``away_s``, then kills it ``kills`` times, while agents emit; returns what was seen
    and what the store holds when every outbox is empty.
    """
    dice = random.Random(seed)
    report = OutageReport(engine.name, kills=kills)
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(Mosquitto(folder / "broker"))
        stack.enter_context(_running(engine))
        collector = CollectorProcess(
            folder, NOBODY, broker.port, settings={"store": engine.settings, **(settings or {})}
        )
        if isinstance(engine, EmbeddedEngine):
            engine.collector = collector
        stack.enter_context(collector)
        watch = AckWatch(broker.port)
        stack.callback(watch.close)
        began_ms = time.time_ns() // 1_000_000
        agents = [
            stack.enter_context(
                NumberedAgent(
                    folder / f"agent-{n}",
                    NOBODY,
                    broker.port,
                    rate=load.rate,
                    name=f"numbers-{n}",
                    per_batch=load.per_batch,
                    resend_s=load.resend_s,
                )
            )
            for n in range(load.agents)
        ]
        enough_at = time.monotonic() + load.seconds
        names = [agent.host_tag for agent in agents]
        if away_s:
            wait_until(lambda: all(watch.of(n) for n in names), timeout_s=60, what="acks for every agent")
        gauge = _Gauge(collector, report)
        report.rss_before_bytes = gauge.rss_bytes()
        emitted: dict[str, int] = {}
        back = time.monotonic()
        if away_s:
            say(f"away for {away_s:.0f} s")
            began = time.monotonic()
            engine.stop()
            if collector.running:
                wait_until(
                    lambda: collector.metric("setpoint_collector_store_failures_total") > 0,
                    timeout_s=60,
                    what="the collector notices",
                )
            gauge.wait(1.0)  # what was stored before is acked
            acked = len(watch.first)
            gauge.wait(began + away_s - time.monotonic())
            report.acks_while_away = len(watch.first) - acked
            report.away_s = time.monotonic() - began
            emitted = {agent.host_tag: agent.emitted for agent in agents}
            unacked = {n: set(range(1, emitted[n] + 1)) - watch.of(n).keys() for n in names}
            engine.start()
            back = time.monotonic()
            # Not while the readings that came after it are still on their way: then nothing could be told.
            wait_until(
                lambda: all(max(watch.of(n)) > emitted[n] for n in names), timeout_s=300, what="fresh acks"
            )
        for number in range(kills):
            gauge.wait(dice.uniform(*pause_s))
            say(f"kill {number + 1}/{kills}")
            engine.kill()
            time.sleep(dice.choice((0.0, 0.0, 0.5)))
            engine.start()
            back = time.monotonic()
        gauge.wait(enough_at - time.monotonic())
        for agent in agents:
            agent.say_enough()
        say("draining")
        drained_from = back
        patience = time.monotonic() + 240 + 2 * load.seconds
        while not all(agent.finished for agent in agents):
            if not all(agent.at_rest for agent in agents):
                drained_from = time.monotonic()
            assert time.monotonic() < patience, f"not drained: {report}"
            gauge.wait(0.5)
        report.drained_after_s = time.monotonic() - drained_from
        ended_ms = time.time_ns() // 1_000_000
        if away_s:
            _judge_backlog(report, watch, unacked, emitted, back if not kills else 0.0)
        for agent in agents:
            agent.stop()
        collector.stop()
        numbers = {agent.host_tag: agent.numbers for agent in agents}
        _count(report, engine, folder / "collector.yaml", numbers, (began_ms, ended_ms))
    return report


def _judge_backlog(
    report: OutageReport,
    watch: AckWatch,
    unacked: Mapping[str, set[int]],
    emitted: Mapping[str, int],
    back: float,
) -> None:
    worst = -1.0
    for name, backlog in unacked.items():
        acked = watch.of(name)
        fresh = min(at for sequence, at in acked.items() if sequence > emitted[name])
        earlier = sum(acked[sequence] <= fresh for sequence in backlog)
        if earlier / len(backlog) > worst:
            worst = earlier / len(backlog)
            report.backlog_batches, report.backlog_acked_before_fresh = len(backlog), earlier
        if back:
            report.fresh_after_s = max(report.fresh_after_s, fresh - back)
            done = max(acked[sequence] for sequence in backlog) - back
            report.backlog_done_after_s = max(report.backlog_done_after_s, done)


def _count(
    report: OutageReport,
    engine: Engine,
    config: Path,
    numbers: Mapping[str, int],
    window_ms: tuple[int, int],
) -> None:
    for name, emitted in numbers.items():
        rows = engine.rows(name)
        report.emitted += emitted
        report.stored += len(rows)
        report.lost += len(set(range(emitted)) - rows.keys())
        report.rows_twice += rows.total() - len(rows)
    # Number n bears the time of number 0 plus n milliseconds, whenever it was emitted.
    until_ms = window_ms[1] + max(numbers.values())
    read = samples_read(config, until_ms, until_ms - window_ms[0])
    report.twice = sum(read.values()) - report.stored
