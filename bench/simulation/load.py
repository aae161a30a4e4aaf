"""Puts simulated series into a store, as a collector would have."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import numpy as np

from bench.simulation.signals import Signal
from collector.series import SeriesTable
from collector.store.base import Batch, SeriesKey, Store
from collector.store.duckdb import DuckDBStore
from setpoint.line_protocol import encode_point

_ROWS_PER_BATCH = 500_000


async def load(store: Store, series: SeriesTable, signals: Iterable[Signal], site: str) -> int:
    """Writes them all; returns the number of readings, when they are durable."""
    readings = rows = 0
    waiting: list[Batch] = []
    durable: list[asyncio.Future[None]] = []
    for signal in signals:
        if not len(signal.time_ms):
            continue
        batch = _batch(signal, series, site, with_lines=not isinstance(store, DuckDBStore))
        series.observe(batch.series, batch.time_ms, batch.value)
        waiting.append(batch)
        rows += batch.readings
        if rows >= _ROWS_PER_BATCH:
            durable += await _write(store, waiting)
            readings, rows, waiting = readings + rows, 0, []
    if waiting:
        durable += await _write(store, waiting)
    await asyncio.gather(*durable)
    return readings + rows


async def _write(store: Store, batches: list[Batch]) -> list[asyncio.Future[None]]:
    result = await store.write(batches)
    if result.refused:
        raise RuntimeError(f"the store refused a line: {result.refused[0].reason}")
    # A store that is not sure yet takes only so much more until it is.
    return [] if result.durable is None else [asyncio.ensure_future(result.durable())]


def _batch(signal: Signal, series: SeriesTable, site: str, *, with_lines: bool) -> Batch:
    key = SeriesKey(signal.measurement, tuple(sorted(signal.tags.items())), signal.field)
    host = signal.tags["host"]
    number = series.find(key)
    if number is None:
        first_ms = int(signal.time_ms.min())
        number = series.add(key, "integer" if signal.counts else "float", first_ms, host)
    return Batch(
        site=site,
        agent=host,
        id=None,
        low=None,
        series=np.full(len(signal.time_ms), number, np.int32),
        time_ms=signal.time_ms,
        value=signal.value,
        texts=[],
        lines=_lines(signal) if with_lines else b"",
        received_ms=int(signal.time_ms.max()),
    )


def _lines(signal: Signal) -> bytes:
    """As line protocol, in nanoseconds."""
    sample = encode_point(signal.measurement, signal.tags, {signal.field: 0.0}, 0)
    assert sample is not None
    prefix = sample[: sample.rindex(b"=") + 1].decode()
    values = signal.value.astype(np.int64).tolist() if signal.counts else signal.value.tolist()
    end = "i" if signal.counts else ""
    rows = zip(values, signal.time_ms.tolist(), strict=True)
    return "".join(f"{prefix}{value!r}{end} {time_ms}000000\n" for value, time_ms in rows).encode()
