"""User macros of Zabbix: `{$NAME}` and `{$NAME:context}`.

https://www.zabbix.com/documentation/current/en/manual/config/macros/user_macros_context
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

_NAME = re.compile(r"\{\$([A-Z0-9_.]+)(?::(.*))?\}", re.DOTALL)
_DISCOVERED: Final = "{#"
_LONGEST: Final = 200
# Such an expression can take longer than anybody waits; a plain one cannot.
_REPEATED_GROUP = re.compile(r"(?<!\\)\)[*+{]")


class Macro(NamedTuple):
    """``context`` is None for the macro itself. ``pattern``: the context is a regular expression."""

    name: str
    context: str | None = None
    pattern: bool = False


def parse_macro(text: str) -> Macro | None:
    """What stands in braces, as a macro; None when it is no user macro."""
    match = _NAME.fullmatch(text)
    if match is None:
        return None
    name, context = match.groups()
    if context is None:
        return Macro(name)
    context = context.strip()
    pattern = context.startswith("regex:")
    return Macro(name, _unquoted(context.removeprefix("regex:").strip()), pattern)


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] == '"':
        return text[1:-1].replace('\\"', '"')
    return text


class Macros:
    """The values that macros have on one level: a template's, a host's, or the global ones."""

    def __init__(self, values: Iterable[tuple[str, str]] = ()) -> None:
        self._plain: dict[Macro, str] = {}
        self._patterns: dict[str, list[tuple[re.Pattern[str], str]]] = {}
        for text, value in values:
            macro = parse_macro(text)
            if macro is None:
                continue
            if not macro.pattern:
                self._plain[macro] = value
            elif (compiled := _compiled(macro.context or "")) is not None:
                self._patterns.setdefault(macro.name, []).append((compiled, value))

    def value(self, macro: Macro) -> str | None:
        """The value that the macro has with just this context, on this level."""
        if macro.context is not None and len(macro.context) <= _LONGEST:
            for pattern, value in self._patterns.get(macro.name, ()) if macro not in self._plain else ():
                if pattern.search(macro.context):
                    return value
        return self._plain.get(macro)


def resolve(text: str, levels: Sequence[Macros]) -> str | None:
    """The value of the macro that the text is; the first level that has it counts. None without one.

    A context that is only known when something has been discovered is passed over: the value is then that of
    the macro without a context, which most of what is discovered has.
    """
    macro = parse_macro(text)
    if macro is None:
        return None
    asked = [Macro(macro.name)]
    if macro.context is not None and _DISCOVERED not in macro.context:
        asked.insert(0, macro)
    for one in asked:
        for level in levels:
            if (value := level.value(one)) is not None:
                return value
    return None


def read_macros(listed: object) -> Macros:
    """The macros of a template, of a host or of the whole server, as exports and the API have them."""
    values = []
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, Mapping) and isinstance(one.get("macro"), str) and not _is_secret(one):
            value = one.get("value")
            values.append((one["macro"], "" if value is None else str(value)))
    return Macros(values)


def _is_secret(macro: Mapping[str, object]) -> bool:
    return str(macro.get("type") or "0") not in ("0", "TEXT")


def _compiled(expression: str) -> re.Pattern[str] | None:
    if len(expression) > _LONGEST or _REPEATED_GROUP.search(expression):
        return None
    try:
        return re.compile(expression)
    except (re.error, RecursionError, OverflowError):
        return None
