"""From the steps of a Grafana rule to one tree: its condition, with every reference followed.

A rule is a list of steps, each with an id: queries to data sources, and expressions on other steps (reduce,
math, threshold, classic conditions). It alerts when the step that is its condition gives anything but zero.
https://grafana.com/docs/grafana/latest/alerting/fundamentals/alert-rules/queries-conditions/
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from agent.inputs.grafana_alerts.math import parse_math
from agent.inputs.grafana_alerts.queries import query_tree
from agent.inputs.thresholds.operators import COMPARING, INVERSE, compare
from agent.inputs.thresholds.spelling import walk
from agent.inputs.thresholds.tree import Binary, Call, Node, Number, Selector, Subquery

_MAX_STEPS_DEEP: Final = 20
_EVALUATORS: Final = {"gt": ">", "lt": "<", "gte": ">=", "lte": "<=", "eq": "==", "ne": "!="}
# How a series of samples becomes one number, in PromQL's words; the newest one is what is looked at anyway.
_REDUCERS: Final = {
    "avg": "avg_over_time",
    "mean": "avg_over_time",
    "min": "min_over_time",
    "max": "max_over_time",
    "sum": "sum_over_time",
    "count": "count_over_time",
    "median": "median_over_time",
    "diff": "delta",
}


class NotUnderstood(ValueError):
    """A step that cannot be followed; the text says which and why."""


class Step(NamedTuple):
    """One query or expression. ``span_s``: the time that a query covers."""

    model: Mapping[str, Any]
    is_expression: bool
    span_s: float

    def text(self) -> str:
        """What it asks, for people."""
        for key in ("expr", "query", "expression", "rawSql"):
            if isinstance(self.model.get(key), str) and self.model[key]:
                kind = str(self.model.get("type") or "") if self.is_expression else ""
                return f"{kind} {self.model[key]}".strip()
        return str(self.model.get("type") or "")


def condition_tree(steps: Mapping[str, Step], condition: str) -> Node:
    """The rule's condition as a tree that lets through what it alerts for. NotUnderstood, Unreadable."""
    return as_condition(_Steps(steps).tree(condition, 0))


def as_condition(node: Node) -> Node:
    """The tree as what lets through, not as what gives 1 or 0."""
    match node:
        case Call(name="!", arguments=(inner,)):
            return _negated(as_condition(inner))
        case Binary(operator="and" | "or", gives_bool=True):
            left, right = as_condition(node.left), as_condition(node.right)
            return replace(node, left=left, right=right, gives_bool=False)
        case Binary(operator=operator, gives_bool=True) if operator in COMPARING:
            if _is_bool(node.left) and isinstance(node.right, Number):
                return _of_truth(node.left, operator, node.right.value)
            return replace(node, gives_bool=False)
        case Binary(operator=operator) if operator in COMPARING:
            return node
        case Call(name="absent"):
            return node
    return Binary("!=", node, Number(0.0))


def _is_bool(node: Node) -> bool:
    if isinstance(node, Call) and node.name == "!":
        return True
    return isinstance(node, Binary) and node.gives_bool


def _of_truth(node: Node, operator: str, value: float) -> Node:
    """`(a > 5) == 1` is `a > 5`; `(a > 5) < 1` is its contrary."""
    truths = [compare(operator, truth, value) for truth in (1.0, 0.0)]
    if truths == [True, False]:
        return as_condition(node)
    if truths == [False, True]:
        return _negated(as_condition(node))
    raise NotUnderstood("a comparison is compared with a number that it never, or always, passes")


def _negated(node: Node) -> Node:
    match node:
        case Binary(operator="and" | "or"):
            other = "or" if node.operator == "and" else "and"
            return replace(node, operator=other, left=_negated(node.left), right=_negated(node.right))
        case Binary(operator=operator) if operator in INVERSE:
            return replace(node, operator=INVERSE[operator])
    raise NotUnderstood('what stands after "!" is no comparison')


