"""A running collector's data as one file, for programs on its own machine."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO, Any, Literal

import msgspec
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException, PermissionDeniedException
from litestar.params import SkipValidation
from litestar.response import Stream

from collector.web.api import View
from collector.web.parameters import refuse_unknown
from collector.web.security import is_local

_CHUNK_BYTES = 1 << 20


class BackupRules(msgspec.Struct):
    """Who may have a backup; in which folder it is made (None: the system's); ``turn``: one at a time."""

    allowed_from: Literal["loopback", "anywhere"]
    folder: Path | None
    turn: asyncio.Lock


@get("/api/backup", summary="Everything in one tar file", before_request=refuse_unknown)
async def get_backup(
    request: Request[Any, Any, Any],
    view: View,
    backup_rules: NamedDependency[SkipValidation[BackupRules]],
) -> Stream:
    """Store, register and plan, while the collector runs. For programs on the collector's own machine."""
    if backup_rules.allowed_from == "loopback" and not is_local(request):
        raise PermissionDeniedException("a backup is given to programs on the collector's own machine only")
    if backup_rules.turn.locked():
        raise HTTPException(status_code=409, detail="another backup is being made")
    async with backup_rules.turn:
        folder = Path(
            await asyncio.to_thread(tempfile.mkdtemp, prefix="setpoint-backup-", dir=backup_rules.folder)
        )
        try:
            path = folder / "backup.tar"
            await view.backup(path)
            # From here on the file has no name: whatever happens to the client, or to this process, it
            # is gone when it is no longer read.
            file = path.open("rb")
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    size = file.seek(0, 2)
    file.seek(0)
    return Stream(
        _chunks(file),
        media_type="application/x-tar",
        headers={
            "content-disposition": 'attachment; filename="setpoint-backup.tar"',
            "content-length": str(size),
        },
    )


async def _chunks(file: IO[bytes]) -> AsyncIterator[bytes]:
    try:
        while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
            yield chunk
    finally:
        file.close()
