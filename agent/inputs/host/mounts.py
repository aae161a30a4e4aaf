"""What is mounted where, and which of it is worth asking."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from agent.inputs.host.procfs import read_text

# Filesystems whose size comes out of the kernel's memory: asking them does not block. Everything else (nfs,
# cifs, ceph, fuse.*, also zfs, which blocks while its pool is suspended, and what nobody here has heard of)
# is asked through a child process that can be left behind.
LOCAL_TYPES = frozenset(
    {
        "apfs", "aufs", "bcachefs", "btrfs", "devtmpfs", "erofs", "exfat", "ext2", "ext3", "ext4", "f2fs",
        "iso9660", "jfs", "msdos", "nilfs2", "ntfs3", "overlay", "ramfs", "reiserfs", "squashfs", "tmpfs",
        "udf", "ufs", "vfat", "xfs",
    }
)  # fmt: skip

# Interfaces of the kernel and of desktops that look like filesystems and store nothing; autofs would be
# mounted by asking.
PSEUDO_TYPES = frozenset(
    {
        "autofs", "binder", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "cpuset", "debugfs",
        "devpts", "efivarfs", "fuse.gvfsd-fuse", "fuse.lxcfs", "fuse.portal", "fusectl", "hugetlbfs",
        "mqueue", "nfsd", "nsfs", "proc", "pstore", "resctrl", "rootfs", "rpc_pipefs", "securityfs",
        "selinuxfs", "smackfs", "sysfs", "tracefs",
    }
)  # fmt: skip

_ESCAPE = re.compile(r"\\([0-7]{3})")


class Mount(NamedTuple):
    """One mount. ``options`` holds ``bind`` besides the kernel's, for a part of another filesystem."""

    path: str
    device: str
    fstype: str
    options: tuple[str, ...]

    @property
    def mode(self) -> str:
        """``rw`` or ``ro``."""
        return "rw" if "rw" in self.options else "ro"


def read_mounts(proc: str = "/proc") -> list[Mount]:
    """The mounts of the first process or, without the right to read that, of this one.

    A service manager gives a service a view of its own, in which much is read-only that is not.
    """
    try:
        return parse_mountinfo(read_text(f"{proc}/1/mountinfo"))
    except OSError:
        return parse_mountinfo(read_text(f"{proc}/self/mountinfo"))


def parse_mountinfo(text: str) -> list[Mount]:
    """The mounts in a mountinfo file, see proc_pid_mountinfo(5); other lines are left out."""
    mounts = []
    for line in text.split("\n"):  # not splitlines: a path may hold other line ends
        mount, separator, filesystem = line.partition(" - ")
        of_mount, of_filesystem = mount.split(" "), filesystem.split(" ")
        if not separator or len(of_mount) < 6 or len(of_filesystem) < 3:
            continue
        root, path, options = of_mount[3:6]
        fstype, source, super_options = of_filesystem[:3]
        mounts.append(
            Mount(
                _unescape(path),
                _device_name(_unescape(source), fstype),
                fstype,
                _effective_options(options.split(","), super_options.split(","), root, source),
            )
        )
    return mounts


def is_local(mount: Mount) -> bool:
    """Whether asking this filesystem cannot block."""
    return mount.fstype in LOCAL_TYPES


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), text)


def _device_name(source: str, fstype: str) -> str:
    return source.removeprefix("/dev/") if source not in ("", "none") else fstype


def _effective_options(
    options: Sequence[str], super_options: Sequence[str], root: str, source: str
) -> tuple[str, ...]:
    """The mount's options; writable only where the filesystem is writable too."""
    effective = [option for option in options if option not in ("rw", "ro")]
    effective.append("rw" if "rw" in options and "ro" not in super_options else "ro")
    is_part = source.startswith("/") and root != "/"
    if is_part and f"subvol={root}" not in super_options:  # a btrfs subvolume is a filesystem of its own
        effective.append("bind")
    return tuple(effective)


def choose_mounts(
    mounts: Iterable[Mount],
    *,
    mount_points: Sequence[str],
    ignore_fs: Sequence[str],
    ignore_mount_opts: Sequence[str],
) -> list[Mount]:
    """The mounts to report, by path. Of several on one path only the topmost can be seen."""
    visible = {mount.path: mount for mount in mounts}
    return [
        mount
        for mount in visible.values()
        if mount.fstype not in PSEUDO_TYPES
        and mount.fstype not in ignore_fs
        and not any(option in ignore_mount_opts for option in mount.options)
        and (not mount_points or any(fnmatchcase(mount.path, glob) for glob in mount_points))
    ]


def find_root(mounts: Iterable[Mount]) -> Mount | None:
    """What is mounted on ``/``: what a container has when it has nothing else."""
    return {mount.path: mount for mount in mounts}.get("/")
