"""docs/inputs/host.md says what the input reports, no more and no less."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from agent.inputs.host.input import HostInput, portable_parts
from agent.inputs.host.settings import HostSettings
from setpoint.reading import IDENTITY, Point

ROOT = Path(__file__).resolve().parent.parent.parent
TYPES = {"float": float, "integer": int}


class Field(NamedTuple):
    type: str
    where: str


def table(title: str) -> list[list[str]]:
    """The cells of the table below this title, without its head."""
    text = (ROOT / "docs" / "inputs" / "host.md").read_text().partition(f"\n## {title}\n")[2]
    rows = [line for line in text.partition("\n## ")[0].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows[2:]]


def documented_fields() -> dict[tuple[str, str], Field]:
    return {(row[0], row[1]): Field(row[2], row[4]) for row in table("Fields")}


def documented_tags() -> set[tuple[str, str]]:
    return {(row[0], row[1]) for row in table("Tags")}


MEMINFO_NAMES = """
    MemTotal MemFree MemAvailable Buffers Cached SwapCached Active Inactive HighTotal HighFree LowTotal
    LowFree SwapTotal SwapFree Dirty Writeback Mapped Shmem Slab SReclaimable SUnreclaim PageTables
    WritebackTmp CommitLimit Committed_AS VmallocTotal VmallocUsed VmallocChunk HugePages_Total HugePages_Free
    Hugepagesize
"""
NET_DEV = """\
Inter-|   Receive                            |  Transmit
 face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs drop fifo colls carrier compressed
  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16
    lo: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16
"""  # noqa: E501


def write_machine(root: Path) -> None:
    """/proc and /sys of a machine that has everything, once; its only mount is ``root``."""
    files = {
        "proc/stat": "cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 2 3 4 5 6 7 8 9 10\n",
        "proc/meminfo": "".join(f"{name}: 1 kB\n" for name in re.findall(r"\S+", MEMINFO_NAMES)),
        "proc/vmstat": "pswpin 1\npswpout 2\n",
        "proc/diskstats": "8 0 sda 10 1 80 100 20 2 160 400 3 250 500\n",
        "proc/net/dev": NET_DEV,
        "proc/loadavg": "0.25 1.00 12.5 2/345 6789\n",
        "proc/uptime": "12345.67 1.0\n",
        "proc/1/stat": "1 (init) P 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 3 0 9 0 0\n",
        "proc/1/mountinfo": f"22 1 254:0 / {root} rw - ext4 /dev/vda rw\n",
        "sys/class/net/eth0/flags": "0x1003\n",
        "sys/class/net/eth0/speed": "1000\n",
        "sys/class/net/lo/flags": "0x9\n",
        "sys/class/hwmon/hwmon0/name": "coretemp\n",
        "sys/class/hwmon/hwmon0/temp1_input": "41500\n",
        "sys/class/hwmon/hwmon0/temp1_label": "Core 0\n",
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def gather_everything(root: Path) -> list[Point]:
    """Two gatherings, between which everything has moved."""
    write_machine(root)

    async def gather() -> list[Point]:
        source = HostInput(HostSettings(), str(root))
        await source.gather()
        (root / "proc/stat").write_text("cpu  9 9 9 9 9 9 9 9 11 12\ncpu0 9 9 9 9 9 9 9 9 11 12\n")
        (root / "proc/diskstats").write_text("8 0 sda 20 1 80 200 30 2 160 500 3 350 500\n")
        points = list(await source.gather())
        await source.close()
        return points

    return asyncio.run(gather())


def emitted_fields(points: list[Point]) -> dict[tuple[str, str], type]:
    return {
        (point.measurement, name): type(value) for point in points for name, value in point.fields.items()
    }


def assert_documented(points: list[Point]) -> None:
    documented, tags = documented_fields(), documented_tags()
    for field, kind in emitted_fields(points).items():
        assert field in documented, f"{field} is not in docs/inputs/host.md"
        assert TYPES[documented[field].type] is kind, f"{field} is {kind.__name__}"
    for point in points:
        assert {(point.measurement, tag) for tag in point.tags} <= tags


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the files are Linux'")


def test_all_that_linux_reports_is_on_the_page(tmp_path: Path) -> None:
    points = gather_everything(tmp_path)
    assert_documented(points)
    assert {(point.measurement, tag) for point in points for tag in point.tags} == documented_tags()


def test_all_that_is_on_the_page_is_reported(tmp_path: Path) -> None:
    elsewhere = ("FreeBSD", "where utmp is kept")
    expected = {field for field, row in documented_fields().items() if row.where not in elsewhere}
    assert expected <= emitted_fields(gather_everything(tmp_path)).keys()


def test_a_machine_is_read_right(tmp_path: Path) -> None:
    points = gather_everything(tmp_path)
    assert [point.tags for point in points if point.measurement == "net"] == [{"interface": "eth0"}]
    values = {(point.measurement, name): value for point in points for name, value in point.fields.items()}
    assert values["net", "speed"] == 1000
    assert values["temp", "temp"] == 41.5
    assert values["system", "uptime"] == 12345
    assert values["processes", "parked"] == 1
    assert values["diskio", "io_await"] == 10.0
    assert values["mem", "total"] == 1024


def test_what_psutil_reports_elsewhere_is_on_the_page() -> None:
    reads, disk = portable_parts(HostSettings())
    reads["diskio"]()
    cpu = reads.pop("cpu")
    deadline = time.monotonic() + 20
    while not (points := cpu()) and time.monotonic() < deadline:
        time.sleep(0.05)
    points = points + [point for read in reads.values() for point in read()] + asyncio.run(disk.gather())
    assert_documented(points)
    # A container may have no interface that is up, and no disk of its own.
    measured = {point.measurement for point in points}
    assert measured >= {"cpu", "mem", "swap", "system", "processes"}
    everywhere = {
        field for field, row in documented_fields().items() if row.where == "" and field[0] in measured
    }
    assert everywhere <= emitted_fields(points).keys()


def test_every_measurement_has_an_identity_that_its_tags_can_give() -> None:
    for measurement in {measurement for measurement, _ in documented_fields()}:
        tags = {tag for name, tag in documented_tags() if name == measurement}
        assert set(IDENTITY[measurement]) <= tags | {"host"}, measurement
