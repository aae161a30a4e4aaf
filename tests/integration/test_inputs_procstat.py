"""procstat looking for processes that the tests start."""

from __future__ import annotations

import asyncio
import getpass
import logging
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import psutil
import pytest

from agent.inputs.procstat import portable
from agent.inputs.procstat.find import Finder, SearchFailed, find_unit, full_name, parse_name, user_id
from agent.inputs.procstat.input import (
    CpuUsage,
    ProcstatInput,
    linux_reader,
    portable_reader,
    process_points,
)
from agent.inputs.procstat.measure import Sample
from agent.inputs.procstat.settings import ProcstatSettings
from setpoint.reading import Point
from tests.servers import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads Linux' /proc")

WAIT = "import sys; print('up', flush=True); sys.stdin.read()"
SPIN = "print('up', flush=True)\nwhile True: pass"


@contextmanager
def running(*arguments: str, code: str = WAIT) -> Iterator[subprocess.Popen[bytes]]:
    """A Python of its own, with these arguments; it runs when the block begins."""
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def gather(settings: ProcstatSettings, times: int = 1) -> list[Point]:
    """The points of the last of so many gatherings."""
    assert not settings.problems()

    async def run() -> list[Point]:
        source = ProcstatInput(settings)
        for _ in range(times - 1):
            await source.gather()
            await asyncio.sleep(0.3)
        points = list(await source.gather())
        await source.close()
        return points

    return asyncio.run(run())


@pytest.fixture
def marker() -> str:
    """Text that stands in the command line of nothing else."""
    return f"marker-{uuid.uuid4().hex}"


def test_a_process_by_its_command_line(marker: str) -> None:
    with running(marker) as process:
        [point, lookup] = gather(ProcstatSettings(pattern=f"{marker}$"))
        other = psutil.Process(process.pid)
        memory = other.memory_info()
    assert point.measurement == "procstat"
    assert point.tags == {"pattern": f"{marker}$", "process_name": Path(sys.executable).name}
    fields = cast("dict[str, float]", point.fields)
    assert fields["pid"] == process.pid
    assert fields["ppid"] == os.getpid()
    assert fields["memory_rss"] == pytest.approx(memory.rss, rel=0.1)
    assert fields["memory_vms"] == pytest.approx(memory.vms, rel=0.1)
    assert fields["memory_usage"] == pytest.approx(100 * memory.rss / psutil.virtual_memory().total, rel=0.1)
    assert fields["num_threads"] == 1
    assert fields["num_fds"] == 3
    assert fields["created_at"] / 1e9 == pytest.approx(time.time(), abs=60)
    assert fields["read_bytes"] > 0
    assert fields["write_count"] >= 1
    assert fields["voluntary_context_switches"] >= 0
    assert "cpu_usage" not in fields
    assert lookup.measurement == "procstat_lookup"
    assert lookup.tags == {"pattern": f"{marker}$", "result": "success"}
    assert lookup.fields == {"pid_count": 1, "running": 1, "result_code": 0}


def test_processes_of_one_name_are_summed(marker: str) -> None:
    with running(marker) as first, running(marker) as second:
        [point, lookup] = gather(ProcstatSettings(pattern=marker))
        rss = sum(psutil.Process(process.pid).memory_info().rss for process in (first, second))
    fields = cast("dict[str, float]", point.fields)
    assert lookup.fields["running"] == 2
    assert fields["num_threads"] == 2
    assert fields["num_fds"] == 6
    assert fields["memory_rss"] == pytest.approx(rss, rel=0.1)
    assert fields["pid"] == first.pid  # the oldest


def test_processes_by_number_when_set_so(marker: str) -> None:
    with running(marker) as first, running(marker) as second:
        points = gather(ProcstatSettings(pattern=marker, pid_tag=True))
    assert {point.tags["pid"] for point in points[:-1]} == {str(first.pid), str(second.pid)}
    assert all("pid" not in point.fields for point in points)
    assert len({tuple(sorted(point.tags.items())) for point in points}) == 3


def test_a_given_name_makes_one_of_all(marker: str) -> None:
    with running(marker), running(marker):
        points = gather(ProcstatSettings(pattern=marker, process_name="kafka"))
    assert [point.tags.get("process_name") for point in points] == ["kafka", None]


def test_nothing_found_is_a_reading() -> None:
    [lookup] = gather(ProcstatSettings(pattern="no such thing anywhere [x]"))
    assert lookup.fields == {"pid_count": 0, "running": 0, "result_code": 0}
    assert lookup.tags["result"] == "success"


def test_a_busy_process_uses_a_processor(marker: str) -> None:
    with running(marker, code=SPIN):
        [point, _] = gather(ProcstatSettings(pattern=marker), times=2)
    usage = point.fields["cpu_usage"]
    assert isinstance(usage, float)
    assert 1 < usage < 200
    assert cast("float", point.fields["cpu_time_user"]) > 0


