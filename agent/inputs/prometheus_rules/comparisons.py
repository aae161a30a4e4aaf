"""From a rule's expression to its thresholds.

An alert is raised for every series that its expression gives. So a comparison that only lets some series
through is a threshold; what is joined to it by ``and``, or by arithmetic, must be there too; an expression
that compares nothing raises whenever it gives anything.
"""

from __future__ import annotations

from agent.inputs.prometheus_rules.promql import parse
from agent.inputs.thresholds.arithmetic import fold
from agent.inputs.thresholds.operators import COMPARING
from agent.inputs.thresholds.parts import CHOOSING, Level, Part, Without, isolate, reason_of
from agent.inputs.thresholds.spelling import has_series, spell, write
from agent.inputs.thresholds.tree import Aggregate, Binary, Call, Negated, Node, Number
from setpoint.threshold import Comparison, Role, mirrored

_ABSENCE = frozenset({"absent", "absent_over_time"})
# These give a series for each that they are given.
_PASSING = frozenset(
    {"abs", "ceil", "clamp", "clamp_max", "clamp_min", "floor", "label_join", "label_replace", "round"}
    | {"sgn", "sort", "sort_by_label", "sort_by_label_desc", "sort_desc", "sqrt"}
)


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
    judged = [part for part in left if isinstance(part, Level) or part.reason not in CHOOSING]
    if role == "requires" and not judged:
        # Nothing is said on the left, so that the alarm is raised by what is on the right.
        return [*beside] or [part for part in right if reason_of(part) not in CHOOSING] or left[:1]
    return [
        *(judged or left[:1]),
        *(part._replace(role=role) if part.role == "raises" else part for part in beside),
    ]


def _comparison(node: Binary) -> list[Part]:
    # In a chain such as `0 < x < 5` the inner comparison passes on the values that it lets through.
    left, left_parts = _passed_on(node.left)
    right, right_parts = _passed_on(node.right)
    own = _level(left, right, COMPARING[node.operator])
    inner = [*left_parts, *right_parts]
    if any(reason_of(part) == "two series" for part in inner) and isinstance(own, Level):
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
    if isinstance(right, Number) and not has_series(left):
        return Without("no data", f"{write(left)} is compared, which nobody measures")
    measured = isolate(left, right, comparison)
    if measured is None:
        return Without("two series", f"{write(left)} {comparison.replace('_', ' ')} {write(right)}")
    spelled = spell(measured.core)
    return Level(spelled.metric, spelled.subject, measured.comparison, measured.level, spelled.window_s)
