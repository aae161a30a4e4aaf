"""A collector's data as one tar file, and back."""

from __future__ import annotations

import asyncio
import os
import shutil
import tarfile
import tempfile
from pathlib import Path

from collector.register import Register
from collector.rollups.file import RollupFile
from collector.store.duckdb import DuckDBStore, is_in_use

STORE, REGISTER, ROLLUPS = "store.duckdb", "register.db", "rollups.db"
_MEMBERS = (STORE, REGISTER)
# Backups of earlier versions have none; they are made from the readings again, as far as these go back.
_ALL_MEMBERS = (*_MEMBERS, ROLLUPS)


class BackupError(Exception):
    """The backup cannot be put back; the text says why."""


async def pack(store: DuckDBStore, register: Register, rollups: RollupFile, target: Path) -> None:
    """Writes store, register and rollups, each as of one moment, into a tar file; all go on meanwhile."""
    with tempfile.TemporaryDirectory(dir=target.parent) as temporary:
        folder = Path(temporary)
        # The register first: a finding may speak of readings, never the other way round.
        register.backup(folder / REGISTER)
        await store.backup(folder / STORE)
        # The rollups last: they know of every sample that came late for one of their hours.
        await asyncio.to_thread(rollups.backup, folder / ROLLUPS)
        with tarfile.open(target, "w") as archive:
            for name in _ALL_MEMBERS:
                archive.add(folder / name, arcname=name)


def unpack(file: Path, folder: Path, *, aside: str) -> Path | None:
    """Puts a backup into ``folder``. What is there is moved into the folder ``aside`` in it, which is
    returned (None when nothing was there). BackupError when the file is no backup, or a collector runs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / STORE).exists() and is_in_use(folder / STORE):
        raise BackupError(f"{folder / STORE} is in use; stop the collector first")
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        with tarfile.open(file) as archive:
            listed = archive.getmembers()
            members = {m.name: m for m in listed}
            names = [name for name in _ALL_MEMBERS if name in members]
            complete = len(listed) == len(members) == len(names) and {*_MEMBERS} <= {*names}
            if not complete or not all(m.isreg() for m in listed):
                raise BackupError(f"{file} is no backup: expected {' and '.join(_MEMBERS)} in it")
            for name in names:
                source = archive.extractfile(members[name])
                assert source is not None
                with (Path(temporary) / name).open("wb") as out:
                    shutil.copyfileobj(source, out)
                    out.flush()
                    os.fsync(out.fileno())
        present = [p for p in folder.iterdir() if p.name.startswith(_ALL_MEMBERS)]
        kept = folder / aside if present else None
        if kept is not None:
            kept.mkdir()
            for path in present:
                path.rename(kept / path.name)
        for name in names:
            (Path(temporary) / name).rename(folder / name)
    return kept
