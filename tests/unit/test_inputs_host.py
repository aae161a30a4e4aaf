"""What the host input makes of the kernel's texts."""

from __future__ import annotations

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.inputs.host.cpu import CpuMeter, cpu_usage, parse_cpu_times
from agent.inputs.host.disk import disk_points, usage_fields
from agent.inputs.host.diskio import DiskioMeter, parse_disk_counters
from agent.inputs.host.filesystems import HUNG, Answer, Usage, make_usage, parse_stat_answer
from agent.inputs.host.memory import memory_points, parse_meminfo, parse_swapped_pages, swap_points
from agent.inputs.host.mounts import Mount, choose_mounts, find_root, is_local, parse_mountinfo
from agent.inputs.host.net import is_wanted, parse_net_counters
from agent.inputs.host.processes import parse_state, process_points
from agent.inputs.host.settings import IGNORED_FILESYSTEMS
from agent.inputs.host.system import parse_load, parse_uptime
from agent.inputs.host.temperature import Sensor, temperature_points

# cpu


def test_processors_are_named_as_telegraf_names_them() -> None:
    times = parse_cpu_times("cpu  3 0 1 6 0 0 0 0 0 0\ncpu0 3 0 1 6 0 0 0 0 0 0\nintr 5 0\ncpu9 1\n")
    assert list(times) == ["cpu-total", "cpu0"]


def test_an_old_kernel_has_fewer_columns() -> None:
    assert parse_cpu_times("cpu  3 0 1 6 0 0 0\n")["cpu-total"] == [3, 0, 1, 6, 0, 0, 0, 0, 0, 0]


def test_usage_is_the_share_of_the_time_in_between() -> None:
    before = [100, 10, 50, 800, 20, 1, 2, 3, 0, 0]
    after = [130, 10, 60, 850, 24, 2, 4, 6, 10, 0]
    assert cpu_usage(before, after) == {
        "usage_user": 20.0,  # 30 ticks, 10 of them in a virtual machine
        "usage_system": 10.0,
        "usage_idle": 50.0,
        "usage_active": 50.0,
        "usage_nice": 0.0,
        "usage_iowait": 4.0,
        "usage_irq": 1.0,
        "usage_softirq": 2.0,
        "usage_steal": 3.0,
        "usage_guest": 10.0,
        "usage_guest_nice": 0.0,
    }


def test_iowait_that_went_backwards_counts_as_none() -> None:
    usage = cpu_usage([0, 0, 0, 0, 50, 0, 0, 0, 0, 0], [0, 0, 0, 100, 49, 0, 0, 0, 0, 0])
    assert usage is not None
    assert usage["usage_iowait"] == 0
    assert usage["usage_idle"] == 100


def test_no_usage_without_time_or_after_the_processor_was_off() -> None:
    times = [5] * 10
    assert cpu_usage(times, times) is None
    assert cpu_usage([100] * 10, [1] * 9 + [200]) is None


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**6)), min_size=8, max_size=8))
def test_the_shares_add_up(columns: list[tuple[int, int]]) -> None:
    before = [start for start, _ in columns] + [0, 0]
    after = [start + passed for start, passed in columns] + [0, 0]
    usage = cpu_usage(before, after)
    if usage is None:
        assert before == after
        return
    shares = cast("dict[str, float]", usage)
    parts = [value for name, value in shares.items() if name not in ("usage_active",)]
    assert sum(parts) == pytest.approx(100)
    assert shares["usage_active"] + shares["usage_idle"] == pytest.approx(100)
    assert all(0 <= value <= 100.0000001 for value in shares.values())


def test_the_first_gathering_and_a_new_processor_have_no_usage() -> None:
    meter = CpuMeter(percpu=True, totalcpu=True)
    zero, one = [0] * 10, [1] * 10
    assert meter.points({"cpu-total": zero, "cpu0": zero}) == []
    points = meter.points({"cpu-total": one, "cpu0": one, "cpu1": one})
    assert [point.tags["cpu"] for point in points] == ["cpu-total", "cpu0"]


@pytest.mark.parametrize(
    ("percpu", "totalcpu", "names"), [(True, False, ["cpu0"]), (False, True, ["cpu-total"])]
)
def test_only_the_wanted_processors_are_reported(percpu: bool, totalcpu: bool, names: list[str]) -> None:
    meter = CpuMeter(percpu=percpu, totalcpu=totalcpu)
    meter.points({"cpu-total": [0] * 10, "cpu0": [0] * 10})
    points = meter.points({"cpu-total": [1] * 10, "cpu0": [1] * 10})
    assert [point.tags["cpu"] for point in points] == names


