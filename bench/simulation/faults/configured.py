"""Thresholds that another tool has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agent.inputs.thresholds.found import FoundThreshold, to_points
from bench.simulation.expected import Expected, expect
from bench.simulation.fleet import MINUTE_MS, POLLERS, Fleet
from setpoint.threshold import Matcher


def prometheus(fleet: Fleet) -> Sequence[Expected]:
    """Prometheus has thresholds of its own. Of memory it has those of the plan; of disks another warning
    level; of traffic none, which the plan wants it to have; and one on what no plan knows, and one on a host
    that is gone.
    """
    gone = "host-scrapped"
    rules = [
        FoundThreshold("MemoryFull", "mem.used_percent", "above", 90, (), "critical", 600),
        FoundThreshold("DiskFilling", "disk.used_percent", "above", 92, (), "warning", 0),
        FoundThreshold("DiskFull", "disk.used_percent", "above", 95, (), "critical", 0),
        FoundThreshold("TooManyUsers", "system.n_users", "above", 20, (), "warning", 0),
        FoundThreshold(
            "OldHostBusy", "mem.used_percent", "above", 90, (Matcher("host", "=", gone),), "critical", 600
        ),
    ]
    for point in to_points("prometheus", rules, every_s=300, rules=len(rules)):
        for field, value in point.fields.items():
            if not isinstance(value, str):
                tags = {"host": POLLERS[0], **{key: tag for key, tag in point.tags.items() if tag}}
                fleet.add(f"{point.measurement}.{field}", tags, value, 5 * MINUTE_MS)
    # All that one reading finds has its time.
    readings = [s for s in fleet.of(source="prometheus") if s.measurement.startswith("threshold")]
    for signal in readings:
        signal.time_ms = readings[0].time_ms.copy()
        signal.value = np.full(len(signal.time_ms), signal.value[0])
    for id_ in ("host-memory", "host-disk", "host-traffic"):
        fleet.point(id_)["raised_by"] = ["prometheus"]
    return [
        expect("threshold-drift", "host-disk", source="prometheus"),
        expect("threshold-missing", "host-traffic"),
        expect("threshold-orphan", None, source="prometheus"),
    ]
