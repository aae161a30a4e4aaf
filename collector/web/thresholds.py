"""The HTTP API of configured thresholds."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from litestar import MediaType, Response, Router, get
from litestar.params import FromQuery, QueryParameter

from collector.exports.thresholds import rows_csv, statistics_csv
from collector.thresholds.report import PointCounts, SourceCounts, ThresholdRow, ThresholdState
from collector.web.api import View
from collector.web.parameters import Limit, refuse_unknown


class ThresholdsAnswer(msgspec.Struct):
    """``rows`` are the first of ``total``; what wants a look comes first. ``time_ms`` is that of the review,
    None before the first one.
    """

    time_ms: int | None
    total: int
    rows: list[ThresholdRow]


class ThresholdStatistics(msgspec.Struct):
    """``previous``: the period that ``change`` compares with; "" where none is known."""

    time_ms: int | None
    period: str
    previous: str
    points: list[PointCounts]
    sources: list[SourceCounts]


@get("/", summary="The thresholds that are configured elsewhere, beside the plan's")
async def get_thresholds(
    view: View,
    source: FromQuery[str | None] = None,
    states: Annotated[list[ThresholdState] | None, QueryParameter(name="state")] = None,
    point: FromQuery[str | None] = None,
    wanted_format: Annotated[Literal["json", "csv"], QueryParameter(name="format")] = "json",
    limit: Limit = 10_000,
) -> Response[bytes]:
    """Filters: source, point, state (may be repeated)."""
    report = view.thresholds()
    rows = [
        row
        for row in (report.rows if report else ())
        if source in (None, row.source)
        and (not states or row.state in states)
        and (point is None or point in row.points)
    ]
    if wanted_format == "csv":
        return _csv(rows_csv(rows), "thresholds.csv")
    answer = ThresholdsAnswer(report.time_ms if report else None, len(rows), rows[:limit])
    return Response(msgspec.json.encode(answer), media_type=MediaType.JSON)


@get("/stats", summary="How many monitoring points and thresholds there are of what")
async def get_threshold_statistics(
    view: View,
    wanted_format: Annotated[Literal["json", "csv"], QueryParameter(name="format")] = "json",
) -> Response[bytes]:
    """By class, element, owner and measurement of points, and by source; with the change since the last
    period.
    """
    report = view.thresholds()
    points, sources = (report.points, report.sources) if report else ([], [])
    if wanted_format == "csv":
        return _csv(statistics_csv(points, sources), "threshold-statistics.csv")
    answer = ThresholdStatistics(
        report.time_ms if report else None,
        report.period if report else "",
        report.previous if report else "",
        points,
        sources,
    )
    return Response(msgspec.json.encode(answer), media_type=MediaType.JSON)


def _csv(content: bytes, name: str) -> Response[bytes]:
    return Response(
        content,
        headers={
            "content-type": "text/csv; charset=utf-8",
            "content-disposition": f'attachment; filename="{name}"',
        },
    )


def thresholds_router() -> Router:
    """What is below ``/api/thresholds``."""
    handlers = [get_thresholds, get_threshold_statistics]
    return Router("/api/thresholds", route_handlers=handlers, before_request=refuse_unknown)