def test_a_process_by_its_pid_file(tmp_path: Path) -> None:
    path = tmp_path / "x.pid"
    with running() as process:
        path.write_text(f"{process.pid}\n")
        [point, lookup] = gather(ProcstatSettings(pid_file=str(path)))
    assert point.fields["pid"] == process.pid
    assert point.tags["pidfile"] == str(path)
    assert lookup.fields["running"] == 1


def test_a_pid_file_whose_process_has_gone(tmp_path: Path) -> None:
    path = tmp_path / "x.pid"
    with running() as process:
        pass
    path.write_text(str(process.pid))
    [lookup] = gather(ProcstatSettings(pid_file=str(path)))
    assert lookup.fields == {"pid_count": 1, "running": 0, "result_code": 0}


@pytest.mark.parametrize(("content", "why"), [(None, "No such file"), ("junk", "holds no process number")])
def test_a_pid_file_that_says_nothing(
    tmp_path: Path, content: str | None, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "x.pid"
    if content is not None:
        path.write_text(content)
    with caplog.at_level(logging.WARNING, "agent"):
        [lookup] = gather(ProcstatSettings(pid_file=str(path)), times=2)
    assert lookup.fields == {"pid_count": 0, "running": 0, "result_code": 1}
    assert lookup.tags == {"pidfile": str(path), "result": "lookup_error"}
    [record] = caplog.records
    assert why in record.getMessage()


def test_all_criteria_have_to_hold(marker: str, tmp_path: Path) -> None:
    path = tmp_path / "x.pid"
    with running(marker) as first, running(marker):
        path.write_text(str(first.pid))
        both = gather(ProcstatSettings(pattern=marker, pid_file=str(path), user=getpass.getuser()))
        neither = gather(ProcstatSettings(pattern="something else", pid_file=str(path)))
        stranger = gather(ProcstatSettings(pattern=marker, user="4294967294"))
        named = gather(ProcstatSettings(pattern=marker, exe="^python"))
        misnamed = gather(ProcstatSettings(pattern=marker, exe="^ython"))
    assert [point.fields["running"] for point in (both[-1], neither[-1], stranger[-1])] == [1, 0, 0]
    assert [point.fields["running"] for point in (named[-1], misnamed[-1])] == [2, 0]


def test_a_user_that_nobody_knows() -> None:
    [lookup] = gather(ProcstatSettings(user="nobody-has-this-name"))
    assert lookup.fields["result_code"] == 1


def test_users_by_name_and_number() -> None:
    assert user_id(getpass.getuser()) == os.getuid()
    assert user_id("12") == 12


def test_a_zombie_does_not_run(marker: str) -> None:
    with running(marker) as process:
        path = Path(f"/proc/{process.pid}/stat")
        process.send_signal(signal.SIGKILL)
        wait_until(lambda: ") Z " in path.read_text(), what="the process is a zombie")
        name = parse_name(path.read_bytes())
        settings = ProcstatSettings(exe=f"^{name}$")
        count, samples = linux_reader(settings)()
        assert process.pid in {found.pid for found in Finder(settings).find([process.pid])}
    assert count > len(samples)
    assert process.pid not in {sample.pid for sample in samples}


def test_the_processes_of_a_control_group(tmp_path: Path) -> None:
    with running() as first, running() as second:
        unit = tmp_path / "custom.slice" / "a.service"
        (unit / "worker").mkdir(parents=True)
        (tmp_path / "cgroup.procs").write_text("1\n")
        (unit / "cgroup.procs").write_text(f"{first.pid}\n")
        (unit / "worker" / "cgroup.procs").write_text(f"{second.pid}\n")
        finder = Finder(ProcstatSettings(systemd_unit="a.service"), cgroups=[str(tmp_path)])
        assert sorted(finder.candidates()) == sorted([first.pid, second.pid])
        assert find_unit("b.service", [str(tmp_path)]) is None
        with pytest.raises(SearchFailed, match="no control groups"):
            find_unit("a.service", [str(tmp_path / "nothing")])


def test_a_unit_that_is_started_stopped_and_started_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "cgroup.procs").write_text("1\n")
    finder = Finder(ProcstatSettings(systemd_unit="a.service"), cgroups=[str(tmp_path)])
    for slice_name in ("system.slice", "custom.slice"):
        unit = tmp_path / slice_name / "a.service"
        assert list(finder.candidates()) == []
        unit.mkdir(parents=True)
        (unit / "cgroup.procs").write_text("5\n6\n")
        assert list(finder.candidates()) == [5, 6]
        (unit / "cgroup.procs").unlink()
        unit.rmdir()
        unit.parent.rmdir()


