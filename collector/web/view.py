"""What the API and the page need to know of a collector, and the types that it answers with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from collector.agents import AgentState
from collector.now import NowRow
from collector.plan_try import Tried, TryQuery
from collector.rollups.progress import RollupProgress
from collector.thresholds.report import ThresholdReport
from setpoint.finding import Finding, State

Language = Literal["en", "zh"]


class Part(msgspec.Struct, frozen=True):
    """One part of the collector. ``detail`` says what is wrong, or how it does."""

    ok: bool
    detail: str = ""


class Health(msgspec.Struct, frozen=True):
    """``parts`` by name: broker, store, review, ..."""

    ok: bool
    parts: dict[str, Part] = {}


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """Counted since the start of the process."""

    readings_stored: int = 0
    batches_stored: int = 0
    batches_repeated: int = 0
    readings_rejected: int = 0
    batches_rejected: int = 0
    messages_dropped: int = 0


class PointSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A plan point, with its thresholds and targets in words."""

    id: str
    title: str
    metric: str
    unit: str
    objectives: list[str]
    warning: str
    critical: str
    good: str
    targets: list[str]
    every_ms: int | None
    metric_class: str = msgspec.field(name="class")
    element: str
    owner: str
    action: str


class PlanSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The plan revision that is run. ``approved_on`` is an ISO date; empty when nobody approved it."""

    title: str
    revision: int
    hash: str
    site: str
    timezone: str
    review: str
    approved_by: str = ""
    approved_on: str = ""
    points: list[PointSummary] = []


class SeriesInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One series: times in UTC milliseconds; ``last_ms`` and ``last_value`` are of its newest number."""

    measurement: str
    tags: dict[str, str]
    field: str
    type: str | None
    first_ms: int | None
    last_ms: int | None
    last_value: float | None


class SeriesList(NamedTuple):
    """``series`` are the first so many of ``total``."""

    total: int
    series: list[SeriesInfo]


class SeriesQuery(NamedTuple):
    """Series of a measurement and a field, either of which may be None for any, that carry all these tags."""

    measurement: str | None
    field: str | None
    tags: Mapping[str, str]
    limit: int


class SampleQuery(NamedTuple):
    """Samples of one metric in [start_ms, end_ms), of the series that carry all these tags."""

    measurement: str
    field: str
    tags: Mapping[str, str]
    start_ms: int
    end_ms: int
    limit: int


class SubjectSamples(msgspec.Struct, frozen=True):
    """(UTC milliseconds, value), in order of time."""

    subject: dict[str, str]
    samples: list[tuple[int, float]]


class Samples(msgspec.Struct, frozen=True):
    """``truncated``: the limit was reached; what is missing is later than what is here."""

    truncated: bool
    subjects: list[SubjectSamples]


class MetricValue(NamedTuple):
    """One value for Prometheus. Values of one name share its help and type."""

    name: str
    help: str
    type: Literal["counter", "gauge"]
    labels: Mapping[str, str]
    value: float


class CollectorView(Protocol):
    """A running collector, as the web sees it. What takes a disk or a database to answer is awaited."""

    @property
    def version(self) -> str: ...

    @property
    def started_ms(self) -> int: ...

    def clock_ms(self) -> int:
        """Now, in UTC milliseconds."""

    def health(self) -> Health: ...

    def counters(self) -> Counters: ...

    def plan(self) -> PlanSummary: ...

    def agents(self) -> Sequence[AgentState]:
        """All known agents, by site and name."""

    def now(self, language: Language) -> Sequence[NowRow]:
        """The present state of every planned subject, worst first."""

    def now_counts(self) -> Mapping[str, int]:
        """How many planned subjects are in each state."""

    def series(self, query: SeriesQuery) -> SeriesList:
        """The first ``query.limit`` series that the query asks for."""

    def metrics(self) -> Iterable[MetricValue]:
        """What the collector tells Prometheus beyond counters, agents, subjects and findings."""

    async def findings(self, state: State | None) -> Sequence[Finding]:
        """The findings in this state; all, for None."""

    async def finding(self, finding_id: str) -> Finding | None:
        """The finding with this id."""

    async def rejected(self, limit: int) -> Sequence[Mapping[str, Any]]:
        """What was refused, newest first, each with its reason."""

    def thresholds(self) -> ThresholdReport | None:
        """The thresholds that are configured elsewhere, as of the newest review; None before the first."""

    async def samples(self, query: SampleQuery) -> Samples:
        """The earliest ``query.limit`` samples that the query asks for. StoreUnavailable as the store."""

    async def rollups(self) -> RollupProgress:
        """How far hours are rolled up. StoreUnavailable when that cannot be told."""

    def replay(self, query: TryQuery) -> Tried:
        """What another setting would have said. CannotTry; StoreUnavailable as the store. Takes its time."""

    async def backup(self, path: Path) -> None:
        """Writes store, register and plan as one tar to a new file."""
