"""From a rule's expression to its thresholds.

An alert is raised for every series that its expression gives. So a comparison that only lets some series
through is a threshold; what is joined to it by ``and``, or by arithmetic, must be there too; an expression
that compares nothing raises whenever it gives anything.
"""

from __future__ import annotations

from typing import NamedTuple

from agent.inputs.prometheus_rules.arithmetic import Affine, fold, take_out
from agent.inputs.prometheus_rules.spelling import has_series, spell, write
from agent.inputs.prometheus_rules.tree import (
    COMPARING,
    Aggregate,
    Binary,
    Call,
    Negated,
    Node,
    Number,
    parse,
)
from setpoint.threshold import Comparison, Matcher, Reason, Role, mirrored

_COMPARISONS: dict[str, Comparison] = {
    ">": "above",
    ">=": "at_least",
    "<": "below",
    "<=": "at_most",
    "==": "equals",
    "!=": "not_equals",
}
_CHOOSING: frozenset[Reason] = frozenset({"no comparison", "always", "no data"})
_ABSENCE = frozenset({"absent", "absent_over_time"})
# These give a series for each that they are given.
_PASSING = frozenset(
    {"abs", "ceil", "clamp", "clamp_max", "clamp_min", "floor", "label_join", "label_replace", "round"}
    | {"sgn", "sort", "sort_by_label", "sort_by_label_desc", "sort_desc", "sqrt"}
)


class Level(NamedTuple):
    """One comparison with a number."""

    metric: str
    subject: frozenset[Matcher]
    comparison: Comparison
    level: float
    window_s: float | None
    role: Role = "raises"


class Without(NamedTuple):
    """A part that has no number to compare with."""

    reason: Reason
    detail: str


Part = Level | Without


def read_expression(expression: str) -> list[Part]:
    """What the expression of an alert rule compares, at least one part. Unreadable."""
    return read_tree(parse(expression))


def read_tree(tree: Node) -> list[Part]:
    """The same of an expression that was parsed, or put together from other rules' conditions."""
    return _parts(fold(tree))


def _parts(node: Node) -> list[Part]:
    match node:
        case Binary(operator="or"):
            return _parts(node.left) + _parts(node.right)
        case Binary(operator="unless"):
            return _joined(_parts(node.left), _parts(node.right), "suppresses")
        case Binary(operator=operator, gives_bool=False) if operator in COMPARING:
            return _comparison(node)
        case Binary(operator=operator, gives_bool=True) if operator in COMPARING:
            return [Without("always", "a comparison with bool gives a value whether it holds or not")]
        case Binary():
            return _joined(_parts(node.left), _parts(node.right), "requires")
        case Call(name=name) if name in _ABSENCE:
            return [Without("absence", write(node))]
        case Call(name=name) if name in _PASSING:
            return _parts(node.arguments[0])
        case Aggregate() | Negated():
            return _parts(node.inner)
    if not has_series(node):
        return [Without("always", f"{write(node)} is there at all times")]
    return [Without("no comparison", f"raised whenever there is {write(node)}")]


def _joined(left: list[Part], right: list[Part], role: Role) -> list[Part]:
    """Both sides of an `and`, `unless` or arithmetic: what compares nothing only chooses series."""
    beside = [part for part in right if isinstance(part, Level)]
    judged = [part for part in left if isinstance(part, Level) or part.reason not in _CHOOSING]
    if role == "requires" and not judged:
        # Nothing is said on the left, so that the alarm is raised by what is on the right.
        return [*beside] or [part for part in right if _reason(part) not in _CHOOSING] or left[:1]
    return [
        *(judged or left[:1]),
        *(part._replace(role=role) if part.role == "raises" else part for part in beside),
    ]


def _reason(part: Part) -> str:
    return part.reason if isinstance(part, Without) else ""


def _comparison(node: Binary) -> list[Part]:
    # In a chain such as `0 < x < 5` the inner comparison passes on the values that it lets through.
    left, left_parts = _passed_on(node.left)
    right, right_parts = _passed_on(node.right)
    own = _level(left, right, _COMPARISONS[node.operator])
    inner = [*left_parts, *right_parts]
    if any(_reason(part) == "two series" for part in inner) and isinstance(own, Level):
        # (a != b) > 0: the alarm is about the difference.
        return [*inner, own._replace(role="requires")]
    levels = (part for part in inner if isinstance(part, Level))
    return [own, *(part._replace(role="requires") for part in levels)]


def _passed_on(node: Node) -> tuple[Node, list[Part]]:
    """What is compared, and what lets it through."""
    if isinstance(node, Binary) and node.operator in COMPARING and not node.gives_bool:
        value = node.right if isinstance(node.left, Number) else node.left
        return value, _comparison(node)
    if isinstance(node, Binary) and node.operator == "and":
        return node.left, [part for part in _parts(node.right) if isinstance(part, Level)]
    return node, []


def _level(left: Node, right: Node, comparison: Comparison) -> Part:
    if isinstance(left, Number):
        left, right, comparison = right, left, mirrored(comparison)
    if isinstance(left, Call) and left.name in _ABSENCE:
        return Without("absence", write(left))
    if isinstance(right, Number):
        if not has_series(left):
            return Without("no data", f"{write(left)} is compared, which nobody measures")
        return _against(take_out(left), right.value, comparison)
    one, other = take_out(left), take_out(right)
    if not has_series(one.core):
        one, other, comparison = other, one, mirrored(comparison)
    if not has_series(other.core) and one.scale == other.scale:
        # x < time() - 3600 asks whether x - time() is below -3600.
        core = Binary("-", one.core, other.core)
        return _against(Affine(core, one.scale, one.offset), other.offset, comparison)
    words = f"{write(left)} {comparison.replace('_', ' ')} {write(right)}"
    return Without("two series", words)


def _against(affine: Affine, value: float, comparison: Comparison) -> Level:
    spelled = spell(affine.core)
    return Level(
        metric=spelled.metric,
        subject=spelled.subject,
        comparison=comparison if affine.scale > 0 else mirrored(comparison),
        level=(value - affine.offset) / affine.scale,
        window_s=spelled.window_s,
    )
