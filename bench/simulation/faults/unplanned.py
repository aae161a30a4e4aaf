"""What the plan lacks."""

from __future__ import annotations

from collections.abc import Sequence

from bench.simulation.expected import Expected, expect
from bench.simulation.fleet import MINUTE_MS, Fleet


def no_threshold(fleet: Fleet) -> Sequence[Expected]:
    """A point that nobody gave a level."""
    for host in fleet.hosts:
        fleet.add("processes.total", {"host": host}, float(fleet.random.integers(150, 300)), 5 * MINUTE_MS)
    fleet.plan["points"].append(
        {
            "id": "host-processes",
            "metric": "processes.total",
            "expect": {"host": {"group": "all-hosts"}, "every": "5m"},
        }
    )
    return [expect("no-threshold", "host-processes")]


def unplanned(fleet: Fleet) -> Sequence[Expected]:
    """Something is measured that no point wants."""
    for host in fleet.hosts[:5]:
        fleet.add("swap.used_percent", {"host": host}, 3.0, 5 * MINUTE_MS)
    return [expect("unplanned-series", None, measurement="swap")]
