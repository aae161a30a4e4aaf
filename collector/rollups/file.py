"""The file of the rollups: SQLite, one row per point's definition, subject and hour.

A day that is over is kept as one row with what all of it showed, and one with its hours, compressed.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
import zstandard

from collector.sqlite_file import CannotOpen, open_sqlite
from collector.store.base import Metric
from setpoint.reading import Subject

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

# Larger pages than usual, so that a day's row has room in one.
_PAGE_BYTES = 16_384
_MIGRATIONS: Sequence[str] = (
    """
    CREATE TABLE points (
        number INTEGER PRIMARY KEY, point TEXT NOT NULL, definition TEXT NOT NULL,
        done_ms INTEGER NOT NULL, UNIQUE (point, definition)
    );
    CREATE TABLE subjects (number INTEGER PRIMARY KEY, subject TEXT NOT NULL UNIQUE);
    CREATE TABLE hours (
        point INTEGER NOT NULL, hour INTEGER NOT NULL, subject INTEGER NOT NULL, asked INTEGER NOT NULL,
        told INTEGER, rollup BLOB NOT NULL, PRIMARY KEY (point, hour, subject)
    ) WITHOUT ROWID;
    CREATE TABLE days (
        point INTEGER NOT NULL, subject INTEGER NOT NULL, day INTEGER NOT NULL, asked INTEGER NOT NULL,
        rollup BLOB NOT NULL, PRIMARY KEY (point, subject, day)
    ) WITHOUT ROWID;
    CREATE TABLE hours_of_days (
        point INTEGER NOT NULL, day INTEGER NOT NULL, subject INTEGER NOT NULL, hours BLOB NOT NULL,
        PRIMARY KEY (point, day, subject)
    ) WITHOUT ROWID;
    CREATE TABLE late (
        measurement TEXT NOT NULL, field TEXT NOT NULL, hour INTEGER NOT NULL, noted INTEGER NOT NULL,
        PRIMARY KEY (measurement, field, hour)
    ) WITHOUT ROWID;
    """,
    # Histograms as bytes: older rows are read as they are, but older programs cannot read newer ones.
    "",
)


class RollupFileError(Exception):
    """The file cannot be used; the text says why."""


class Kept(NamedTuple):
    """A rollup as it is kept. ``asked`` is a number for what was asked of its time: another one means that
    the rollup answers something else. ``told``: the checksum of what the store was told of it.
    """

    asked: int
    told: int | None
    rollup: bytes


class Late(NamedTuple):
    """Samples came for an hour that was rolled up. ``noted`` grows: more came when it is another number."""

    metric: Metric
    hour_ms: int
    noted: int


_Hours = dict[Subject, dict[int, Kept]]
"""Subject → start of the hour → its rollup."""

_pack_hours = msgspec.msgpack.Encoder().encode
_unpack_hours = msgspec.msgpack.Decoder(list[tuple[int, int, int | None, bytes]]).decode


class RollupFile:
    """Opening it may raise RollupFileError; its methods may be called from any thread, and may raise
    sqlite3.Error. A ``point`` is the number that ``point`` gave.
    """

    def __init__(self, path: Path) -> None:
        self._writing, self._reading = threading.Lock(), threading.Lock()
        try:
            self._db = open_sqlite(path, _MIGRATIONS, page_bytes=_PAGE_BYTES)
        except CannotOpen as error:
            raise RollupFileError(str(error)) from None
        try:
            # Reviews read what was committed, and hold up nobody who writes.
            self._read = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._load_subjects()
        except sqlite3.Error as error:
            self._db.close()
            raise RollupFileError(f"{path} cannot be opened: {error}") from None

    def _load_subjects(self) -> None:
        rows = self._db.execute("SELECT number, subject FROM subjects").fetchall()
        self._subjects = {number: _subject(text) for number, text in rows}
        self._numbers = {subject: number for number, subject in self._subjects.items()}

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._writing:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                self._load_subjects()
                raise

    # -- points ------------------------------------------------------------------------------------

    def point(self, id_: str, definition: str) -> tuple[int, int | None]:
        """(number, until when its hours are rolled up; None before ``begin``)."""
        with self._reading:
            row = self._read.execute(
                "SELECT number, done_ms FROM points WHERE point = ? AND definition = ?", (id_, definition)
            ).fetchone()
        return row if row is not None else (0, None)

    def begin(self, id_: str, definition: str, from_ms: int) -> int:
        """The number of a point that is new: its hours are rolled up from ``from_ms`` on."""
        with self._transaction():
            row = self._db.execute(
                "INSERT INTO points (point, definition, done_ms) VALUES (?, ?, ?) RETURNING number",
                (id_, definition, from_ms),
            ).fetchone()
        return int(row[0])

    def newest_done_ms(self) -> int:
        """The newest hour's end up to which any point is rolled up; 0 without any."""
        with self._reading:
            row = self._read.execute("SELECT max(done_ms) FROM points").fetchone()
        return int(row[0] or 0)

    def oldest_ms(self, point: int) -> int | None:
        """The start of the oldest hour, or closed day, that the point has a rollup of."""
        with self._reading:
            row = self._read.execute(
                "SELECT min(oldest) FROM (SELECT min(hour) AS oldest FROM hours WHERE point = ? "
                "UNION ALL SELECT min(day) FROM hours_of_days WHERE point = ?)",
                (point, point),
            ).fetchone()
        return None if row[0] is None else int(row[0])

    def late_hours(self) -> int:
        """Of how many hours of metrics samples came late that are not in the rollups yet."""
        with self._reading:
            return int(self._read.execute("SELECT count(*) FROM late").fetchone()[0])

    # -- rollups -----------------------------------------------------------------------------------

    def replace(
        self,
        point: int,
        hours: Mapping[int, Mapping[Subject, Kept]],
        *,
        done_ms: int | None = None,
        settled: Sequence[Late] = (),
    ) -> None:
        """Puts these in the place of all rollups that the hours have, in one transaction with the rest:
        that the point is rolled up until ``done_ms``, and that the late samples are taken into account.
        """
        with self._transaction():
            for day in sorted({hour - hour % DAY_MS for hour in hours}):
                self._open_day(point, day)
            for hour, rollups in hours.items():
                self._db.execute("DELETE FROM hours WHERE point = ? AND hour = ?", (point, hour))
                self._db.executemany(
                    "INSERT INTO hours VALUES (?, ?, ?, ?, ?, ?)",
                    [(point, hour, self._number(subject), *kept) for subject, kept in rollups.items()],
                )
            if done_ms is not None:
                self._db.execute("UPDATE points SET done_ms = ? WHERE number = ?", (done_ms, point))
            self._db.executemany(
                "DELETE FROM late WHERE measurement = ? AND field = ? AND hour = ? AND noted = ?",
                [(*late.metric, late.hour_ms, late.noted) for late in settled],
            )

    def settle(self, settled: Sequence[Late]) -> None:
        """Forgets late samples, unless more came meanwhile."""
        self.replace(0, {}, settled=settled)

    def close_day(self, point: int, day_ms: int, days: Mapping[Subject, tuple[int, bytes]]) -> None:
        """Keeps a day that is over as one row each: (asked, rollup) of the whole day, and its hours."""
        with self._transaction():
            hours: dict[int, list[tuple[int, int, int | None, bytes]]] = {}
            for hour, subject, asked, told, rollup in self._db.execute(
                "SELECT hour, subject, asked, told, rollup FROM hours WHERE point = ? AND hour >= ? "
                "AND hour < ? ORDER BY hour",
                (point, day_ms, day_ms + DAY_MS),
            ):
                hours.setdefault(subject, []).append((hour, asked, told, rollup))
            compress = zstandard.ZstdCompressor(level=9).compress
            for subject, (asked, rollup) in days.items():
                number = self._number(subject)
                packed = compress(_pack_hours(hours[number]))
                self._db.execute(
                    "INSERT OR REPLACE INTO days VALUES (?, ?, ?, ?, ?)",
                    (point, number, day_ms, asked, rollup),
                )
                self._db.execute(
                    "INSERT OR REPLACE INTO hours_of_days VALUES (?, ?, ?, ?)",
                    (point, day_ms, number, packed),
                )
                self._db.execute(
                    "DELETE FROM hours WHERE point = ? AND hour >= ? AND hour < ? AND subject = ?",
                    (point, day_ms, day_ms + DAY_MS, number),
                )

    def _open_day(self, point: int, day_ms: int) -> None:
        """Makes single hours of a day again."""
        for subject, packed in self._db.execute(
            "SELECT subject, hours FROM hours_of_days WHERE point = ? AND day = ?", (point, day_ms)
        ).fetchall():
            self._db.executemany(
                "INSERT OR REPLACE INTO hours VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (point, hour, subject, asked, told, rollup)
                    for hour, asked, told, rollup in _unpack_hours(_decompress(packed))
                ],
            )
            self._db.execute(
                "DELETE FROM days WHERE point = ? AND subject = ? AND day = ?", (point, subject, day_ms)
            )
        self._db.execute("DELETE FROM hours_of_days WHERE point = ? AND day = ?", (point, day_ms))

    def hours(self, point: int, start_ms: int, end_ms: int) -> _Hours:
        """The rollups of the hours that begin in [start_ms, end_ms), whether their days are over or not."""
        found: _Hours = {}
        with self._reading:
            rows = self._read.execute(
                "SELECT subject, hour, asked, told, rollup FROM hours "
                "WHERE point = ? AND hour >= ? AND hour < ?",
                (point, start_ms, end_ms),
            ).fetchall()
            packed = self._read.execute(
                "SELECT subject, hours FROM hours_of_days WHERE point = ? AND day > ? AND day < ?",
                (point, start_ms - DAY_MS, end_ms),
            ).fetchall()
        for subject, hour, *kept in rows:
            found.setdefault(self._subjects[subject], {})[hour] = Kept(*kept)
        for subject, compressed in packed:
            for hour, asked, told, rollup in _unpack_hours(_decompress(compressed)):
                if start_ms <= hour < end_ms:
                    found.setdefault(self._subjects[subject], {})[hour] = Kept(asked, told, rollup)
        return found

    def days(self, point: int, subject: Subject, start_ms: int, end_ms: int) -> dict[int, Kept]:
        """Start of the day → its rollup, of the days in [start_ms, end_ms) that are kept as such."""
        number = self._numbers.get(subject)
        with self._reading:
            rows = self._read.execute(
                "SELECT day, asked, rollup FROM days WHERE point = ? AND subject = ? "
                "AND day >= ? AND day + ? <= ?",
                (point, number, start_ms, DAY_MS, end_ms),
            ).fetchall()
        return {day: Kept(asked, None, rollup) for day, asked, rollup in rows}

    def tell(self, point: int, told: Iterable[tuple[Subject, int, int]]) -> None:
        """Notes (subject, hour, checksum) of what the store was told, of hours of days that are not over."""
        with self._transaction():
            self._db.executemany(
                "UPDATE hours SET told = ? WHERE point = ? AND hour = ? AND subject = ?",
                [(checksum, point, hour, self._numbers[subject]) for subject, hour, checksum in told],
            )

    def untold(self, point: int, since_ms: int) -> list[int]:
        """The hours of days that are not closed of which the store was not told."""
        with self._reading:
            rows = self._read.execute(
                "SELECT DISTINCT hour FROM hours WHERE point = ? AND hour >= ? AND told IS NULL "
                "ORDER BY hour",
                (point, since_ms),
            ).fetchall()
        return [hour for (hour,) in rows]

    def open_days(self, point: int, before_ms: int) -> list[int]:
        """The days that are over before the time and have single hours."""
        with self._reading:
            rows = self._read.execute(
                "SELECT DISTINCT hour - hour % ? AS day FROM hours WHERE point = ? AND hour < ? ORDER BY day",
                (DAY_MS, point, before_ms - before_ms % DAY_MS),
            ).fetchall()
        return [day for (day,) in rows]

    def expire(self, before_ms: int) -> int:
        """Deletes the rollups of days that were over before ``before_ms``; returns how many rows went."""
        gone = 0
        with self._transaction():
            for table, column, length_ms in (
                ("hours", "hour", HOUR_MS),
                ("days", "day", DAY_MS),
                ("hours_of_days", "day", DAY_MS),
            ):
                gone += self._db.execute(
                    f"DELETE FROM {table} WHERE {column} + {length_ms} <= ?", (before_ms,)
                ).rowcount
        return gone

    # -- late samples ------------------------------------------------------------------------------

    def note_late(self, late: Sequence[Late]) -> None:
        """Keeps that samples came for hours that are rolled up; on disk when this returns."""
        with self._transaction():
            self._db.executemany(
                "INSERT OR REPLACE INTO late VALUES (?, ?, ?, ?)",
                [(*one.metric, one.hour_ms, one.noted) for one in late],
            )

    def late(self) -> list[Late]:
        """What is noted and not settled, in order."""
        with self._reading:
            rows = self._read.execute("SELECT * FROM late ORDER BY measurement, field, hour").fetchall()
        return [Late(Metric(measurement, field), hour, noted) for measurement, field, hour, noted in rows]

    # -- keeping -----------------------------------------------------------------------------------

    def backup(self, path: Path) -> None:
        """Writes a copy as of now to a new file."""
        copy = sqlite3.connect(path)
        try:
            with self._reading:
                self._read.backup(copy)
        finally:
            copy.close()

    def close(self) -> None:
        with self._writing, self._reading:
            self._read.close()
            self._db.close()

    def _number(self, subject: Subject) -> int:
        number = self._numbers.get(subject)
        if number is None:
            text = json.dumps(subject, ensure_ascii=False)
            self._db.execute("INSERT OR IGNORE INTO subjects (subject) VALUES (?)", (text,))
            row = self._db.execute("SELECT number FROM subjects WHERE subject = ?", (text,)).fetchone()
            number = self._numbers[subject] = int(row[0])
            self._subjects[number] = subject
        return number


def checksum(content: bytes) -> int:
    """A number for the content, for telling whether it changed."""
    return zlib.crc32(content)


def _subject(text: str) -> Subject:
    return tuple((key, value) for key, value in json.loads(text))


def _decompress(packed: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(packed)