def test_a_real_control_group() -> None:
    """As systemd makes one for a unit; needs the right to make control groups."""
    for root in map(Path, ("/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd")):
        group = root / f"setpoint-test-{os.getpid()}.service"
        if not (root / "cgroup.procs").exists():
            continue
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            with running() as process:
                (group / "cgroup.procs").write_text(str(process.pid))
                [point, lookup] = gather(ProcstatSettings(systemd_unit=group.name))
            assert point.fields["pid"] == process.pid
            assert lookup.fields["running"] == 1
        finally:
            wait_until(lambda group=group: remove(group), what="the group is empty")  # type: ignore[misc]
        return
    pytest.skip("no right to make control groups")


def remove(group: Path) -> bool:
    try:
        group.rmdir()
    except OSError:
        return False
    return True


def test_psutil_measures_the_same(marker: str) -> None:
    """What other platforms use, on this one: the same names, types and nearly the same numbers."""
    settings = ProcstatSettings(pattern=marker)
    with running(marker) as process:
        _, [ours] = linux_reader(settings)()
        count, [theirs] = portable_reader(settings)()
    assert count == 1
    assert (ours.pid, ours.ppid, ours.name) == (theirs.pid, theirs.ppid, theirs.name)
    assert ours.pid == process.pid
    assert ours.created_ns == pytest.approx(theirs.created_ns, abs=3e9)
    assert theirs.fields.keys() <= ours.fields.keys()
    for name, value in theirs.fields.items():
        mine = ours.fields[name]
        assert type(mine) is type(value), name
        if name not in ("cpu_time_user", "cpu_time_system"):
            slack = 5 if isinstance(mine, int) else 0.02  # it is counting on between the two
            assert mine == pytest.approx(cast("float", value), rel=0.2, abs=slack), name


def test_psutil_finds_by_the_same_criteria(marker: str, tmp_path: Path) -> None:
    path = tmp_path / "x.pid"
    with running(marker) as process, running(marker):
        path.write_text(str(process.pid))
        found = portable.find(ProcstatSettings(pattern=marker, pid_file=str(path), user=getpass.getuser()))
        assert [one.pid for one in found] == [process.pid]
        assert not list(portable.find(ProcstatSettings(pattern=marker, user="nobody-has-this-name")))
        assert not list(portable.find(ProcstatSettings(pattern=marker, exe="^x$")))
    with pytest.raises(SearchFailed):
        list(portable.find(ProcstatSettings(pid_file=str(tmp_path / "missing"))))
    with pytest.raises(SearchFailed):
        list(portable.find(ProcstatSettings(systemd_unit="a.service")))


# without processes


def sample(pid: int, cpu_s: float = 0.0, created_ns: int = 0, **fields: float) -> Sample:
    return Sample(pid, 1, "x", created_ns, cpu_s, fields)


def test_usage_is_of_the_time_since_the_last_gathering() -> None:
    usage = CpuUsage()
    assert usage.update([sample(1, 5.0)], now_s=100, now_ns=50) == {}
    assert usage.update([sample(1, 7.5)], now_s=110, now_ns=60) == {1: 25.0}


def test_a_new_process_counts_from_its_start() -> None:
    usage = CpuUsage()
    usage.update([], now_s=100, now_ns=50)
    assert usage.update([sample(1, 2.0, created_ns=55)], now_s=110, now_ns=60) == {1: 20.0}


def test_an_old_process_seen_for_the_first_time_has_no_usage() -> None:
    usage = CpuUsage()
    usage.update([], now_s=100, now_ns=50)
    assert usage.update([sample(1, 2000.0, created_ns=5)], now_s=110, now_ns=60) == {}


def test_a_number_that_was_given_to_another_process() -> None:
    usage = CpuUsage()
    usage.update([sample(1, 500.0, created_ns=5)], now_s=100, now_ns=50)
    assert usage.update([sample(1, 1.0, created_ns=55)], now_s=110, now_ns=60) == {1: 10.0}


def test_a_field_that_one_process_lacks_is_not_summed() -> None:
    samples = [sample(1, num_threads=1, num_fds=3), sample(2, num_threads=4)]
    [point] = process_points(samples, {1: 10.0, 2: 5.5}, {}, ProcstatSettings(exe="x"))
    assert point.fields["num_threads"] == 5
    assert "num_fds" not in point.fields
    assert point.fields["cpu_usage"] == 15.5


def test_long_names_are_completed_from_the_command_line() -> None:
    assert full_name("prometheus-node", "/usr/bin/prometheus-node-exporter --x") == "prometheus-node-exporter"
    assert full_name("Web Content abc", "/usr/lib/firefox/firefox -x") == "Web Content abc"
    assert parse_name(b"5 (a (b) c) S 1") == "a (b) c"
