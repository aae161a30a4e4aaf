"""The finding: one gap between what was planned and what was measured, with its evidence."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import msgspec

from setpoint.reading import Subject, subject_text

Severity = Literal["critical", "warning", "info"]
State = Literal["open", "closed", "superseded"]
Answer = Literal["gap", "no gap", "cannot tell"]


class Evidence(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What the finding rests on. Times are UTC milliseconds since 1970."""

    start_ms: int
    end_ms: int
    samples: int | None = None
    coverage: float | None = None
    statistics: dict[str, float | int | None] = {}
    episodes: list[tuple[int, int]] = []
    """(start, end) of the longest episodes, in order of time."""
    members: list[str] = []
    """Subjects or series that this one finding speaks for."""
    query: str = ""
    """What to ask the collector to see the samples themselves."""
    link: str = ""
    """The panel of Grafana that shows it; not kept, but made when asked for."""


class Finding(msgspec.Struct, kw_only=True):
    """One gap. ``gap`` is measured minus target, in ``unit``; both are None where nothing is a number."""

    id: str
    kind: str
    severity: Severity
    reasons: list[str]
    title: str
    text: dict[str, str]
    """What a planner reads, by language (``en``, ``zh``)."""
    point: str | None
    metric: str
    subject: dict[str, str]
    objectives: list[str] = []
    measured: float | None = None
    target: float | None = None
    gap: float | None = None
    unit: str = ""
    evidence: Evidence
    plan_revision: int
    plan_hash: str
    metric_class: str = msgspec.field(default="", name="class")
    element: str = ""
    owner: str = ""
    action: str = ""
    mended_when: str = ""
    state: State = "open"
    first_seen_ms: int = 0
    last_seen_ms: int = 0
    closed_ms: int | None = None
    superseded_by: int | None = None
    """The plan revision that loosened or removed the point."""


class Verdict(msgspec.Struct, kw_only=True):
    """What a check answers for one subject. ``finding`` is there when the answer is "gap"."""

    id: str
    kind: str
    point: str | None
    subject: Subject
    answer: Answer
    reason: str = ""
    finding: Finding | None = None


def finding_id(kind: str, point_or_measurement: str, subject: Subject) -> str:
    """Twelve hex digits that the same gap keeps from period to period."""
    text = "\0".join((kind, point_or_measurement, subject_text(subject)))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def round12(value: float) -> float:
    """Rounded to 12 significant digits: engines differ beyond that."""
    return float(f"{value:.12g}")


def to_json(finding: Finding) -> dict[str, Any]:
    """The finding as plain data, for JSON."""
    data = msgspec.to_builtins(finding)
    assert isinstance(data, dict)
    return data
