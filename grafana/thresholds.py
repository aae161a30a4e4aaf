"""The plan's thresholds as the steps and lines of a panel."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import NamedTuple

from grafana.queries import Query
from setpoint.limits import Comparison, Limits
from setpoint.plan import Plan, PlanPoint

GREEN, ORANGE, RED = "green", "orange", "red"


class Step(NamedTuple):
    """From this value upwards (None: from the bottom), this colour."""

    value: float | None
    color: str


def plan_point(plan: Plan, query: Query) -> PlanPoint | None:
    """The first point of the plan whose values are those that the query shows.

    A point that is about some of the shown subjects only (``where: {path: /var}``) is none of them: its
    line would be read as everybody's.
    """
    if query.selector is None:
        return None
    tags = query.selector.where
    for point in plan.points:
        same = point.metric == query.selector.metric and point.rate == query.rate
        of_two_fields = point.percent_of is not None or point.ratio_to is not None
        if same and not of_two_fields and point.scale == query.scale and _is_about_all(point, tags):
            return point
    return None


def _is_about_all(point: PlanPoint, tags: Mapping[str, str]) -> bool:
    return all(tag in tags and matcher.matches(tags[tag]) for tag, matcher in point.where)


def steps(limits: Limits) -> tuple[Step, ...]:
    """Colours by value, lowest first; empty where the limits have no levels that can be drawn."""
    levels = {level for one in (limits.warning, limits.critical) for level in _levels(one)}
    if not levels:
        return ()
    borders = sorted(levels)
    # Between two levels every value is judged alike, so one value of each range tells its colour.
    inside = [borders[0] - 1, *((low + high) / 2 for low, high in itertools.pairwise(borders))]
    inside.append(borders[-1] + 1)
    colors = [_color(limits, value) for value in inside]
    return tuple(Step(value, color) for value, color in zip((None, *borders), colors, strict=True))


def _levels(comparison: Comparison | None) -> list[float]:
    if comparison is None:
        return []
    return [level for level in (comparison.low, comparison.high) if level is not None]


def _color(limits: Limits, value: float) -> str:
    if limits.critical is not None and limits.critical.breached(value):
        return RED
    if limits.warning is not None and limits.warning.breached(value):
        return ORANGE
    return GREEN
