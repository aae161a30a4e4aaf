"""What a rule looks at, as a metric's name and a subject."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from agent.inputs.thresholds.tree import (
    Aggregate,
    Binary,
    Call,
    Negated,
    Node,
    Number,
    Selector,
    Subquery,
    Text,
)
from setpoint.threshold import Matcher, write_subject


class Spelled(NamedTuple):
    """``metric`` is PromQL without what the other two say, without how vectors are joined, and without what
    only chooses series by ``and`` or ``unless``.
    """

    metric: str
    subject: frozenset[Matcher]
    window_s: float | None


def spell(node: Node) -> Spelled:
    """The metric, the matchers that hold for all of it, and the range that it is taken over, if one."""
    subject = _shared(node)
    ranges = {one.range_s for one in walk(node) if isinstance(one, Selector | Subquery)} - {None}
    window_s = ranges.pop() if len(ranges) == 1 else None
    return Spelled(_write(node, subject, ranged=window_s is None), subject, window_s)


def write(node: Node) -> str:
    """All of it, as PromQL."""
    return _write(node, frozenset(), ranged=True)


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it."""
    yield node
    match node:
        case Binary():
            below: tuple[Node, ...] = (node.left, node.right)
        case Negated() | Subquery() | Aggregate():
            below = (node.inner,)
        case Call():
            below = node.arguments
        case _:
            below = ()
    for one in below:
        yield from walk(one)


def has_series(node: Node) -> bool:
    """Whether anything measured is in it; numbers and time() are not."""
    return any(isinstance(one, Selector) for one in walk(node))


def _shared(node: Node) -> frozenset[Matcher]:
    """The matchers that hold for everything that the expression gives."""
    match node:
        case Selector():
            return frozenset(one for one in node.matchers if one.label != "__name__")
        case Negated() | Subquery() | Aggregate():
            return _shared(node.inner)
        case Call():
            measured = [_shared(one) for one in node.arguments if has_series(one)]
            return frozenset.intersection(*measured) if measured else frozenset()
        case Binary():
            return _shared_by_two(node)
    return frozenset()


def _shared_by_two(node: Binary) -> frozenset[Matcher]:
    left, right = _shared(node.left), _shared(node.right)
    if not has_series(node.right):
        return left
    if not has_series(node.left):
        return right
    if node.operator == "or":
        return left & right
    if node.operator in ("and", "unless"):
        return left
    if any(isinstance(one, Aggregate) for one in walk(node)):
        return left & right
    # Vectors are joined by equal labels: what one side asks of such a label holds for the other too. Where
    # different values are asked for, that stays where it is.
    everywhere = {m for one in walk(node) if isinstance(one, Selector) for m in one.matchers}
    asked = Counter(matcher.label for matcher in everywhere)
    both = left & right
    shared = (one for one in (left | right) - both if asked[one.label] == 1)
    return both | {one for one in shared if _joined_by(node, one.label)}


def _joined_by(node: Binary, label: str) -> bool:
    if node.matching == "on":
        return label in node.labels
    return node.matching == "" or label not in node.labels


def _write(node: Node, subject: frozenset[Matcher], *, ranged: bool) -> str:
    def below(one: Node) -> str:
        return _write(one, subject, ranged=ranged)

    def operand(one: Node) -> str:
        return f"({below(one)})" if isinstance(one, Binary) else below(one)

    match node:
        case Number():
            return f"{node.value:.12g}"
        case Text():
            return json.dumps(node.value, ensure_ascii=False)
        case Selector():
            rest = node.matchers - subject
            text = node.name + (f"{{{write_subject(rest)}}}" if rest or not node.name else "")
            return text + _range(node.range_s, ranged) + node.moved
        case Subquery():
            return f"{operand(node.inner)}{_range(node.range_s, ranged)}{node.moved}"
        case Call():
            return f"{node.name}({', '.join(map(below, node.arguments))})"
        case Aggregate():
            clause = f" {node.grouping} ({', '.join(node.labels)}) " if node.grouping else ""
            parameter = "" if node.parameter is None else f"{below(node.parameter)}, "
            return f"{node.operator}{clause}({parameter}{below(node.inner)})"
        case Negated():
            return f"-{operand(node.inner)}"
        case Binary(operator="and" | "unless"):
            # What only chooses series is no part of what is compared.
            return below(node.left)
        case Binary():
            operator = node.operator + (" bool" if node.gives_bool else "")
            return f"{operand(node.left)} {operator} {operand(node.right)}"


def _range(range_s: float | None, ranged: bool) -> str:
    return f"[{range_s:g}s]" if ranged and range_s is not None else ""