# mem, swap


def test_memory_in_use_is_what_is_not_available() -> None:
    meminfo = parse_meminfo(
        "MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 600 kB\nCached: 300 kB\nSReclaimable: 50 kB\n"
        "HugePages_Total: 7\nWeird line\n"
    )
    [point] = memory_points(meminfo)
    assert point.measurement == "mem"
    assert point.fields == {
        "total": 1_024_000,
        "available": 614_400,
        "used": 409_600,
        "used_percent": 40.0,
        "available_percent": 60.0,
        "cached": 358_400,
        "free": 102_400,
        "sreclaimable": 51_200,
        "huge_pages_total": 7,
    }


def test_an_old_kernel_does_not_say_what_is_available() -> None:
    [point] = memory_points({"MemTotal": 1000, "MemFree": 100, "Cached": 250})
    assert point.fields["available"] == 350


def test_a_host_without_swap_has_zeros() -> None:
    [point] = swap_points({}, 0, 0)
    assert point.fields == {"total": 0, "used": 0, "free": 0, "used_percent": 0.0, "in": 0, "out": 0}


def test_swapping_is_counted_in_bytes() -> None:
    pages = parse_swapped_pages("pgpgin 9\npswpin 3\npswpout 4\npswpout_x 5\n")
    [point] = swap_points({"SwapTotal": 4000, "SwapFree": 3000}, *pages)
    assert (point.fields["in"], point.fields["out"]) == (3 * 4096, 4 * 4096)
    assert point.fields["used_percent"] == 25.0


# diskio

DISKSTATS = """\
   7       0 loop0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
   8       0 sda 10 1 80 100 20 2 160 400 3 250 500 0 0 0 0 7 8
   8       1 short
"""


def test_devices_that_did_nothing_are_left_out() -> None:
    assert list(parse_disk_counters(DISKSTATS)) == ["sda"]


def test_disk_counters_are_bytes_and_milliseconds() -> None:
    [point] = DiskioMeter().points(parse_disk_counters(DISKSTATS), 0)
    assert point.tags == {"name": "sda"}
    assert point.fields == {
        "reads": 10,
        "merged_reads": 1,
        "read_bytes": 80 * 512,
        "read_time": 100,
        "writes": 20,
        "merged_writes": 2,
        "write_bytes": 160 * 512,
        "write_time": 400,
        "iops_in_progress": 3,
        "io_time": 250,
        "weighted_io_time": 500,
    }


def test_disk_load_is_of_the_time_in_between() -> None:
    meter = DiskioMeter()
    [before] = parse_disk_counters(DISKSTATS).values()
    meter.points({"sda": before}, 100.0)
    after = before._replace(
        reads=before.reads + 5,
        writes=before.writes + 5,
        read_time=before.read_time + 20,
        io_time=before.io_time + 50,
    )
    [point] = meter.points({"sda": after}, 110.0)
    assert point.fields["io_util"] == 0.5
    assert point.fields["io_await"] == 2.0
    assert point.fields["io_svctm"] == 5.0


def test_an_idle_disk_has_a_load_and_no_waiting_time() -> None:
    meter = DiskioMeter()
    counters = parse_disk_counters(DISKSTATS)
    meter.points(counters, 0)
    [point] = meter.points(counters, 10)
    assert point.fields["io_util"] == 0
    assert "io_await" not in point.fields


def test_a_disk_that_was_exchanged_has_no_load_for_once() -> None:
    meter = DiskioMeter()
    counters = parse_disk_counters(DISKSTATS)
    meter.points(counters, 0)
    [point] = meter.points({"sda": counters["sda"]._replace(reads=1, io_time=1)}, 10)
    assert not {"io_util", "io_await", "io_svctm"} & point.fields.keys()


def test_only_the_wanted_devices_are_reported() -> None:
    counters = dict.fromkeys(("sda", "sdb", "nvme0n1"), parse_disk_counters(DISKSTATS)["sda"])
    points = DiskioMeter(["sd*"]).points(counters, 0)
    assert [point.tags["name"] for point in points] == ["sda", "sdb"]


# net


