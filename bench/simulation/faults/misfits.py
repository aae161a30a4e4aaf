"""Thresholds that do not fit what is measured, and values on the way to theirs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.simulation.expected import Expected, expect
from bench.simulation.faults.planting import raise_to
from bench.simulation.fleet import HOUR_MS, POLLERS, Fleet
from bench.simulation.signals import smooth_noise


def level_out_of_reach(fleet: Fleet) -> Sequence[Expected]:
    """A tool's answer time has a critical level of half an hour, copied from elsewhere."""
    server = fleet.take("tool")
    fleet.override("tool-speed", {"server": server}, critical={"above": 1800, "for": "5m"})
    return [expect("never-near", "tool-speed", host=POLLERS[0], server=server, method="GET")]


def level_too_tight(fleet: Fleet) -> Sequence[Expected]:
    """A host's CPU warning stands where every working day's batches reach, two to four a day."""
    host = fleet.take("host")
    cpu = fleet.signal("cpu.usage_active", host=host)
    for day in range(fleet.clock.days):
        for hour in fleet.random.choice([9, 10.5, 13, 14.5, 16], size=3, replace=False):
            raise_to(fleet, cpu, day + hour / 24, 20, 71)
    fleet.override("host-cpu", {"host": host}, warning={"above": 68, "for": "5m"})
    subject = {"host": host, "cpu": "cpu-total"}
    return [expect("too-tight", "host-cpu", **subject), expect("threshold-breached", "host-cpu", **subject)]


def flapping_disk(fleet: Fleet) -> Sequence[Expected]:
    """A file system that a job fills and empties around its warning level, for two minutes each time."""
    host = fleet.take("host")
    disk = fleet.signal("disk.used_percent", host=host, path="/var")
    disk.value[:] = np.round(83.5 + 0.3 * smooth_noise(fleet.random, len(disk.value)), 2)
    for start in fleet.random.integers(0, len(disk.value) - 2, size=5 * fleet.clock.days):
        disk.value[start : start + 2] = 86.5
    subject = {"host": host, "path": "/var"}
    return [expect("flapping", "host-disk", **subject), expect("threshold-breached", "host-disk", **subject)]


def disk_fills_up(fleet: Fleet) -> Sequence[Expected]:
    """A file system that gains half a per cent a day and will be at its level in two weeks."""
    host = fleet.take("host")
    disk = fleet.signal("disk.used_percent", host=host, path="/")
    days = (disk.time_ms - fleet.clock.start_ms) / (24 * HOUR_MS)
    disk.value = np.round(63 + 0.5 * days + 0.3 * smooth_noise(fleet.random, len(days), 500), 2)
    return [expect("capacity", "host-disk", host=host, path="/")]


def disk_cleaned_up(fleet: Fleet) -> Sequence[Expected]:
    """A file system that grew, was cleaned up after twelve days, and has stood still since."""
    host = fleet.take("host")
    disk = fleet.signal("disk.used_percent", host=host, path="/")
    days = (disk.time_ms - fleet.clock.start_ms) / (24 * HOUR_MS)
    grown = np.where(days < 12, 60 + 1.5 * days, 58.0)
    disk.value = np.round(grown + 0.3 * smooth_noise(fleet.random, len(days), 500), 2)
    return []
