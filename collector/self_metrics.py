"""What the collector says of itself: measurement ``setpoint_collector``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil

from setpoint.line_protocol import encode_point
from setpoint.reading import FieldValue

if TYPE_CHECKING:
    from collector.run import Collector


def self_values(collector: Collector) -> dict[str, FieldValue]:
    """Name to value: counts since the start of the process, and present depths. Seconds, bytes."""
    counters = collector.intake.counters
    process = psutil.Process()
    cpu = process.cpu_times()
    return {
        "batches": counters.batches,
        "repeated_batches": counters.repeated,
        "readings": counters.readings,
        "rejected_batches": counters.rejected_batches,
        "rejected_readings": counters.rejected_readings,
        "clock_skew_readings": counters.clock_skew_readings,
        "commits": counters.commits,
        "store_failures": counters.store_failures,
        "decode_s": round(counters.decode_s, 6),
        "write_s": round(counters.write_s, 6),
        "queue_messages": len(collector.inbox),
        "queue_bytes": collector.inbox.bytes,
        "dropped_messages": collector.inbox.dropped_messages,
        "ignored_messages": collector.receiver.ignored_messages,
        "series": len(collector.series),
        "connected": int(collector.receiver.connected),
        "reviews": int(collector.reviews),
        "review_s": round(collector.review_s, 3),
        "cpu_s": round(cpu.user + cpu.system, 3),
        "rss_bytes": process.memory_info().rss,
    }


def self_lines(name: str, collector: Collector, now_ms: int) -> bytes:
    """The same as line protocol."""
    values = self_values(collector)
    if collector.intake.counters.latency_s is not None:
        values["latency_ms"] = round(collector.intake.counters.latency_s * 1000, 3)
    line = encode_point("setpoint_collector", {"host": name}, values, now_ms)
    assert line
    return line + b"\n"
