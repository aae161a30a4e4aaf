"""How the embedded store's tables are filled: each with whole columns, in the caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Sequence

import duckdb
import numpy as np
import numpy.typing as npt

from collector.series import SeriesEntry
from collector.store.deliveries import DeliveryRow
from collector.store.seen import Numbers, Times


def insert_series(db: duckdb.DuckDBPyConnection, first: int, entries: Sequence[SeriesEntry]) -> None:
    """Adds series to ``series``, with the numbers from ``first`` on."""
    if entries:
        columns = {
            "id": np.arange(first, first + len(entries), dtype=np.int32),
            "measurement": _strings([e.key.measurement for e in entries]),
            "tags": _strings([json.dumps(e.key.tags, ensure_ascii=False) for e in entries]),
            "field": _strings([e.key.field for e in entries]),
            "type": _strings([e.type for e in entries]),
            "first_ms": np.array([e.first_ms for e in entries], np.int64),
        }
        _insert(db, "series", columns)


def insert_points(
    db: duckdb.DuckDBPyConnection, series: Numbers, time_ms: Times, value: npt.NDArray[np.float64]
) -> None:
    """Adds numeric readings to ``points``."""
    if len(series):
        _insert(db, "points", {"series_id": series, "t": time_ms, "value": value})


def insert_texts(db: duckdb.DuckDBPyConnection, texts: Sequence[tuple[int, int, str]]) -> None:
    """Adds readings that are text, (series, time_ms, text), to ``texts``."""
    if texts:
        series, time_ms, value = zip(*texts, strict=True)
        columns: dict[str, npt.NDArray[np.generic]] = {
            "series_id": np.array(series, np.int32),
            "t": np.array(time_ms, np.int64),
            "value": _strings(list(value)),
        }
        _insert(db, "texts", columns)


def insert_deliveries(db: duckdb.DuckDBPyConnection, rows: Sequence[DeliveryRow]) -> None:
    """Adds what is remembered of batches to ``batches``."""
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


def _insert(db: duckdb.DuckDBPyConnection, table: str, columns: dict[str, npt.NDArray[np.generic]]) -> None:
    # Given by a registered name: a column list found through the caller's variables would depend on names.
    db.register("incoming", columns)
    try:
        db.execute(f"INSERT INTO {table} SELECT * FROM incoming")
    finally:
        db.unregister("incoming")


def _strings(values: Sequence[str]) -> npt.NDArray[np.generic]:
    return np.array(values, dtype=object)
