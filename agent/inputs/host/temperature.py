"""Temperatures of the sensors that the kernel knows."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from agent.inputs.host.procfs import read_line
from setpoint.reading import Point


class Sensor(NamedTuple):
    """One sensor, by the names of its chip and its label; ``device`` tells equal ones apart."""

    chip: str
    label: str
    device: str
    celsius: float


def read_sensors(sys: str = "/sys") -> list[Sensor]:
    """The hwmon sensors or, where there are none, the thermal zones. What does not answer is left out."""
    return list(_read_hwmon(Path(sys))) or list(_read_zones(Path(sys)))


def _read_hwmon(sys: Path) -> Iterator[Sensor]:
    # Old kernels have the files one folder further down.
    root = sys / "class" / "hwmon"
    paths = sorted(root.glob("hwmon*/temp*_input")) or sorted(root.glob("hwmon*/device/temp*_input"))
    for path in paths:
        celsius = _read_celsius(path)
        if celsius is None:
            continue
        device = path.parent / "device"
        name = device.resolve().name if device.exists() else path.parent.name
        label = read_line(str(path).removesuffix("_input") + "_label")
        yield Sensor(read_line(str(path.parent / "name")) or name, label or "", name, celsius)


def _read_zones(sys: Path) -> Iterator[Sensor]:
    for zone in sorted((sys / "class" / "thermal").glob("thermal_zone*")):
        kind, celsius = read_line(str(zone / "type")), _read_celsius(zone / "temp")
        if kind and celsius is not None:
            yield Sensor(kind, "", zone.name, celsius)


def _read_celsius(path: Path) -> float | None:
    try:
        # Hardware that sleeps answers "try again" instead of blocking.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            return int(os.read(descriptor, 32)) / 1000
        finally:
            os.close(descriptor)
    except (OSError, ValueError):
        return None


def temperature_points(sensors: Iterable[Sensor]) -> list[Point]:
    """One point ``temp`` for each sensor, named as Telegraf names it (chip_label).

    Of several with the same name (two equal disks), each gets its device's name behind it: they must not
    become one series.
    """
    sensors = list(sensors)
    names = [_name(sensor) for sensor in sensors]
    often = Counter(names)
    points = {}
    for name, sensor in zip(names, sensors, strict=True):
        unique = name if often[name] == 1 else f"{name}_{sensor.device}"
        number = 2
        while unique in points:
            unique, number = f"{name}_{sensor.device}_{number}", number + 1
        points[unique] = Point("temp", {"sensor": unique}, {"temp": sensor.celsius})
    return list(points.values())


def _name(sensor: Sensor) -> str:
    label = sensor.label.lower().replace(" ", "_")
    return f"{sensor.chip}_{label}" if label else sensor.chip
