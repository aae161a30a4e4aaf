"""Finds and measures processes by psutil, for platforms without Linux's /proc."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import psutil

from agent.inputs.procstat.find import SearchFailed
from agent.inputs.procstat.measure import Sample
from agent.inputs.procstat.settings import ProcstatSettings
from setpoint.reading import FieldValue


def read_samples(settings: ProcstatSettings) -> tuple[int, list[Sample]]:
    """How many processes meet the criteria, and the samples of those that run. SearchFailed."""
    samples, count = [], 0
    for process in find(settings):
        count += 1
        try:
            if process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
                samples.append(read_sample(process))
        except psutil.Error:  # it ended
            continue
    return count, samples


def find(settings: ProcstatSettings) -> Iterator[psutil.Process]:
    """The processes that meet all criteria. SearchFailed."""
    if settings.systemd_unit is not None:
        raise SearchFailed("there are no systemd units on this platform")
    only = None
    if settings.pid_file is not None:
        try:
            only = int(Path(settings.pid_file).read_text().strip())
        except (OSError, ValueError) as error:
            raise SearchFailed(f"{settings.pid_file}: {error}") from None
    for process in psutil.process_iter():
        try:
            if only is not None and process.pid != only:
                continue
            if settings.exe is not None and not re.search(settings.exe, process.name()):
                continue
            if settings.user is not None and settings.user not in _user_names(process):
                continue
            if settings.pattern is not None and not re.search(
                settings.pattern, " ".join(process.cmdline()) or process.name()
            ):
                continue
        except psutil.Error:
            continue
        yield process


def _user_names(process: psutil.Process) -> set[str]:
    name = process.username()  # on Windows with the domain before a backslash
    return {name, name.rpartition("\\")[2]}


def read_sample(process: psutil.Process) -> Sample:
    """The process' sample. psutil.Error when it has ended."""
    with process.oneshot():
        cpu, memory = process.cpu_times(), process.memory_info()
        fields: dict[str, FieldValue] = {
            "cpu_time_user": cpu.user,
            "cpu_time_system": cpu.system,
            "num_threads": process.num_threads(),
            "memory_rss": memory.rss,
            "memory_vms": memory.vms,
            "memory_usage": float(process.memory_percent()),
        }
        try:
            switches = process.num_ctx_switches()
            fields["voluntary_context_switches"] = switches.voluntary
            fields["involuntary_context_switches"] = switches.involuntary
            if hasattr(process, "num_fds"):
                fields["num_fds"] = process.num_fds()
            if hasattr(process, "io_counters"):
                io = process.io_counters()
                fields["read_count"], fields["write_count"] = io.read_count, io.write_count
                fields["read_bytes"] = getattr(io, "read_chars", io.read_bytes)
                fields["write_bytes"] = getattr(io, "write_chars", io.write_bytes)
        except psutil.AccessDenied:
            pass
        created_ns = int(process.create_time() * 1000) * 1_000_000
        return Sample(process.pid, process.ppid(), process.name(), created_ns, cpu.user + cpu.system, fields)
