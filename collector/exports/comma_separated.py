"""Findings as CSV, for spreadsheets."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from collector.exports.ordering import in_order
from collector.exports.quantity import time_text
from setpoint.finding import Finding, round12

Cell = str | float | int | None

COLUMNS: Final[Mapping[str, Callable[[Finding], Cell]]] = {
    "id": lambda f: f.id,
    "state": lambda f: f.state,
    "severity": lambda f: f.severity,
    "kind": lambda f: f.kind,
    "title": lambda f: f.title,
    "point": lambda f: f.point,
    "metric": lambda f: f.metric,
    "subject": lambda f: " ".join(f"{key}={value}" for key, value in f.subject.items()),
    "measured": lambda f: f.measured,
    "target": lambda f: f.target,
    "gap": lambda f: f.gap,
    "unit": lambda f: f.unit,
    "coverage": lambda f: f.evidence.coverage,
    "samples": lambda f: f.evidence.samples,
    "period_start": lambda f: time_text(f.evidence.start_ms),
    "period_end": lambda f: time_text(f.evidence.end_ms),
    "first_seen": lambda f: time_text(f.first_seen_ms),
    "last_seen": lambda f: time_text(f.last_seen_ms),
    "closed": lambda f: time_text(f.closed_ms),
    "objectives": lambda f: " ".join(f.objectives),
    "class": lambda f: f.metric_class,
    "element": lambda f: f.element,
    "owner": lambda f: f.owner,
    "action": lambda f: f.action,
    "mended_when": lambda f: f.mended_when,
    "reasons": lambda f: "\n".join(f.reasons),
    "plan_revision": lambda f: f.plan_revision,
    "link": lambda f: f.evidence.link,
    "text_en": lambda f: f.text.get("en"),
    "text_zh": lambda f: f.text.get("zh"),
}

# A spreadsheet takes a cell for a formula that begins with one of these; in the second half their full-width
# forms, which Excel takes too. Where lists are separated by semicolons, it begins a cell after each of them
# as well, whatever the quotes say.
_FORMULA: Final = re.compile(r"(^|[;\t\r\n])(\s*)(?=[=+\-@＝＋－＠])")
# Allowed in no XML, so in no spreadsheet.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def findings_csv(findings: Iterable[Finding]) -> bytes:
    """RFC 4180 with a header line, in UTF-8 with the byte order mark without which Excel takes Chinese for
    something else. Times are ISO 8601 in UTC, numbers plain, to 12 significant digits.

    The same findings give the same bytes, in whatever order they come.
    """
    return csv_bytes([COLUMNS, *([column(one) for column in COLUMNS.values()] for one in in_order(findings))])


def csv_bytes(lines: Iterable[Iterable[Cell]]) -> bytes:
    """The lines in the form of `findings_csv`, as they come."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerows([_cell(cell) for cell in line] for line in lines)
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _cell(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return harmless(value)
    return f"{round12(value):.12g}" if isinstance(value, float) else str(value)


def harmless(text: str) -> str:
    """The text with an apostrophe before everything that a spreadsheet would execute.

    Tag values come from agents, devices and tools: whoever names a switch port could otherwise run a
    formula on the desk of the person who opens the file.
    """
    return _FORMULA.sub(r"\1\2'", _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text))
