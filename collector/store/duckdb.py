"""The embedded store: one DuckDB file, owned by one process.

One thread writes, in one transaction per call; readers have cursors of their own and see the last commit.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt

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
from collector.store.schema import SchemaError, migrate
from collector.store.seen import Numbers, SeenTimes, Times
from setpoint.reading import Subject, subject_of

log = logging.getLogger(__name__)

# How long closing waits for readers to notice; a large review takes minutes.
_BREAK_OFF_WITHIN_S = 2.0

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
        self._config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{memory_bytes // 1_000_000}MB",
            "threads": str(threads),
            "temp_directory": str(path.parent / "spill"),
            # A column store sorts nothing for us; keeping the insertion order costs memory.
            "preserve_insertion_order": "false",
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = self._connect()
        self._read = self._db.cursor()
        self._closing = False
        self._reading: weakref.WeakSet[duckdb.DuckDBPyConnection] = weakref.WeakSet()
        self._reading_lock = threading.Lock()
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
        until = len(self._series)
        series = np.concatenate([b.series for b in fresh])
        time_ms = np.concatenate([b.time_ms for b in fresh])
        value = np.concatenate([b.value for b in fresh])
        with self._transaction():
            self._insert_series(until)
            _insert_points(self._db, series, time_ms, value)
            _insert_texts(self._db, [text for b in fresh for text in b.texts])
            _insert_deliveries(self._db, rows)
        self._saved_series = until
        self._deliveries.add(rows)
        self._note_seen(fresh, series, time_ms)
        result.readings = sum(b.readings for b in fresh)
        return result

    def _note_seen(self, fresh: Sequence[Batch], series: Numbers, time_ms: Times) -> None:
        self._seen.note(series, time_ms)
        if texts := [text for batch in fresh for text in batch.texts]:
            numbers, times, _ = zip(*texts, strict=True)
            self._seen.note(np.array(numbers, np.int32), np.array(times, np.int64))

    def _insert_series(self, until: int) -> None:
        entries = [self._series.entry(n) for n in range(self._saved_series, until)]
        if not entries:
            return
        columns = {
            "id": np.arange(self._saved_series, until, dtype=np.int32),
            "measurement": _strings([e.key.measurement for e in entries]),
            "tags": _strings([json.dumps(e.key.tags, ensure_ascii=False) for e in entries]),
            "field": _strings([e.key.field for e in entries]),
            "type": _strings([e.type for e in entries]),
            "first_ms": np.array([e.first_ms for e in entries], np.int64),
        }
        _insert(self._db, "series", columns)

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
        with self._reading_lock:
            if self._closing:
                raise StoreUnavailable(f"{self._path} is being closed")
            connection = self._read.cursor()
            self._reading.add(connection)
        train, *others = (
            self._train(connection, number, asked, start_ms, end_ms)
            for number, asked in enumerate((Asked(metric, where, by), *beside))
        )
        train.beside = others
        return train

    def _train(
        self, connection: duckdb.DuckDBPyConnection, number: int, asked: Asked, start_ms: int, end_ms: int
    ) -> Train:
        """One train; ``number`` is that of its own table on the connection."""
        metric = asked.metric
        subjects: dict[Subject, int] = {}
        numbers: list[int] = []
        indexes: list[int] = []
        for series, key in self._series.of_metric(metric.measurement, metric.field):
            tags = dict(key.tags)
            if asked.where(tags):
                subject = subject_of(metric.measurement, tags, asked.by)
                numbers.append(series)
                indexes.append(subjects.setdefault(subject, len(subjects)))
        wanted = f"wanted_{number}"
        columns = {"series_id": np.array(numbers, np.int32), "subject": np.array(indexes, np.int32)}
        connection.register("incoming", columns)
        connection.execute(f"CREATE TEMP TABLE {wanted} AS SELECT * FROM incoming")
        connection.unregister("incoming")
        relation = connection.sql(
            f"SELECT {wanted}.subject, points.t, points.value FROM points "
            f"JOIN temp.{wanted} ON {wanted}.series_id = points.series_id "
            f"WHERE points.t >= {int(start_ms)} AND points.t < {int(end_ms)}"
        )
        return Train(connection, relation, list(subjects))

    def series(self, since_ms: int) -> Sequence[SeriesSeen]:
        """Every series with a numeric or text sample at or after ``since_ms``."""
        seen = self._seen.since(since_ms, self._first_times)
        return [SeriesSeen(self._series.entry(n).key, first, last) for n, first, last in seen]

    def _first_times(self, series: Numbers, start_ms: int, end_ms: int) -> tuple[Numbers, Times]:
        with self._read.cursor() as cursor:
            found = cursor.execute(
                "SELECT series_id, min(t) AS t FROM ("
                "SELECT series_id, t FROM points WHERE t >= $a AND t < $b "
                "UNION ALL SELECT series_id, t FROM texts WHERE t >= $a AND t < $b) "
                "WHERE series_id IN (SELECT unnest($series)) GROUP BY series_id",
                {"a": start_ms, "b": end_ms, "series": series.tolist()},
            ).fetchnumpy()
        return np.asarray(found["series_id"], np.int32), np.asarray(found["t"], np.int64)

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
            _insert_deliveries(self._db, kept)
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
        with self._reading_lock:
            self._closing = True
        self._writer.shutdown(wait=True)
        self._break_off_reading()
        self._read.close()
        self._db.close()

    def _break_off_reading(self) -> None:
        # A connection that is between two queries is not interrupted, and begins the second one.
        until = time.monotonic() + _BREAK_OFF_WITHIN_S
        while (reading := list(self._reading)) and time.monotonic() < until:
            for connection in reading:
                with contextlib.suppress(duckdb.Error):  # closed by now
                    connection.interrupt()
            del reading, connection  # or they would be kept alive
            time.sleep(0.02)


def is_in_use(path: Path) -> bool:
    """Whether another process owns the store. A file that cannot be opened for other reasons is in no use."""
    try:
        duckdb.connect(str(path)).close()
    except duckdb.IOException as error:
        return "lock" in str(error)
    except duckdb.Error:
        return False
    return False


def _insert(db: duckdb.DuckDBPyConnection, table: str, columns: dict[str, npt.NDArray[np.generic]]) -> None:
    # Given by a registered name: a column list found through the caller's variables would depend on names.
    db.register("incoming", columns)
    try:
        db.execute(f"INSERT INTO {table} SELECT * FROM incoming")
    finally:
        db.unregister("incoming")


def _insert_points(
    db: duckdb.DuckDBPyConnection,
    series: npt.NDArray[np.int32],
    time_ms: npt.NDArray[np.int64],
    value: npt.NDArray[np.float64],
) -> None:
    if len(series):
        _insert(db, "points", {"series_id": series, "t": time_ms, "value": value})


def _insert_texts(db: duckdb.DuckDBPyConnection, texts: Sequence[tuple[int, int, str]]) -> None:
    if texts:
        series, time_ms, value = zip(*texts, strict=True)
        _insert(
            db,
            "texts",
            {
                "series_id": np.array(series, np.int32),
                "t": np.array(time_ms, np.int64),
                "value": _strings(list(value)),
            },
        )


def _insert_deliveries(db: duckdb.DuckDBPyConnection, rows: Sequence[DeliveryRow]) -> None:
    if rows:
        site, agent, epoch, sequence, digest, low, stored_ms = zip(*rows, strict=True)
        columns = {
            "site": _strings(list(site)),
            "agent": _strings(list(agent)),
            "epoch": _strings(list(epoch)),
            "sequence": np.array(sequence, np.int64),
            "hash": _strings(list(digest)),
            "low": np.array(low, np.int64),
            "stored_ms": np.array(stored_ms, np.int64),
        }
        _insert(db, "batches", columns)


def _strings(values: Sequence[str]) -> npt.NDArray[np.generic]:
    return np.array(values, dtype=object)


def _lock_holder(error: duckdb.IOException) -> str:
    text = str(error)
    return text[text.find("PID") :].split(")")[0] if "PID" in text else "its lock is held"
