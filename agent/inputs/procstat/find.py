"""Finds processes by what is known of them, in Linux's /proc."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from agent.inputs.host.procfs import read_bytes, read_pids, read_record, read_text
from agent.inputs.procstat.settings import ProcstatSettings

_COMM_BYTES = 15  # the kernel cuts a process' name off there

# Where the tree of control groups may be: version 2, and version 1 or a mixture.
_CGROUP_ROOTS = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd")


class SearchFailed(RuntimeError):
    """The processes could not be looked for: no such pid file, no such user."""


class Found(NamedTuple):
    """A process that was looked for: its number, its full name, and the text of its stat file."""

    pid: int
    name: str
    stat: bytes


class Finder:
    """Looks for processes that meet all criteria. ``proc`` and ``cgroups`` say where, for tests."""

    def __init__(
        self, settings: ProcstatSettings, proc: str = "/proc", cgroups: Iterable[str] = _CGROUP_ROOTS
    ) -> None:
        self._settings = settings
        self._pattern = re.compile(settings.pattern) if settings.pattern is not None else None
        self._exe = re.compile(settings.exe) if settings.exe is not None else None
        self._proc = proc
        self._cgroups = tuple(cgroups)
        self._unit_folder: Path | None = None

    def candidates(self) -> Iterable[int]:
        """Process numbers, without having looked at the processes. SearchFailed."""
        narrowed = [set(pids) for pids in (self._in_pid_file(), self._in_unit()) if pids is not None]
        if narrowed:
            return sorted(set.intersection(*narrowed))
        return read_pids(self._proc)

    def find(self, pids: Iterable[int]) -> Iterator[Found]:
        """Those of the processes that are there and meet the criteria. SearchFailed for an unknown user."""
        uid = None if self._settings.user is None else user_id(self._settings.user)
        for pid in pids:
            try:
                stat = read_record(f"{self._proc}/{pid}/stat")
                name = parse_name(stat)
                # The cheapest question first: this is asked of every process on the host.
                if len(name) >= _COMM_BYTES:
                    name = full_name(name, self._command_line(pid))
                if self._exe is not None and not self._exe.search(name):
                    continue
                if uid is not None and self._effective_uid(pid) != uid:
                    continue
                if self._pattern is not None and not self._pattern.search(self._command_line(pid) or name):
                    continue
            except (OSError, ValueError):  # it ended
                continue
            yield Found(pid, name, stat)

    def _command_line(self, pid: int) -> str:
        """The arguments with spaces between; empty for kernel threads."""
        data = read_bytes(f"{self._proc}/{pid}/cmdline")
        return data.rstrip(b"\0").replace(b"\0", b" ").decode("utf-8", "replace")

    def _effective_uid(self, pid: int) -> int:
        """From the status file: the owner of the folder is root for processes that changed their user."""
        for line in read_bytes(f"{self._proc}/{pid}/status").splitlines():
            if line.startswith(b"Uid:"):
                return int(line.split()[2])
        raise ValueError("no Uid line")

    def _in_pid_file(self) -> list[int] | None:
        path = self._settings.pid_file
        if path is None:
            return None
        try:
            return [int(Path(path).read_text().strip())]
        except OSError as error:
            raise SearchFailed(f"{path}: {error.strerror}") from None
        except ValueError:
            raise SearchFailed(f"{path}: holds no process number") from None

    def _in_unit(self) -> list[int] | None:
        """The processes in the unit's control group and those below; none when the unit does not run."""
        unit = self._settings.systemd_unit
        if unit is None:
            return None
        folder = self._unit_folder
        if folder is None or not folder.is_dir():
            folder = self._unit_folder = find_unit(unit, self._cgroups)
        if folder is None:
            return []
        pids: list[int] = []
        for path, _, _ in os.walk(folder):
            try:
                pids += map(int, read_text(f"{path}/cgroup.procs").split())
            except OSError:  # it ended
                continue
        return pids


def find_unit(unit: str, roots: Iterable[str] = _CGROUP_ROOTS) -> Path | None:
    """The control group of a systemd unit; None when it does not run. SearchFailed without control groups."""
    present = [root for root in map(Path, roots) if (root / "cgroup.procs").exists()]
    if not present:
        raise SearchFailed("there are no control groups here, so no systemd units")
    for root in present:
        usual = root / "system.slice" / unit
        if usual.is_dir():
            return usual
    for root in present:
        for path, folders, _ in os.walk(root):
            if unit in folders:
                return Path(path) / unit
    return None


def parse_name(stat: bytes) -> str:
    """The process' name, as the kernel keeps it. ValueError when the text is cut off."""
    return stat[stat.index(b"(") + 1 : stat.rindex(b")")].decode("utf-8", "replace")


def full_name(name: str, command_line: str) -> str:
    """The name that the kernel cut off, completed from the command line where that begins alike."""
    program = command_line.partition(" ")[0].rpartition("/")[2]
    return program if program.startswith(name) else name


def user_id(user: str) -> int:
    """The number of a user, given by number or name. SearchFailed when nobody has the name."""
    if user.isdigit():
        return int(user)
    import pwd  # POSIX only, as this module is

    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        raise SearchFailed(f"there is no user {user}") from None
