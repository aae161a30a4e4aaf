"""Answers of a collector's view, made from plan, series table and store."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from collector.web.view import (
    PlanSummary,
    PointSummary,
    Samples,
    SeriesInfo,
    SeriesList,
    SeriesQuery,
    SubjectSamples,
)
from setpoint.finding import round12

if TYPE_CHECKING:
    from collector.series import SeriesTable
    from collector.store.base import Train
    from setpoint.plan import Plan, PlanPoint


def plan_summary(plan: Plan) -> PlanSummary:
    """The plan in a form to be shown."""
    return PlanSummary(
        title=plan.title,
        revision=plan.revision,
        hash=plan.hash,
        site=plan.site,
        timezone=plan.timezone,
        review=plan.review,
        approved_by=plan.approved.by if plan.approved else "",
        approved_on=plan.approved.on.isoformat() if plan.approved else "",
        points=[_point_summary(point) for point in plan.points],
    )


def _point_summary(point: PlanPoint) -> PointSummary:
    limits = point.limits
    return PointSummary(
        id=point.id,
        title=point.title,
        metric=point.metric,
        unit=point.unit,
        objectives=list(point.objectives),
        warning=limits.warning.describe(point.unit, metric=point.metric) if limits.warning else "",
        critical=limits.critical.describe(point.unit, metric=point.metric) if limits.critical else "",
        good=limits.good.describe(point.unit, metric=point.metric) if limits.good else "",
        targets=[target.describe(point.unit) for target in limits.targets],
        every_ms=limits.every_ms,
        metric_class=point.metric_class,
        element=point.element,
        owner=point.owner,
        action=point.action,
    )


def list_series(table: SeriesTable, query: SeriesQuery) -> SeriesList:
    """The series that the query asks for, in the order of first sight."""
    total, found = 0, []
    wanted = query.tags.items()
    for number in range(len(table)):
        key, kind, first_ms = table.entry(number)
        if query.measurement not in (None, key.measurement) or query.field not in (None, key.field):
            continue
        if not wanted <= set(key.tags):
            continue
        total += 1
        if total > query.limit:
            continue
        value = float(table.last_value[number])
        found.append(
            SeriesInfo(
                measurement=key.measurement,
                tags=dict(key.tags),
                field=key.field,
                type=kind,
                first_ms=first_ms,
                last_ms=table.last_ms(number),
                last_value=round12(value) if math.isfinite(value) else None,
            )
        )
    return SeriesList(total, found)


def samples_of(train: Train, start_ms: int, end_ms: int, limit: int) -> Samples:
    """The earliest ``limit`` samples of the train in [start_ms, end_ms), by subject.

    Of samples with the same subject and time the largest is kept, as the statistics do.
    """
    rows = (
        train.relation.filter(f"t >= {int(start_ms)} AND t < {int(end_ms)} AND isfinite(value)")
        .aggregate("subject, t, max(value) AS value", "subject, t")
        .order("t, subject")
        .limit(limit + 1)
        .fetchall()
    )
    found: dict[int, list[tuple[int, float]]] = {}
    for subject, time_ms, value in rows[:limit]:
        found.setdefault(subject, []).append((time_ms, round12(value)))
    subjects = [SubjectSamples(dict(train.subjects[n]), samples) for n, samples in sorted(found.items())]
    return Samples(truncated=len(rows) > limit, subjects=subjects)
