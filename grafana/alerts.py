"""Grafana alert rules from the thresholds of the plan, so that the two cannot drift apart.

The format is that of Grafana's alerting file provisioning:
https://grafana.com/docs/grafana/latest/alerting/set-up/provision-alerting-resources/file-provisioning/
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from grafana.conditions import NotExpressible, influx_condition, influx_negation, prom_selector
from grafana.push import NAME, UID
from grafana.queries import Flavour
from grafana.selectors import influx_group, influx_name, prom_by, prom_name
from setpoint.limits import Comparison, Limits
from setpoint.plan import Plan, PlanPoint
from setpoint.plan_match import Where
from setpoint.reading import IDENTITY
from setpoint.units import Duration

_EVALUATED_EVERY = "1m"
_USUAL_EVERY_MS = 60_000
# One missed turn, or an evaluation just before a sample comes, is no silence.
_SILENT_TURNS = 4
_LEAST_WINDOW_S = 120
_DAY_S = 86_400
# How far back PromQL looks for the value of a selector without a window.
_LOOKBACK_S = 300


@dataclass(frozen=True, slots=True)
class Part:
    """The subjects of a point that have these limits: those of ``where``, but for those of ``others``."""

    point: PlanPoint
    limits: Limits
    where: Where
    others: tuple[Where, ...] = ()
    number: int = 0


def parts(point: PlanPoint) -> Iterator[Part]:
    """Of the first override that matches are a subject's limits, and the point's own where none does."""
    all_of_it = (*point.where, *(point.expect or ()))
    passed: tuple[Where, ...] = ()
    for number, (where, limits) in enumerate(point.overrides, start=1):
        yield Part(point, limits, (*all_of_it, *where), passed, number)
        passed = (*passed, where)
    yield Part(point, point.limits, all_of_it, passed)


def alert_rules(
    plan: Plan, flavour: Flavour, *, data_source: str = UID, folder: str = NAME
) -> tuple[dict[str, Any], list[str]]:
    """The provisioning file as data, and which points have no rules and why."""
    rules, left_out = [], []
    for point in plan.points:
        if point.percent_of or point.ratio_to:
            left_out.append(f'point "{point.id}" has no alert rules: its value is made of two fields')
            continue
        try:
            rules += [rule for part in parts(point) for rule in _rules(part, flavour, data_source)]
        except NotExpressible as error:
            left_out.append(f'point "{point.id}" has no alert rules: PromQL cannot say {error}')
    group = {
        "orgId": 1,
        "name": f"Setpoint: {plan.title}, revision {plan.revision}",
        "folder": folder,
        "interval": _EVALUATED_EVERY,
        "rules": rules,
    }
    return {"apiVersion": 1, "groups": [group] if rules else []}, left_out


def alert_yaml(data: Mapping[str, Any]) -> str:
    """The file's text."""
    text: str = yaml.safe_dump(_with_dollars(data), sort_keys=False, allow_unicode=True, width=1000)
    return text


