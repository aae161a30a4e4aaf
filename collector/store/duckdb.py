"""The embedded store: one DuckDB file, owned by one process.

One thread writes, in one transaction per call; readers have cursors of their own and see the last commit.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import numpy as np

from collector.series import SeriesTable
from collector.store.base import (
    Asked,
    Batch,
    Metric,
    NewestSample,
    Selector,
    SeriesKey,
    SeriesSeen,
    StoreUnavailable,
    Train,
    WriteResult,
)
from collector.store.deliveries import Deliveries, DeliveryRow
from collector.store.duckdb_insert import insert_deliveries, insert_points, insert_series, insert_texts
from collector.store.duckdb_read import Readers, first_times, train_of
from collector.store.duckdb_settings import duckdb_settings
from collector.store.schema import SchemaError, migrate
from collector.store.seen import Numbers, SeenTimes, Times

log = logging.getLogger(__name__)

QueryError = duckdb.Error
"""What reading a train may raise: out of memory, say. The store itself goes on."""


class DuckDBStore:
    """Opening it may raise StoreUnavailable (another process owns the file) or SchemaError."""

    def __init__(
        self,
        path: Path,
        series: SeriesTable,
        *,
        memory_bytes: int = 1 << 30,
        threads: int = 2,
    ) -> None:
        self._path = path
        self._series = series
        self._config = duckdb_settings(memory_bytes, threads, str(path.parent / "spill"))
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = self._connect()
        self._read = self._db.cursor()
        self._readers = Readers(path)
        self._broken = False
        self._seen = SeenTimes()
        try:
            before, after = migrate(self._db)
            if 0 < before < after:
                log.info("store %s: brought from schema version %d to %d", path, before, after)
            self._deliveries = self._restore_deliveries()
            self._saved_series = self._restore_series()
        except BaseException as error:
            self._read.close()
            self._db.close()
            if isinstance(error, SchemaError):
                raise SchemaError(f"{path}: {error}") from None
            raise
        self._writer = ThreadPoolExecutor(1, "store")

    def _connect(self) -> duckdb.DuckDBPyConnection:
        try:
            return duckdb.connect(str(self._path), config=self._config)
        except duckdb.IOException as error:
            if "lock" in str(error):
                raise StoreUnavailable(
                    f"{self._path} is owned by another process ({_lock_holder(error)}). A DuckDB store has "
                    "one collector; for several, use InfluxDB or VictoriaMetrics"
                ) from None
            raise StoreUnavailable(f"{self._path} cannot be opened: {error}") from None

    def _restore_deliveries(self) -> Deliveries:
        rows = self._db.execute("SELECT * FROM batches").fetchall()
        return Deliveries(DeliveryRow(*row) for row in rows)

    def _restore_series(self) -> int:
        rows = self._db.execute(
            "SELECT id, measurement, tags, field, type, first_ms FROM series ORDER BY id"
        ).fetchall()
        for number, measurement, tags, field, kind, first_ms in rows:
            key = SeriesKey(measurement, tuple((k, v) for k, v in json.loads(tags)), field)
            self._series.restore(number, key, kind, first_ms)
        latest = self._db.execute(
            "SELECT series_id, max(t) AS t, arg_max(value, t) AS value FROM points GROUP BY ALL"
        ).fetchnumpy()
        if len(latest["t"]):
            numbers, times = np.asarray(latest["series_id"], np.int32), np.asarray(latest["t"], np.int64)
            self._series.observe(numbers, times, np.asarray(latest["value"], np.float64))
            self._seen.note(numbers, times)
        self._see_latest("texts")
        return len(rows)

    def _see_latest(self, table: str) -> None:
        found = self._db.execute(f"SELECT series_id, max(t) AS t FROM {table} GROUP BY ALL").fetchnumpy()
        self._seen.note(np.asarray(found["series_id"], np.int32), np.asarray(found["t"], np.int64))

    # -- writing -----------------------------------------------------------------------------------

    async def write(self, batches: Sequence[Batch]) -> WriteResult:
        """Commits the batches, with their ids, in one transaction. Those already stored are left out."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._writer, self._write, batches)
        except duckdb.Error as error:
            raise StoreUnavailable(f"{self._path}: {error}") from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commits at its end; when anything fails, nothing of it is kept."""
        try:
            self._db.execute("BEGIN")
            yield
            self._db.execute("COMMIT")
        except duckdb.FatalException:
            self._broken = True
            raise
        except BaseException:
            with contextlib.suppress(duckdb.TransactionException):  # a failed COMMIT has done it already
                self._db.execute("ROLLBACK")
            raise

    def _reopen_if_broken(self) -> None:
        """Opens the file anew after a fatal error, such as a checkpoint on a full disk: DuckDB 2.0 refuses
        everything from then on, also when there is room again. What was committed is read back.
        """
        if not self._broken:
            return
        self._read.close()
        self._db.close()
        self._db = self._connect()
        self._read = self._db.cursor()
        self._deliveries = self._restore_deliveries()
        row = self._db.execute("SELECT count(*) FROM series").fetchone()
        self._saved_series = int(row[0]) if row else 0
        # A COMMIT that failed may have been one.
        for table in ("points", "texts"):
            self._see_latest(table)
        self._broken = False
        log.info("store %s: opened again", self._path)

    def _write(self, batches: Sequence[Batch]) -> WriteResult:
        self._reopen_if_broken()
        fresh = self._deliveries.new_of(batches)
        result = WriteResult(repeated=len(batches) - len(fresh))
        rows = [row for batch in fresh if (row := self._deliveries.row(batch)) is not None]
        if not fresh:
            return result
        unsaved = [self._series.entry(n) for n in range(self._saved_series, len(self._series))]
        series = np.concatenate([b.series for b in fresh])
        time_ms = np.concatenate([b.time_ms for b in fresh])
        value = np.concatenate([b.value for b in fresh])
        with self._transaction():
            insert_series(self._db, self._saved_series, unsaved)
            insert_points(self._db, series, time_ms, value)
            insert_texts(self._db, [text for b in fresh for text in b.texts])
            insert_deliveries(self._db, rows)
        self._saved_series += len(unsaved)
        self._deliveries.add(rows)
        self._note_seen(fresh, series, time_ms)
        result.readings = sum(b.readings for b in fresh)
        return result

    def _note_seen(self, fresh: Sequence[Batch], series: Numbers, time_ms: Times) -> None:
        self._seen.note(series, time_ms)
        if texts := [text for batch in fresh for text in batch.texts]:
            numbers, times, _ = zip(*texts, strict=True)
            self._seen.note(np.array(numbers, np.int32), np.array(times, np.int64))

    # -- reading -----------------------------------------------------------------------------------

    def train(
        self,
        metric: Metric,
        where: Selector,
        start_ms: int,
        end_ms: int,
        by: tuple[str, ...] | None = None,
        beside: Sequence[Asked] = (),
    ) -> Train:
        """The samples of the metric's subjects, straight from the tables (nothing is copied)."""
        connection = self._readers.connect(self._read)
        train, *others = (
            train_of(connection, number, asked, self._series, start_ms, end_ms)
            for number, asked in enumerate((Asked(metric, where, by), *beside))
        )
        train.beside = others
        return train

    def series(self, since_ms: int) -> Sequence[SeriesSeen]:
        """Every series with a numeric or text sample at or after ``since_ms``."""
        seen = self._seen.since(since_ms, self._first_times)
        return [SeriesSeen(self._series.entry(n).key, first, last) for n, first, last in seen]

    def _first_times(self, series: Numbers, start_ms: int, end_ms: int) -> tuple[Numbers, Times]:
        with self._read.cursor() as cursor:
            return first_times(cursor, series, start_ms, end_ms)

    def newest(self, since_ms: int) -> Sequence[NewestSample]:
        """The same with their newest values. Nobody else writes into the file, so they are known."""
        table = self._series
        return [
            NewestSample(
                seen.key,
                seen.first_ms,
                seen.last_ms,
                float("nan") if (number := table.find(seen.key)) is None else float(table.last_value[number]),
                number is not None and table.entry(number).type == "text",
            )
            for seen in self.series(since_ms)
        ]

    def count(self) -> int:
        """How many numeric readings the store holds."""
        with self._read.cursor() as cursor:
            row = cursor.execute("SELECT count(*) FROM points").fetchone()
        return int(row[0]) if row else 0

    # -- keeping -----------------------------------------------------------------------------------

    async def expire(self, before_ms: int) -> int:
        """Deletes readings older than ``before_ms`` and forgets senders silent since; returns how many."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._writer, self._expire, before_ms)
        except duckdb.Error as error:
            raise StoreUnavailable(f"{self._path}: {error}") from error

    def _expire(self, before_ms: int) -> int:
        self._reopen_if_broken()
        kept = self._deliveries.rows(before_ms)
        gone = 0
        with self._transaction():
            for table in ("points", "texts"):
                row = self._db.execute(f"DELETE FROM {table} WHERE t < ?", [before_ms]).fetchone()
                gone += int(row[0]) if row else 0
            self._db.execute("DELETE FROM batches")
            insert_deliveries(self._db, kept)
        self._deliveries = Deliveries(kept)
        self._seen.forget(before_ms)
        return gone

    async def backup(self, path: Path) -> None:
        """Writes a copy of the store as of now to a new file; writing goes on meanwhile."""
        await asyncio.to_thread(self._backup, path)

    def _backup(self, path: Path) -> None:
        began = time.monotonic()
        with self._read.cursor() as cursor:
            row = cursor.execute("SELECT current_database()").fetchone()
            assert row is not None
            quoted = str(path).replace("'", "''")
            cursor.execute(f"ATTACH '{quoted}' AS setpoint_backup")
            try:
                cursor.execute(f'COPY FROM DATABASE "{row[0]}" TO setpoint_backup')
            finally:
                cursor.execute("DETACH setpoint_backup")
        log.info("store copied to %s in %.1f s", path, time.monotonic() - began)

    def close(self) -> None:
        """Waits for a write under way, breaks off what is being read, and lets go of the file."""
        self._readers.refuse()
        self._writer.shutdown(wait=True)
        self._readers.break_off()
        self._read.close()
        self._db.close()


def is_in_use(path: Path) -> bool:
    """Whether another process owns the store. A file that cannot be opened for other reasons is in no use."""
    try:
        duckdb.connect(str(path)).close()
    except duckdb.IOException as error:
        return "lock" in str(error)
    except duckdb.Error:
        return False
    return False


def _lock_holder(error: duckdb.IOException) -> str:
    text = str(error)
    return text[text.find("PID") :].split(")")[0] if "PID" in text else "its lock is held"
