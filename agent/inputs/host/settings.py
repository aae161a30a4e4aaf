"""What the host input can be told. Imports nothing heavy: settings are checked without gathering."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import msgspec

from agent.inputs.base import InputSettings
from setpoint.units import Duration

Part = Literal["cpu", "mem", "swap", "disk", "diskio", "net", "system", "processes", "temp"]
ALL_PARTS: tuple[Part, ...] = get_args(Part)

# As in Telegraf's sample configuration.
IGNORED_FILESYSTEMS = ("tmpfs", "devtmpfs", "devfs", "iso9660", "overlay", "aufs", "squashfs")


class HostSettings(InputSettings, kw_only=True, tag="host"):
    """``collect``: which parts to gather.

    ``percpu``, ``totalcpu``: whether ``cpu`` reports each processor, and all of them together.
    ``mount_points``: the only mount points to report (globs); all, when empty. ``ignore_fs``: filesystem
    types to leave out. ``ignore_mount_opts``: leaves out what is mounted with one of these options; ``bind``
    stands for bind mounts. ``disk_timeout``: how long a filesystem or a sensor may take to answer before it
    counts as hung.
    ``devices``: the only block devices that ``diskio`` reports (globs); all, when empty.
    ``interfaces``: the only interfaces that ``net`` reports (globs); all that are up, but loopback, when
    empty. ``ignore_interfaces``: interfaces to leave out (globs).
    """

    collect: list[Part] = msgspec.field(default_factory=lambda: list(ALL_PARTS))
    percpu: bool = True
    totalcpu: bool = True
    mount_points: list[str] = msgspec.field(default_factory=list)
    ignore_fs: list[str] = msgspec.field(default_factory=lambda: list(IGNORED_FILESYSTEMS))
    ignore_mount_opts: list[str] = msgspec.field(default_factory=list)
    disk_timeout: Duration = Duration(2_000)
    devices: list[str] = msgspec.field(default_factory=list)
    interfaces: list[str] = msgspec.field(default_factory=list)
    ignore_interfaces: list[str] = msgspec.field(default_factory=list)

    def problems(self) -> Sequence[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        if not self.collect:
            found.append(("collect", f"is empty; expected some of {', '.join(ALL_PARTS)}"))
        if "cpu" in self.collect and not (self.percpu or self.totalcpu):
            found.append(("percpu", "and totalcpu are both off; turn one on, or take cpu out of collect"))
        for index, path in enumerate(self.mount_points):
            if not path.startswith("/") and path[1:2] != ":":
                found.append((f"mount_points[{index}]", f'expected an absolute path, got "{path}"'))
        if self.disk_timeout <= 0:
            found.append(("disk_timeout", "expected more than 0s"))
        return found

    @property
    def answer_timeout_s(self) -> float:
        """``disk_timeout`` in seconds, at most a third of the deadline: what hangs must not cost the rest."""
        return min(self.disk_timeout, (self.deadline or self.interval) / 3) / 1000
