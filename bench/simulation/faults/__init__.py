"""Faults, each with the findings that it must cause. Some must cause none: they look like a fault only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from bench.simulation.expected import Expected
from bench.simulation.faults import configured, misfits, not_held, not_measured, planned, unplanned, untrusted
from bench.simulation.fleet import Fleet

Fault = Callable[[Fleet], Sequence[Expected]]

FAULTS: Final[Mapping[str, Fault]] = {
    fault.__name__: fault
    # What adds to all hosts comes first, so that what befalls one of them befalls that too.
    for fault in (
        unplanned.no_threshold,
        unplanned.unplanned,
        not_held.cpu_pinned,
        not_held.cpu_spikes,
        not_held.cpu_busy,
        not_held.memory_leak,
        not_held.tool_outage,
        not_held.tool_hiccups,
        not_held.tool_slow,
        not_held.hot_device,
        not_held.port_full,
        not_held.port_reset,
        not_measured.host_dies,
        not_measured.host_never_came,
        not_measured.tool_never_probed,
        not_measured.sensor_stops,
        not_measured.thin_host,
        not_measured.restarting_host,
        not_measured.late_comer,
        not_measured.slow_point,
        planned.load_at_night,
        planned.load_by_day,
        planned.rebuilt_host,
        planned.weekly_backup,
        planned.parts_missed,
        planned.wrapping_counter,
        misfits.level_out_of_reach,
        misfits.level_too_tight,
        misfits.flapping_disk,
        misfits.disk_fills_up,
        misfits.disk_cleaned_up,
        untrusted.dead_core_switch,
        untrusted.outbox_too_small,
        untrusted.clock_ahead,
        configured.prometheus,
    )
}


TWICE: Final = (
    not_held.cpu_pinned,
    not_held.cpu_busy,
    not_held.memory_leak,
    not_held.hot_device,
    not_held.port_full,
    not_measured.sensor_stops,
    planned.load_by_day,
    misfits.level_out_of_reach,
    misfits.level_too_tight,
    misfits.flapping_disk,
    misfits.disk_fills_up,
    misfits.disk_cleaned_up,
    untrusted.outbox_too_small,
)


def plant(fleet: Fleet) -> dict[Expected, str]:
    """Plants every fault, some of them twice; what must be found, each with the fault that causes it."""
    return {
        one: name
        for name, fault in FAULTS.items()
        for _ in range(2 if fault in TWICE else 1)
        for one in fault(fleet)
    }
