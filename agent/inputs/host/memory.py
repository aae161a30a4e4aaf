"""Memory and swap."""

from __future__ import annotations

from collections.abc import Mapping

from agent.inputs.host.procfs import read_text
from setpoint.reading import FieldValue, Point

# /proc/meminfo's names and Telegraf's, for what is passed on as it is.
_MEMINFO = {
    "Active": "active",
    "Buffers": "buffered",
    "CommitLimit": "commit_limit",
    "Committed_AS": "committed_as",
    "Dirty": "dirty",
    "MemFree": "free",
    "HighFree": "high_free",
    "HighTotal": "high_total",
    "HugePages_Free": "huge_pages_free",
    "HugePages_Total": "huge_pages_total",
    "Hugepagesize": "huge_page_size",
    "Inactive": "inactive",
    "LowFree": "low_free",
    "LowTotal": "low_total",
    "Mapped": "mapped",
    "PageTables": "page_tables",
    "Shmem": "shared",
    "Slab": "slab",
    "SReclaimable": "sreclaimable",
    "SUnreclaim": "sunreclaim",
    "SwapCached": "swap_cached",
    "SwapFree": "swap_free",
    "SwapTotal": "swap_total",
    "VmallocChunk": "vmalloc_chunk",
    "VmallocTotal": "vmalloc_total",
    "VmallocUsed": "vmalloc_used",
    "Writeback": "write_back",
    "WritebackTmp": "write_back_tmp",
}
_VMSTAT_PAGE_BYTES = 4096  # what Telegraf multiplies by


def read_meminfo(proc: str = "/proc") -> dict[str, int]:
    """What the kernel says of memory, by its names: bytes, or plain counts where it names no unit."""
    return parse_meminfo(read_text(f"{proc}/meminfo"))


def parse_meminfo(text: str) -> dict[str, int]:
    """The numbers of /proc/meminfo, by its names: bytes, or plain counts where it names no unit."""
    numbers = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        value, _, unit = rest.strip().partition(" ")
        if value.isdigit():
            numbers[name] = int(value) * (1024 if unit == "kB" else 1)
    return numbers


def memory_points(meminfo: Mapping[str, int]) -> list[Point]:
    """The point ``mem``. KeyError without MemTotal and MemFree, which every kernel has."""
    total = meminfo["MemTotal"]
    cached = meminfo.get("Cached", 0) + meminfo.get("SReclaimable", 0)
    # Kernels before 3.14 do not estimate what is available.
    available = min(total, meminfo.get("MemAvailable", meminfo["MemFree"] + cached))
    fields: dict[str, FieldValue] = {
        "total": total,
        "available": available,
        "used": total - available,
        "used_percent": 100 * (total - available) / total,
        "available_percent": 100 * available / total,
        "cached": cached,
    }
    fields.update({ours: meminfo[theirs] for theirs, ours in _MEMINFO.items() if theirs in meminfo})
    return [Point("mem", {}, fields)]


def read_swapped_pages(proc: str = "/proc") -> tuple[int, int]:
    """Pages swapped in and out since the start."""
    return parse_swapped_pages(read_text(f"{proc}/vmstat"))


def parse_swapped_pages(text: str) -> tuple[int, int]:
    """Pages swapped in and out since the start, from /proc/vmstat; 0 for a kernel without swap."""
    counts = {"pswpin": 0, "pswpout": 0}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name in counts:
            counts[name] = int(value)
    return counts["pswpin"], counts["pswpout"]


def swap_points(meminfo: Mapping[str, int], pages_in: int, pages_out: int) -> list[Point]:
    """The point ``swap``; all zero on a host without."""
    total, free = meminfo.get("SwapTotal", 0), meminfo.get("SwapFree", 0)
    fields: dict[str, FieldValue] = {
        "total": total,
        "used": total - free,
        "free": free,
        "used_percent": 100 * (total - free) / total if total else 0.0,
        "in": pages_in * _VMSTAT_PAGE_BYTES,
        "out": pages_out * _VMSTAT_PAGE_BYTES,
    }
    return [Point("swap", {}, fields)]
