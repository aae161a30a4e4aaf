"""Configured thresholds and their statistics as tables: CSV for spreadsheets, text for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from collector.exports.comma_separated import Cell, csv_bytes
from collector.exports.table import align, printable
from collector.thresholds.report import PointCounts, SourceCounts, ThresholdRow
from setpoint.finding import round12
from setpoint.units import Duration

COLUMNS: Final[Mapping[str, Callable[[ThresholdRow], Cell]]] = {
    "state": lambda row: row.state,
    "source": lambda row: row.source,
    "agent": lambda row: row.agent,
    "rule": lambda row: row.rule,
    "severity": lambda row: row.severity,
    "role": lambda row: row.role,
    "metric": lambda row: row.metric,
    "subject": lambda row: row.subject,
    "comparison": lambda row: row.comparison,
    "level": lambda row: row.level,
    "for_s": lambda row: row.for_s,
    "ours": lambda row: row.ours,
    "points": lambda row: " ".join(row.points),
    "subjects": lambda row: row.subjects,
    "configured": lambda row: row.configured,
    "planned": lambda row: row.planned,
    "why": lambda row: row.why,
}
_POINTS: Final = (
    *("points", "subjects", "with_threshold", "without_threshold"),
    *("reporting", "not_reporting"),
)
_SOURCES: Final = (
    *("thresholds", "matched", "agreeing", "drifting", "orphaned"),
    *("unmatched", "off", "without", "missing"),
)
_SIGNS: Final = {
    "above": ">",
    "at_least": ">=",
    "below": "<",
    "at_most": "<=",
    "equals": "=",
    "not_equals": "!=",
}


def rows_csv(rows: Iterable[ThresholdRow]) -> bytes:
    """One line for each threshold, in the form of `findings_csv`."""
    return csv_bytes([COLUMNS, *([column(row) for column in COLUMNS.values()] for row in rows)])


def statistics_csv(points: Iterable[PointCounts], sources: Iterable[SourceCounts]) -> bytes:
    """One line for each number, with its change since the last period."""
    lines: list[Iterable[Cell]] = [("of", "by", "value", "count", "number", "change")]
    for row in points:
        lines += [
            ("points", row.by, row.value, key, n, row.change.get(key, 0)) for key, n in _of(row, _POINTS)
        ]
    for source in sources:
        lines += [
            ("thresholds", "source", source.source, key, n, source.change.get(key, 0))
            for key, n in _of(source, _SOURCES)
        ]
    return csv_bytes(lines)


def rows_table(rows: Sequence[ThresholdRow], width: int = 120) -> str:
    """One line for each threshold, at most ``width`` columns wide."""
    lines: list[Sequence[str]] = [
        ("STATE", "SOURCE", "SEVERITY", "CONFIGURED", "PLANNED", "RULE", "METRIC OR WHY")
    ]
    for row in rows:
        about = row.ours or row.metric
        if row.subject not in ("", "*"):
            about += f" {{{row.subject}}}"
        cells = (
            row.state,
            row.source,
            row.severity or "-",
            row.configured or _configured(row) or "-",
            row.planned or "-",
            row.rule,
            row.why if row.state in ("none", "unmatched", "cannot tell") and not row.ours else about,
        )
        lines.append([printable(cell) for cell in cells])
    return align(lines, width)


def statistics_tables(
    points: Sequence[PointCounts], sources: Sequence[SourceCounts], width: int = 120
) -> str:
    """Two tables: monitoring points, and thresholds by source. A change stands behind its number."""
    heads = [("", *(key.replace("_", " ").upper() for key in _POINTS), "")]
    lines = [
        (
            f"{row.by} {row.value or '-'}" if row.by != "total" else "all",
            *_shown(row, row.change, _POINTS),
            "",
        )
        for row in points
    ]
    text = align([[printable(cell) for cell in line] for line in (*heads, *lines)], width)
    if not sources:
        return text
    heads = [("SOURCE", *(key.upper() for key in _SOURCES), "")]
    lines = [(row.source, *_shown(row, row.change, _SOURCES), "") for row in sources]
    return text + "\n" + align([[printable(cell) for cell in line] for line in (*heads, *lines)], width)


def _configured(row: ThresholdRow) -> str:
    if row.level is None:
        return ""
    text = f"{_SIGNS.get(row.comparison, row.comparison)} {round12(row.level):.12g}"
    return f"{text} for {Duration(round(row.for_s * 1000))}" if row.for_s else text


def _of(row: PointCounts | SourceCounts, keys: Sequence[str]) -> list[tuple[str, int]]:
    return [(key, getattr(row, key)) for key in keys]


def _shown(row: PointCounts | SourceCounts, change: Mapping[str, int], keys: Sequence[str]) -> list[str]:
    return [f"{n} ({change[key]:+d})" if change.get(key) else str(n) for key, n in _of(row, keys)]
