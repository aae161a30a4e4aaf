"""What is measured, and beyond its level or target."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.simulation.expected import Expected, expect
from bench.simulation.faults.planting import poller_of, raise_to
from bench.simulation.fleet import HOUR_MS, MINUTE_MS, POLLERS, Fleet
from bench.simulation.signals import hours_of_day, is_weekend, smooth_noise


def cpu_pinned(fleet: Fleet) -> Sequence[Expected]:
    """CPU at 98 % for 50 minutes, three times."""
    host = fleet.take("host")
    for day in (4.4, 11.6, 21.5):
        raise_to(fleet, fleet.signal("cpu.usage_active", host=host), day, 50, 98)
    return [expect("threshold-breached", "host-cpu", host=host, cpu="cpu-total")]


def cpu_spikes(fleet: Fleet) -> Sequence[Expected]:
    """CPU at 99 % for three minutes now and then: shorter than what counts."""
    host = fleet.take("host")
    for day in (3.41, 8.52, 13.47, 22.6):
        raise_to(fleet, fleet.signal("cpu.usage_active", host=host), day, 3, 99)
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
    raise_to(fleet, sensor, 19, 24 * 60, 66)
    poller = poller_of(fleet, device)
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
            "threshold-breached", "port-load", host=poller_of(fleet, device), device=device, name="Te1/1/1"
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
