"""The language of trigger expressions, in its form since Zabbix 5.4 and in the one before.

The precedence is, from the tightest: the minus of a number, ``not``, ``* /``, ``+ -``, ``< <= > >=``,
``= <>``, ``and``, ``or``. https://www.zabbix.com/documentation/current/en/manual/config/triggers/expression
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from agent.inputs.thresholds.tree import Binary, Call, Node, Number, Selector, Text, Unreadable
from agent.inputs.zabbix_triggers.functions import item_call, negative, old_call, plain_call
from agent.inputs.zabbix_triggers.scan import NUMBER, Scanner, read_number
from setpoint.threshold import Matcher

Resolve = Callable[[str], str | None]
"""The value of the macro that is given with its braces, or None."""
Labels = Callable[[str], Matcher | None]
"""What a threshold on a host of this name asks of labels."""

# The walks over a tree are recursive; real expressions have some dozen operators.
_MAX_LEVELS: Final = 300
_MAX_DEEP: Final = 40
_MAX_CHARACTERS: Final = 20_000
_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_OLD_SIMPLE = re.compile(r"\{[a-z]+\(")
_KEY = re.compile(r"[0-9A-Za-z_.\-]*")
_DISCOVERED = re.compile(r"\{#[A-Z0-9_.]+\}")
_LEVELS: Final[tuple[dict[str, str], ...]] = (
    {"or": "or"},
    {"and": "and"},
    {"=": "==", "<>": "!="},
    {"<=": "<=", ">=": ">=", "<": "<", ">": ">"},
    {"+": "+", "-": "-"},
    {"*": "*", "/": "/"},
)
_UNTOLD: Final = ("{#", "{{#", "{{$", "{TRIGGER.VALUE}")
UNKNOWN: Final = "{"
"""What the names of nodes begin with that stand for a macro without a value."""


def parse(expression: str, resolve: Resolve, labels: Labels, item: tuple[str, str] = ("", "")) -> Node:
    """The tree of an expression. ``item``: host and key that old exports leave out. Unreadable."""
    if len(expression) > _MAX_CHARACTERS:
        raise Unreadable(f"the expression has more than {_MAX_CHARACTERS} characters")
    parser = _Parser(Scanner(expression), resolve, labels, item)
    tree = parser.expression()
    parser.scanner.skip_space()
    if parser.scanner.at < len(expression):
        raise Unreadable(f"expected an operator where there is {parser.scanner.rest()}")
    return tree


class _Parser:
    def __init__(self, scanner: Scanner, resolve: Resolve, labels: Labels, item: tuple[str, str]) -> None:
        self.scanner = scanner
        self._resolve = resolve
        self._labels = labels
        self._item = item
        self._deep = 0
        self._count = 0

    def expression(self, level: int = 0) -> Node:
        if level == len(_LEVELS):
            return self._unary()
        left = self.expression(level + 1)
        while (operator := self._operator(_LEVELS[level])) is not None:
            self._count += 1
            if self._count > _MAX_LEVELS:
                raise Unreadable(f"the expression has more than {_MAX_LEVELS} operators")
            left = Binary(operator, left, self.expression(level + 1))
        return left

    def _operator(self, known: dict[str, str]) -> str | None:
        self.scanner.skip_space()
        for written, operator in known.items():
            if not self.scanner.next(written):
                continue
            if written == "<" and self.scanner.next("<>"):
                continue
            if written.isalpha() and not self._is_word(written):
                continue
            self.scanner.at += len(written)
            return operator
        return None

    def _is_word(self, word: str) -> bool:
        following = self.scanner.text[self.scanner.at + len(word) :][:1]
        return self.scanner.next(word) and not (following.isalnum() or following == "_")

    def _unary(self) -> Node:
        self.scanner.skip_space()
        self._deep += 1
        if self._deep > _MAX_DEEP:
            raise Unreadable(f"it is nested more than {_MAX_DEEP} levels deep")
        try:
            if self.scanner.take("-"):
                return negative(self._unary())
            if self._is_word("not"):
                self.scanner.at += len("not")
                return Call("not", (self._unary(),))
            return self._operand()
        finally:
            self._deep -= 1

    def _operand(self) -> Node:
        scanner = self.scanner
        if scanner.take("("):
            inner = self.expression()
            scanner.skip_space()
            scanner.expect(")")
            return inner
        if scanner.next('"'):
            return self._text(scanner.quoted())
        if scanner.next("{"):
            return self._braces()
        if number := scanner.match(NUMBER):
            value = read_number(number)
            assert value is not None
            return Number(value)
        if name := scanner.match(_NAME):
            scanner.skip_space()
            scanner.expect("(")
            return self._call(name)
        raise Unreadable(f"expected a number, a function or a macro where there is {scanner.rest()}")

    def _text(self, text: str) -> Node:
        if text and Scanner(text).macro() == text:
            return self._macro(text)
        value = read_number(text)
        return Text(text) if value is None else Number(value)

    def _macro(self, text: str) -> Node:
        value = self._resolve(text)
        if value is None or "{#" in value:
            return Call(text, ())
        number = read_number(value)
        return Text(value) if number is None else Number(number)

    def _call(self, name: str) -> Node:
        self.scanner.skip_space()
        if self.scanner.next("/"):
            item = self._path()
            # What follows an item is read as one more parameter, with nothing before its comma.
            return item_call(name, item, self._params()[1:])
        arguments: list[Node] = []
        while not self.scanner.take(")"):
            if arguments:
                self.scanner.expect(",")
            arguments.append(self.expression())
            self.scanner.skip_space()
        return plain_call(name, arguments)

    def _path(self) -> Selector:
        self.scanner.expect("/")
        host = self.scanner.until("/")
        self.scanner.expect("/")
        return self._selector(host, self.scanner.until(",)").strip())

    def _selector(self, host: str, key: str) -> Selector:
        found = set()
        if (label := self._labels(host)) is not None:
            found.add(label)
        if discovered := sorted(set(_DISCOVERED.findall(key))):
            found.add(Matcher("lld", "=", ",".join(discovered)))
        return Selector(key, frozenset(found))

    def _params(self) -> list[str]:
        """Parameters that are no expressions, as far as the bracket that closes them."""
        params = [self._param()]
        while self.scanner.take(","):
            params.append(self._param())
        self.scanner.expect(")")
        return params

    def _param(self) -> str:
        scanner = self.scanner
        scanner.skip_space()
        if not scanner.next('"'):
            return self._resolved(scanner.until(",)").strip())
        said = scanner.quoted()
        scanner.skip_space()
        return self._resolved(said)

    def _resolved(self, param: str) -> str:
        """The parameter with the values of its macros."""
        scanner, said = Scanner(param), ""
        while scanner.at < len(param):
            if macro := scanner.macro():
                value = self._resolve(macro)
                said += macro if value is None else value
            else:
                said += scanner.character()
        return said

    def _braces(self) -> Node:
        scanner = self.scanner
        if scanner.next("{$"):
            return self._macro(scanner.braces())
        if any(scanner.next(begin) for begin in _UNTOLD):
            return Call(scanner.braces(), ())
        simple = _OLD_SIMPLE.match(scanner.text, scanner.at)
        scanner.expect("{")
        if simple:
            host, key = self._item
            name = scanner.match(_NAME)
        else:
            host = scanner.braces() if scanner.next("{") else scanner.until(":}")
            scanner.expect(":")
            key, name = self._old_key()
        scanner.expect("(")
        params = [] if scanner.take(")") else self._params()
        scanner.skip_space()
        scanner.expect("}")
        return old_call(name, self._selector(host, key), params)

    def _old_key(self) -> tuple[str, str]:
        """The key and the function after it, as far as the bracket of the function's parameters."""
        scanner = self.scanner
        start = scanner.at
        while True:
            scanner.match(_KEY)
            if scanner.next("["):
                scanner.brackets()
            elif scanner.next("{"):
                scanner.braces()
            else:
                break
        key, dot, name = scanner.text[start : scanner.at].rpartition(".")
        if not dot or not _NAME.fullmatch(name):
            raise Unreadable(
                f"expected an item and a function, such as {{host:key.last()}}, at {key or name}"
            )
        return key, name
