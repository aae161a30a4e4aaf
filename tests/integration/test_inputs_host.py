"""The host input on the machine that the tests run on."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import cast

import psutil
import pytest

from agent.inputs.host.disk import DiskMeter
from agent.inputs.host.filesystems import LocalFilesystems, RemoteFilesystems, Usage
from agent.inputs.host.input import HostInput
from agent.inputs.host.mounts import Mount
from agent.inputs.host.settings import HostSettings
from agent.inputs.lane import Lane, StillBusy
from setpoint.reading import Point
from tests.servers import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads Linux' /proc")


def gather(settings: HostSettings, root: str = "") -> list[Point]:
    async def once() -> list[Point]:
        source = HostInput(settings, root)
        try:
            return list(await source.gather())
        finally:
            await source.close()

    return asyncio.run(once())


def fields_of(points: list[Point], measurement: str, **tags: str) -> dict[str, float]:
    [found] = [
        point.fields
        for point in points
        if point.measurement == measurement and tags.items() <= dict(point.tags).items()
    ]
    return cast("dict[str, float]", found)


def test_memory_is_what_psutil_says() -> None:
    fields = fields_of(gather(HostSettings(collect=["mem"])), "mem")
    memory = psutil.virtual_memory()
    assert fields["total"] == memory.total
    assert fields["available"] == pytest.approx(memory.available, rel=0.05)
    assert fields["used_percent"] == pytest.approx(100 - 100 * memory.available / memory.total, abs=5)


def test_a_filesystem_is_as_full_as_python_says(tmp_path: Path) -> None:
    mount = tmp_path
    while not mount.is_mount():
        mount = mount.parent
    points = gather(HostSettings(collect=["disk"], mount_points=[str(mount)], ignore_fs=[]))
    fields, usage = fields_of(points, "disk", path=str(mount)), shutil.disk_usage(mount)
    assert fields["total"] == usage.total
    assert fields["free"] == pytest.approx(usage.free, rel=0.05)
    assert fields["inodes_total"] == os.statvfs(mount).f_files
    assert fields_of(points, "setpoint_mount", path=str(mount)) == {"hung": 0, "failed": 0}


def test_interface_counters_are_between_those_read_before_and_after() -> None:
    before = psutil.net_io_counters(pernic=True)["lo"]
    fields = fields_of(gather(HostSettings(collect=["net"], interfaces=["lo"])), "net", interface="lo")
    after = psutil.net_io_counters(pernic=True)["lo"]
    assert before.bytes_sent <= fields["bytes_sent"] <= after.bytes_sent
    assert before.packets_recv <= fields["packets_recv"] <= after.packets_recv


def test_loopback_is_not_reported_unless_asked_for() -> None:
    points = gather(HostSettings(collect=["net", "system"]))
    assert "lo" not in {point.tags.get("interface") for point in points}


def test_disk_counters_are_between_those_read_before_and_after() -> None:
    before = psutil.disk_io_counters(perdisk=True, nowrap=False)
    points = gather(HostSettings(collect=["diskio"]))
    after = psutil.disk_io_counters(perdisk=True, nowrap=False)
    for point in points:
        name = point.tags["name"]
        assert before[name].read_bytes <= cast("int", point.fields["read_bytes"]) <= after[name].read_bytes
        assert before[name].write_time <= cast("int", point.fields["write_time"]) <= after[name].write_time
    assert {point.tags["name"] for point in points} <= before.keys()


def test_processes_are_about_as_many_as_psutil_counts() -> None:
    fields = fields_of(gather(HostSettings(collect=["processes"])), "processes")
    states = set(fields) - {"total", "total_threads"}
    assert sum(fields[state] for state in states) == fields["total"]
    assert abs(fields["total"] - len(psutil.pids())) < 50
    assert fields["total_threads"] >= fields["total"]


def test_uptime_and_processors() -> None:
    fields = fields_of(gather(HostSettings(collect=["system"])), "system")
    assert fields["uptime"] == pytest.approx(time.clock_gettime(time.CLOCK_BOOTTIME), abs=10)
    assert fields["n_cpus"] == psutil.cpu_count()


def test_a_busy_processor_shows() -> None:
    async def run() -> list[Point]:
        source = HostInput(HostSettings(collect=["cpu"]))
        assert await source.gather() == []
        end = time.monotonic() + 1
        while time.monotonic() < end:
            pass
        return list(await source.gather())

    points = asyncio.run(run())
    count = os.cpu_count() or 1
    assert {point.tags["cpu"] for point in points} == {"cpu-total", *(f"cpu{n}" for n in range(count))}
    # One processor was busy all the time, whatever the others did.
    assert fields_of(points, "cpu", cpu="cpu-total")["usage_active"] > 50 / count


def test_a_part_that_fails_costs_only_itself(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "loadavg").write_text("1 2 3 1/2 3\n")
    (tmp_path / "proc" / "uptime").write_text("5.5 1\n")

    async def run() -> list[Point]:
        source = HostInput(HostSettings(collect=["mem", "system", "net"]), str(tmp_path))
        await source.gather()
        return list(await source.gather())

    with caplog.at_level(logging.INFO):
        points = asyncio.run(run())
    assert [point.measurement for point in points] == ["system"]
    # Twice gathered, once said.
    assert sorted(record.getMessage().partition(":")[0] for record in caplog.records) == ["mem", "net"]


def test_a_gathering_in_which_nothing_can_be_read_fails(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="mem:"):
        gather(HostSettings(collect=["mem", "disk"]), str(tmp_path))


def test_a_local_filesystem_that_hangs_holds_up_no_other() -> None:
    release = threading.Event()
    asked: list[str] = []

    def read(path: str) -> Usage:
        asked.append(path)
        if path == "/hangs":
            release.wait(30)
        return Usage(10, 5, 5)

    async def run() -> None:
        filesystems = LocalFilesystems(0.2, read)
        for _ in range(2):
            answers = await filesystems.ask(["/a", "/hangs", "/b"])
            assert {path: answer.hung for path, answer in answers.items()} == {
                "/a": False,
                "/hangs": True,
                "/b": False,
            }
        assert asked.count("/hangs") == 1, "asked again while the first call hung"
        release.set()
        deadline = time.monotonic() + 20
        while (await filesystems.ask(["/hangs"]))["/hangs"].hung:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)

    try:
        asyncio.run(run())
    finally:
        release.set()


def test_a_cancelled_gathering_leaves_no_second_call_behind() -> None:
    release = threading.Event()

    def read(_: str) -> Usage:
        release.wait(30)
        return Usage(10, 5, 5)

    async def run() -> None:
        filesystems = LocalFilesystems(30, read)
        task = asyncio.create_task(filesystems.ask(["/hangs"]))
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.wait([task])
        assert (await filesystems.ask(["/hangs"]))["/hangs"].hung

    try:
        asyncio.run(run())
    finally:
        release.set()


def test_a_container_reports_its_root_and_no_files() -> None:
    def mounts() -> list[Mount]:
        return [
            Mount("/", "overlay", "overlay", ("rw",)),
            Mount("/proc/self/status", "vda", "ext4", ("rw",)),
        ]

    async def run(settings: HostSettings) -> list[Point]:
        return await DiskMeter(settings, mounts, LocalFilesystems(20)).gather()

    points = asyncio.run(run(HostSettings()))
    assert [(point.measurement, point.tags["path"]) for point in points] == [
        ("disk", "/"),
        ("setpoint_mount", "/"),
    ]
    assert asyncio.run(run(HostSettings(mount_points=["/srv"]))) == []


def test_a_remote_filesystem_is_as_full_as_a_local_one_would_be() -> None:
    async def run() -> Usage | None:
        return (await RemoteFilesystems(20).ask(["/"]))["/"].usage

    usage = asyncio.run(run())
    assert usage is not None
    assert usage.total == shutil.disk_usage("/").total
    assert usage.inodes_total == os.statvfs("/").f_files


def test_what_stat_complains_of_is_the_error(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")

    async def run(program: str) -> str:
        return (await RemoteFilesystems(20, program).ask([missing]))[missing].error

    assert asyncio.run(run("stat")) == "No such file or directory"
    assert asyncio.run(run("/no/stat")) == "cannot start /no/stat: No such file or directory"


def test_a_call_that_hangs_does_not_keep_the_program_from_ending() -> None:
    code = (
        "import asyncio, time\n"
        "from agent.inputs.lane import Lane\n"
        "async def main():\n"
        "    try:\n"
        "        await asyncio.wait_for(Lane('x').run(lambda: time.sleep(600)), 0.1)\n"
        "    except TimeoutError:\n"
        "        print('ended')\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "ended\n"


def test_a_lane_takes_one_call_at_a_time() -> None:
    release = threading.Event()

    async def run() -> None:
        lane = Lane("x")
        first = asyncio.create_task(lane.run(lambda: release.wait(30)))
        await asyncio.sleep(0)
        with pytest.raises(StillBusy, match="the last reading of x still hangs"):
            await lane.run(lambda: True)
        release.set()
        assert await first
        with pytest.raises(KeyError):
            await lane.run(lambda: {}["a"])
        assert await lane.run(lambda: 5) == 5

    asyncio.run(run())
