"""A filesystem whose server hangs, made with a real FUSE daemon that is stopped."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from agent.inputs.host.input import HostInput
from agent.inputs.host.settings import HostSettings
from setpoint.reading import Point
from setpoint.units import Duration
from tests.servers import require, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="FUSE is Linux'")

# A call that is not interrupted would hang the test for ever; after this long the daemon goes on, and the
# assertions fail.
_RESCUE_S = 60


class Daemon:
    """bindfs, serving ``source`` at ``mount``."""

    def __init__(self, source: Path, mount: Path) -> None:
        self.mount = mount
        # With one thread, it would take no second question while it hangs in the first.
        self._process = subprocess.Popen(
            [require("bindfs"), "-f", "--multithreaded", str(source), str(mount)]
        )
        wait_until(lambda: os.path.ismount(mount), what=f"{mount} is mounted")

    def hang(self) -> None:
        self._process.send_signal(signal.SIGSTOP)
        self._rescue = threading.Timer(_RESCUE_S, self.go_on)
        self._rescue.daemon = True
        self._rescue.start()

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        self.go_on()
        subprocess.run([require("fusermount3"), "-u", "-z", str(self.mount)], check=False)
        self._process.terminate()
        self._process.wait(20)


@contextmanager
def mounted(folder: Path, source: Path) -> Iterator[Daemon]:
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        if os.environ.get("CI") == "true":
            pytest.fail("/dev/fuse cannot be used, and with CI=true nothing is skipped")
        pytest.skip("/dev/fuse cannot be used")
    folder.mkdir()
    daemon = Daemon(source, folder)
    try:
        yield daemon
    finally:
        daemon.end()


def settings(*mounts: Path) -> HostSettings:
    return HostSettings(
        collect=["disk", "system"],
        mount_points=["/", *map(str, mounts)],
        ignore_fs=[],
        disk_timeout=Duration(500),
    )


def reported(points: list[Point], measurement: str) -> dict[str, object]:
    field = "total" if measurement == "disk" else "hung"
    return {point.tags["path"]: point.fields[field] for point in points if point.measurement == measurement}


def children_asking(mount: Path) -> list[psutil.Process]:
    """The children that wait for this mount."""
    return [
        child
        for child in psutil.Process().children()
        if child.name() == "stat" and child.status() != psutil.STATUS_ZOMBIE and str(mount) in child.cmdline()
    ]


def test_a_hung_filesystem_does_not_hold_up_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def run(daemon: Daemon) -> None:
        mount = str(daemon.mount)
        source = HostInput(settings(daemon.mount))
        points = list(await source.gather())
        assert reported(points, "setpoint_mount") == {"/": 0, mount: 0}
        assert reported(points, "disk").keys() == {"/", mount}

        daemon.hang()
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        ticking = asyncio.create_task(tick())
        for _ in range(2):
            points = list(await source.gather())
            assert reported(points, "setpoint_mount") == {"/": 0, mount: 1}
            assert reported(points, "disk").keys() == {"/"}
            assert "system" in {point.measurement for point in points}
        ticking.cancel()
        assert ticks > 10, "the event loop stood still"
        assert not children_asking(daemon.mount), "a child that can be killed was left behind"

        daemon.go_on()
        points = list(await source.gather())
        assert reported(points, "setpoint_mount") == {"/": 0, mount: 0}
        assert reported(points, "disk").keys() == {"/", mount}
        await source.close()

    with mounted(tmp_path / "mount", tmp_path) as daemon, caplog.at_level(logging.INFO, "agent"):
        asyncio.run(run(daemon))
        said = [record.getMessage() for record in caplog.records]
        assert said == [
            f"filesystem {daemon.mount} (fuse): does not answer",
            f"filesystem {daemon.mount} (fuse): works again",
        ]


def test_a_child_that_cannot_be_killed_is_the_only_one(tmp_path: Path) -> None:
    """A daemon that took the question and then hangs itself: the kernel lets nobody go who waits for it."""

    async def run(inner: Daemon, outer: Daemon) -> None:
        mount = str(outer.mount)
        source = HostInput(settings(outer.mount))
        assert reported(list(await source.gather()), "setpoint_mount") == {"/": 0, mount: 0}

        inner.hang()
        children = set()
        for _ in range(3):
            points = list(await source.gather())
            assert reported(points, "setpoint_mount") == {"/": 0, mount: 1}
            assert reported(points, "disk").keys() == {"/"}
            [child] = children_asking(outer.mount)
            children.add(child.pid)
        assert len(children) == 1, "asked again while the first child was there"

        inner.go_on()
        deadline = time.monotonic() + 30
        while reported(list(await source.gather()), "setpoint_mount")[mount]:
            assert time.monotonic() < deadline, "not asked again after the child had gone"
            await asyncio.sleep(0.05)
        assert not children_asking(outer.mount)
        await source.close()

    (tmp_path / "data").mkdir()
    with (
        mounted(tmp_path / "inner", tmp_path / "data") as inner,
        mounted(tmp_path / "outer", inner.mount) as outer,
    ):
        try:
            asyncio.run(run(inner, outer))
        finally:
            inner.go_on()
