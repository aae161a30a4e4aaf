"""A running collector, as the API and the page see it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collector.agents import AgentState
from collector.backup import pack
from collector.linked import linked
from collector.now import NowRow
from collector.plan_try import PlanTry, Tried, TryQuery
from collector.rollups.progress import RollupProgress
from collector.self_metrics import self_values
from collector.settings import CollectorSettings
from collector.store.base import Metric, StoreUnavailable
from collector.store.duckdb import DuckDBStore
from collector.thresholds.report import ThresholdReport
from collector.web.answers import list_series, plan_summary, samples_of
from collector.web.view import (
    Counters,
    Health,
    Language,
    MetricValue,
    Part,
    PlanSummary,
    SampleQuery,
    Samples,
    SeriesList,
    SeriesQuery,
)
from setpoint.finding import Finding, State
from setpoint.plan import Plan
from setpoint.version import VERSION

if TYPE_CHECKING:
    from collector.run import Collector

_COUNTED = frozenset(
    {
        "commits",
        "store_failures",
        "clock_skew_readings",
        "decode_s",
        "write_s",
        "cpu_s",
        "ignored_messages",
    }
)
_HELP = {
    "commits": "Transactions committed to the store.",
    "store_failures": "Writes that the store could not take and that were tried again.",
    "clock_skew_readings": "Readings refused because their time is out of bounds.",
    "decode_s": "Seconds spent decoding payloads.",
    "write_s": "Seconds spent writing to the store.",
    "cpu_s": "CPU seconds used by this process.",
    "ignored_messages": "Messages on topics that are nobody's.",
    "queue_messages": "Messages that wait for the store.",
    "queue_bytes": "Bytes that wait for the store.",
    "series": "Series that are known.",
    "connected": "Whether the broker is connected.",
    "reviews": "Whether this collector reviews.",
    "review_s": "Seconds that the last review took.",
    "rss_bytes": "Resident memory of this process.",
}


class View:
    """Implements ``collector.web.view.CollectorView``."""

    def __init__(self, collector: Collector, plan: Plan, settings: CollectorSettings) -> None:
        self._collector = collector
        self._settings = settings
        self._plan = plan_summary(plan)
        self._try = PlanTry(plan, collector.store, collector.series, collector.agents, collector.register)

    @property
    def version(self) -> str:
        return VERSION

    @property
    def started_ms(self) -> int:
        return self._collector.started_ms

    def clock_ms(self) -> int:
        return self._collector.clock_ms()

    def health(self) -> Health:
        collector = self._collector
        broker = self._settings.broker.address
        waiting = f"{len(collector.inbox)} messages wait"
        parts = {
            "broker": Part(
                collector.receiver.connected,
                f"connected to {broker}" if collector.receiver.connected else f"no connection to {broker}",
            ),
            "store": Part(collector.intake.store_error == "", collector.intake.store_error or waiting),
            "review": Part(
                collector.review_error == collector.rolling.error == collector.now_error == "",
                collector.review_error
                or collector.rolling.error
                or collector.now_error
                or (f"{collector.review_s:.1f} s" if collector.reviews else "off"),
            ),
        }
        return Health(all(part.ok for part in parts.values()), parts)

    def counters(self) -> Counters:
        counted = self._collector.intake.counters
        return Counters(
            readings_stored=counted.readings,
            batches_stored=counted.batches - counted.repeated,
            batches_repeated=counted.repeated,
            readings_rejected=counted.rejected_readings,
            batches_rejected=counted.rejected_batches,
            messages_dropped=self._collector.inbox.dropped_messages,
        )

    def plan(self) -> PlanSummary:
        return self._plan

    def agents(self) -> Sequence[AgentState]:
        return self._collector.agents.all()

    def now(self, language: Language) -> Sequence[NowRow]:
        return self._collector.now.rows(language)

    def now_counts(self) -> Mapping[str, int]:
        return {str(state): count for state, count in self._collector.now.counts().items()}

    def series(self, query: SeriesQuery) -> SeriesList:
        return list_series(self._collector.series, query)

    def metrics(self) -> Iterable[MetricValue]:
        values = self_values(self._collector)
        for name, help_text in _HELP.items():
            counted = name in _COUNTED
            full = (
                f"setpoint_collector_{name.removesuffix('_s') + '_seconds' if name.endswith('_s') else name}"
            )
            yield MetricValue(
                full + ("_total" if counted else ""),
                help_text,
                "counter" if counted else "gauge",
                {},
                float(values[name]),
            )
        latency = self._collector.intake.counters.latency_s
        if latency is not None:
            yield MetricValue(
                "setpoint_collector_latency_seconds",
                "From sending to stored, of the newest batch.",
                "gauge",
                {},
                latency,
            )

    async def findings(self, state: State | None) -> Sequence[Finding]:
        found = await asyncio.to_thread(self._collector.register.findings, state)
        return [self._linked(finding) for finding in found]

    async def finding(self, finding_id: str) -> Finding | None:
        found = await asyncio.to_thread(self._collector.register.finding, finding_id)
        return None if found is None else self._linked(found)

    def _linked(self, finding: Finding) -> Finding:
        return linked(finding, self._settings.grafana.url)

    async def rejected(self, limit: int) -> Sequence[Mapping[str, Any]]:
        return await asyncio.to_thread(self._collector.rejected.newest, limit)

    def thresholds(self) -> ThresholdReport | None:
        return self._collector.reviewer.thresholds.report

    async def samples(self, query: SampleQuery) -> Samples:
        return await asyncio.to_thread(self._samples, query)

    def _samples(self, query: SampleQuery) -> Samples:
        def wanted(tags: Mapping[str, str]) -> bool:
            return all(tags.get(key) == value for key, value in query.tags.items())

        metric = Metric(query.measurement, query.field)
        with self._collector.store.train(metric, wanted, query.start_ms, query.end_ms) as train:
            return samples_of(train, query.start_ms, query.end_ms, query.limit)

    async def rollups(self) -> RollupProgress:
        return await asyncio.to_thread(self._collector.rolling.progress)

    def replay(self, query: TryQuery) -> Tried:
        return self._try.replay(query)

    async def backup(self, path: Path) -> None:
        store = self._collector.store
        if not isinstance(store, DuckDBStore):
            raise StoreUnavailable(
                "the readings are in a server of their own, which is backed up with its own tools; the "
                "findings are in register.db in the collector's data folder"
            )
        await pack(store, self._collector.register, self._collector.rollups, path)
