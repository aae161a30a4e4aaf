"""A fleet in good order."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import yaml

from bench.simulation.plan import LABEL, SITE, fleet_plan
from bench.simulation.signals import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    OFFSET_MS,
    Clock,
    Rhythm,
    Signal,
    Values,
    counter_of,
    rhythmic,
    smooth_noise,
)

POLLERS = ("mon-01", "mon-02")
PORTS = ("Te1/1/1", "Te1/1/2", "Gi1/0/1", "Gi1/0/2")

Tags = dict[str, str]


class Fleet:
    """``hosts``, ``devices`` and ``tools`` are names; ``signals`` all that they report. Faults take an
    entity of their own each, so that none hides another.
    """

    def __init__(
        self, seed: int, *, hosts: int = 50, devices: int = 20, tools: int = 10, days: int = 30
    ) -> None:
        self.random = np.random.default_rng(seed)
        start_ms = round(datetime(2026, 9, 1, tzinfo=UTC).timestamp() * 1000) - OFFSET_MS
        self.clock = Clock(start_ms, days, self.random)
        self.hosts = [*POLLERS, *(f"host-{n:02d}" for n in range(1, hosts - 1))]
        self.devices = [f"sw-{n:02d}" for n in range(1, devices + 1)]
        self.tools = [f"https://tool-{n:02d}.example/health" for n in range(1, tools + 1)]
        self.signals: list[Signal] = []
        self.clocks_ms: dict[str, int] = {}
        """How far an agent's clock is ahead, of those that are not right."""
        self.plan = fleet_plan(self.hosts, self.devices, self.tools)
        self._free = {
            "host": self._shuffled(self.hosts[len(POLLERS) :]),
            "device": self._shuffled(self.devices),
            "tool": self._shuffled(self.tools),
        }
        for host in self.hosts:
            self._add_host(host)
        for device in self.devices:
            self._add_device(device)
        for tool in self.tools:
            self._add_tool(tool)

    # -- for faults ----------------------------------------------------------------------------------

    def take(self, kind: str) -> str:
        """A host, device or tool that has no fault yet. IndexError when there is none left."""
        return self._free[kind].pop()

    def signal(self, metric: str, **tags: str) -> Signal:
        """The one signal of the metric that has these tags. LookupError when it is not one."""
        (found,) = self.of(metric, **tags)
        return found

    def of(self, metric: str | None = None, **tags: str) -> list[Signal]:
        """The signals, of the metric if one is given, that have these tags."""
        return [
            signal
            for signal in self.signals
            if (metric is None or metric == f"{signal.measurement}.{signal.field}")
            and tags.items() <= signal.tags.items()
        ]

    def point(self, id_: str) -> dict[str, Any]:
        """The plan's entry, to be changed."""
        found: dict[str, Any] = next(point for point in self.plan["points"] if point["id"] == id_)
        return found

    def override(self, id_: str, where: Tags, **limits: Any) -> None:
        """Gives a subject of a point limits of its own."""
        self.point(id_).setdefault("overrides", []).append({"where": where, **limits})

    def maintain(self, host: str, when: Tags) -> None:
        """Plans downtime of a host."""
        self.plan["maintenance"].append({"hosts": [host], "reason": "planned", **when})

    def plan_text(self) -> str:
        return f"# {LABEL}\n" + yaml.safe_dump(self.plan, sort_keys=False)

    # -- what is measured ------------------------------------------------------------------------------

    def add(
        self, metric: str, tags: Tags, values: Values | float, every_ms: int, *, counts: bool = False
    ) -> Signal:
        """A new series: ``values`` for its grid, or one value for all of it."""
        measurement, _, field = metric.partition(".")
        times = self.clock.grid(every_ms)
        column = np.full(len(times), float(values)) if np.isscalar(values) else np.asarray(values, np.float64)
        signal = Signal(
            measurement, tags, field, times[: len(column)], column[: len(times)], every_ms, counts
        )
        self.signals.append(signal)
        return signal

    def rhythmic(
        self, metric: str, tags: Tags, rhythm: Rhythm, every_ms: int, *, low: float = 0, high: float = np.inf
    ) -> Signal:
        """A gauge with the rhythm, clipped to its possible values."""
        signal = self.add(metric, tags, 0.0, every_ms)
        signal.value = np.round(np.clip(rhythmic(self.random, signal.time_ms, rhythm), low, high), 2)
        return signal

    def counter(self, metric: str, tags: Tags, rhythm: Rhythm, every_ms: int) -> Signal:
        """A counter whose rate per second has the rhythm."""
        signal = self.add(metric, tags, 0.0, every_ms, counts=True)
        rates = rhythmic(self.random, signal.time_ms, rhythm)
        signal.value = counter_of(rates, signal.time_ms, first=float(self.random.integers(0, 10**9)))
        return signal

    def _between(self, low: float, high: float) -> float:
        return float(self.random.uniform(low, high))

    def _shuffled(self, names: list[str]) -> list[str]:
        return [names[n] for n in self.random.permutation(len(names))]

    def _add_host(self, host: str) -> None:
        of_host = {"host": host}
        day = self._between(45, 62)
        self.rhythmic(
            "cpu.usage_active",
            {**of_host, "cpu": "cpu-total"},
            Rhythm(self._between(8, 20), day, 4),
            MINUTE_MS,
            high=100,
        )
        base = self._between(55, 70)
        self.rhythmic("mem.used_percent", of_host, Rhythm(base, base + 8, 1), MINUTE_MS, high=100)
        for path in ("/", "/var"):
            used = self.add("disk.used_percent", {**of_host, "path": path}, 0.0, MINUTE_MS)
            wander = smooth_noise(self.random, len(used.value), memory=2_000)
            used.value = np.round(self._between(55, 72) + 1.5 * np.clip(wander, -3, 3), 2)
        self.rhythmic("system.load5", of_host, Rhythm(0.8, self._between(3, 5), 0.4), MINUTE_MS)
        self.counter("net.bytes_recv", {**of_host, "interface": "eth0"}, Rhythm(4e5, 5e6, 4e5), MINUTE_MS)
        for metric in ("setpoint_agent.dropped_readings", "setpoint_agent.rejected_readings"):
            self.add(metric, dict(of_host), 0.0, MINUTE_MS, counts=True)

    def _add_device(self, device: str) -> None:
        poller = POLLERS[self.devices.index(device) % 2]
        of_device = {"host": poller, "device": device}
        every_ms = 5 * MINUTE_MS
        self.add("snmp_device.up", dict(of_device), 1.0, every_ms, counts=True)
        uptime = self.add("snmp_device.uptime_s", dict(of_device), 0.0, every_ms)
        uptime.value = (uptime.time_ms - self.clock.start_ms) / 1000 + self._between(1e5, 1e7)
        for number, name in enumerate(PORTS):
            of_port = {**of_device, "index": str(number + 1), "name": name, "type": "6"}
            speed = 1e10 if name.startswith("Te") else 1e9
            self.add("snmp_port.speed_bps", dict(of_port), speed, every_ms, counts=True)
            self.add("snmp_port.oper_status", dict(of_port), 1.0, every_ms, counts=True)
            bytes_per_s = speed / 8
            rhythm = Rhythm(0.05 * bytes_per_s, self._between(0.4, 0.6) * bytes_per_s, 0.03 * bytes_per_s)
            self.counter("snmp_port.in_octets", of_port, rhythm, every_ms)
        rhythm = Rhythm(15, self._between(40, 55), 3)
        self.rhythmic("snmp_cpu.usage_percent", {**of_device, "name": "cpu"}, rhythm, every_ms, high=100)
        base = self._between(38, 46)
        self.rhythmic(
            "snmp_sensor.value",
            {**of_device, "class": "temperature", "name": "chassis"},
            Rhythm(base, base + 6, 0.6, peak_hour=16),
            every_ms,
        )

    def _add_tool(self, server: str) -> None:
        of_tool = {"host": POLLERS[0], "server": server, "method": "GET"}
        self.add("http_response.result_code", dict(of_tool), 0.0, MINUTE_MS, counts=True)
        rhythm = Rhythm(0.15, self._between(0.35, 0.6), 0.04)
        self.rhythmic("http_response.response_time", of_tool, rhythm, MINUTE_MS, low=0.01)

    def samples(self) -> int:
        return sum(len(signal.time_ms) for signal in self.signals)

    def __iter__(self) -> Iterator[Signal]:
        return iter(self.signals)


__all__ = ["DAY_MS", "HOUR_MS", "LABEL", "MINUTE_MS", "POLLERS", "PORTS", "SITE", "Fleet", "Tags"]
