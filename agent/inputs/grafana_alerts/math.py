"""Grafana's math expressions.

https://grafana.com/docs/grafana/latest/panels-visualizations/query-transform-data/expression-queries/#math
Numbers and ``$A`` or ``${A name}``; + - * / % **; == != > >= < <= && || !, which give 1 or 0; functions.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from agent.inputs.thresholds.tree import Binary, Call, Negated, Node, Number, Unreadable

_TOKEN = re.compile(
    r"\s*(?:(?P<number>0[xX][0-9a-fA-F]{1,16}|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|\$(?:\{(?P<braced>[^}]*)\}|(?P<name>\w+))"
    r"|(?P<word>[A-Za-z_]\w*)"
    r"|(?P<sign>\*\*|&&|\|\||[<>=!]=|[-+*/%<>!(),]))"
)
# From loose to tight; those of a level are read from the left.
_LEVELS: Final = (
    {"||": "or"},
    {"&&": "and"},
    {one: one for one in ("==", "!=", ">", ">=", "<", "<=")},
    {"+": "+", "-": "-"},
    {"*": "*", "/": "/", "%": "%"},
    {"**": "^"},
)
_LOGICAL: Final = 3
_CONSTANTS: Final = {"nan": float("nan"), "null": float("nan"), "inf": float("inf"), "infn": float("-inf")}
_MAX_CHARACTERS: Final = 4_000
_MAX_TOKENS: Final = 300


def parse_math(text: str, step: Callable[[str], Node]) -> Node:
    """The tree of the expression, with ``step`` in place of every reference. Unreadable."""
    if len(text) > _MAX_CHARACTERS:
        raise Unreadable(f"the expression has more than {_MAX_CHARACTERS} characters")
    reader = _Reader(_tokens(text), step)
    tree = reader.level(0)
    reader.expect_end()
    return tree


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            raise Unreadable(f'the math expression cannot be read from "{text[position : position + 20]}" on')
        kind = match.lastgroup or ""
        found.append(("name" if kind == "braced" else kind, match[kind]))
        position = match.end()
    if len(found) > _MAX_TOKENS:
        raise Unreadable(f"the math expression has more than {_MAX_TOKENS} parts")
    return found


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]], step: Callable[[str], Node]) -> None:
        self._tokens = tokens
        self._next = 0
        self._step = step

    def level(self, number: int) -> Node:
        """One level of operators, from the left."""
        if number == len(_LEVELS):
            return self._operand()
        left = self.level(number + 1)
        while self._sign() in _LEVELS[number]:
            operator = _LEVELS[number][self._take()[1]]
            right = self.level(number + 1)
            left = Binary(operator, left, right, gives_bool=number < _LOGICAL)
        return left

    def expect_end(self) -> None:
        if self._next < len(self._tokens):
            raise Unreadable(f'the math expression goes on with "{self._tokens[self._next][1]}"')

    def _operand(self) -> Node:
        kind, text = self._take()
        match kind, text:
            case "number", _:
                return Number(float(int(text, 16)) if text[:2].lower() == "0x" else float(text))
            case "name", _:
                return self._step(text.strip())
            case "sign", "-":
                return Negated(self._operand())
            case "sign", "+":
                return self._operand()
            case "sign", "!":
                return Call("!", (self._operand(),))
            case "sign", "(":
                inner = self.level(0)
                self._expect(")")
                return inner
            case "word", _:
                return self._call(text)
        raise Unreadable(f'the math expression has "{text}" where a value was expected')

    def _call(self, name: str) -> Node:
        self._expect("(")
        arguments: list[Node] = []
        while self._sign() != ")":
            arguments.append(self.level(0))
            if self._sign() == ",":
                self._take()
        self._expect(")")
        if name in _CONSTANTS and not arguments:
            return Number(_CONSTANTS[name])
        if name in ("is_nan", "is_null", "is_number") and len(arguments) == 1:
            absent = Call("absent", tuple(arguments))
            return Call("!", (absent,)) if name == "is_number" else absent
        return Call(name, tuple(arguments))

    def _sign(self) -> str:
        if self._next < len(self._tokens) and self._tokens[self._next][0] == "sign":
            return self._tokens[self._next][1]
        return ""

    def _take(self) -> tuple[str, str]:
        if self._next == len(self._tokens):
            raise Unreadable("the math expression ends too early")
        self._next += 1
        return self._tokens[self._next - 1]

    def _expect(self, sign: str) -> None:
        if self._sign() != sign:
            raise Unreadable(f'the math expression lacks a "{sign}"')
        self._next += 1
