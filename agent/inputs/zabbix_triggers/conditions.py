"""What a trigger is raised for: comparisons, with every ``not`` and every comparison of truths done.

In Zabbix a comparison is a number, 1 or 0, and anything but 0 is true.
"""

from __future__ import annotations

from typing import NamedTuple

from agent.inputs.thresholds.operators import COMPARING, INVERSE, MIRRORED, compare
from agent.inputs.thresholds.tree import Binary, Call, Node, Number, Text
from agent.inputs.zabbix_triggers.functions import PREDICATES


class Both(NamedTuple):
    left: Condition
    right: Condition


class Either(NamedTuple):
    left: Condition
    right: Condition


class Compared(NamedTuple):
    operator: str
    left: Node
    right: Node


class Told(NamedTuple):
    """A function that says yes or no by itself."""

    call: Call
    holds: bool


class Constant(NamedTuple):
    holds: bool


Condition = Both | Either | Compared | Told | Constant


def condition(node: Node, *, holds: bool = True) -> Condition:
    """When the node, with its constants folded, is true; or, with ``holds`` False, when it is not."""
    match node:
        case Call(name="not", arguments=(inner,)):
            return condition(inner, holds=not holds)
        case Binary(operator="and" | "or"):
            join = Both if (node.operator == "and") == holds else Either
            return join(condition(node.left, holds=holds), condition(node.right, holds=holds))
        case Binary(operator=operator) if operator in COMPARING:
            return _comparison(node, holds)
        case Call(name="fuzzytime", arguments=(item, Number() as most)):
            # True while the item's time differs from the server's by no more than this.
            return Compared("<=" if holds else ">", Call("fuzzytime", (item,)), most)
        case Call(name=name) if name in PREDICATES:
            return Told(node, holds)
    return _against("!=", node, Number(0.0), holds)


def _comparison(node: Binary, holds: bool) -> Condition:
    for side, other, operator in (
        (node.left, node.right, node.operator),
        (node.right, node.left, MIRRORED[node.operator]),
    ):
        if _is_truth(side) and isinstance(other, Number):
            if_true, if_false = (compare(operator, truth, other.value) for truth in (1.0, 0.0))
            if if_true == if_false:
                return Constant(if_true == holds)
            return condition(side, holds=if_true == holds)
    return _against(node.operator, node.left, node.right, holds)


def _against(operator: str, left: Node, right: Node, holds: bool) -> Condition:
    if isinstance(left, Number) and isinstance(right, Number):
        return Constant(compare(operator, left.value, right.value) == holds)
    texts = [one.value if isinstance(one, Text) else None for one in (left, right)]
    numbers = any(isinstance(one, Number) for one in (left, right))
    if None not in texts or (any(one is not None for one in texts) and numbers):
        # A text and a number are compared as texts, and differ.
        return Constant(((operator == "==") == (texts[0] == texts[1])) == holds)
    return Compared(operator if holds else INVERSE[operator], left, right)


def _is_truth(node: Node) -> bool:
    match node:
        case Binary(operator=operator):
            return operator in COMPARING or operator in ("and", "or")
        case Call(name=name):
            return name == "not" or name in PREDICATES
    return False
