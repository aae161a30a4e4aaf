"""From a trigger's condition to its thresholds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from agent.inputs.thresholds.arithmetic import fold
from agent.inputs.thresholds.operators import COMPARING
from agent.inputs.thresholds.parts import CHOOSING, Level, Measured, Part, Without, isolate, reason_of
from agent.inputs.thresholds.spelling import has_series, spell, walk, write
from agent.inputs.thresholds.tree import Call, Node, Number, Selector, Text
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
from setpoint.threshold import Comparison, mirrored

# The least of a window is above the level when all of it is, and that is what "for" says.
_HELD: Final[dict[str, tuple[Comparison, ...]]] = {
    "min_over_time": ("above", "at_least"),
    "max_over_time": ("below", "at_most"),
}


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
        return off or [part for part in (*left, *right) if reason_of(part) == "never"][:1]
    if levels:
        return [*levels, *(part._replace(role="requires") for part in beside)]
    if beside:
        return [*beside]
    rest = [*left, *right]
    return [part for part in rest if reason_of(part) not in CHOOSING][:1] or rest[:1]


def _never(parts: list[Part]) -> bool:
    return all(reason_of(part) == "never" for part in parts)


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
    left, right, comparison = one.left, one.right, COMPARING[one.operator]
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
    if isinstance(right, Number) and not has_series(left):
        return Without("no data", f"nobody measures what is compared: {words}")
    measured = isolate(left, right, comparison)
    return Without("two series", words) if measured is None else _level(measured)


def _unknown_in(nodes: list[Node]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, Call) and node.name.startswith(UNKNOWN):
            yield node.name


def _level(measured: Measured) -> Level:
    core, for_s = measured.core, 0.0
    match core:
        case Call(name=name, arguments=(Selector(range_s=float() as range_s) as item,)):
            if measured.comparison in _HELD.get(name, ()):
                core, for_s = replace(item, range_s=None), range_s
    spelled = spell(core)
    return Level(
        spelled.metric, spelled.subject, measured.comparison, measured.level, spelled.window_s, for_s
    )
