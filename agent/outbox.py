"""The durable queue between gathering and the broker: what is in it survives a kill, and leaves by ack only.

A batch's id is ``<epoch>.<sequence>.<hash of the body>``; the epoch is new at every start and after a step of
the clock, so that a restored snapshot or a cloned machine cannot use an id twice.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

from agent.outbox_file import OutboxError, OutboxFile, is_disk_full
from agent.outbox_owner import Owner, delete_owner, foreign_text, is_same_agent, read_owner, write_owner
from setpoint.batch_header import body_hash

log = logging.getLogger(__name__)
_T = TypeVar("_T")

# As in a batch's header: what is longer is none of ours, and does not fit into a column of 64 bits.
_LONGEST_SEQUENCE = 18
# A wall clock that moved this much against the monotonic one was stepped; slewing is far slower.
_CLOCK_STEP_S = 2.0
# How long the clock must have been steady before batches are dropped for their age: a machine that boots
# with a dead real-time clock is set right by NTP within minutes.
_STEADY_CLOCK_S = 3600.0


class Queued(NamedTuple):
    """A batch as it waits. ``low`` is the lowest sequence of its epoch that is still unacked."""

    n: int
    epoch: str
    sequence: int
    hash: str
    low: int
    readings: int
    body: bytes

    @property
    def id(self) -> str:
        return f"{self.epoch}.{self.sequence}.{self.hash}"


@dataclass(frozen=True, slots=True)
class Depth:
    """What waits, and what was ever lost (counted since the outbox was made)."""

    batches: int
    bytes: int
    oldest_ms: int | None
    dropped_readings: int
    rejected_readings: int


def new_epoch(now_ms: int) -> str:
    """An epoch that no other start of any agent uses: the time, and 40 random bits."""
    return f"{now_ms:x}-{os.urandom(5).hex()}"


class Outbox:
    """One agent's queue on disk. Its methods may be called from any thread."""

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int,
        max_age_ms: int,
        ballast_bytes: int,
    ) -> None:
        self._file = OutboxFile(folder, ballast_bytes)
        self._max_bytes = max_bytes
        self._max_age_ms = max_age_ms
        self._lock = threading.Lock()
        self._epoch = ""
        self._sequence = 0
        self._bytes = 0
        self._batches = 0
        self._clock_offset = 0.0
        self._steady_since = 0.0
        self._unsaved_drops = 0
        # What fits on a disk that was full; None while it is not.
        self._room_bytes: int | None = None
        self._next_drop_report = 0.0
        self.clock_steps = 0

    # -- opening and owning ------------------------------------------------------------------------

    def open(self) -> Owner | None:
        """Opens the file, making it when there is none; returns whose it is (None: nobody's yet).

        OutboxError when another process has it, or when it is not a database.
        """
        try:
            self._file.open()
            self._batches, self._bytes = self._file.one(
                "SELECT count(*), coalesce(sum(length(body)), 0) FROM batches"
            )
            owner = read_owner(self._file.connection)
        except sqlite3.Error as error:
            raise self._file.opening_error(error) from None
        self._begin_epoch()
        return owner

    def bind(self, owner: Owner) -> None:
        """Makes the outbox this agent's. OutboxError when it still holds another's batches, or when nothing
        can be written.
        """
        held = read_owner(self._file.connection)
        if held == owner:
            return  # on a full disk, too
        if self._batches and held is not None and not is_same_agent(held, owner):
            raise OutboxError(foreign_text(self._file.path, self._batches, held, owner))
        try:
            self._with_room(lambda: self._write_owner(owner), needed=0)
        except sqlite3.Error as error:
            raise OutboxError(f"{self._file.path} cannot be written: {error}") from None

    def _write_owner(self, owner: Owner) -> None:
        with self._file.transaction() as db:
            write_owner(db, owner)

    def close(self) -> None:
        with self._lock:
            self._file.close()

    # -- filling -----------------------------------------------------------------------------------

    def append(self, body: bytes, readings: int) -> bool:
        """Stores a batch; returns when it is on the disk. False when even dropping the oldest made no room:
        then these readings are counted as dropped.
        """
        digest = body_hash(body)
        with self._lock:
            self._watch_clock()
            self._make_room(len(body))
            now_ms = time.time_ns() // 1_000_000
            row = (self._epoch, self._sequence + 1, digest, now_ms, readings, body)
            try:
                self._with_room(lambda: self._insert(row), needed=len(body))
            except sqlite3.OperationalError as error:
                if not is_disk_full(error):
                    raise
                self._unsaved_drops += readings
                log.error("outbox: no room in %s; %d readings dropped", self._file.folder, readings)
                return False
            self._sequence += 1
            self._batches += 1
            self._bytes += len(body)
            self._file.reserve_ballast()
            return True

    def _insert(self, row: tuple[str, int, str, int, int, bytes]) -> None:
        with self._file.transaction() as db:
            db.execute(
                "INSERT INTO batches (epoch, sequence, hash, created_ms, readings, body) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                row,
            )
            if self._unsaved_drops:
                _count(db, "dropped_readings", self._unsaved_drops)
        self._unsaved_drops = 0

    def _with_room(self, action: Callable[[], _T], needed: int) -> _T:
        """What ``action`` returns; on a full disk ballast and oldest batches make room for it."""
        for attempt in range(3):
            try:
                return action()
            except sqlite3.OperationalError as error:
                if not is_disk_full(error) or attempt == 2:
                    raise
                if self._room_bytes is None:
                    log.warning("outbox: the disk of %s is full", self._file.folder)
                self._file.free_ballast()
                self._file.checkpoint()
                if needed:
                    self._drop_oldest(until_freed=self._file.ballast_bytes + 2 * needed * (attempt + 1))
                    self._file.give_space_back()
                    self._room_bytes = self._bytes + needed
        raise AssertionError("unreachable")

    def _make_room(self, size: int) -> None:
        """Drops the oldest batches while the outbox is over its bounds."""
        if self._room_bytes is not None and self._file.disk_free() > 3 * self._file.ballast_bytes:
            self._room_bytes = None
        bound = self._max_bytes if self._room_bytes is None else min(self._room_bytes, self._max_bytes)
        over = self._bytes + size - bound
        if over > 0:
            self._drop_oldest(until_freed=over)
        if self._max_age_ms and time.monotonic() - self._steady_since > _STEADY_CLOCK_S:
            self._drop_older(time.time_ns() // 1_000_000 - self._max_age_ms)

    def _drop_oldest(self, until_freed: int) -> None:
        rows: list[tuple[int, int, int]] = []
        freed = 0
        for n, readings, size in self._file.connection.execute(
            "SELECT n, readings, length(body) FROM batches ORDER BY n"
        ):
            if freed >= until_freed:
                break
            rows.append((n, readings, size))
            freed += size
        self._drop(rows)

    def _drop_older(self, than_ms: int) -> None:
        self._drop(
            self._file.connection.execute(
                "SELECT n, readings, length(body) FROM batches WHERE created_ms < ? ORDER BY n", (than_ms,)
            ).fetchall()
        )

    def _drop(self, rows: Sequence[tuple[int, int, int]]) -> None:
        if not rows:
            return
        readings = sum(r for _, r, _ in rows)
        try:
            with self._file.transaction() as db:
                db.executemany("DELETE FROM batches WHERE n = ?", [(n,) for n, _, _ in rows])
                _count(db, "dropped_readings", readings)
        except sqlite3.OperationalError as error:
            if not is_disk_full(error):
                raise
            log.error("outbox: the disk is so full that nothing can even be deleted: %s", error)
            return
        self._batches -= len(rows)
        self._bytes -= sum(s for _, _, s in rows)
        # Once in a while is enough: an outbox that stays full drops something with every batch.
        if time.monotonic() >= self._next_drop_report:
            self._next_drop_report = time.monotonic() + 60
            log.warning("outbox: dropped the %d oldest batches (%d readings)", len(rows), readings)

    # -- emptying ----------------------------------------------------------------------------------

    def next_batches(self, oldest: int, newest: int, skip: Collection[int] = ()) -> list[Queued]:
        """Up to ``oldest`` batches from the old end and ``newest`` from the new one, without those in
        ``skip`` (by ``n``), in order of age.
        """
        with self._lock:
            marks = ",".join("?" * len(skip))
            query = (
                "SELECT n, epoch, sequence, hash, readings, body, (SELECT min(sequence) FROM batches o "
                f"WHERE o.epoch = b.epoch) FROM batches b WHERE n NOT IN ({marks}) ORDER BY n"
            )
            rows = self._file.connection.execute(f"{query} LIMIT ?", (*skip, oldest)).fetchall()
            if newest and len(rows) == oldest:
                rows += self._file.connection.execute(f"{query} DESC LIMIT ?", (*skip, newest)).fetchall()
        found = {n: Queued(n, e, s, h, low, r, bytes(body)) for n, e, s, h, r, body, low in rows}
        return [found[n] for n in sorted(found)]

    def remove(self, acked: Mapping[str, int]) -> list[int]:
        """Deletes acked batches, given as id and how many of its readings were refused; returns the ``n``
        of those that were there. On a disk where nothing can even be deleted that is none: they will be
        sent, and acked, again.
        """
        with self._lock:
            try:
                removed = self._with_room(lambda: self._delete(acked), needed=0)
            except sqlite3.OperationalError as error:
                if not is_disk_full(error):
                    raise
                log.error("outbox: the disk is so full that nothing can even be deleted: %s", error)
                return []
            self._batches -= len(removed)
            self._bytes -= sum(size for _, size in removed)
            self._file.reserve_ballast()
        return [n for n, _ in removed]

    def _delete(self, acked: Mapping[str, int]) -> list[tuple[int, int]]:
        removed: list[tuple[int, int]] = []
        with self._file.transaction() as db:
            for batch_id, refused in acked.items():
                epoch, sequence, digest = [*batch_id.split("."), "", ""][:3]
                if not sequence.isdecimal() or len(sequence) > _LONGEST_SEQUENCE:
                    continue
                rows = db.execute(
                    "DELETE FROM batches WHERE epoch = ? AND sequence = ? AND hash = ? "
                    "RETURNING n, length(body)",
                    (epoch, int(sequence), digest),
                ).fetchall()
                removed += rows
                if rows and refused:
                    _count(db, "rejected_readings", refused)
        return removed

    def discard(self) -> int:
        """Throws everything away; returns how many batches that were."""
        with self._lock, self._file.transaction() as db:
            gone = db.execute("DELETE FROM batches").rowcount
            delete_owner(db)
        self._batches = self._bytes = 0
        return gone

    # -- looking -----------------------------------------------------------------------------------

    @property
    def epoch(self) -> str:
        return self._epoch

    def depth(self) -> Depth:
        with self._lock:
            counts = dict(self._file.connection.execute("SELECT key, value FROM meta").fetchall())
            oldest = self._file.one("SELECT min(created_ms) FROM batches")[0]
        return Depth(
            batches=self._batches,
            bytes=self._bytes,
            oldest_ms=oldest,
            dropped_readings=counts.get("dropped_readings", 0) + self._unsaved_drops,
            rejected_readings=counts.get("rejected_readings", 0),
        )

    # -- inside ------------------------------------------------------------------------------------

    def _begin_epoch(self) -> None:
        self._epoch = new_epoch(time.time_ns() // 1_000_000)
        self._sequence = 0
        self._clock_offset = time.time() - time.monotonic()
        self._steady_since = time.monotonic()

    def _watch_clock(self) -> None:
        if abs(time.time() - time.monotonic() - self._clock_offset) > _CLOCK_STEP_S:
            step = time.time() - time.monotonic() - self._clock_offset
            log.warning("the clock was stepped by %+.1f s; a new epoch begins", step)
            self.clock_steps += 1
            self._begin_epoch()


def _count(db: sqlite3.Connection, key: str, more: int) -> None:
    db.execute(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = value + excluded.value",
        (key, more),
    )
