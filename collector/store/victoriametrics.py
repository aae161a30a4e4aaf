"""VictoriaMetrics, single node or cluster: line protocol in, exports out.

A field becomes the metric ``<measurement>_<field>``. Where that name is to be taken apart again, the series
``setpoint_metric_known{measurement, field}`` says how; they are written with the first readings of each day.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence

from collector.series import SeriesTable
from collector.store.authorization import authorization
from collector.store.base import (
    Asked,
    Batch,
    Metric,
    NewestSample,
    RefusedLine,
    Selector,
    SeriesSeen,
    Train,
    WriteResult,
)
from collector.store.http_read import HttpReader
from collector.store.http_write import LineWriter, WriteClient
from collector.store.line_bodies import Part, fit_numbers
from collector.store.memory_train import Reader, Samples, Wanted, open_memory, read_trains, wanted_series
from collector.store.metric_names import MetricNames
from collector.store.metricsql import exported, seconds, selector
from collector.store.repeats import Repeats
from collector.store.settings import VictoriaMetricsSettings
from collector.store.survival import Starts, Survival
from collector.store.vm_series import SeriesEnds

log = logging.getLogger(__name__)


class VictoriaMetricsStore:
    """Opening it may raise StoreUnavailable."""

    def __init__(self, settings: VictoriaMetricsSettings, series: SeriesTable, spill: str) -> None:
        """``spill``: the folder for what of a review does not fit into memory."""
        self._settings = settings
        self._series = series
        self._spill = spill
        timeout_s, ca = settings.timeout.seconds, settings.ca
        headers = authorization("Bearer", settings.token, settings.username, settings.password)
        self._reader = HttpReader(settings.url, headers, timeout_s, ca)
        self._storages = [
            HttpReader(url, headers if url == settings.url else {}, timeout_s, ca)
            for url in settings.storage_urls or [settings.url]
        ]
        write_url = settings.write_url or settings.url
        self._client = WriteClient(write_url, "/api/v2/write", {}, headers, timeout_s=timeout_s, ca=ca)
        self._writer = LineWriter(self._client, write_url)
        self._survival = Survival(self._storages, settings.safe_after.seconds)
        self._repeats = Repeats()
        self._names = MetricNames(series)
        self._unconfirmed = 0
        self._room = asyncio.Condition()
        self._ends = SeriesEnds(self._reader, self._names)
        self._restore()

    # -- writing -----------------------------------------------------------------------------------

    async def write(self, batches: Sequence[Batch]) -> WriteResult:
        """Returns when the server has acknowledged the lines; ``durable`` of the result waits on."""
        fresh, result = self._repeats.leave_out(batches)
        size = sum(len(batch.lines) for batch in fresh)
        await self._wait_for_room(size)
        try:
            starts = await self._survival.begin()
            parts = await asyncio.to_thread(_fit, fresh, result.refused)
            names = self._names.new_lines(fresh)
            if names and fresh:
                parts.append(Part(fresh[0], names))
            result.refused += await self._writer.write(parts)
        except BaseException:
            await self._leave(size)
            raise
        result.readings = sum(batch.readings for batch in fresh)
        result.durable = lambda: self._until_durable(starts, fresh, size)
        return result

    async def _until_durable(self, starts: Starts, batches: Sequence[Batch], size: int) -> None:
        try:
            await self._survival.confirm(starts)
            self._repeats.add(batches)
        except BaseException:
            self._names.forget_written()
            raise
        finally:
            await self._leave(size)

    async def _wait_for_room(self, size: int) -> None:
        async with self._room:
            await self._room.wait_for(
                lambda: not self._unconfirmed or self._unconfirmed + size <= self._settings.unconfirmed
            )
            self._unconfirmed += size

    async def _leave(self, size: int) -> None:
        async with self._room:
            self._unconfirmed -= size
            self._room.notify_all()

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
        """The samples of the metric's subjects, from exports of an hour, or longer where they are few."""
        sources = [self._source(asked) for asked in (Asked(metric, where, by), *beside)]
        return read_trains(open_memory(self._settings.memory, self._spill), sources, start_ms, end_ms)

    def _source(self, asked: Asked) -> tuple[Wanted, Reader]:
        metric = asked.metric
        wanted = wanted_series(self._series, metric, asked.where, asked.by)
        narrowing = wanted.narrowing(
            key.tags for _, key in self._series.of_metric(metric.measurement, metric.field)
        )
        for number, key in self._series.of_metric(metric.measurement, metric.field):
            if self._series.entry(number).type == "text":
                wanted.of_tags.pop(key.tags, None)  # a subject still, without samples
        matcher = selector(self._names.joined(metric), narrowing)

        def read(start_ms: int, end_ms: int) -> Iterator[Samples]:
            window = {"match[]": matcher, "start": seconds(start_ms), "end": seconds(end_ms - 1)}
            return exported(self._reader.lines("/api/v1/export", window), self._settings.url)

        return wanted, read

    def series(self, since_ms: int) -> Sequence[SeriesSeen]:
        """Every series with a sample at or after ``since_ms``; of text the times are kept, and no more."""
        return [SeriesSeen(key, first, last) for key, (first, last, _) in self._ends.since(since_ms).items()]

    def newest(self, since_ms: int) -> Sequence[NewestSample]:
        """The same with their newest values, also of metrics that others have named."""
        self._names.learn(self._ends.names(since_ms))
        return [
            NewestSample(
                key,
                first,
                last,
                float("nan") if (text := self._names.is_text(Metric(key.measurement, key.field))) else value,
                text,
            )
            for key, (first, last, value) in self._ends.since(since_ms, values=True).items()
        ]

    def _restore(self) -> None:
        self._series.take_over(self.newest(time.time_ns() // 1_000_000 - int(self._settings.retention)))

    def close(self) -> None:
        """Lets go of the connections. Not to be called in the event loop that writes."""
        self._client.close()
        for reader in (self._reader, *self._storages):
            reader.close()


def _fit(batches: Sequence[Batch], refused: list[RefusedLine]) -> list[Part]:
    return [fit_numbers(Part(batch, batch.lines), refused) for batch in batches]
