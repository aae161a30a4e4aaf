"""What a process uses, from Linux's /proc."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from agent.inputs.host.memory import read_meminfo
from agent.inputs.host.procfs import list_names, read_bytes, read_text
from agent.inputs.procstat.find import Found
from setpoint.reading import FieldValue


class Sample(NamedTuple):
    """One process at one time. Every field of ``fields`` may be summed over processes."""

    pid: int
    ppid: int
    name: str
    created_ns: int
    """When it started, since 1970."""
    cpu_s: float
    """Processor time that it has spent."""
    fields: Mapping[str, FieldValue]


class Machine(NamedTuple):
    """What it takes to understand a process' numbers."""

    ticks_per_s: int
    page_bytes: int
    memory_bytes: int
    booted_s: int


def read_machine(proc: str = "/proc") -> Machine:
    """Of the machine that this runs on."""
    return Machine(
        ticks_per_s=os.sysconf("SC_CLK_TCK"),
        page_bytes=os.sysconf("SC_PAGE_SIZE"),
        memory_bytes=read_meminfo(proc)["MemTotal"],
        booted_s=parse_boot_time(read_text(f"{proc}/stat")),
    )


def parse_boot_time(text: str) -> int:
    """Seconds since 1970, from /proc/stat. ValueError when it does not say."""
    for line in text.splitlines():
        if line.startswith("btime "):
            return int(line.split()[1])
    raise ValueError("no btime line")


def read_sample(found: Found, machine: Machine, proc: str = "/proc") -> Sample | None:
    """The process' sample; None when it has ended or is a zombie.

    What the agent has no right to read (another user's open files and I/O) is left out.
    """
    sample = parse_stat(found, machine)
    if sample is None:
        return None
    fields = dict(sample.fields)
    folder = f"{proc}/{found.pid}"
    try:
        fields.update(parse_status(read_bytes(f"{folder}/status")))
    except OSError:
        return None
    try:
        fields.update(parse_io(read_bytes(f"{folder}/io")))
        fields["num_fds"] = len(list_names(f"{folder}/fd"))
    except OSError:
        pass
    return sample._replace(fields=fields)


def parse_stat(found: Found, machine: Machine) -> Sample | None:
    """What the stat file says, see proc_pid_stat(5); None for a zombie."""
    # Column n of the manual page is columns[n - 3].
    columns = found.stat[found.stat.rindex(b")") + 2 :].split()
    if columns[0] in (b"Z", b"X", b"x"):
        return None
    user_s = int(columns[11]) / machine.ticks_per_s
    system_s = int(columns[12]) / machine.ticks_per_s
    resident = int(columns[21]) * machine.page_bytes
    fields: dict[str, FieldValue] = {
        "minor_faults": int(columns[7]),
        "child_minor_faults": int(columns[8]),
        "major_faults": int(columns[9]),
        "child_major_faults": int(columns[10]),
        "cpu_time_user": user_s,
        "cpu_time_system": system_s,
        "cpu_time_iowait": int(columns[39]) / machine.ticks_per_s,
        "num_threads": int(columns[17]),
        "memory_vms": int(columns[20]),
        "memory_rss": resident,
        "memory_usage": 100 * resident / machine.memory_bytes,
    }
    created_ns = machine.booted_s * 1_000_000_000 + int(columns[19]) * 1_000_000_000 // machine.ticks_per_s
    return Sample(found.pid, int(columns[1]), found.name, created_ns, user_s + system_s, fields)


def parse_status(data: bytes) -> dict[str, FieldValue]:
    """The context switches, from a process' status file."""
    names = {
        b"voluntary_ctxt_switches": "voluntary_context_switches",
        b"nonvoluntary_ctxt_switches": "involuntary_context_switches",
    }
    pairs = (line.split(b":", 1) for line in data.splitlines() if b"ctxt" in line)
    return {names[name]: int(value) for name, value in pairs if name in names}


def parse_io(data: bytes) -> dict[str, FieldValue]:
    """Reads and writes, from a process' io file: of any kind, and (``disk_``) of storage."""
    names = {
        b"syscr": "read_count",
        b"syscw": "write_count",
        b"rchar": "read_bytes",
        b"wchar": "write_bytes",
        b"read_bytes": "disk_read_bytes",
        b"write_bytes": "disk_write_bytes",
    }
    pairs = (line.split(b":", 1) for line in data.splitlines() if b":" in line)
    return {names[name]: int(value) for name, value in pairs if name in names}
