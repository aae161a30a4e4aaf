"""What the functions of a trigger expression are, as nodes of an expression's tree.

https://www.zabbix.com/documentation/current/en/manual/appendix/functions and, for what older ones are called
now, .../5.2/en/manual/appendix/triggers/functions
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from agent.inputs.thresholds.tree import Binary, Call, Negated, Node, Number, Selector, Text, Unreadable
from agent.inputs.zabbix_triggers.scan import read_number

PREDICATES: Final = frozenset({"nodata", "find", "logeventid", "logsource", "fuzzytime", "diff"})
"""Functions that give 1 or 0."""
BEFORE: Final = frozenset({"change", "abschange", "diff"})
"""Functions that compare a value with the one before."""

_OVER_TIME: Final = frozenset({"avg", "min", "max", "sum", "count"})
# Their value is about the same thing as the item's: that it is over so many samples says nothing of seconds.
_SMOOTHING: Final = frozenset({"avg", "min", "max"})
_CLOCKS: Final = frozenset({"date", "dayofmonth", "dayofweek", "now", "time"})
_NO_PERIOD: Final = frozenset({"abschange", "change", "diff", "fuzzytime", "find", "logseverity"})
_OLD_FIND: Final = frozenset({"str", "regexp", "iregexp"})


def item_call(name: str, item: Selector, params: Sequence[str]) -> Node:
    """A function of an item as Zabbix 5.4 and newer write it: last(/host/key,#1)."""
    given = list(params)
    if name in _CLOCKS:
        return Call(name, ())
    if name in _NO_PERIOD or name in PREDICATES:
        return Call(name, (item, *map(_argument, (one for one in given if one))))
    period, *others = given or [""]
    text, _, shift = period.strip().partition(":")
    text = text.strip()
    if shift:
        item = replace(item, moved=f" offset {shift.strip()}")
    if name == "last":
        return item if text in ("", "#1", "0") else Call(name, (item, Text(text)))
    more = tuple(map(_argument, (one for one in others if one)))
    range_s = read_number(text)
    if range_s is not None:
        item = replace(item, range_s=range_s)
    elif text and not (text.startswith("#") and name in _SMOOTHING):
        more = (Text(text), *more)
    return Call(f"{name}_over_time" if name in _OVER_TIME else name, (item, *more))


def old_call(name: str, item: Selector, params: Sequence[str]) -> Node:
    """A function of an item as Zabbix before 5.4 wrote it: {host:key.last(#1)}."""
    given = list(params)
    first = given[0].strip() if given else ""
    match name:
        case "prev":
            return Call("last", (item, Text("#2")))
        case "abschange":
            return Call("change", (item,))
        case "strlen":
            return Call("length", (item,))
        case "delta":
            highest, lowest = (item_call(one, item, given) for one in ("max", "min"))
            return Binary("-", highest, lowest)
        case "band":
            value = item_call("last", item, given[:1])
            return Call("bitand", (value, *map(_argument, given[1:])))
        case "last" if not first.startswith("#"):
            # Anything else there was passed over.
            given[:1] = [""]
        case _ if name in _OLD_FIND:
            return Call("find", (item, Text(first)))
    return item_call(name, item, given)


def plain_call(name: str, arguments: Sequence[Node]) -> Node:
    """A function of what was calculated: abs(...), or the greatest of several."""
    if name in _CLOCKS:
        return Call(name, ())
    if name in ("between", "in"):
        return _membership(name, arguments)
    if name == "length" and len(arguments) == 1 and isinstance(arguments[0], Text):
        return Number(float(len(arguments[0].value)))
    if name == "abs" and len(arguments) == 1 and isinstance(arguments[0], Number):
        return Number(abs(arguments[0].value))
    return Call(name, tuple(arguments))


def _membership(name: str, arguments: Sequence[Node]) -> Node:
    value, *others = arguments or [Text("")]
    if name == "between" and len(others) == 2:
        return Binary("and", Binary(">=", value, others[0]), Binary("<=", value, others[1]))
    if name == "between" or not others:
        raise Unreadable(f"{name}() has {len(arguments)} parameters")
    tree: Node = Binary("==", value, others[0])
    for one in others[1:]:
        tree = Binary("or", tree, Binary("==", value, one))
    return tree


def _argument(text: str) -> Node:
    value = read_number(text)
    return Text(text) if value is None else Number(value)


def negative(node: Node) -> Node:
    """The node with a minus before it."""
    return Number(-node.value) if isinstance(node, Number) else Negated(node)
