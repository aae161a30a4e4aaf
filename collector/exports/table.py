"""Findings as an aligned text table, for a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from collector.exports.ordering import in_order
from collector.exports.quantity import quantity
from setpoint.finding import Finding

_HEADINGS: Final = ("SEVERITY", "ID", "KIND", "GAP", "TITLE", "SUBJECT")
_STATE_HEADING: Final = "STATE"
# The last two columns are cut to what the others leave; this much of it is for the title.
_TITLE_SHARE: Final = 0.65
_LEAST: Final = 8
_CONTROL_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def findings_table(findings: Iterable[Finding], width: int = 120) -> str:
    """One line for each finding, at most ``width`` columns wide. A column STATE only if not all are open."""
    ordered = in_order(findings)
    with_state = any(finding.state != "open" for finding in ordered)
    headings = (_STATE_HEADING, *_HEADINGS) if with_state else _HEADINGS
    rows: list[tuple[str, ...]] = [headings]
    for finding in ordered:
        cells = (
            finding.severity,
            finding.id,
            finding.kind,
            quantity(finding.gap, finding.unit, signed=True) or "-",
            finding.title.replace("`", ""),
            " ".join(f"{key}={value}" for key, value in finding.subject.items()) or "-",
        )
        shown = (finding.state, *cells) if with_state else cells
        rows.append(tuple(printable(cell) for cell in shown))
    return align(rows, width)


def align(rows: Sequence[Sequence[str]], width: int) -> str:
    """The rows in columns of equal width, two spaces between; the last two columns are cut to fit."""
    widths = [max(columns(cell) for cell in column) for column in zip(*rows, strict=True)]
    room = width - sum(widths[:-2]) - 2 * (len(widths) - 1)
    if sum(widths[-2:]) > room:
        spared = max(int(room * _TITLE_SHARE), room - widths[-1])
        widths[-2] = max(min(widths[-2], spared, room - _LEAST), _LEAST)
        widths[-1] = max(room - widths[-2], _LEAST)
    lines = ["  ".join(_fit(cell, size) for cell, size in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def printable(text: str) -> str:
    """The text in one line, without what a terminal obeys: escape sequences, changes of direction."""
    return "".join(
        " "
        if c in "\t\r\n"
        else "\N{REPLACEMENT CHARACTER}"
        if unicodedata.category(c) in _CONTROL_CATEGORIES
        else c
        for c in text
    )


def columns(text: str) -> int:
    """How many columns of a terminal the text takes: two for each Chinese character."""
    return sum(_character_columns(c) for c in text)


def _character_columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _fit(text: str, size: int) -> str:
    """The text in exactly so many columns, cut with "…" or filled with spaces."""
    if columns(text) > size:
        used, kept = 1, []
        for character in text:
            used += _character_columns(character)
            if used > size:
                break
            kept.append(character)
        text = "".join(kept) + "…"
    return text + " " * (size - columns(text))
