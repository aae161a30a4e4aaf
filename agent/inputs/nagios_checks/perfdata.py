"""Performance data: what a check measured, with the levels it was held against.

``'label'=value[unit];warning;critical;minimum;maximum``, separated by spaces.
https://www.monitoring-plugins.org/doc/guidelines.html#AEN201
"""

from __future__ import annotations

import re
from typing import NamedTuple

_VALUE = re.compile(r"(?:U|[-+]?[\d.,]+(?:[eE][-+]?\d+)?)?([^;]*)", re.ASCII)


class Measured(NamedTuple):
    """One value of a check. ``warning`` and ``critical`` are ranges, as they were written."""

    label: str
    unit: str = ""
    warning: str = ""
    critical: str = ""
    minimum: str = ""


def parse_perfdata(text: str) -> list[Measured]:
    """The values in the text; what has no label or no equals sign is passed over."""
    found = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        label, at = _label(text, at)
        end = at
        while end < len(text) and not text[end].isspace():
            end += 1
        if label and text[at : at + 1] == "=":
            found.append(_measured(label, text[at + 1 : end]))
        at = end
    return found


def _label(text: str, at: int) -> tuple[str, int]:
    """The label that begins here, and where it ends. In quotes, two of them are one."""
    if text[at] != "'":
        end = at
        while end < len(text) and text[end] != "=" and not text[end].isspace():
            end += 1
        return text[at:end], end
    label, at = "", at + 1
    while at < len(text):
        if text[at] == "'":
            if text[at + 1 : at + 2] != "'":
                return label, at + 1
            at += 1
        label += text[at]
        at += 1
    return label, at


def _measured(label: str, text: str) -> Measured:
    value, *others = text.split(";")
    warning, critical, minimum = (*others, "", "", "")[:3]
    match = _VALUE.fullmatch(value)
    unit = match[1] if match else ""
    return Measured(
        label, unit, *(one.strip().removesuffix(unit or " ") for one in (warning, critical, minimum))
    )
