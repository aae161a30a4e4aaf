"""The HTTP API: JSON for programs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal

import msgspec
from litestar import MediaType, Request, Response, Router, get
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery, QueryParameter, SkipValidation

from collector.agents import AgentState
from collector.exports.comma_separated import findings_csv
from collector.exports.json_text import findings_json, stable
from collector.now import NowRow
from collector.watched import State as SubjectState
from collector.web import prometheus
from collector.web.parameters import (
    Limit,
    parse_metric,
    parse_span,
    refuse_unknown,
    tags_asked,
)
from collector.web.presence import Presence, presence
from collector.web.view import (
    CollectorView,
    Counters,
    Health,
    Language,
    PlanSummary,
    SampleQuery,
    SeriesInfo,
    SeriesQuery,
    SubjectSamples,
)
from setpoint.finding import Finding, Severity, State, to_json

View = NamedDependency[SkipValidation[CollectorView]]
Readers = NamedDependency[SkipValidation[asyncio.Semaphore]]
Tags = Annotated[
    list[str] | None,
    QueryParameter(
        name="tag",
        description="key=value: only series that carry this tag. May be repeated. A tag whose name is no "
        "parameter's can be given as a parameter itself: host=mon-01.",
    ),
]
_SAMPLES_USUAL_MS: Final = 3_600_000


class NowAnswer(msgspec.Struct):
    """``rows`` are the first of ``total``, worst first."""

    time_ms: int
    total: int
    rows: list[NowRow]


class AgentRow(msgspec.Struct):
    """``presence`` says whether it reports; ``agent`` what is known of it."""

    presence: Presence
    agent: AgentState


class AgentsAnswer(msgspec.Struct):
    time_ms: int
    agents: list[AgentRow]


class SeriesAnswer(msgspec.Struct):
    """``series`` are the first of ``total``."""

    total: int
    series: list[SeriesInfo]


class SamplesAnswer(msgspec.Struct):
    """The earliest samples in [start_ms, end_ms). ``truncated``: there are later ones."""

    metric: str
    start_ms: int
    end_ms: int
    truncated: bool
    subjects: list[SubjectSamples]


class CollectorAnswer(msgspec.Struct):
    version: str
    started_ms: int
    time_ms: int
    counters: Counters


class RejectedAnswer(msgspec.Struct):
    rejected: list[dict[str, Any]]


class FindingFilter(msgspec.Struct, frozen=True):
    """Which findings are asked for; an empty field asks for all."""

    severity: frozenset[str] = frozenset()
    kind: frozenset[str] = frozenset()
    point: str | None = None
    host: str | None = None

    def wants(self, finding: Finding) -> bool:
        return (
            (not self.severity or finding.severity in self.severity)
            and (not self.kind or finding.kind in self.kind)
            and self.point in (None, finding.point)
            and self.host in (None, finding.subject.get("host"))
        )


@get("/healthz", summary="Whether the collector and its parts are well")
async def get_health(view: View) -> Response[Health]:
    """200 when all is well, 503 when not."""
    health = view.health()
    return Response(health, status_code=200 if health.ok else 503)


@get("/metrics", media_type=MediaType.TEXT, summary="The collector's own metrics, for Prometheus")
async def get_metrics(view: View) -> Response[str]:
    """Prometheus text exposition format 0.0.4."""
    own = prometheus.own_metrics(view, await view.findings("open"))
    text = prometheus.exposition([*own, *view.metrics()])
    return Response(text, headers={"content-type": prometheus.MEDIA_TYPE})


@get("/collector", summary="Version, start and counters")
async def get_collector(view: View) -> CollectorAnswer:
    return CollectorAnswer(view.version, view.started_ms, view.clock_ms(), view.counters())


@get("/now", summary="The present state of what the plan wants")
async def get_now(
    view: View,
    states: Annotated[list[SubjectState] | None, QueryParameter(name="state")] = None,
    point: FromQuery[str | None] = None,
    host: FromQuery[str | None] = None,
    lang: FromQuery[Language] = "en",
    limit: Limit = 1000,
) -> NowAnswer:
    """Worst first. Filters: state (may be repeated), point, host."""
    rows = [
        row
        for row in view.now(lang)
        if (not states or row.state in states)
        and point in (None, row.point)
        and host in (None, row.subject.get("host"))
    ]
    return NowAnswer(view.clock_ms(), len(rows), rows[:limit])


@get("/agents", summary="All known agents")
async def get_agents(view: View) -> AgentsAnswer:
    now_ms = view.clock_ms()
    return AgentsAnswer(now_ms, [AgentRow(presence(agent, now_ms), agent) for agent in view.agents()])


@get("/series", summary="The series that were ever seen", tags_as_parameters=True)
async def get_series(
    request: Request[Any, Any, Any],
    view: View,
    measurement: FromQuery[str | None] = None,
    metric: FromQuery[str | None] = None,
    tags: Tags = None,  # noqa: ARG001  (declared for the documentation; tags_asked reads all of them)
    limit: Limit = 1000,
) -> SeriesAnswer:
    """Of a measurement, or of a metric (measurement.field), with their newest values."""
    field = None
    if metric is not None:
        measurement, field = parse_metric(metric)
    found = view.series(SeriesQuery(measurement, field, tags_asked(request), limit))
    return SeriesAnswer(found.total, found.series)


@get("/samples", summary="Samples of one metric: the evidence behind a finding", tags_as_parameters=True)
async def get_samples(
    request: Request[Any, Any, Any],
    view: View,
    sample_readers: Readers,
    metric: FromQuery[str],
    tags: Tags = None,  # noqa: ARG001
    start: FromQuery[str | None] = None,
    end: FromQuery[str | None] = None,
    limit: Limit = 1000,
) -> SamplesAnswer:
    """Times are ISO 8601 (UTC) or milliseconds since 1970; without them, the last hour.

    When ``truncated``, ask again from the last time on.
    """
    measurement, field = parse_metric(metric)
    start_ms, end_ms = parse_span(start, end, view.clock_ms(), _SAMPLES_USUAL_MS)
    async with sample_readers:
        found = await view.samples(
            SampleQuery(measurement, field, tags_asked(request), start_ms, end_ms, limit)
        )
    return SamplesAnswer(metric, start_ms, end_ms, found.truncated, list(found.subjects))


@get("/findings", summary="The list of findings")
async def get_findings(
    view: View,
    wanted_state: Annotated[
        Literal["open", "closed", "superseded", "all"], QueryParameter(name="state")
    ] = "open",
    severity: FromQuery[list[Severity] | None] = None,
    kind: FromQuery[list[str] | None] = None,
    point: FromQuery[str | None] = None,
    host: FromQuery[str | None] = None,
    wanted_format: Annotated[Literal["json", "csv"], QueryParameter(name="format")] = "json",
) -> Response[bytes]:
    """Open ones, unless ``state`` says otherwise. ``severity`` and ``kind`` may be repeated."""
    wanted = FindingFilter(frozenset(severity or ()), frozenset(kind or ()), point, host)
    asked: State | None = None if wanted_state == "all" else wanted_state
    findings = [finding for finding in await view.findings(asked) if wanted.wants(finding)]
    if wanted_format == "csv":
        return Response(
            findings_csv(findings),
            headers={
                "content-type": "text/csv; charset=utf-8",
                "content-disposition": 'attachment; filename="findings.csv"',
            },
        )
    return Response(findings_json(findings), media_type=MediaType.JSON)


@get("/findings/{finding_id:str}", summary="One finding")
async def get_finding(view: View, finding_id: FromPath[str]) -> Mapping[str, Any]:
    finding = await view.finding(finding_id)
    if finding is None:
        raise NotFoundException(f'there is no finding "{finding_id}"')
    data: Mapping[str, Any] = stable(to_json(finding))
    return data


@get("/rejected", summary="What could not be taken, newest first")
async def get_rejected(view: View, limit: Limit = 100) -> RejectedAnswer:
    """Payloads and lines that were refused, each with its reason."""
    return RejectedAnswer([dict(head) for head in await view.rejected(limit)])


@get("/plan", summary="The plan revision that is run")
async def get_plan(view: View) -> PlanSummary:
    return view.plan()


def api_routers() -> Sequence[Router]:
    """Everything but the backup and the page."""
    return [
        Router("/", route_handlers=[get_health, get_metrics], before_request=refuse_unknown),
        Router(
            "/api",
            route_handlers=[
                get_agents,
                get_collector,
                get_finding,
                get_findings,
                get_now,
                get_plan,
                get_rejected,
                get_samples,
                get_series,
            ],
            before_request=refuse_unknown,
        ),
    ]
