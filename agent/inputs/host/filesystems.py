"""Asks filesystems how full they are, and survives those that do not answer.

A call into a filesystem whose server is gone (a hard NFS mount, a FUSE daemon that hangs) comes back when
the server does. No timeout in the same process helps: the thread stays in the kernel. psutil.disk_usage
blocks so (psutil#1931), and so does Python's os.statvfs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import subprocess
from collections.abc import Callable, Iterable
from typing import NamedTuple

from agent.inputs.lane import Lane

_FORMAT = "%S %b %f %a %c %d"
_KILL_WAIT_S = 0.2


class Usage(NamedTuple):
    """Bytes and inodes of a filesystem. ``free`` is what users without privileges may still write."""

    total: int
    used: int
    free: int
    inodes_total: int | None = None
    inodes_free: int | None = None


class Answer(NamedTuple):
    """What came of asking one filesystem: its usage, an error, or nothing in time."""

    usage: Usage | None = None
    error: str = ""
    hung: bool = False


HUNG = Answer(error="does not answer", hung=True)


def make_usage(unit: int, blocks: int, free: int, available: int, inodes: int, inodes_free: int) -> Usage:
    """Usage from what statfs(2) answers: blocks of ``unit`` bytes, and inodes."""
    return Usage(blocks * unit, max(0, blocks - free) * unit, available * unit, inodes, inodes_free)


def statvfs_usage(path: str) -> Usage | None:
    """Usage of a local filesystem; None where only a file is mounted, as containers do with /etc/hosts."""
    if not stat.S_ISDIR(os.stat(path).st_mode):  # noqa: PTH116
        return None
    answer = os.statvfs(path)
    return make_usage(
        answer.f_frsize, answer.f_blocks, answer.f_bfree, answer.f_bavail, answer.f_files, answer.f_ffree
    )


class _Walk:
    """Asks one path after the other, and remembers which it waits for."""

    def __init__(self, paths: Iterable[str], read: Callable[[str], Usage | None]) -> None:
        self._paths = tuple(paths)
        self._read = read
        self.answers: dict[str, Answer] = {}
        self.current = ""
        self.abandoned = False

    def run(self) -> None:
        for path in self._paths:
            if self.abandoned:
                return
            self.current = path
            try:
                self.answers[path] = Answer(self._read(path))
            except OSError as error:
                self.answers[path] = Answer(error=error.strerror or str(error))


class LocalFilesystems:
    """Asks filesystems that should never block, all in one thread; copes with one that does all the same."""

    def __init__(self, timeout_s: float, read: Callable[[str], Usage | None] = statvfs_usage) -> None:
        self._timeout_s = timeout_s
        self._read = read
        self._hanging: dict[str, Lane] = {}

    async def ask(self, paths: Iterable[str]) -> dict[str, Answer]:
        """An answer for each path. One that hangs costs the timeout once, then nothing until it is back."""
        self._hanging = {path: lane for path, lane in self._hanging.items() if lane.busy}
        waiting = list(paths)
        answers = {path: HUNG for path in waiting if path in self._hanging}
        while waiting := [path for path in waiting if path not in answers]:
            walk, lane = _Walk(waiting, self._read), Lane("local filesystems")
            try:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(lane.run(walk.run), self._timeout_s)
            finally:  # cancelling leaves the thread behind just as the timeout does
                walk.abandoned = True
                if lane.busy:
                    answers[walk.current] = HUNG
                    self._hanging[walk.current] = lane
            answers = {**walk.answers, **answers}
        return answers


class RemoteFilesystems:
    """Asks each filesystem through a child process of its own, ``stat -f``, which costs about a millisecond.

    A child that hangs is killed; one that does not even die from that is left behind, and its path is not
    asked again until it is gone.
    """

    def __init__(self, timeout_s: float, program: str = "stat") -> None:
        self._timeout_s = timeout_s
        self._program = program
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._lanes: dict[str, Lane] = {}

    async def ask(self, paths: Iterable[str]) -> dict[str, Answer]:
        """An answer for each path, at the latest 0.2 s after the timeout."""
        paths = tuple(paths)
        for path in self._lanes.keys() - set(paths):
            self._forget(path)
        answers = await asyncio.gather(*(self._ask(path) for path in paths))
        return dict(zip(paths, answers, strict=True))

    def _forget(self, path: str) -> None:
        """Drops what is kept of a path that is no longer mounted, once nobody waits for it."""
        child = self._children.get(path)
        if not self._lanes[path].busy and (child is None or child.poll() is not None):
            del self._lanes[path]
            self._children.pop(path, None)

    async def _ask(self, path: str) -> Answer:
        lane = self._lanes.setdefault(path, Lane(path))
        child = self._children.get(path)
        if lane.busy or (child is not None and child.poll() is None):
            return HUNG
        self._children.pop(path, None)
        return await lane.run(lambda: self._ask_child(path))

    def _ask_child(self, path: str) -> Answer:
        try:
            child = subprocess.Popen(
                [self._program, "-f", "-c", _FORMAT, "--", path],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, "LC_ALL": "C"},
            )
        except OSError as error:
            return Answer(error=f"cannot start {self._program}: {error.strerror}")
        self._children[path] = child
        try:
            out, err = child.communicate(timeout=self._timeout_s)
        except subprocess.TimeoutExpired:
            child.kill()
            try:
                child.communicate(timeout=_KILL_WAIT_S)
            except subprocess.TimeoutExpired:
                _close_pipes(child)
                return HUNG
            del self._children[path]
            return HUNG
        del self._children[path]
        return parse_stat_answer(child.returncode, out, err)

    def close(self) -> None:
        """Kills what still runs, and waits for none of it."""
        for child in list(self._children.values()):
            child.kill()


def _close_pipes(child: subprocess.Popen[bytes]) -> None:
    for pipe in (child.stdout, child.stderr):
        if pipe is not None:
            pipe.close()


def parse_stat_answer(returncode: int, out: bytes, err: bytes) -> Answer:
    """What ``stat -f`` said, in the format that it was asked for."""
    numbers = out.split()
    if returncode == 0 and len(numbers) == 6 and all(number.isdigit() for number in numbers):
        return Answer(make_usage(*(int(number) for number in numbers)))
    # "stat: cannot read file system information for '/mnt': Stale file handle"
    reason = err.decode(errors="replace").strip().rpartition(": ")[2]
    return Answer(error=reason or f"stat ended with {returncode} and said {out[:80]!r}")
