"""What happens at a time, or counts in a way, that the plan provides for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.simulation.expected import Expected, expect
from bench.simulation.faults.planting import raise_to
from bench.simulation.fleet import HOUR_MS, MINUTE_MS, POLLERS, Fleet
from bench.simulation.signals import Rhythm, hours_of_day, is_weekend


def load_at_night(fleet: Fleet) -> Sequence[Expected]:
    """A host with a load of 14 every night, outside the hours that count."""
    host = fleet.take("host")
    load = fleet.signal("system.load5", host=host)
    hours = hours_of_day(load.time_ms)
    load.value[(hours >= 1) & (hours < 3)] = 14
    return []


def load_by_day(fleet: Fleet) -> Sequence[Expected]:
    """A host with a load of 14 for two hours of a working day."""
    host = fleet.take("host")
    raise_to(fleet, fleet.signal("system.load5", host=host), 9.4, 120, 14)
    return [expect("threshold-breached", "host-load", host=host)]


def rebuilt_host(fleet: Fleet) -> Sequence[Expected]:
    """A host that is rebuilt for five days, as planned: a sixth of the month is not measured."""
    host = fleet.take("host")
    start_ms, end_ms = fleet.clock.at(5), fleet.clock.at(10)
    for signal in fleet.of(host=host):
        signal.keep(~signal.during(start_ms, end_ms))
    fleet.maintain(host, {"from": "2026-09-06 00:00", "to": "2026-09-11 00:00"})
    return []


def weekly_backup(fleet: Fleet) -> Sequence[Expected]:
    """A host whose CPU is at 100 % in its weekly maintenance."""
    host = fleet.take("host")
    cpu = fleet.signal("cpu.usage_active", host=host)
    hours = hours_of_day(cpu.time_ms)
    cpu.value[is_weekend(cpu.time_ms) & (hours >= 2) & (hours < 5)] = 100
    fleet.maintain(host, {"weekly": "Sat-Sun 02:00-05:00"})
    return []


def parts_missed(fleet: Fleet) -> Sequence[Expected]:
    """Stores of spare parts. One of them has the part nearly always, on days with one request, and misses
    half of what is asked on busy days: its daily ratios look well, and its ratio over the month does not.
    Of another it is the other way round.
    """
    host = POLLERS[0]
    for store, busy_ratio, quiet_ratio in (("east", 0.95, 0.97), ("west", 0.5, 1.0), ("north", 0.98, 0.0)):
        requests = fleet.add("parts.requests", {"host": host, "store": store}, 1.0, 24 * HOUR_MS, counts=True)
        busy = np.arange(len(requests.value)) % 5 == 0
        requests.value[busy] = 100
        hits = np.where(busy, np.round(100 * busy_ratio), quiet_ratio if quiet_ratio < 0.5 else 1.0)
        signal = fleet.add("parts.hits", {"host": host, "store": store}, 0.0, 24 * HOUR_MS, counts=True)
        signal.time_ms, signal.value = requests.time_ms.copy(), hits
    fleet.plan["points"].append(
        {
            "id": "parts-hit-rate",
            "title": "Spare parts at hand",
            "ratio": {"of": "parts.hits", "to": "parts.requests"},
            "expect": {"store": ["east", "west", "north"], "every": "1d"},
            "class": "process",
            "element": "resource",
            "target": {"mean": {"at_least": 0.9}},
        }
    )
    return [expect("target-missed", "parts-hit-rate", host=host, store="west")]


def wrapping_counter(fleet: Fleet) -> Sequence[Expected]:
    """Counters of 32 bits that wrap every quarter of an hour: no spike, and nothing is unmeasured."""
    for host in POLLERS:
        rhythm = Rhythm(4e6, 5e6, 2e5)
        wide = fleet.counter("net.packets_recv", {"host": host, "interface": "eth1"}, rhythm, MINUTE_MS)
        wide.value = wide.value % 2**32
    fleet.plan["points"].append(
        {
            "id": "host-packets",
            "metric": "net.packets_recv",
            "expect": {"host": list(POLLERS), "every": "1m"},
            "as": "rate",
            "counter": 32,
            "unit": "packets/s",
            "critical": {"above": 6e6, "for": "5m"},
        }
    )
    return []
