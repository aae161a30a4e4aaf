"""InfluxDB 1.x, 2.x and 3.x: line protocol in, InfluxQL out."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from collector.series import FieldType, SeriesTable
from collector.store.authorization import authorization
from collector.store.base import (
    Asked,
    Batch,
    Metric,
    NewestSample,
    RefusedLine,
    Selector,
    SeriesKey,
    SeriesSeen,
    Train,
    WriteResult,
)
from collector.store.field_types import FieldTypes
from collector.store.http_read import HttpReader
from collector.store.http_write import LineWriter, WriteClient
from collector.store.influxdb_setup import Server, Target, detect, prepare
from collector.store.influxql import Bound, answers, select_end, select_samples
from collector.store.line_bodies import Part, fit
from collector.store.memory_train import Reader, Samples, Wanted, open_memory, read_trains, wanted_series
from collector.store.repeats import Repeats
from collector.store.settings import InfluxDBSettings

log = logging.getLogger(__name__)

_HOUR_MS = 3_600_000
_STATEMENTS_AT_ONCE = 50
_AHEAD_MS = 24 * _HOUR_MS
_TYPES: Mapping[str, FieldType] = {
    "float": "float",
    "integer": "integer",
    "unsigned": "integer",
    "boolean": "boolean",
    "string": "text",
}
# Of 1.x and 2.x, for instance: partial write: field type conflict: input field "busy" on measurement "cpu" is
# type integer, already exists as type float dropped=1
_CONFLICT = re.compile(
    r'input field \\?"(.+?)\\?" on measurement \\?"(.+?)\\?" is type \w+, already exists as type (\w+)'
)


class InfluxDBStore:
    """Opening it may raise StoreUnavailable: no server, no database and no right to make one."""

    def __init__(self, settings: InfluxDBSettings, series: SeriesTable, spill: str) -> None:
        """``spill``: the folder for what of a review does not fit into memory."""
        self._settings = settings
        self._series = series
        self._spill = spill
        self._what = f"{settings.url} ({settings.database})"
        self._types = FieldTypes(series)
        self._repeats = Repeats()
        wanted = None if settings.generation == "auto" else settings.generation
        self._reader = HttpReader(settings.url, {}, settings.timeout.seconds, settings.ca)
        self.server = detect(self._reader, wanted)
        headers = authorization("Token", settings.token, settings.username, settings.password)
        self._reader = HttpReader(settings.url, headers, settings.timeout.seconds, settings.ca)
        target = Target(settings.database, settings.organization, int(settings.retention.seconds))
        prepare(self._reader, self.server, target)
        self._client = WriteClient(
            settings.url,
            *_write_endpoint(self.server, target),
            headers,
            timeout_s=settings.timeout.seconds,
            ca=settings.ca,
        )
        self._writer = LineWriter(self._client, self._what, self._refit)
        self._restore_series()

    # -- writing -----------------------------------------------------------------------------------

    async def write(self, batches: Sequence[Batch]) -> WriteResult:
        """Returns when the server has the lines in its log on disk, which is when it answers."""
        fresh, result = self._repeats.leave_out(batches)
        self._types.look_at(fresh)
        refused = result.refused
        parts = await asyncio.to_thread(self._fit, [Part(b, b.lines) for b in fresh], refused)
        refused += await self._writer.write(parts)
        self._repeats.add(fresh)
        result.readings = sum(batch.readings for batch in fresh)
        return result

    def _fit(self, parts: Sequence[Part], refused: list[RefusedLine]) -> list[Part]:
        return [fit(part, self._types.mixed, refused) for part in parts]

    def _refit(self, parts: Sequence[Part], reason: str, refused: list[RefusedLine]) -> list[Part] | None:
        news = False
        for field, measurement, type_ in _CONFLICT.findall(reason):
            news |= self._types.conflict(Metric(measurement, field), _TYPES.get(type_, "unknown"))
        return self._fit(parts, refused) if news else None

    # -- reading -----------------------------------------------------------------------------------

    def _query(self, statements: str) -> Iterator[bytes]:
        parameters = {"db": self._settings.database, "q": statements, "epoch": "ms", "chunked": "true"}
        return self._reader.lines("/query", parameters)

    def train(
        self,
        metric: Metric,
        where: Selector,
        start_ms: int,
        end_ms: int,
        by: tuple[str, ...] | None = None,
        beside: Sequence[Asked] = (),
    ) -> Train:
        """The samples of the metric's subjects, read hour by hour, or in longer steps where they are few."""
        sources = [self._source(asked) for asked in (Asked(metric, where, by), *beside)]
        return read_trains(open_memory(self._settings.memory, self._spill), sources, start_ms, end_ms)

    def _source(self, asked: Asked) -> tuple[Wanted, Reader]:
        metric = asked.metric
        wanted = wanted_series(self._series, metric, asked.where, asked.by)
        narrowing = wanted.narrowing(
            key.tags for _, key in self._series.of_metric(metric.measurement, metric.field)
        )

        def read(start_ms: int, end_ms: int) -> Iterator[Samples]:
            return self._samples(select_samples(metric, Bound(start_ms, end_ms), narrowing))

        return wanted, read

    def _samples(self, statement: str) -> Iterator[Samples]:
        for _, series in answers(self._query(statement), self._what):
            rows = [row for row in series.values if row[1] is not None and not isinstance(row[1], str)]
            yield Samples(
                series.identity,
                np.array([row[0] for row in rows], np.int64),
                np.array([row[1] for row in rows], np.float64),
            )

    def series(self, since_ms: int) -> Sequence[SeriesSeen]:
        """Every series with a sample at or after ``since_ms``, by the index and one block of each series."""
        return [SeriesSeen(one.key, one.first_ms, one.last_ms) for one in self.newest(since_ms)]

    def newest(self, since_ms: int) -> Sequence[NewestSample]:
        """The same with their newest values."""
        return list(self._ends(since_ms))

    def _ends(self, since_ms: int) -> Iterator[NewestSample]:
        bound = Bound(since_ms, time.time_ns() // 1_000_000 + _AHEAD_MS)
        metrics = list(self._field_types())
        for start in range(0, len(metrics), _STATEMENTS_AT_ONCE):
            some = metrics[start : start + _STATEMENTS_AT_ONCE]
            statements = [select_end(f, metric, bound) for metric in some for f in ("first", "last")]
            ends: dict[SeriesKey, dict[int, tuple[int, object]]] = {}
            for number, series in answers(self._query(";".join(statements)), self._what):
                metric = some[number // 2]
                key = SeriesKey(metric.measurement, series.identity, metric.field)
                ends.setdefault(key, {})[number % 2] = (series.values[0][0], series.values[0][1])
            for key, found in ends.items():
                # Between the two statements a series may appear or expire.
                first, last = found.get(0) or found[1], found.get(1) or found[0]
                # The engine's type is that of the field; that of the series shows with its next reading.
                value = float("nan") if isinstance(last[1], str) else float(last[1])  # type: ignore[arg-type]
                yield NewestSample(key, first[0], last[0], value, text=False)

    def _field_types(self) -> Mapping[Metric, FieldType]:
        """Every field that the index knows. Where shards differ in a field's type, the first one."""
        found: dict[Metric, FieldType] = {}
        for _, series in answers(self._query("SHOW FIELD KEYS"), self._what):
            for field, type_ in series.values:
                found.setdefault(Metric(series.name, field), _TYPES.get(type_, "unknown"))
        return found

    def _restore_series(self) -> None:
        since = time.time_ns() // 1_000_000 - int(self._settings.retention)
        for metric, type_ in self._field_types().items():
            self._types.learn(metric, type_)
        self._series.take_over(self._ends(since))

    def close(self) -> None:
        """Lets go of the connections. Not to be called in the event loop that writes."""
        self._client.close()
        self._reader.close()


def _write_endpoint(server: Server, target: Target) -> tuple[str, dict[str, str]]:
    if not server.has_v2_write:
        return "/write", {"db": target.database, "precision": "ns"}
    return "/api/v2/write", {"org": target.organisation, "bucket": target.database, "precision": "ns"}
