"""PromQL, as the tree that its parser gives."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, Final

import promql_parser

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
    Unreadable,
)
from setpoint.threshold import Matcher, Operator

# The parser is recursive: some thousand levels overflow its stack, which ends the process (measured with
# 0.12: 8 MB of stack bear more than 1,000 levels). Real rules have some dozen operators.
_MAX_LEVELS: Final = 300
_MAX_CHARACTERS: Final = 20_000
_LEVELS = re.compile(r"[(\[{+*/%^<>=!-]|\b(?:and|or|unless|atan2)\b", re.IGNORECASE)
# Just as the parser reads them, or what only seems to be in one would not be counted. An empty group says
# that one has no end.
_QUOTED = re.compile(
    r"""\#[^\r\n]*+ | "(?:[^"\\\n]|\\.)*+(?:"|(?P<a>)) | '(?:[^'\\\n]|\\.)*+(?:'|(?P<b>))
    | `[^`]*+(?:`|(?P<c>))""",
    re.VERBOSE,
)
_OPERATORS: Final[dict[str, Operator]] = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}


def parse(expression: str) -> Node:
    """The tree of the expression; parentheses are gone, the tree says what they said. Unreadable."""
    if len(expression) > _MAX_CHARACTERS:
        raise Unreadable(f"the expression has more than {_MAX_CHARACTERS} characters")
    if len(_LEVELS.findall(_QUOTED.sub(_hidden, expression))) > _MAX_LEVELS:
        raise Unreadable(f"the expression has more than {_MAX_LEVELS} operators and brackets")
    try:
        return _node(promql_parser.parse(expression))
    except ValueError as error:
        raise Unreadable(str(error)) from None
    except RecursionError:
        raise Unreadable("the expression is nested too deeply") from None


def _hidden(found: re.Match[str]) -> str:
    if found.lastgroup:
        raise Unreadable("a text in quotes has no end")
    return '""'


def _node(expr: Any) -> Node:
    match expr:
        case promql_parser.ParenExpr():
            return _node(expr.expr)
        case promql_parser.NumberLiteral():
            return Number(float(expr.val))
        case promql_parser.StringLiteral():
            return Text(expr.val)
        case promql_parser.VectorSelector():
            return _selector(expr, None)
        case promql_parser.MatrixSelector():
            return _selector(expr.vector_selector, expr.range.total_seconds())
        case promql_parser.SubqueryExpr():
            length = expr.range.total_seconds() if expr.range else 0.0
            return Subquery(_node(expr.expr), length, _moved(expr))
        case promql_parser.Call():
            return Call(expr.func.name, tuple(_node(one) for one in expr.args))
        case promql_parser.AggregateExpr():
            return _aggregate(expr)
        case promql_parser.UnaryExpr():
            return Negated(_node(expr.expr))
        case promql_parser.BinaryExpr():
            return _binary(expr)
    raise Unreadable(f"the parser gave a {type(expr).__name__}, which is not known here")


def _selector(expr: promql_parser.VectorSelector, range_s: float | None) -> Selector:
    if expr.matchers.or_matchers:
        raise Unreadable('matchers joined by "or" are not understood')
    name = expr.name or ""
    matchers = set()
    for one in expr.matchers.matchers:
        found = Matcher(one.name, _OPERATORS[str(one.op).rpartition(".")[2]], one.value)
        if found.label == "__name__" and found.operator == "=":
            name = found.value
        else:
            matchers.add(found)
    return Selector(name, frozenset(matchers), range_s, _moved(expr))


def _moved(expr: promql_parser.VectorSelector | promql_parser.SubqueryExpr) -> str:
    text = ""
    if expr.at is not None:
        text += " @ a fixed time"
    if expr.offset:
        sign = "-" if expr.offset < timedelta(0) else ""
        text += f" offset {sign}{promql_parser.display_duration(abs(expr.offset))}"
    return text


def _aggregate(expr: promql_parser.AggregateExpr) -> Aggregate:
    parameter = None if expr.param is None else _node(expr.param)
    grouping = ""
    labels: tuple[str, ...] = ()
    if expr.modifier is not None:
        grouping = "by" if expr.modifier.type == promql_parser.AggModifierType.By else "without"
        labels = tuple(sorted(expr.modifier.labels))
    return Aggregate(str(expr.op), _node(expr.expr), parameter, grouping, labels)


def _binary(expr: promql_parser.BinaryExpr) -> Binary:
    gives_bool, matching = False, ""
    labels: tuple[str, ...] = ()
    if expr.modifier is not None:
        gives_bool = expr.modifier.return_bool
        if expr.modifier.matching is not None:
            included = expr.modifier.matching.type == promql_parser.LabelModifierType.Include
            matching = "on" if included else "ignoring"
            labels = tuple(expr.modifier.matching.labels)
    return Binary(str(expr.op).lower(), _node(expr.lhs), _node(expr.rhs), gives_bool, matching, labels)