def test_interface_counters() -> None:
    text = (
        "Inter-|   Receive  |  Transmit\n face |bytes ...\n"
        "  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n eth0:1: 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n junk\n"
    )
    counters = parse_net_counters(text)
    assert list(counters) == ["eth0", "eth0:1"]
    assert counters["eth0"] == {
        "bytes_recv": 1,
        "packets_recv": 2,
        "err_in": 3,
        "drop_in": 4,
        "bytes_sent": 9,
        "packets_sent": 10,
        "err_out": 11,
        "drop_out": 12,
    }


def test_the_settings_choose_interfaces_or_leave_it_to_their_state() -> None:
    assert is_wanted("eth0", [], []) is None
    assert is_wanted("eth0", ["eth*"], []) is True
    assert is_wanted("lo", ["eth*"], []) is False
    assert is_wanted("veth1", [], ["veth*"]) is False
    assert is_wanted("eth1", ["eth*"], ["eth1"]) is False


# system, processes


def test_load_and_uptime() -> None:
    assert parse_load("0.25 1.00 12.5 2/345 6789\n") == {"load1": 0.25, "load5": 1.0, "load15": 12.5}
    assert parse_uptime("350735.47 234388.90\n") == 350735


def stat_of(state: str, threads: int = 1, name: str = "x") -> bytes:
    return f"1 ({name}) {state} 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 {threads} 0 9 0 0\n".encode()


def test_a_processs_name_may_hold_anything() -> None:
    assert parse_state(stat_of("D", 7, name="a) R (b c")) == ("blocked", 7)


def test_processes_are_counted_by_state() -> None:
    states = ["R", "S", "S", "D", "Z", "T", "t", "I", "X", "W", "P", "?"]
    [point] = process_points([*(stat_of(state, 2) for state in states), b"", b"5 (cut"])
    assert point.fields == {
        "running": 1,
        "sleeping": 2,
        "blocked": 1,
        "zombies": 1,
        "stopped": 2,
        "idle": 1,
        "dead": 1,
        "paging": 1,
        "parked": 1,
        "unknown": 1,
        "total": 12,
        "total_threads": 24,
    }


# temp


def test_sensors_are_named_as_telegraf_names_them() -> None:
    points = temperature_points(
        [Sensor("coretemp", "Core 0", "coretemp.0", 41.0), Sensor("acpitz", "", "x", 20.5)]
    )
    assert [(point.tags, point.fields) for point in points] == [
        ({"sensor": "coretemp_core_0"}, {"temp": 41.0}),
        ({"sensor": "acpitz"}, {"temp": 20.5}),
    ]


def test_sensors_of_one_name_do_not_become_one_series() -> None:
    sensors = [Sensor("nvme", "Composite", device, 1.0) for device in ("nvme0", "nvme1", "nvme1")]
    assert [point.tags["sensor"] for point in temperature_points(sensors)] == [
        "nvme_composite_nvme0",
        "nvme_composite_nvme1",
        "nvme_composite_nvme1_2",
    ]


# disk

MOUNTINFO = """\
22 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw,discard
23 22 0:21 / /proc rw - proc proc rw
24 22 0:22 / /run rw - tmpfs tmpfs rw
25 22 254:1 / /srv/with\\040space\\134 ro,noatime - xfs /dev/mapper/vg0-srv rw
26 22 254:1 /sub /bind rw - xfs /dev/mapper/vg0-srv ro
27 22 0:40 /@home /home rw - btrfs /dev/vdb rw,subvol=/@home
28 22 0:41 / /mnt/nfs rw shared:9 - nfs4 server:/export rw,hard
29 22 0:42 / /mnt/none rw - zfs none rw
30 22 0:43 / /mnt/nfs rw - tmpfs tmpfs rw
31 22 0:44 / /misc rw - autofs systemd-1 rw
this is no mount
"""


def mounts_by_path() -> dict[str, Mount]:
    return {mount.path: mount for mount in parse_mountinfo(MOUNTINFO)}


def test_mounts_with_their_devices_and_modes() -> None:
    mounts = mounts_by_path()
    assert mounts["/"] == Mount("/", "vda", "ext4", ("relatime", "rw"))
    assert mounts["/"].mode == "rw"
    assert mounts["/srv/with space\\"].device == "mapper/vg0-srv"
    assert mounts["/srv/with space\\"].mode == "ro"
    assert mounts["/mnt/none"].device == "zfs"


def test_a_mount_is_writable_only_where_its_filesystem_is() -> None:
    assert mounts_by_path()["/bind"].mode == "ro"