class _Steps:
    def __init__(self, steps: Mapping[str, Step]) -> None:
        self._steps = steps

    def tree(self, name: str, depth: int) -> Node:
        """The step's tree; what it gives as true or false is marked as giving a bool."""
        step = self._steps.get(name)
        if step is None:
            known = ", ".join(self._steps) or "none"
            raise NotUnderstood(f'there is no step "{name}"; there are {known}')
        if depth > _MAX_STEPS_DEEP:
            raise NotUnderstood(
                f'step "{name}" refers to itself, or through more than {_MAX_STEPS_DEEP} others'
            )
        if not step.is_expression:
            return query_tree(step.model)
        model = step.model
        kind = model.get("type")
        match kind:
            case "reduce":
                return self._reduced(_text(model, "expression"), str(model.get("reducer") or ""), depth)
            case "resample":
                return self.tree(_name(_text(model, "expression")), depth + 1)
            case "math":
                return parse_math(_text(model, "expression"), lambda one: self.tree(one, depth + 1))
            case "threshold":
                watched = self.tree(_name(_text(model, "expression")), depth + 1)
                return _judged(watched, _first(model, "conditions"))
            case "classic_conditions":
                return self._classic(model, depth)
        raise NotUnderstood(f'step "{name}" is an expression of the type "{kind}", which is not known here')

    def _reduced(self, name: str, reducer: str, depth: int) -> Node:
        name = _name(name)
        return _reduce(self.tree(name, depth + 1), reducer, self._span(name))

    def _span(self, name: str) -> float:
        step = self._steps.get(name)
        return step.span_s if step is not None and not step.is_expression else 0.0

    def _classic(self, model: Mapping[str, Any], depth: int) -> Node:
        conditions = model.get("conditions")
        if not isinstance(conditions, list) or not conditions:
            raise NotUnderstood("classic conditions without a condition")
        whole: Node | None = None
        for one in conditions:
            query = one.get("query") if isinstance(one, Mapping) else None
            names = query.get("params") if isinstance(query, Mapping) else None
            if not isinstance(names, list) or not names:
                raise NotUnderstood("a classic condition names no query")
            reducer = one.get("reducer")
            kind = reducer.get("type") if isinstance(reducer, Mapping) else ""
            part = _judged(self._reduced(str(names[0]), str(kind or ""), depth), one)
            operator = one.get("operator")
            joined = operator.get("type") if isinstance(operator, Mapping) else "and"
            if whole is None:
                whole = part
            else:
                whole = Binary("or" if joined == "or" else "and", whole, part, gives_bool=True)
        assert whole is not None
        return whole


def _reduce(node: Node, reducer: str, span_s: float) -> Node:
    if reducer in ("last", "") or _is_bool(node):
        return node
    ranged = any(isinstance(one, Selector | Subquery) and one.range_s is not None for one in walk(node))
    within = Subquery(node, None if ranged or not span_s else span_s)
    if reducer in ("percent_diff", "diff_abs", "percent_diff_abs", "count_non_null"):
        return Call(reducer, (within,))
    return Call(_REDUCERS.get(reducer, f"{reducer}_over_time"), (within,))


def _judged(watched: Node, condition: Mapping[str, Any]) -> Node:
    evaluator = condition.get("evaluator")
    if not isinstance(evaluator, Mapping):
        raise NotUnderstood("a condition has no evaluator")
    kind, params = str(evaluator.get("type")), evaluator.get("params")
    numbers = [number(one) for one in params] if isinstance(params, list) else []
    if kind == "no_value":
        return Call("absent", (watched,))
    if kind in _EVALUATORS and numbers:
        return Binary(_EVALUATORS[kind], watched, Number(numbers[0]), gives_bool=True)
    if "_range" in kind and len(numbers) > 1:
        low, high = sorted(numbers[:2])
        equal = "=" if "included" in kind else ""
        if kind.startswith("within"):
            below = Binary(f"<{equal}", watched, Number(high), gives_bool=True)
            return Binary(
                "and", Binary(f">{equal}", watched, Number(low), gives_bool=True), below, gives_bool=True
            )
        above = Binary(f">{equal}", watched, Number(high), gives_bool=True)
        return Binary(
            "or", Binary(f"<{equal}", watched, Number(low), gives_bool=True), above, gives_bool=True
        )
    raise NotUnderstood(f"the evaluator {json.dumps(dict(evaluator), default=str)[:200]} is not known here")


def number(value: object) -> float:
    """The number that JSON gave; NaN for what is none, or is too large to be one."""
    try:
        return float(value) if isinstance(value, int | float) else math.nan
    except OverflowError:
        return math.nan


def _first(model: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    listed: Sequence[Any] = model.get(key) or ()
    if not isinstance(listed, list) or not listed or not isinstance(listed[0], Mapping):
        raise NotUnderstood(f"{key} is empty")
    return listed[0]


def _text(model: Mapping[str, Any], key: str) -> str:
    text = model.get(key)
    if not isinstance(text, str) or not text.strip():
        raise NotUnderstood(f"{key} is empty")
    return text


def _name(text: str) -> str:
    """The step that a reference names: A, $A or ${A}."""
    name = text.strip().removeprefix("$")
    return name[1:-1] if name.startswith("{") and name.endswith("}") else name
