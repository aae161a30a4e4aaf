"""The same readings by psutil, for platforms without Linux's /proc: fewer fields, the same names.

On Linux the files are read directly: psutil leaves out half of what Telegraf reports of memory and disks,
and is five times slower at counting processes.
"""

from __future__ import annotations

import time

import psutil

from agent.inputs.host.cpu import COLUMNS, TOTAL, CpuTimes
from agent.inputs.host.diskio import DiskCounters
from agent.inputs.host.filesystems import Usage
from agent.inputs.host.mounts import Mount
from agent.inputs.host.net import is_wanted
from agent.inputs.host.settings import HostSettings
from agent.inputs.host.system import read_counts
from agent.inputs.host.temperature import Sensor
from setpoint.reading import FieldValue, Point

_MEMORY = {"active": "active", "inactive": "inactive", "buffers": "buffered", "cached": "cached"}
_STATES = {
    "running": "running",
    "sleeping": "sleeping",
    "disk-sleep": "blocked",
    "zombie": "zombies",
    "stopped": "stopped",
    "tracing-stop": "stopped",
    "dead": "dead",
    "idle": "idle",
    "waiting": "wait",
}


def read_cpu_times() -> CpuTimes:
    """In seconds; 0 for what this platform does not count. Windows' interrupt and dpc are irq and softirq."""

    def columns(times: object) -> list[float]:
        known = {name: float(getattr(times, name, 0)) for name in COLUMNS}
        known["irq"] += float(getattr(times, "interrupt", 0))
        known["softirq"] += float(getattr(times, "dpc", 0))
        return list(known.values())

    times = {f"cpu{number}": columns(each) for number, each in enumerate(psutil.cpu_times(percpu=True))}
    return {TOTAL: columns(psutil.cpu_times()), **times}


def read_memory_points() -> list[Point]:
    """The point ``mem``, in bytes and percent."""
    memory = psutil.virtual_memory()
    fields: dict[str, FieldValue] = {
        "total": memory.total,
        "available": memory.available,
        "used": memory.total - memory.available,
        "used_percent": 100 * (memory.total - memory.available) / memory.total,
        "available_percent": 100 * memory.available / memory.total,
        "free": memory.free,
    }
    fields.update({ours: getattr(memory, name) for name, ours in _MEMORY.items() if hasattr(memory, name)})
    return [Point("mem", {}, fields)]


def read_swap_points() -> list[Point]:
    """The point ``swap``, in bytes and percent; ``in`` and ``out`` are bytes since the start."""
    swap = psutil.swap_memory()
    fields: dict[str, FieldValue] = {
        "total": swap.total,
        "used": swap.used,
        "free": swap.free,
        "used_percent": float(swap.percent),
        "in": swap.sin,
        "out": swap.sout,
    }
    return [Point("swap", {}, fields)]


def read_disk_counters() -> dict[str, DiskCounters]:
    """Counts, bytes and ms since the start, by device."""
    counters = {}
    for name, disk in (psutil.disk_io_counters(perdisk=True, nowrap=False) or {}).items():
        counters[name] = DiskCounters(
            reads=disk.read_count,
            merged_reads=getattr(disk, "read_merged_count", None),
            read_bytes=disk.read_bytes,
            read_time=disk.read_time,
            writes=disk.write_count,
            merged_writes=getattr(disk, "write_merged_count", None),
            write_bytes=disk.write_bytes,
            write_time=disk.write_time,
            io_time=getattr(disk, "busy_time", None),
        )
    return counters


def read_net_points(settings: HostSettings) -> list[Point]:
    """A point ``net`` for each wanted interface: bytes and counts so far, ``speed`` in Mbit/s or -1."""
    states = psutil.net_if_stats()
    points = []
    for name, counters in psutil.net_io_counters(pernic=True, nowrap=False).items():
        state = states.get(name)
        wanted = is_wanted(name, settings.interfaces, settings.ignore_interfaces)
        if wanted is None:
            is_loopback = "loopback" in name.lower() or "loopback" in getattr(state, "flags", "")
            wanted = state is not None and state.isup and not is_loopback
        if not wanted:
            continue
        fields: dict[str, FieldValue] = {
            "bytes_sent": counters.bytes_sent,
            "bytes_recv": counters.bytes_recv,
            "packets_sent": counters.packets_sent,
            "packets_recv": counters.packets_recv,
            "err_in": counters.errin,
            "err_out": counters.errout,
            "drop_in": counters.dropin,
            "drop_out": counters.dropout,
            "speed": state.speed if state is not None and state.speed else -1,
        }
        points.append(Point("net", {"interface": name}, fields))
    return points


def read_system_points() -> list[Point]:
    """The point ``system``. Windows has no load average; psutil imitates one from the run queue."""
    load1, load5, load15 = psutil.getloadavg()
    fields: dict[str, FieldValue] = {
        "load1": load1,
        "load5": load5,
        "load15": load15,
        "uptime": int(time.time() - psutil.boot_time()),
    }
    return [Point("system", {}, {**fields, **read_counts()})]


def read_process_points() -> list[Point]:
    """The point ``processes``: how many there are in each state, and how many threads."""
    counts = dict.fromkeys(("blocked", "zombies", "stopped", "running", "sleeping", "unknown"), 0)
    total = threads = 0
    for process in psutil.process_iter(["status", "num_threads"]):
        state = _STATES.get(process.info["status"], "unknown")
        counts[state] = counts.get(state, 0) + 1
        total += 1
        threads += process.info["num_threads"] or 0
    return [Point("processes", {}, {**counts, "total": total, "total_threads": threads})]


def read_sensors() -> list[Sensor]:
    """The temperature of every sensor, in degrees Celsius; none on a platform that tells none."""
    read = getattr(psutil, "sensors_temperatures", None)  # Windows and macOS have none
    if read is None:
        return []
    return [
        Sensor(chip, sensor.label, str(number), sensor.current)
        for chip, sensors in read().items()
        for number, sensor in enumerate(sensors)
    ]


def read_mounts() -> list[Mount]:
    """The mounts of physical devices, as the platform counts them."""
    return [
        Mount(part.mountpoint, part.device, part.fstype, tuple(part.opts.split(",")))
        for part in psutil.disk_partitions(all=False)
    ]


def read_usage(path: str) -> Usage:
    """How full the filesystem of a path is, in bytes. OSError when that cannot be told."""
    usage = psutil.disk_usage(path)
    return Usage(usage.total, usage.used, usage.free)