def test_a_bind_mount_is_told_from_a_subvolume() -> None:
    mounts = mounts_by_path()
    assert "bind" in mounts["/bind"].options
    assert "bind" not in mounts["/home"].options


def choose(**settings: list[str]) -> list[str]:
    defaults: dict[str, list[str]] = {"mount_points": [], "ignore_fs": [], "ignore_mount_opts": []}
    return [mount.path for mount in choose_mounts(parse_mountinfo(MOUNTINFO), **{**defaults, **settings})]


def test_kernel_interfaces_are_never_asked() -> None:
    assert not {"/proc", "/misc"} & set(choose())


def test_of_several_mounts_on_one_path_the_topmost_counts() -> None:
    assert "/mnt/nfs" in choose()
    assert "/mnt/nfs" not in choose(ignore_fs=["tmpfs"])


def test_the_settings_choose_mounts() -> None:
    assert choose(ignore_fs=["tmpfs", "zfs"], ignore_mount_opts=["bind", "noatime"]) == ["/", "/home"]
    assert choose(mount_points=["/srv/*", "/home"]) == ["/srv/with space\\", "/home"]


def test_what_may_hang_is_not_taken_for_local() -> None:
    assert is_local(Mount("/", "vda", "ext4", ()))
    for fstype in ("nfs", "nfs4", "cifs", "fuse.sshfs", "fuseblk", "zfs", "ceph", "9p", "something-new"):
        assert not is_local(Mount("/", "x", fstype, ())), fstype


def test_a_container_still_has_its_root() -> None:
    mounts = parse_mountinfo("22 1 0:50 / / rw - overlay overlay rw,lowerdir=/a\n")
    assert choose_mounts(mounts, mount_points=[], ignore_fs=IGNORED_FILESYSTEMS, ignore_mount_opts=[]) == []
    root = find_root(mounts)
    assert root is not None
    assert root.fstype == "overlay"


def test_used_percent_is_of_what_users_may_use() -> None:
    usage = make_usage(unit=4096, blocks=1000, free=500, available=450, inodes=100, inodes_free=75)
    assert usage_fields(usage) == {
        "total": 4_096_000,
        "used": 2_048_000,
        "free": 1_843_200,
        "used_percent": pytest.approx(100 * 500 / 950),
        "inodes_total": 100,
        "inodes_used": 25,
        "inodes_free": 75,
        "inodes_used_percent": 25.0,
    }


def test_a_filesystem_without_inodes_or_end() -> None:
    fields = usage_fields(
        make_usage(unit=2**20, blocks=2**50, free=2**50, available=2**50, inodes=0, inodes_free=0)
    )
    assert fields["total"] == 2**63 - 1
    assert fields["inodes_used_percent"] == 0.0
    assert usage_fields(Usage(0, 0, 0))["used_percent"] == 0.0


MOUNT = Mount("/data", "sdb1", "nfs4", ("rw",))


def test_a_mount_that_answers_gives_its_usage_and_its_state() -> None:
    disk, state = disk_points(MOUNT, Answer(Usage(10, 5, 5)))
    assert disk.tags == {"path": "/data", "device": "sdb1", "fstype": "nfs4", "mode": "rw"}
    assert state.measurement == "setpoint_mount"
    assert state.tags == {"path": "/data"}
    assert state.fields == {"hung": 0, "failed": 0}


def test_a_mount_that_does_not_answer_gives_only_its_state() -> None:
    assert [point.fields for point in disk_points(MOUNT, HUNG)] == [{"hung": 1, "failed": 1}]
    assert [point.fields for point in disk_points(MOUNT, Answer(error="Stale file handle"))] == [
        {"hung": 0, "failed": 1}
    ]


def test_what_has_no_size_is_no_filesystem() -> None:
    assert disk_points(MOUNT, Answer(Usage(0, 0, 0, 0, 0))) == []
    assert disk_points(MOUNT, Answer(None)) == []


def test_the_answer_of_stat() -> None:
    assert parse_stat_answer(0, b"4096 100 50 40 10 5\n", b"").usage == Usage(409600, 204800, 163840, 10, 5)
    failed = parse_stat_answer(
        1, b"", b"stat: cannot read file system information for '/m': Stale file handle\n"
    )
    assert failed == Answer(error="Stale file handle")
    assert "said b'what'" in parse_stat_answer(0, b"what", b"").error
