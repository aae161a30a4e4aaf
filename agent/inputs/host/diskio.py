"""What block devices have read and written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from agent.inputs.host.procfs import read_text
from setpoint.reading import FieldValue, Point

_SECTOR_BYTES = 512  # in /proc/diskstats, whatever the device's own


class DiskCounters(NamedTuple):
    """One device's counters since the start; times in ms. None is what the platform does not count."""

    reads: int
    merged_reads: int | None
    read_bytes: int
    read_time: int
    writes: int
    merged_writes: int | None
    write_bytes: int
    write_time: int
    iops_in_progress: int | None = None
    io_time: int | None = None
    weighted_io_time: int | None = None


def read_disk_counters(proc: str = "/proc") -> dict[str, DiskCounters]:
    """Counts, bytes and ms since the start, by device, of those that have done anything."""
    return parse_disk_counters(read_text(f"{proc}/diskstats"))


def parse_disk_counters(text: str) -> dict[str, DiskCounters]:
    """The devices of /proc/diskstats that have done anything; its columns are in the kernel's iostats.rst."""
    counters = {}
    for line in text.splitlines():
        columns = line.split()
        if len(columns) < 14:
            continue
        values = [int(column) for column in columns[3:14]]
        if any(values):
            values[2] *= _SECTOR_BYTES
            values[6] *= _SECTOR_BYTES
            counters[columns[2]] = DiskCounters(*values)
    return counters


def io_load(before: DiskCounters, after: DiskCounters, passed_ms: float) -> dict[str, FieldValue]:
    """``io_util`` (percent of the time), ``io_await`` and ``io_svctm`` (ms per operation) in between.

    Empty where a counter went backwards; without the latter two when there was no operation.
    """
    operations = after.reads - before.reads + after.writes - before.writes
    waited_ms = after.read_time - before.read_time + after.write_time - before.write_time
    fields: dict[str, FieldValue] = {}
    if after.io_time is None or before.io_time is None:
        return fields
    backwards = (
        after.reads < before.reads
        or after.writes < before.writes
        or after.read_time < before.read_time
        or after.write_time < before.write_time
        or after.io_time < before.io_time
    )
    if backwards:
        return fields
    busy_ms = after.io_time - before.io_time
    if operations:
        fields["io_await"] = waited_ms / operations
        fields["io_svctm"] = busy_ms / operations
    if passed_ms > 0:
        fields["io_util"] = 100 * busy_ms / passed_ms
    return fields


class DiskioMeter:
    """Keeps the counters of the previous gathering. ``devices`` are globs; none means every device."""

    def __init__(self, devices: Sequence[str] = ()) -> None:
        self._devices = devices
        self._before: Mapping[str, DiskCounters] = {}
        self._before_s = 0.0

    def points(self, counters: Mapping[str, DiskCounters], now_s: float) -> list[Point]:
        """One point for each wanted device. ``now_s`` is a monotonic clock."""
        points = []
        for name, after in counters.items():
            if self._devices and not any(fnmatchcase(name, glob) for glob in self._devices):
                continue
            fields: dict[str, FieldValue] = {
                field: value for field, value in zip(after._fields, after, strict=True) if value is not None
            }
            if before := self._before.get(name):
                fields.update(io_load(before, after, (now_s - self._before_s) * 1000))
            points.append(Point("diskio", {"name": name}, fields))
        self._before, self._before_s = counters, now_s
        return points
