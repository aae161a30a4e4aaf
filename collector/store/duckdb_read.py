"""Reading the embedded store's tables, each train on a connection of its own that can be broken off."""

from __future__ import annotations

import contextlib
import threading
import time
import weakref
from pathlib import Path

import duckdb
import numpy as np

from collector.series import SeriesTable
from collector.store.base import Asked, StoreUnavailable, Train
from collector.store.seen import Numbers, Times
from setpoint.reading import Subject, subject_of

# How long closing waits for readers to notice; a large review takes minutes.
_BREAK_OFF_WITHIN_S = 2.0


class Readers:
    """The connections that trains are being read on. Methods may be called from any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._closing = False
        self._reading: weakref.WeakSet[duckdb.DuckDBPyConnection] = weakref.WeakSet()
        self._lock = threading.Lock()

    def connect(self, parent: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
        """Another connection to the file of ``parent``. StoreUnavailable when no more are let in."""
        with self._lock:
            if self._closing:
                raise StoreUnavailable(f"{self._path} is being closed")
            connection = parent.cursor()
            self._reading.add(connection)
        return connection

    def refuse(self) -> None:
        """Lets no more in."""
        with self._lock:
            self._closing = True

    def break_off(self) -> None:
        """Interrupts what is being read; returns when it has ended, or has had its time to."""
        # A connection that is between two queries is not interrupted, and begins the second one.
        until = time.monotonic() + _BREAK_OFF_WITHIN_S
        while (reading := list(self._reading)) and time.monotonic() < until:
            for connection in reading:
                with contextlib.suppress(duckdb.Error):  # closed by now
                    connection.interrupt()
            del reading, connection  # or they would be kept alive
            time.sleep(0.02)


def train_of(
    connection: duckdb.DuckDBPyConnection,
    number: int,
    asked: Asked,
    table: SeriesTable,
    start_ms: int,
    end_ms: int,
) -> Train:
    """The samples of what is asked, in [start_ms, end_ms), straight from the tables (nothing is copied).
    ``number`` is that of the train's own table on the connection.
    """
    metric = asked.metric
    subjects: dict[Subject, int] = {}
    numbers: list[int] = []
    indexes: list[int] = []
    for series, key in table.of_metric(metric.measurement, metric.field):
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


def first_times(
    connection: duckdb.DuckDBPyConnection, series: Numbers, start_ms: int, end_ms: int
) -> tuple[Numbers, Times]:
    """Which of the series have samples in [start_ms, end_ms), and the first time there of each that has."""
    found = connection.execute(
        "SELECT series_id, min(t) AS t FROM ("
        "SELECT series_id, t FROM points WHERE t >= $a AND t < $b "
        "UNION ALL SELECT series_id, t FROM texts WHERE t >= $a AND t < $b) "
        "WHERE series_id IN (SELECT unnest($series)) GROUP BY series_id",
        {"a": start_ms, "b": end_ms, "series": series.tolist()},
    ).fetchnumpy()
    return np.asarray(found["series_id"], np.int32), np.asarray(found["t"], np.int64)