def _with_dollars(node: Any) -> Any:
    """Grafana expands ``$NAME`` in provisioning files, and takes ``$$`` for a dollar; but it keeps a query's
    ``model`` as it is written (pkg/services/provisioning/alerting/rules_types.go).
    """
    if isinstance(node, Mapping):
        return {key: value if key == "model" else _with_dollars(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_with_dollars(value) for value in node]
    return node.replace("$", "$$") if isinstance(node, str) else node


def value_query(part: Part, flavour: Flavour) -> str:
    """The newest value of each subject, as the plan judges it: as a rate, and scaled."""
    point, window_s = part.point, _window_s(part)
    factor = "" if point.scale == 1 else f" * {point.scale:.12g}"
    if flavour == "prometheus":
        asked = _prom(part, "rate", window_s) if point.rate else _prom_newest(part, window_s)
        return f"{asked}{factor}"
    field, tags = influx_name(point.field), _tags(point)
    # Of single samples: with GROUP BY time the newest, unfinished group would make the rate too small. Which
    # of the rates is the newest is for the rule's next step.
    newest = f"non_negative_derivative({field}, 1s)" if point.rate else f"last({field})"
    group = influx_group(tags) if tags else " GROUP BY *"
    return (
        f'SELECT {newest}{factor} AS "value" FROM {influx_name(point.measurement)} '
        f"WHERE $timeFilter{_influx_and(part)}{group}"
    )


def silence_query(part: Part, flavour: Flavour) -> str:
    """1 for each subject that reported in the last day, but not within the window."""
    point, window_s = part.point, _window_s(part)
    if flavour == "prometheus":
        known, recent = _prom(part, "last_over_time", _DAY_S), _prom(part, "last_over_time", window_s)
        return f"({known} unless {recent}) * 0 + 1"
    tags = _tags(point)
    group = influx_group(tags) if tags else " GROUP BY *"

    def each(number: int, seconds: int) -> str:
        return (
            f'(SELECT last({influx_name(point.field)}) * 0 + {number} AS "n" FROM '
            f"{influx_name(point.measurement)} WHERE time > now() - {seconds}s{_influx_and(part)}{group})"
        )

    return f'SELECT sum("n") AS "value" FROM {each(1, _DAY_S)}, {each(-1, window_s)}{group}'


def _prom(part: Part, function: str, seconds: int) -> str:
    name = f"{part.point.measurement}_{part.point.field}"

    def of(where: Where) -> str:
        return f"{function}({prom_selector(name, where)}[{seconds}s])"

    chosen = of(part.where)
    for other in part.others:
        chosen = f"({chosen} unless {of((*part.where, *other))})"
    tags = _tags(part.point)
    together = "sum" if part.point.rate else "max"
    return f"{together} {prom_by(tags)} ({chosen})" if tags else chosen


def _prom_newest(part: Part, seconds: int) -> str:
    """As _prom, but of a subject's series only the one with the newest sample: while ``result`` changes from
    failure to success, both have a value.
    """
    name, tags = f"{part.point.measurement}_{part.point.field}", _tags(part.point)
    if not tags or seconds > _LOOKBACK_S:
        return _prom(part, "last_over_time", seconds)
    series = prom_selector(name, part.where)
    on = ", ".join(prom_name(tag) for tag in tags)
    newest = f"timestamp({series}) == on ({on}) group_left () max {prom_by(tags)} (timestamp({series}))"
    chosen = f"({series} and ({newest}))"
    for other in part.others:
        chosen = f"({chosen} unless {prom_selector(name, (*part.where, *other))})"
    return f"max {prom_by(tags)} ({chosen})"


def _influx_and(part: Part) -> str:
    conditions = [influx_condition(part.where), *(influx_negation(other) for other in part.others)]
    return "".join(f" AND {condition}" for condition in conditions if condition)


def _tags(point: PlanPoint) -> tuple[str, ...]:
    """The tags that tell subjects apart; none for a measurement that nobody has described."""
    return point.by or IDENTITY.get(point.measurement, ())


def _window_s(part: Part) -> int:
    """How old a value may be: some of the turns that the plan expects, in whole minutes."""
    every_ms = part.limits.every_ms or _USUAL_EVERY_MS
    return max(_LEAST_WINDOW_S, 60 * math.ceil(_SILENT_TURNS * every_ms / 60_000))


def _rules(part: Part, flavour: Flavour, data_source: str) -> Iterator[dict[str, Any]]:
    point = part.point
    for severity, comparison in (("warning", part.limits.warning), ("critical", part.limits.critical)):
        if comparison is not None:
            yield {
                **_rule(part, severity, severity),
                "for": str(Duration(comparison.for_ms)),
                "data": [
                    _asked(value_query(part, flavour), flavour, data_source, _window_s(part)),
                    *_judged(comparison),
                ],
                "annotations": _annotations(
                    part, f"{point.title}: {comparison.describe(point.unit, metric=point.metric)}"
                ),
            }
    silent = f"{point.title}: reported in the last 24 hours, but not for {Duration(_window_s(part) * 1000)}"
    yield {
        **_rule(part, "silent", "warning"),
        "for": "0s",
        "data": [
            _asked(silence_query(part, flavour), flavour, data_source, _DAY_S),
            *_judged(Comparison(high=0)),
        ],
        "annotations": _annotations(part, silent),
    }


def _rule(part: Part, kind: str, severity: str) -> dict[str, Any]:
    override = f", override {part.number}" if part.number else ""
    name = f"{part.point.id}\0{part.number}\0{kind}"
    return {
        # The same rule keeps its UID from revision to revision, and with it its state and its history.
        "uid": "setpoint-" + hashlib.sha256(name.encode()).hexdigest()[:16],
        "title": f"{part.point.title} ({part.point.id}{override}): {kind}",
        "condition": "C",
        # Where nothing reports at all there is nothing to judge; who went silent is the silence rule's.
        "noDataState": "OK",
        "execErrState": "Error",
        "labels": {
            "severity": severity,
            "point": part.point.id,
            "kind": "silence" if kind == "silent" else "threshold",
            **({"owner": part.point.owner} if part.point.owner else {}),
        },
    }


def _annotations(part: Part, summary: str) -> dict[str, str]:
    told = {"summary": summary, "action": part.point.action, "serves": ", ".join(part.point.objectives)}
    return {name: text for name, text in told.items() if text}


def _asked(query: str, flavour: Flavour, data_source: str, seconds: int) -> dict[str, Any]:
    model: dict[str, Any] = {"refId": "A", "intervalMs": 60_000, "maxDataPoints": 1_000}
    if flavour == "influxdb":
        model |= {"query": query, "rawQuery": True, "resultFormat": "time_series"}
    else:
        model |= {"expr": query, "instant": True, "range": False}
    return {
        "refId": "A",
        "relativeTimeRange": {"from": seconds, "to": 0},
        "datasourceUid": data_source,
        "model": model,
    }


def _judged(comparison: Comparison) -> list[dict[str, Any]]:
    """B is each subject's newest value, C whether it breaches."""
    reduce = {"refId": "B", "type": "reduce", "expression": "A", "reducer": "last"}
    return [_expression(reduce), _expression({"refId": "C", **_condition(comparison)})]


def _expression(model: dict[str, Any]) -> dict[str, Any]:
    model["datasource"] = {"type": "__expr__", "uid": "__expr__"}
    return {
        "refId": model["refId"],
        "relativeTimeRange": {"from": 0, "to": 0},
        "datasourceUid": "__expr__",
        "model": model,
    }


def _condition(comparison: Comparison) -> dict[str, Any]:
    if comparison.equal is not None:
        return {"type": "math", "expression": f"$B == {comparison.equal:.12g}"}
    if comparison.unequal is not None:
        return {"type": "math", "expression": f"$B != {comparison.unequal:.12g}"}
    if comparison.low is not None and comparison.high is not None:
        evaluator = {"type": "outside_range", "params": [comparison.low, comparison.high]}
        return {"type": "threshold", "expression": "B", "conditions": [{"evaluator": evaluator}]}
    above = comparison.high is not None
    level = comparison.high if above else comparison.low
    condition: dict[str, Any] = {"evaluator": {"type": "gt" if above else "lt", "params": [level]}}
    if comparison.clear is not None:
        # The recovery threshold: an alert stays until the value is back beyond it.
        condition["unloadEvaluator"] = {"type": "lt" if above else "gt", "params": [comparison.clear]}
    return {"type": "threshold", "expression": "B", "conditions": [condition]}
