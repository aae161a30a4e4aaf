"""From a trigger's condition to its thresholds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final, NamedTuple

from agent.inputs.prometheus_rules.arithmetic import Affine, fold, take_out
from agent.inputs.prometheus_rules.spelling import has_series, spell, walk, write
from agent.inputs.prometheus_rules.tree import Binary, Call, Node, Number, Selector, Text
from agent.inputs.zabbix_triggers.conditions import (
    Both,
    Compared,
    Condition,
    Constant,
    Either,
    Told,
    condition,
)
from agent.inputs.zabbix_triggers.functions import BEFORE, PREDICATES
from agent.inputs.zabbix_triggers.language import UNKNOWN
from setpoint.threshold import Comparison, Matcher, Reason, Role, mirrored

_COMPARISONS: Final[dict[str, Comparison]] = {
    ">": "above",
    ">=": "at_least",
    "<": "below",
    "<=": "at_most",
    "==": "equals",
    "!=": "not_equals",
}
# The least of a window is above the level when all of it is, and that is what "for" says.
_HELD: Final[dict[str, tuple[Comparison, ...]]] = {
    "min_over_time": ("above", "at_least"),
    "max_over_time": ("below", "at_most"),
}
_CHOOSING: Final[frozenset[Reason]] = frozenset({"always", "no comparison", "no data"})


class Level(NamedTuple):
    """One comparison with a number. ``possible``: False where a constant beside it switches it off."""

    metric: str
    subject: frozenset[Matcher]
    comparison: Comparison
    level: float
    window_s: float | None
    for_s: float = 0.0
    role: Role = "raises"
    possible: bool = True


class Without(NamedTuple):
    """A part that has no number to compare with."""

    reason: Reason
    detail: str


Part = Level | Without


def read_tree(tree: Node) -> list[Part]:
    """What the tree of a trigger expression compares, at least one part."""
    return _parts(condition(fold(tree)))


def _parts(one: Condition) -> list[Part]:
    match one:
        case Either():
            return _either(_parts(one.left), _parts(one.right))
        case Both():
            return _both(_parts(one.left), _parts(one.right))
        case Told():
            return [_told(one)]
        case Constant(holds=True):
            return [Without("always", "its constants and macros alone make it true")]
        case Constant():
            return [Without("never", "its constants and macros alone make it false")]
        case Compared():
            return [_compared(one)]


def _either(left: list[Part], right: list[Part]) -> list[Part]:
    parts = [*left, *right]
    return [part for part in parts if isinstance(part, Level) or part.reason != "never"] or parts[:1]


def _both(left: list[Part], right: list[Part]) -> list[Part]:
    """What compares nothing only chooses when the others count, but for what can never be."""
    levels = [part for part in left if isinstance(part, Level)]
    beside = [part for part in right if isinstance(part, Level)]
    if any(_never(parts) for parts in (left, right)):
        off: list[Part] = [part._replace(possible=False) for part in (*levels, *beside)]
        return off or [part for part in (*left, *right) if _reason(part) == "never"][:1]
    if levels:
        return [*levels, *(part._replace(role="requires") for part in beside)]
    if beside:
        return [*beside]
    rest = [*left, *right]
    return [part for part in rest if _reason(part) not in _CHOOSING][:1] or rest[:1]


def _never(parts: list[Part]) -> bool:
    return all(_reason(part) == "never" for part in parts)


def _reason(part: Part) -> str:
    return part.reason if isinstance(part, Without) else ""


def _told(one: Told) -> Without:
    words = write(one.call)
    if one.call.name == "nodata":
        if one.holds:
            return Without("absence", words)
        return Without("no comparison", f"holds while there is data: {words}")
    if one.call.name in BEFORE:
        return Without("two series", f"a value is compared with the one before: {words}")
    return Without("no comparison", f"{'' if one.holds else 'not '}{words}")


def _compared(one: Compared) -> Part:
    left, right, comparison = one.left, one.right, _COMPARISONS[one.operator]
    words = f"{write(left)} {comparison.replace('_', ' ')} {write(right)}"
    inside = [node for side in (left, right) for node in walk(side)]
    if unknown := next(_unknown_in(inside), None):
        return Without("no number", f"{unknown} has no value here: {words}")
    calls = {node.name for node in inside if isinstance(node, Call)}
    if calls & BEFORE:
        return Without("two series", f"a value is compared with the one before: {words}")
    if isinstance(left, Text) or isinstance(right, Text):
        return Without("no number", f"a text is compared: {words}")
    # What asks for the length of a text asks whether there is one.
    if calls & (PREDICATES - {"fuzzytime"} | {"length"}):
        return Without("no comparison", words)
    if isinstance(left, Number):
        left, right, comparison = right, left, mirrored(comparison)
    if isinstance(right, Number):
        if not has_series(left):
            return Without("no data", f"nobody measures what is compared: {words}")
        return _level(take_out(left), right.value, comparison)
    above, below = take_out(left), take_out(right)
    if not has_series(above.core):
        above, below, comparison = below, above, mirrored(comparison)
    if not has_series(below.core) and above.scale == below.scale:
        # x < now() - 3600 asks whether x - now() is below -3600.
        core = Binary("-", above.core, below.core)
        return _level(Affine(core, above.scale, above.offset), below.offset, comparison)
    return Without("two series", words)


def _unknown_in(nodes: list[Node]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, Call) and node.name.startswith(UNKNOWN):
            yield node.name


def _level(affine: Affine, value: float, comparison: Comparison) -> Level:
    core, for_s = affine.core, 0.0
    if affine.scale < 0:
        comparison = mirrored(comparison)
    match core:
        case Call(name=name, arguments=(Selector(range_s=float() as range_s) as item,)):
            if comparison in _HELD.get(name, ()):
                core, for_s = replace(item, range_s=None), range_s
    spelled = spell(core)
    level = (value - affine.offset) / affine.scale
    return Level(spelled.metric, spelled.subject, comparison, level, spelled.window_s, for_s)
