"""The host input: runs the parts, and keeps one that fails or hangs from costing the others."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from agent.inputs.complaints import Complaints
from agent.inputs.host.cpu import CpuMeter, read_cpu_times
from agent.inputs.host.disk import DiskMeter
from agent.inputs.host.diskio import DiskioMeter, read_disk_counters
from agent.inputs.host.filesystems import LocalFilesystems
from agent.inputs.host.memory import memory_points, read_meminfo, read_swapped_pages, swap_points
from agent.inputs.host.mounts import read_mounts
from agent.inputs.host.net import read_net_points
from agent.inputs.host.processes import process_points, read_stats
from agent.inputs.host.settings import HostSettings
from agent.inputs.host.system import read_system_points
from agent.inputs.host.temperature import read_sensors, temperature_points
from agent.inputs.lane import Lane
from setpoint.reading import Point

log = logging.getLogger(__name__)

T = TypeVar("T")
Read = Callable[[], list[Point]]


class HostInput:
    """Gathers what the settings' ``collect`` names. ``root`` is where /proc and /sys are found, for tests."""

    def __init__(self, settings: HostSettings, root: str = "") -> None:
        self._settings = settings
        self._timeout_s = settings.answer_timeout_s
        self._complaints = Complaints(log)
        if sys.platform == "linux":
            reads, self._disk = linux_parts(settings, f"{root}/proc", f"{root}/sys")
        else:
            reads, self._disk = portable_parts(settings)
        wanted = {name: read for name, read in reads.items() if name in settings.collect}
        # A sensor may take its time to answer, or hang; all else comes out of the kernel's memory.
        self._sensors = wanted.pop("temp", None)
        self._reads = wanted
        self._quick_lane = Lane("the kernel's counters")
        self._sensor_lane = Lane("the temperature sensors")

    async def gather(self) -> Sequence[Point]:
        """The points of every part that answered. RuntimeError when none did."""
        # Not all at once: threads that take the interpreter from each other at every read double the cost.
        outcomes: dict[str, list[Point] | BaseException] = {}
        if self._reads:
            outcomes |= await _settle({"counters": self._in_time(self._quick_lane, self._read_parts)})
        legs: dict[str, Awaitable[list[Point]]] = {}
        if self._sensors:
            legs["temp"] = self._in_time(self._sensor_lane, self._sensors)
        if "disk" in self._settings.collect:
            legs["disk"] = self._disk.gather()
        outcomes |= await _settle(legs)
        points: list[Point] = []
        errors = []
        for name, outcome in outcomes.items():
            if isinstance(outcome, Exception):
                why = str(outcome) or type(outcome).__name__
                self._complaints.failed(name, why)
                errors.append(f"{name}: {why}")
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                self._complaints.works(name)
                points += outcome
        if errors and not points:
            raise RuntimeError("; ".join(errors))
        return points

    async def _in_time(self, lane: Lane, read: Read) -> list[Point]:
        try:
            return await asyncio.wait_for(lane.run(read), self._timeout_s)
        except TimeoutError:
            raise TimeoutError(f"{lane.name} did not answer within {self._timeout_s:g} s") from None

    def _read_parts(self) -> list[Point]:
        points: list[Point] = []
        errors = []
        for name, read in self._reads.items():
            try:
                points += read()
            # Whatever a kernel or a container makes of its files must cost this part only.
            except Exception as error:
                self._complaints.failed(name, error)
                errors.append(f"{name}: {error}")
            else:
                self._complaints.works(name)
        if len(errors) == len(self._reads):
            raise RuntimeError("; ".join(errors))
        return points

    async def close(self) -> None:
        self._disk.close()


async def _settle(legs: Mapping[str, Awaitable[T]]) -> dict[str, T | BaseException]:
    """What each gives or raises; all at once."""
    outcomes = await asyncio.gather(*legs.values(), return_exceptions=True)
    return dict(zip(legs, outcomes, strict=True))


def linux_parts(settings: HostSettings, proc: str, sys: str) -> tuple[dict[str, Read], DiskMeter]:
    """What to call for each part but disk, and the meter for disk, on Linux."""
    cpu = CpuMeter(percpu=settings.percpu, totalcpu=settings.totalcpu)
    diskio = DiskioMeter(settings.devices)
    reads: dict[str, Read] = {
        "cpu": lambda: cpu.points(read_cpu_times(proc)),
        "mem": lambda: memory_points(read_meminfo(proc)),
        "swap": lambda: swap_points(read_meminfo(proc), *read_swapped_pages(proc)),
        "diskio": lambda: diskio.points(read_disk_counters(proc), time.monotonic()),
        "net": lambda: read_net_points(settings.interfaces, settings.ignore_interfaces, proc, sys),
        "system": lambda: read_system_points(proc),
        "processes": lambda: process_points(read_stats(proc)),
        "temp": lambda: temperature_points(read_sensors(sys)),
    }
    local = LocalFilesystems(settings.answer_timeout_s)
    return reads, DiskMeter(settings, partial(read_mounts, proc), local)


def portable_parts(settings: HostSettings) -> tuple[dict[str, Read], DiskMeter]:
    """The same by psutil."""
    from agent.inputs.host import portable

    cpu = CpuMeter(percpu=settings.percpu, totalcpu=settings.totalcpu)
    diskio = DiskioMeter(settings.devices)
    reads: dict[str, Read] = {
        "cpu": lambda: cpu.points(portable.read_cpu_times()),
        "mem": portable.read_memory_points,
        "swap": portable.read_swap_points,
        "diskio": lambda: diskio.points(portable.read_disk_counters(), time.monotonic()),
        "net": lambda: portable.read_net_points(settings),
        "system": portable.read_system_points,
        "processes": portable.read_process_points,
        "temp": lambda: temperature_points(portable.read_sensors()),
    }
    local = LocalFilesystems(settings.answer_timeout_s, portable.read_usage)
    return reads, DiskMeter(settings, portable.read_mounts, local, is_local=lambda _: True)
