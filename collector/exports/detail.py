"""One finding as text, for a terminal."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from collector.exports.quantity import duration, quantity, time_text
from collector.exports.table import printable
from setpoint.finding import Finding

_MARKS = re.compile(r"\*\*|`")


def finding_detail(finding: Finding, language: str = "en", width: int = 100) -> str:
    """What a planner reads of the finding in the language, and what it rests on."""
    text = plain(finding.text.get(language) or finding.title)
    paragraph = textwrap.wrap(text, width) if language == "en" else [text]
    facts = [(name, printable(value)) for name, value in _facts(finding) if value]
    indent = max(len(name) for name, _ in facts) + 2
    lines = [
        f"{name:<{indent}}{line}" if number == 0 else " " * indent + line
        for name, value in facts
        for number, line in enumerate(_lines(value, max(width - indent, 20)))
    ]
    return "\n".join([*paragraph, "", *lines]) + "\n"


def _lines(value: str, width: int) -> list[str]:
    # An address in two lines is none that a terminal lets one click on.
    whole = "://" in value
    return textwrap.wrap(value, width, break_on_hyphens=False, break_long_words=not whole)


def plain(text: str) -> str:
    """The text in one line, without the Markdown that findings use."""
    return printable(_MARKS.sub("", text))


def _facts(finding: Finding) -> Iterator[tuple[str, str]]:
    evidence = finding.evidence
    yield "id", finding.id
    yield "state", finding.state
    yield "severity", "; ".join((finding.severity, *finding.reasons))
    yield "kind", finding.kind
    yield "point", finding.point or ""
    yield "metric", finding.metric
    yield "subject", " ".join(f"{key}={value}" for key, value in finding.subject.items())
    yield "measured", quantity(finding.measured, finding.unit)
    yield "target", quantity(finding.target, finding.unit)
    yield "gap", quantity(finding.gap, finding.unit, signed=True)
    yield "period", f"{time_text(evidence.start_ms)} to {time_text(evidence.end_ms)}"
    yield "samples", "" if evidence.samples is None else f"{evidence.samples:,}"
    yield "coverage", "" if evidence.coverage is None else quantity(evidence.coverage * 100, "%")
    for start_ms, end_ms in evidence.episodes:
        yield "episode", f"{time_text(start_ms)} for {duration((end_ms - start_ms) / 1000)}"
    yield "members", ", ".join(evidence.members)
    yield "first seen", time_text(finding.first_seen_ms)
    yield "last seen", time_text(finding.last_seen_ms)
    yield "closed", time_text(finding.closed_ms)
    superseded = "" if finding.superseded_by is None else f"; superseded by revision {finding.superseded_by}"
    yield "judged by", f"plan revision {finding.plan_revision} ({finding.plan_hash}){superseded}"
    yield "serves", ", ".join(finding.objectives)
    yield "class", finding.metric_class
    yield "element", finding.element
    yield "owner", finding.owner
    yield "action", plain(finding.action)
    yield "mended when", plain(finding.mended_when)
    yield "query", evidence.query
    yield "link", evidence.link
