"""What the agent says of itself: measurement ``setpoint_agent``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import Executor

import psutil

from agent.outbox import Outbox
from agent.publisher import PublisherCounters
from setpoint.reading import FieldValue, Point


class SelfInput:
    """Outbox depth, deliveries, drops, and what the agent itself costs."""

    def __init__(self, outbox: Outbox, executor: Executor, counters: PublisherCounters) -> None:
        self._outbox = outbox
        self._executor = executor
        self._counters = counters
        self._process = psutil.Process()

    async def gather(self) -> Sequence[Point]:
        depth = await asyncio.get_running_loop().run_in_executor(self._executor, self._outbox.depth)
        age_s = 0.0 if depth.oldest_ms is None else max(0.0, time.time() - depth.oldest_ms / 1000)
        cpu = self._process.cpu_times()
        fields: dict[str, FieldValue] = {
            "outbox_batches": depth.batches,
            "outbox_bytes": depth.bytes,
            "outbox_age_s": round(age_s, 3),
            "dropped_readings": depth.dropped_readings,
            "rejected_readings": depth.rejected_readings,
            "connected": int(self._counters.connected),
            "connects": self._counters.connects,
            "sent_batches": self._counters.sent_batches,
            "repeated_batches": self._counters.repeated_batches,
            "acked_batches": self._counters.acked_batches,
            "clock_steps": self._outbox.clock_steps,
            "cpu_s": round(cpu.user + cpu.system, 3),
            "rss_bytes": self._process.memory_info().rss,
        }
        if self._counters.ack_latency_s is not None:
            fields["ack_latency_ms"] = round(self._counters.ack_latency_s * 1000, 3)
        return [Point("setpoint_agent", {}, fields)]

    async def close(self) -> None:
        """Holds nothing."""
