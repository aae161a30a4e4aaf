"""Kills and cuts, at random moments, what lies between a measurement and the store; then counts."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.end_to_end.site import CollectorProcess, NumberedAgent, numbers_by_count
from tests.proxy import CuttableProxy
from tests.servers import Broker, wait_until


@dataclass(slots=True)
class Report:
    """What was done, and what the store holds of the numbers from 0 to ``emitted``."""

    seed: int
    emitted: int
    events: Counter[str] = field(default_factory=Counter)
    stored: int = 0
    lost: int = 0
    twice: int = 0
    seconds: float = 0.0
    drained_after_s: float = 0.0

    def __str__(self) -> str:
        done = ", ".join(f"{what} {count}" for what, count in sorted(self.events.items()))
        return (
            f"seed {self.seed}: {self.emitted} numbers in {self.seconds:.0f} s, {done}; "
            f"stored {self.stored}, lost {self.lost}, twice {self.twice}; "
            f"drained {self.drained_after_s:.0f} s after the last blow"
        )


def run_chaos(
    broker: Broker,
    folder: Path,
    *,
    seed: int,
    numbers: int,
    kills: int,
    pause_s: tuple[float, float] = (0.5, 2.0),
    rate: float = 1000,
    say: Callable[[str], None] = lambda _: None,
) -> Report:
    """Kills agent, broker and collector ``kills`` times each, and cuts and stalls the network as often in
    all, in random order, while ``numbers`` are emitted; returns what the store holds afterwards.
    """
    dice = random.Random(seed)
    blows = ["agent", "broker", "collector"] * kills + ["cut", "stall"] * max(1, kills // 2)
    dice.shuffle(blows)
    report = Report(seed, numbers)
    agent_login, collector_login = broker.login("numbers"), broker.login("collector", "collector")
    began = time.monotonic()
    with (
        CuttableProxy(broker.host, broker.port) as near_agent,
        CuttableProxy(broker.host, broker.port) as near_collector,
        CollectorProcess(folder, collector_login, near_collector.port) as collector,
        NumberedAgent(folder / "agent", agent_login, near_agent.port, until=numbers, rate=rate) as agent,
    ):
        victims = {"agent": agent, "broker": broker, "collector": collector}
        for position, blow in enumerate(blows, 1):
            time.sleep(dice.uniform(*pause_s))
            if blow in victims:
                victims[blow].kill()
                time.sleep(dice.choice((0.0, 0.0, 0.5)))
                victims[blow].start()
            else:
                proxy = dice.choice((near_agent, near_collector))
                proxy.cut() if blow == "cut" else proxy.stall()
                time.sleep(dice.uniform(0.2, 3.0))
                proxy.heal()
            report.events[blow] += 1
            say(f"{position}/{len(blows)} {blow}")
        last_blow = time.monotonic()
        wait_until(lambda: agent.finished, timeout_s=240 + numbers / rate, what="the outbox is empty")
        report.drained_after_s = time.monotonic() - last_blow
        agent.stop()
        collector.stop()
        found = numbers_by_count(collector)
    report.seconds = time.monotonic() - began
    report.stored = len(found)
    report.lost = len(set(range(numbers)) - set(found))
    report.twice = sum(count > 1 for count in found.values())
    return report
