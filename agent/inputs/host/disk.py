"""How full the mounted filesystems are, and whether they answer at all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from agent.inputs.complaints import Complaints
from agent.inputs.host.filesystems import Answer, LocalFilesystems, RemoteFilesystems, Usage
from agent.inputs.host.mounts import Mount, choose_mounts, find_root, is_local
from agent.inputs.host.settings import HostSettings
from agent.inputs.lane import Lane
from setpoint.reading import FieldValue, Point

log = logging.getLogger(__name__)

_INT64_MAX = 2**63 - 1  # FUSE filesystems say "without end" with larger numbers


def usage_fields(usage: Usage) -> dict[str, FieldValue]:
    """The fields of ``disk``. Percent are of what users may use, as df says: without the reserved blocks."""
    usable = usage.used + usage.free
    fields: dict[str, FieldValue] = {
        "total": min(usage.total, _INT64_MAX),
        "used": min(usage.used, _INT64_MAX),
        "free": min(usage.free, _INT64_MAX),
        "used_percent": 100 * usage.used / usable if usable else 0.0,
    }
    if usage.inodes_total is not None and usage.inodes_free is not None:
        used = max(0, usage.inodes_total - usage.inodes_free)
        fields["inodes_total"] = min(usage.inodes_total, _INT64_MAX)
        fields["inodes_used"] = min(used, _INT64_MAX)
        fields["inodes_free"] = min(usage.inodes_free, _INT64_MAX)
        fields["inodes_used_percent"] = 100 * used / usage.inodes_total if usage.inodes_total else 0.0
    return fields


def disk_points(mount: Mount, answer: Answer) -> list[Point]:
    """``disk`` when the filesystem said how full it is, and ``setpoint_mount`` in any case.

    Nothing at all for what has no size: it only looks like a filesystem.
    """
    state = Point(
        "setpoint_mount",
        {"path": mount.path},
        {"hung": int(answer.hung), "failed": int(bool(answer.error))},
    )
    if answer.error:
        return [state]
    if answer.usage is None or answer.usage.total == 0:
        return []
    tags = {"path": mount.path, "device": mount.device, "fstype": mount.fstype, "mode": mount.mode}
    return [Point("disk", tags, usage_fields(answer.usage)), state]


class DiskMeter:
    """Lists the mounts and asks each that the settings want."""

    def __init__(
        self,
        settings: HostSettings,
        read_mounts: Callable[[], Sequence[Mount]],
        local: LocalFilesystems,
        is_local: Callable[[Mount], bool] = is_local,
    ) -> None:
        self._settings = settings
        self._read_mounts = read_mounts
        self._local = local
        self._is_local = is_local
        self._remote = RemoteFilesystems(settings.answer_timeout_s)
        self._listing = Lane("the list of mounts")
        self._complaints = Complaints(log)

    async def gather(self) -> list[Point]:
        """The points of every wanted mount; where nothing is left (in a container), those of ``/``."""
        settings = self._settings
        mounts = await asyncio.wait_for(self._listing.run(self._read_mounts), settings.answer_timeout_s)
        chosen = choose_mounts(
            mounts,
            mount_points=settings.mount_points,
            ignore_fs=settings.ignore_fs,
            ignore_mount_opts=settings.ignore_mount_opts,
        )
        points = await self._ask(chosen)
        if not points and not settings.mount_points and (root := find_root(mounts)):
            points = await self._ask([root])
        return points

    async def _ask(self, mounts: Sequence[Mount]) -> list[Point]:
        local = [mount.path for mount in mounts if self._is_local(mount)]
        remote = [mount.path for mount in mounts if not self._is_local(mount)]
        of_local, of_remote = await asyncio.gather(self._local.ask(local), self._remote.ask(remote))
        points = []
        for mount in mounts:
            answer = (of_local if mount.path in of_local else of_remote)[mount.path]
            what = f"filesystem {mount.path} ({mount.fstype})"
            if answer.error:
                self._complaints.failed(what, answer.error)
            else:
                self._complaints.works(what)
            points += disk_points(mount, answer)
        return points

    def close(self) -> None:
        self._remote.close()
