"""The keys of items as they are configured: Zabbix fills the macros in them in, and some are passwords."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

# A user macro, whose context may be quoted, or a built-in one such as {HOST.NAME}.
_MACRO = re.compile(r'\{(?:\$[A-Z0-9_.]+(?::(?:"(?:[^"\\]|\\.)*"|[^{}"]*))?|[A-Z][A-Z0-9.]*)\}')
_PASSWORD_IN_ADDRESS = re.compile(r"(//[^/\s:@\"'{}]*):[^/\s@\"'{}]+@")


def as_configured(expression: str, keys: Iterable[str]) -> str:
    """The expression with its items' keys as they are configured, where Zabbix has filled macros in."""
    for key in keys:
        literals = _MACRO.split(key)
        # Zabbix takes no key that begins with a macro.
        if len(literals) == 1 or not literals[0]:
            continue
        pieces, at = list[str](), 0
        while (found := _filled_in(expression, literals, at)) is not None:
            pieces += [expression[at : found[0]], key]
            at = found[1]
        expression = "".join([*pieces, expression[at:]])
    return expression


def without_passwords(expression: str) -> str:
    """The expression without the passwords of addresses such as ``http://user:password@host/``."""
    return _PASSWORD_IN_ADDRESS.sub(r"\1:***@", expression)


def _filled_in(expression: str, literals: Sequence[str], at: int) -> tuple[int, int] | None:
    """The first stretch of the expression, from ``at`` on, that holds all the literals in their order."""
    start = end = expression.find(literals[0], at)
    for literal in literals:
        if end < 0:
            return None
        end = expression.find(literal, end)
        if end >= 0:
            end += len(literal)
    return None if end < 0 else (start, end)
