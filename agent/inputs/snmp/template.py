"""Texts with gaps: ``Fan {index}``, ``Outlet {label|index}``, ``{index.0}``, ``{index.1-:text}``."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

_GAP = re.compile(r"\{([^{}]*)\}")
_FIELD = re.compile(r"([A-Za-z_]\w*)(?:\.(\d+)(-)?(\d+)?)?(?::(text))?")

Find = Callable[[str], str | None]


class TemplateError(ValueError):
    """A template that is none; the text says why."""


def template_names(template: str) -> frozenset[str]:
    """The names in the gaps; ``index`` is one. TemplateError when a gap is not understood."""
    return frozenset(field[0] for part in _parsed(template) if isinstance(part, tuple) for field in part)


def fill(template: str, index: str, find: Find) -> str | None:
    """The template with its gaps filled; None when one of them cannot be.

    ``index`` is the row's, ``find`` gives the text of any other name. ``{a|b}`` is the first that is not
    empty. ``{index.1}`` is one number of the index counted from 0, ``{index.1-3}`` and ``{index.1-}`` are
    several; ``:text`` reads the numbers as characters, after their count if that stands first.
    """
    out = []
    for part in _parsed(template):
        if isinstance(part, str):
            out.append(part)
            continue
        text = None
        for name, start, end, as_text in part:
            found = _index_part(index, start, end, as_text) if name == "index" else find(name)
            if found is not None:
                text = found
            if found:
                break
        if text is None:
            return None
        out.append(text)
    return "".join(out)


def _index_part(index: str, start: int | None, end: int | None, as_text: bool) -> str | None:
    numbers = index.split(".")
    if start is not None:
        numbers = numbers[start:] if end is None else numbers[start : end + 1]
        if not numbers:
            return None
    if not as_text:
        return ".".join(numbers)
    codes = [int(number) for number in numbers if number]
    if len(codes) > 1 and codes[0] == len(codes) - 1:
        codes = codes[1:]
    return "".join(chr(code) for code in codes if 32 <= code < 127).strip()


_Field = tuple[str, int | None, int | None, bool]


@functools.lru_cache(maxsize=4096)
def _parsed(template: str) -> tuple[str | tuple[_Field, ...], ...]:
    parts: list[str | tuple[_Field, ...]] = []
    end = 0
    for gap in _GAP.finditer(template):
        parts.append(template[end : gap.start()])
        parts.append(tuple(_field(text, template) for text in gap[1].split("|")))
        end = gap.end()
    rest = template[end:]
    if "{" in rest or "}" in rest or any(isinstance(p, str) and "}" in p for p in parts):
        raise TemplateError(f'a brace without its other one in "{template}"')
    return (*(part for part in parts if part), *([rest] if rest else []))


def _field(text: str, template: str) -> _Field:
    match = _FIELD.fullmatch(text.strip())
    if match is None:
        raise TemplateError(f'expected a name such as "{{index}}" or "{{label|index}}", got "{{{text}}}"')
    name, start, several, end, as_text = match.groups()
    if (start is not None or as_text) and name != "index":
        raise TemplateError(f'only index has parts, got "{{{text}}}" in "{template}"')
    first = None if start is None else int(start)
    last = int(end) if end else (None if several else first)
    return name, first, last, bool(as_text)
