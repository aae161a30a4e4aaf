"""Samples that come from elsewhere, as a Train: DuckDB does the arithmetic for every engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

import duckdb
import numpy as np
import numpy.typing as npt

from collector.series import SeriesTable
from collector.store.base import Metric, Selector, Train
from collector.store.duckdb_settings import duckdb_settings
from setpoint.reading import Subject, subject_of

Tags = tuple[tuple[str, str], ...]

_MOST_VALUES = 50
_HOUR_MS = 3_600_000
_LONGEST_STEP_MS = 7 * 24 * _HOUR_MS
# Between these an answer is worth its request and does not grow large at either end.
_FEW_ROWS, _MANY_ROWS = 200_000, 1_000_000


class Wanted(NamedTuple):
    """Which series a train is made of: by their tags the index of their subject."""

    subjects: list[Subject]
    of_tags: dict[Tags, int]

    def narrowing(self, known: Iterable[Tags]) -> dict[str, list[str]]:
        """Tags that all wanted series carry, with the values that these have there, where the values are
        few and ``known``, all series of the metric, have others too: an engine then reads less.
        """
        if not self.of_tags:
            return {}
        wanted = [dict(tags) for tags in self.of_tags]
        others = [dict(tags) for tags in known if tags not in self.of_tags]
        found: dict[str, list[str]] = {}
        for key in wanted[0]:
            values = {tags.get(key, "") for tags in wanted}
            if "" in values or len(values) > _MOST_VALUES:
                continue
            if any(tags.get(key, "") not in values for tags in others):
                found[key] = sorted(values)
        return found


class Samples(NamedTuple):
    """Samples of one series."""

    tags: Tags
    time_ms: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]


class Reader(Protocol):
    """The samples in [start_ms, end_ms), of single series and in any order."""

    def __call__(self, start_ms: int, end_ms: int) -> Iterable[Samples]: ...


def wanted_series(series: SeriesTable, metric: Metric, where: Selector, by: tuple[str, ...] | None) -> Wanted:
    """The series of the metric that ``where`` wants."""
    subjects: dict[Subject, int] = {}
    index: dict[Tags, int] = {}
    for _, key in series.of_metric(metric.measurement, metric.field):
        tags: Mapping[str, str] = dict(key.tags)
        if where(tags):
            subject = subject_of(metric.measurement, tags, by)
            index[key.tags] = subjects.setdefault(subject, len(subjects))
    return Wanted(list(subjects), index)


def open_memory(memory_bytes: int, spill: str) -> duckdb.DuckDBPyConnection:
    """A database in memory; past ``memory_bytes`` it spills into files in the folder."""
    return duckdb.connect(":memory:", config=duckdb_settings(memory_bytes, 2, spill))


def read_trains(
    connection: duckdb.DuckDBPyConnection,
    sources: Iterable[tuple[Wanted, Reader]],
    start_ms: int,
    end_ms: int,
) -> Train:
    """The train of the first source, with those of the others beside it. Whatever fails closes the
    connection, which the train owns from now on.
    """
    try:
        train, *others = (
            MemoryTrain(wanted, connection, f"samples_{number}").read(start_ms, end_ms, read)
            for number, (wanted, read) in enumerate(sources)
        )
    except BaseException:
        connection.close()
        raise
    train.beside = others
    return train


class MemoryTrain:
    """Takes samples into a table of its own on the connection, and gives them out as a Train."""

    def __init__(self, wanted: Wanted, connection: duckdb.DuckDBPyConnection, table: str = "samples") -> None:
        self._wanted = wanted
        self._connection = connection
        self._table = table
        self._connection.execute(f"CREATE TABLE {table} (subject INTEGER, t BIGINT, value DOUBLE)")
        self._pending: list[tuple[int, Samples]] = []
        self._pending_rows = 0

    def add(self, samples: Samples) -> None:
        """Keeps the samples of a series that is wanted; those of others are left out."""
        subject = self._wanted.of_tags.get(samples.tags)
        if subject is None or not len(samples.time_ms):
            return
        self._pending.append((subject, samples))
        self._pending_rows += len(samples.time_ms)
        # Below this the call costs more than the rows.
        if self._pending_rows >= 200_000:
            self._flush()

    def _flush(self) -> None:
        if not self._pending:
            return
        counts = [len(samples.time_ms) for _, samples in self._pending]
        columns = {
            "subject": np.repeat(np.array([s for s, _ in self._pending], np.int32), counts),
            "t": np.concatenate([samples.time_ms for _, samples in self._pending]),
            "value": np.concatenate([samples.value for _, samples in self._pending]),
        }
        self._connection.register("incoming", columns)
        self._connection.execute(f"INSERT INTO {self._table} SELECT * FROM incoming")
        self._connection.unregister("incoming")
        self._pending, self._pending_rows = [], 0

    def read(self, start_ms: int, end_ms: int, read: Reader) -> Train:
        """Reads the window step by step and returns it; the first step is an hour, and then they are longer
        where there is little and shorter, to an hour, where there is much.
        """
        step_ms, at_ms = _HOUR_MS, start_ms
        while at_ms < end_ms and self._wanted.of_tags:
            until_ms = min(at_ms + step_ms, end_ms)
            rows = 0
            for samples in read(at_ms, until_ms):
                rows += len(samples.time_ms)
                self.add(samples)
            at_ms = until_ms
            if rows < _FEW_ROWS:
                step_ms = min(2 * step_ms, _LONGEST_STEP_MS)
            elif rows > _MANY_ROWS:
                step_ms = max(step_ms // 2, _HOUR_MS)
        return self.train()

    def train(self) -> Train:
        """All that was added."""
        self._flush()
        return Train(self._connection, self._connection.table(self._table), self._wanted.subjects)
