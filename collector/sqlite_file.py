"""A SQLite file of the collector's own, brought to the schema that this program knows."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path


class CannotOpen(Exception):
    """The file cannot be used; the text says why."""


def open_sqlite(path: Path, migrations: Sequence[str], *, page_bytes: int = 4096) -> sqlite3.Connection:
    """The open file, made where there is none. CannotOpen.

    It may be used from any thread, by one at a time, and begins no transactions by itself. ``migrations``:
    the steps of the schema, of which those that the file lacks are made. ``page_bytes``: of a new file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        db.execute(f"PRAGMA page_size={page_bytes}")
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        _migrate(db, path, migrations)
    except sqlite3.Error as error:
        db.close()
        raise CannotOpen(f"{path} cannot be opened: {error}") from None
    except CannotOpen:
        db.close()
        raise
    return db


def _migrate(db: sqlite3.Connection, path: Path, migrations: Sequence[str]) -> None:
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > len(migrations):
        raise CannotOpen(
            f"{path} has schema version {version}, and this program knows none above {len(migrations)}; "
            "install the version that wrote it, or a newer one"
        )
    for number in range(version, len(migrations)):
        db.executescript(f"BEGIN; {migrations[number]} PRAGMA user_version = {number + 1}; COMMIT;")
