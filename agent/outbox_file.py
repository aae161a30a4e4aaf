"""The outbox's SQLite file: opening it, making it small again, and ballast to give up on a full disk.

WAL mode with ``synchronous=FULL``: when a transaction has returned, it is on the disk.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS batches (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    epoch TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    hash TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    readings INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS batch_id ON batches (epoch, sequence);
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
"""

_INCREMENTAL = 2


class OutboxError(Exception):
    """The outbox cannot be used; the text says why and what to do."""


class OutboxFile:
    """``outbox.db`` in the agent's data folder, with ``outbox.ballast`` beside it. It does not lock: whoever
    shares it between threads does.
    """

    def __init__(self, folder: Path, ballast_bytes: int) -> None:
        self.folder = folder
        self.path = folder / "outbox.db"
        self.ballast_bytes = ballast_bytes
        self._ballast = folder / "outbox.ballast"
        self._db: sqlite3.Connection | None = None

    @property
    def connection(self) -> sqlite3.Connection:
        if self._db is None:
            raise OutboxError(f"{self.path} is not open")
        return self._db

    def open(self) -> None:
        """Opens the file, making it when there is none; on a full disk the ballast makes room for that.
        sqlite3.Error when it cannot be opened; ``opening_error`` tells it.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.reserve_ballast()
        try:
            self._connect()
        except sqlite3.OperationalError as error:
            if not is_disk_full(error):
                raise
            self.free_ballast()
            # Its lock would shut out the next one.
            self.close()
            self._connect()

    def _connect(self) -> None:
        self._db = sqlite3.connect(self.path, timeout=1.0, isolation_level=None, check_same_thread=False)
        # Exclusive: one process owns the file, and the lock says so on every platform.
        self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
        # So that the file can be made smaller again, a piece at a time; it must be said before any table is.
        # Saying it again would write, for which a full disk has no room.
        if self._db.execute("PRAGMA auto_vacuum").fetchone()[0] != _INCREMENTAL:
            self._db.execute("PRAGMA auto_vacuum=INCREMENTAL")
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("PRAGMA wal_autocheckpoint=64")
        self._db.execute("PRAGMA journal_size_limit=262144")
        self._db.execute("PRAGMA cache_size=-256")
        # Debian's SQLite overwrites what is deleted, so that a delete costs as much disk as an insert.
        self._db.execute("PRAGMA secure_delete=OFF")
        self._db.executescript(_SCHEMA)

    def opening_error(self, error: sqlite3.Error) -> OutboxError:
        """What to raise for an error of opening the file, or of the first look into it."""
        if "locked" in str(error):
            return OutboxError(
                f"{self.path} is in use by another process; "
                "is this agent running already? Give each agent a data folder of its own"
            )
        return OutboxError(f"{self.path} cannot be opened: {error}{_remedy(error)}")

    def close(self) -> None:
        """Lets go of the file; it may be closed already."""
        if self._db is not None:
            self._db.close()
            self._db = None

    # -- using -------------------------------------------------------------------------------------

    def one(self, query: str) -> tuple[int, ...]:
        """The first row that the query gives."""
        row: tuple[int, ...] = self.connection.execute(query).fetchone()
        return row

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commits at its end; when anything fails, nothing of it is kept."""
        db = self.connection
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    # -- making room -------------------------------------------------------------------------------

    def disk_free(self) -> int:
        """Bytes that are free on the file's disk."""
        return shutil.disk_usage(self.folder).free

    def checkpoint(self) -> None:
        """Moves what is in the write-ahead log into the file, and empties the log."""
        with contextlib.suppress(sqlite3.OperationalError):  # as much as can be done now
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def give_space_back(self) -> None:
        """Makes the file as small as its content, so that there is room for the ballast again."""
        with contextlib.suppress(sqlite3.OperationalError):  # as much as can be done now
            # Not execute(): that steps a statement without columns once, which frees a single page.
            self.connection.executescript("PRAGMA incremental_vacuum")
        self.checkpoint()

    def reserve_ballast(self) -> None:
        """A file of real bytes that can be given up on a full disk, where SQLite cannot even delete."""
        try:
            if self._ballast.exists() and self._ballast.stat().st_size >= self.ballast_bytes:
                return
            if self.disk_free() < 1.25 * self.ballast_bytes:
                return
            with self._ballast.open("wb") as file:
                # Not a sparse file, and nothing that a compressing file system makes small.
                file.write(os.urandom(self.ballast_bytes))
        except OSError:
            # No room for ballast now: giving it straight back leaves the room to the batches.
            self.free_ballast()

    def free_ballast(self) -> None:
        """Gives the ballast's room to the file."""
        with contextlib.suppress(OSError):
            self._ballast.unlink(missing_ok=True)


def is_disk_full(error: sqlite3.OperationalError) -> bool:
    """Whether SQLite found no room, or could not write to the disk, as on one that is full."""
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


def _remedy(error: sqlite3.Error) -> str:
    if getattr(error, "sqlite_errorcode", 0) & 0xFF not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return ""
    return ". Move it away, and a new one is made; what was not yet delivered is in it"
