"""What stands behind something dead, and what cannot be trusted."""

from __future__ import annotations

from collections.abc import Sequence

from bench.simulation.expected import Expected, expect
from bench.simulation.faults.planting import poller_of
from bench.simulation.fleet import Fleet


def dead_core_switch(fleet: Fleet) -> Sequence[Expected]:
    """A switch dies on day 24, and with it everything that is reached through it: one root cause."""
    dead, behind = fleet.take("device"), fleet.take("device")
    fleet.plan["hosts"][behind] = {"depends_on": [dead]}
    for device in (dead, behind):
        for signal in fleet.of(device=device):
            if signal.field == "up":
                signal.value[signal.time_ms >= fleet.clock.at(24.3)] = 0
            else:
                signal.keep(signal.time_ms < fleet.clock.at(24.3))
    subject = {"host": poller_of(fleet, dead), "device": dead}
    return [
        expect("threshold-breached", "device-up", **subject),
        expect("target-missed", "device-up", **subject),
        expect("went-silent", None, device=dead),
    ]


def outbox_too_small(fleet: Fleet) -> Sequence[Expected]:
    """An agent that dropped readings twice, and began to count anew in between."""
    host = fleet.take("host")
    dropped = fleet.signal("setpoint_agent.dropped_readings", host=host)
    dropped.value[dropped.during(fleet.clock.at(8), fleet.clock.at(15))] = 41_000
    dropped.value[dropped.time_ms >= fleet.clock.at(20)] = 500
    return [expect("agent-dropping", None, host=host)]


def clock_ahead(fleet: Fleet) -> Sequence[Expected]:
    """An agent whose clock is two minutes ahead of the collector's, and one that is two seconds behind."""
    ahead, behind = fleet.take("host"), fleet.take("host")
    fleet.clocks_ms |= {ahead: 120_000, behind: -2_000}
    return [expect("clock-skew", None, host=ahead)]
