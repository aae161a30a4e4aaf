"""Faults, each with the findings that it must cause. Some must cause none: they look like a fault only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from agent.inputs.thresholds.found import FoundThreshold, to_points
from bench.simulation.expected import Expected, expect
from bench.simulation.fleet import HOUR_MS, MINUTE_MS, POLLERS, Fleet
from bench.simulation.signals import Rhythm, Signal, hours_of_day, is_weekend, smooth_noise
from setpoint.threshold import Matcher

Fault = Callable[[Fleet], Sequence[Expected]]


def _raise(
    fleet: Fleet, signal: Signal, day: float, minutes: float, level: float, noise: float = 0.5
) -> None:
    """Lifts the signal to a level for a while."""
    start_ms = fleet.clock.at(day)
    during = signal.during(start_ms, start_ms + minutes * MINUTE_MS)
    signal.value[during] = level + noise * np.clip(smooth_noise(fleet.random, int(during.sum())), -2, 2)


def _poller_of(fleet: Fleet, device: str) -> str:
    return POLLERS[fleet.devices.index(device) % 2]


# -- what is not held ----------------------------------------------------------------------------------


def cpu_pinned(fleet: Fleet) -> Sequence[Expected]:
    """CPU at 98 % for 50 minutes, three times."""
    host = fleet.take("host")
    for day in (4.4, 11.6, 21.5):
        _raise(fleet, fleet.signal("cpu.usage_active", host=host), day, 50, 98)
    return [expect("threshold-breached", "host-cpu", host=host, cpu="cpu-total")]


def cpu_spikes(fleet: Fleet) -> Sequence[Expected]:
    """CPU at 99 % for three minutes now and then: shorter than what counts."""
    host = fleet.take("host")
    for day in (3.41, 8.52, 13.47, 22.6):
        _raise(fleet, fleet.signal("cpu.usage_active", host=host), day, 3, 99)
    return []


def cpu_busy(fleet: Fleet) -> Sequence[Expected]:
    """CPU at 77 % to 79 % all working days: below every level, and beyond the target."""
    host = fleet.take("host")
    cpu = fleet.signal("cpu.usage_active", host=host)
    hours = hours_of_day(cpu.time_ms)
    busy = (hours >= 9) & (hours < 17) & ~is_weekend(cpu.time_ms)
    cpu.value[busy] = np.round(78 + np.clip(smooth_noise(fleet.random, int(busy.sum())), -1, 1), 2)
    return [expect("target-missed", "host-cpu", host=host, cpu="cpu-total")]


def memory_leak(fleet: Fleet) -> Sequence[Expected]:
    """Memory grows to 97 % over two days, until somebody restarts what leaks."""
    host = fleet.take("host")
    memory = fleet.signal("mem.used_percent", host=host)
    start, end = fleet.clock.at(16), fleet.clock.at(18)
    during = memory.during(start, end)
    share = (memory.time_ms[during] - start) / (end - start)
    memory.value[during] += np.round((97 - memory.value[during]) * share, 2)
    return [expect("threshold-breached", "host-memory", host=host)]


def tool_outage(fleet: Fleet) -> Sequence[Expected]:
    """A tool that does not answer for nine hours."""
    server = fleet.take("tool")
    start_ms = fleet.clock.at(9.3)
    fleet.signal("http_response.result_code", server=server).value[:] = np.where(
        fleet.signal("http_response.result_code", server=server).during(start_ms, start_ms + 9 * HOUR_MS),
        3.0,
        0.0,
    )
    time = fleet.signal("http_response.response_time", server=server)
    time.keep(~time.during(start_ms, start_ms + 9 * HOUR_MS))
    subject = {"host": POLLERS[0], "server": server, "method": "GET"}
    return [
        expect("threshold-breached", "tool-answers", **subject),
        expect("target-missed", "tool-answers", **subject),
    ]


def tool_hiccups(fleet: Fleet) -> Sequence[Expected]:
    """A tool that misses one question in a thousand, never two in a row."""
    server = fleet.take("tool")
    code = fleet.signal("http_response.result_code", server=server)
    code.value[500::1000] = 4
    return []


def tool_slow(fleet: Fleet) -> Sequence[Expected]:
    """A tool that takes 1.6 s all day long from the tenth day on."""
    server = fleet.take("tool")
    time = fleet.signal("http_response.response_time", server=server)
    hours = hours_of_day(time.time_ms)
    slow = (time.time_ms >= fleet.clock.at(10)) & (hours >= 8) & (hours < 20)
    time.value[slow] = 1.6
    return [expect("target-missed", "tool-speed", host=POLLERS[0], server=server, method="GET")]


def hot_device(fleet: Fleet) -> Sequence[Expected]:
    """A device at 66 °C for a day, since a fan stands still."""
    device = fleet.take("device")
    sensor = fleet.signal("snmp_sensor.value", device=device)
    _raise(fleet, sensor, 19, 24 * 60, 66)
    poller = _poller_of(fleet, device)
    subject = {"host": poller, "device": device, "class": "temperature", "name": "chassis"}
    return [expect("threshold-breached", "device-temperature", **subject)]


def port_full(fleet: Fleet) -> Sequence[Expected]:
    """A port at 97 % of its speed for two hours on each of three nights."""
    device = fleet.take("device")
    port = fleet.signal("snmp_port.in_octets", device=device, name="Te1/1/1")
    added = np.zeros(len(port.value))
    steps = np.diff(port.time_ms, prepend=port.time_ms[0]) / 1000
    for day in (6.1, 13.1, 20.1):
        start_ms = fleet.clock.at(day)
        during = port.during(start_ms, start_ms + 2 * HOUR_MS)
        grown = np.diff(port.value, prepend=port.value[0])
        added[during] = 0.97 * 1e10 / 8 * steps[during] - grown[during]
    port.value = np.floor(port.value + np.cumsum(added))
    return [
        expect(
            "threshold-breached", "port-load", host=_poller_of(fleet, device), device=device, name="Te1/1/1"
        )
    ]


def port_reset(fleet: Fleet) -> Sequence[Expected]:
    """A device that restarts: its counters begin at nothing, and it misses two polls. No spike, no gap."""
    device = fleet.take("device")
    at_ms = fleet.clock.at(14.2)
    for port in fleet.of("snmp_port.in_octets", device=device):
        after = port.time_ms >= at_ms
        port.value[after] -= port.value[after][0]
    for signal in fleet.of(device=device):
        signal.keep(~signal.during(at_ms, at_ms + 10 * MINUTE_MS))
    uptime = fleet.signal("snmp_device.uptime_s", device=device)
    after = uptime.time_ms >= at_ms
    uptime.value[after] = (uptime.time_ms[after] - at_ms) / 1000
    return []


# -- what is not measured ------------------------------------------------------------------------------


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


# -- what was planned ----------------------------------------------------------------------------------


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
    _raise(fleet, fleet.signal("system.load5", host=host), 9.4, 120, 14)
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


# -- what stands behind something dead, and what cannot be trusted --------------------------------------


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
    subject = {"host": _poller_of(fleet, dead), "device": dead}
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


# -- thresholds that do not fit ------------------------------------------------------------------------


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
            _raise(fleet, cpu, day + hour / 24, 20, 71)
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


# -- thresholds in another tool ------------------------------------------------------------------------


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


# -- what the plan lacks -------------------------------------------------------------------------------


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


FAULTS: Final[Mapping[str, Fault]] = {
    fault.__name__: fault
    # What adds to all hosts comes first, so that what befalls one of them befalls that too.
    for fault in (
        no_threshold,
        unplanned,
        cpu_pinned,
        cpu_spikes,
        cpu_busy,
        memory_leak,
        tool_outage,
        tool_hiccups,
        tool_slow,
        hot_device,
        port_full,
        port_reset,
        host_dies,
        host_never_came,
        tool_never_probed,
        sensor_stops,
        thin_host,
        restarting_host,
        late_comer,
        slow_point,
        load_at_night,
        load_by_day,
        rebuilt_host,
        weekly_backup,
        parts_missed,
        wrapping_counter,
        level_out_of_reach,
        level_too_tight,
        flapping_disk,
        disk_fills_up,
        disk_cleaned_up,
        dead_core_switch,
        outbox_too_small,
        clock_ahead,
        prometheus,
    )
}


TWICE: Final = (
    cpu_pinned,
    cpu_busy,
    memory_leak,
    hot_device,
    port_full,
    sensor_stops,
    load_by_day,
    level_out_of_reach,
    level_too_tight,
    flapping_disk,
    disk_fills_up,
    disk_cleaned_up,
    outbox_too_small,
)


def plant(fleet: Fleet) -> dict[Expected, str]:
    """Plants every fault, some of them twice; what must be found, each with the fault that causes it."""
    return {
        one: name
        for name, fault in FAULTS.items()
        for _ in range(2 if fault in TWICE else 1)
        for one in fault(fleet)
    }
