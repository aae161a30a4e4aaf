"""What is measured too little, or not at all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.simulation.expected import Expected, expect
from bench.simulation.fleet import Fleet
from bench.simulation.signals import hours_of_day


def host_dies(fleet: Fleet) -> Sequence[Expected]:
    """A host that says nothing any more from day 20 on: one finding, whatever was measured there."""
    host = fleet.take("host")
    for signal in fleet.of(host=host):
        signal.keep(signal.time_ms < fleet.clock.at(20.3))
    return [expect("went-silent", None, host=host)]


def host_never_came(fleet: Fleet) -> Sequence[Expected]:
    """The plan names a host that nobody ever installed."""
    fleet.plan["groups"]["all-hosts"] = [*fleet.plan["groups"]["all-hosts"], "host-planned"]
    return [expect("not-measured", None, host="host-planned")]


def tool_never_probed(fleet: Fleet) -> Sequence[Expected]:
    """The plan names a tool that no agent asks."""
    server = "https://forgotten.example/health"
    fleet.plan["groups"]["all-tools"] = [*fleet.plan["groups"]["all-tools"], server]
    return [expect("not-measured", point, server=server) for point in ("tool-answers", "tool-speed")]


def sensor_stops(fleet: Fleet) -> Sequence[Expected]:
    """One file system of a host is no longer reported; the rest goes on."""
    host = fleet.take("host")
    disk = fleet.signal("disk.used_percent", host=host, path="/var")
    disk.keep(disk.time_ms < fleet.clock.at(17.7))
    return [expect("went-silent", "host-disk", host=host, path="/var")]


def thin_host(fleet: Fleet) -> Sequence[Expected]:
    """A host whose agent is away for eight hours of every day."""
    host = fleet.take("host")
    for signal in fleet.of(host=host):
        hours = hours_of_day(signal.time_ms)
        signal.keep(~((hours >= 1) & (hours < 9)))
    return [expect("thin-coverage", None, host=host)]


def restarting_host(fleet: Fleet) -> Sequence[Expected]:
    """A host whose agent misses twenty minutes a day: 98.6 % are measured."""
    host = fleet.take("host")
    for signal in fleet.of(host=host):
        hours = hours_of_day(signal.time_ms)
        signal.keep(~((hours >= 3) & (hours < 3 + 1 / 3)))
    return []


def late_comer(fleet: Fleet) -> Sequence[Expected]:
    """Readings that arrive in any order: a host that was cut off delivers its outbox, newest first."""
    host = fleet.take("host")
    for signal in fleet.of(host=host):
        order = fleet.random.permutation(len(signal.time_ms))
        signal.time_ms, signal.value = signal.time_ms[order], signal.value[order]
    return []


def slow_point(fleet: Fleet) -> Sequence[Expected]:
    """Memory of one host is measured every two minutes where the plan says one."""
    host = fleet.take("host")
    memory = fleet.signal("mem.used_percent", host=host)
    memory.keep(np.arange(len(memory.time_ms)) % 2 == 0)
    return [expect("thin-coverage", "host-memory", host=host)]
