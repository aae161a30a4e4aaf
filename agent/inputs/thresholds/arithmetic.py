"""Constants: what they come to, and how they are taken out of what a rule compares.

``100 - avg(rate(idle[5m])) * 100 > 80`` asks whether ``avg(rate(idle[5m]))`` is below 0.2: everything that is
``offset + scale * core`` is compared as its core, so that one threshold reads the same however it is written.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

from agent.inputs.thresholds.tree import Aggregate, Binary, Call, Negated, Node, Number, Subquery

# max(2 * x) is 2 * max(x), and so on, where the factor is positive. An offset comes out of all but the sum.
_LINEAR = frozenset({"sum", "avg", "min", "max"})
_SHIFTING = frozenset({"avg", "min", "max"})


class Affine(NamedTuple):
    """``offset + scale * core``; ``scale`` is never 0, and both are finite."""

    core: Node
    scale: float = 1.0
    offset: float = 0.0


def fold(node: Node) -> Node:
    """The tree with every operation on constants done."""
    match node:
        case Binary():
            left, right = fold(node.left), fold(node.right)
            if isinstance(left, Number) and isinstance(right, Number):
                value = _operate(node.operator, left.value, right.value)
                if value is not None:
                    return Number(value)
            return replace(node, left=left, right=right)
        case Negated():
            inner = fold(node.inner)
            return Number(-inner.value) if isinstance(inner, Number) else Negated(inner)
        case Aggregate() | Subquery():
            return replace(node, inner=fold(node.inner))
        case Call():
            return replace(node, arguments=tuple(map(fold, node.arguments)))
    return node


def take_out(node: Node) -> Affine:
    """The constants that a folded tree is shifted and stretched by, and what is left without them."""
    found = Affine(node)
    match node:
        case Negated():
            inner = take_out(node.inner)
            found = Affine(inner.core, -inner.scale, -inner.offset)
        case Binary() if isinstance(node.right, Number):
            found = _with_constant_right(node, take_out(node.left), node.right.value)
        case Binary() if isinstance(node.left, Number):
            found = _with_constant_left(node, node.left.value, take_out(node.right))
        case Binary(operator="*" | "/"):
            left, right = take_out(node.left), take_out(node.right)
            if left.offset == right.offset == 0:
                scale = left.scale * right.scale if node.operator == "*" else left.scale / right.scale
                found = Affine(replace(node, left=left.core, right=right.core), scale)
        case Aggregate() if node.operator in _LINEAR and node.parameter is None:
            inner = take_out(node.inner)
            if inner.scale > 0 and (node.operator in _SHIFTING or inner.offset == 0):
                found = Affine(replace(node, inner=inner.core), inner.scale, inner.offset)
    usable = found.scale != 0 and math.isfinite(found.scale) and math.isfinite(found.offset)
    return found if usable else Affine(node)


def _with_constant_right(node: Binary, left: Affine, value: float) -> Affine:
    match node.operator:
        case "+":
            return left._replace(offset=left.offset + value)
        case "-":
            return left._replace(offset=left.offset - value)
        case "*":
            return Affine(left.core, left.scale * value, left.offset * value)
        case "/" if value:
            return Affine(left.core, left.scale / value, left.offset / value)
    return Affine(node)


def _with_constant_left(node: Binary, value: float, right: Affine) -> Affine:
    match node.operator:
        case "+":
            return right._replace(offset=value + right.offset)
        case "-":
            return Affine(right.core, -right.scale, value - right.offset)
        case "*":
            return Affine(right.core, value * right.scale, value * right.offset)
    return Affine(node)


def _operate(operator: str, left: float, right: float) -> float | None:
    """As PromQL calculates, in IEEE 754; None for what is not arithmetic."""
    try:
        match operator:
            case "+":
                return left + right
            case "-":
                return left - right
            case "*":
                return left * right
            case "/":
                return left / right
            case "%":
                return math.fmod(left, right)
            case "^":
                power = left**right
                return power if isinstance(power, float) else math.nan
            case "atan2":
                return math.atan2(left, right)
    except ZeroDivisionError:
        return math.nan if left == 0 or operator != "/" else math.copysign(math.inf, left)
    except (OverflowError, ValueError):
        return math.inf if operator == "^" else math.nan
    return None
