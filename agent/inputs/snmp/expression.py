"""Arithmetic in profiles: ``used / total * 100``, ``value * 10 ** exponent``, ``dbm(value / 1000)``.

Numbers, names, ``+ - * / // % **``, comparisons, ``a if b else c`` and a few functions; nothing else is
evaluated, since profiles are data that people pass around.
"""

from __future__ import annotations

import ast
import functools
import math
import operator
from collections.abc import Callable, Mapping

_MAX_LENGTH = 500
_BINARY: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: lambda base, exponent: math.pow(base, exponent),
}
_COMPARE: Mapping[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


def _dbm(milliwatt: float) -> float:
    """Power in dBm from power in mW; -40 for none at all, which has no logarithm."""
    return 10 * math.log10(milliwatt) if milliwatt > 0 else -40.0


def _signed(value: float, bits: float) -> float:
    """A number that the device sent unsigned, as the two's complement of so many bits."""
    size = 2 ** int(bits)
    return value - size if value >= size / 2 else value


_FUNCTIONS: Mapping[str, Callable[..., float]] = {
    "abs": abs,
    "dbm": _dbm,
    "log10": math.log10,
    "max": max,
    "min": min,
    "round": round,
    "signed": _signed,
    "sqrt": math.sqrt,
}


class ExpressionError(ValueError):
    """An expression that is none; the text says why."""


def expression_names(text: str) -> frozenset[str]:
    """The names that the expression needs. ExpressionError when it is not one."""
    return _parsed(text)[1]


def evaluate(text: str, names: Mapping[str, float]) -> float | None:
    """The value of the expression; None where it has none (a division by zero, a logarithm of nothing)."""
    try:
        result = _value(_parsed(text)[0], names)
    except (ArithmeticError, ValueError):
        return None
    return result if math.isfinite(result) else None


@functools.lru_cache(maxsize=1024)
def _parsed(text: str) -> tuple[ast.expr, frozenset[str]]:
    if len(text) > _MAX_LENGTH:
        raise ExpressionError(f"expected at most {_MAX_LENGTH} characters, got {len(text)}")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise ExpressionError(f'expected an OID or an expression, got "{text}": {error.msg}') from None
    names: set[str] = set()
    _check(tree, names)
    return tree, frozenset(names)


def _check(node: ast.expr, names: set[str]) -> None:
    """ExpressionError for anything that is not arithmetic; collects the names."""
    match node:
        case ast.Constant(value=value) if type(value) in (int, float):
            return
        case ast.Name(id=name):
            names.add(name)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            _check(operand, names)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            _check(left, names)
            _check(right, names)
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARE:
            _check(left, names)
            _check(right, names)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            for part in (test, body, orelse):
                _check(part, names)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
            for part in args:
                _check(part, names)
        case _:
            known = ", ".join(_FUNCTIONS)
            raise ExpressionError(
                f'expected arithmetic with names, numbers and {known}, got "{ast.unparse(node)}"'
            )


def _value(node: ast.expr, names: Mapping[str, float]) -> float:
    match node:
        case ast.Constant(value=value):
            return float(value)  # type: ignore[arg-type]
        case ast.Name(id=name):
            return names[name]
        case ast.UnaryOp(op=op, operand=operand):
            return -_value(operand, names) if isinstance(op, ast.USub) else _value(operand, names)
        case ast.BinOp(left=left, op=op, right=right):
            return _BINARY[type(op)](_value(left, names), _value(right, names))
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return float(_COMPARE[type(op)](_value(left, names), _value(right, names)))
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return _value(body if _value(test, names) else orelse, names)
        case ast.Call(func=ast.Name(id=name), args=args):
            return float(_FUNCTIONS[name](*(_value(part, names) for part in args)))
    raise ValueError(f"not checked: {ast.unparse(node)}")
