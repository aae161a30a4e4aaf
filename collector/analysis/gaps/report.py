"""Puts a finding together: what all kinds have in common, said in every language."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Final
from urllib.parse import urlencode

from collector.analysis.expected import NOTHING_LEFT_OUT
from collector.analysis.gaps.chinese import Chinese
from collector.analysis.gaps.english import English
from collector.analysis.gaps.words import Words
from collector.analysis.review import Review, SubjectReview
from collector.analysis.statistics import Statistics
from setpoint.finding import Answer, Evidence, Finding, Severity, Verdict, finding_id, round12
from setpoint.plan import Plan, PlanPoint
from setpoint.reading import Subject

ENGLISH: Final = English()
LANGUAGES: Final[Sequence[Words]] = (ENGLISH, Chinese())
MEMBERS_KEPT: Final = 100
"""So many members a finding lists; the others it counts."""

# What the API takes for itself; tags of these names are asked for in another way.
_PARAMETERS: Final = frozenset({"limit", "measurement", "metric", "tag"})

Saying = Callable[[Words], str]
"""Says one thing in the language it is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """What a check found, before it is a finding. ``points`` are those it concerns; with exactly one in
    ``point`` it is that point's finding. ``measured`` and ``target`` are in ``unit``.
    """

    kind: str
    key: str
    """What stands for the point in the finding's id."""
    subject: Subject
    point: PlanPoint | None
    points: Sequence[PlanPoint]
    severity: Severity
    reasons: list[str]
    headline: Saying
    story: Saying
    action: Saying
    mended_when: Saying
    evidence: Evidence
    coverage: float | None = None
    measured: float | None = None
    target: float | None = None
    unit: str = ""


def gap_verdict(review: Review, gap: Gap) -> Verdict:
    """The verdict "gap", with its finding."""
    plan, points = review.plan, gap.points
    objectives = _unique(o for point in points for o in point.objectives)
    owner = ", ".join(_unique(point.owner for point in points))
    known = gap.measured is not None and gap.target is not None
    finding = Finding(
        id=finding_id(gap.kind, gap.key, gap.subject),
        kind=gap.kind,
        severity=gap.severity,
        reasons=gap.reasons,
        title=gap.headline(ENGLISH),
        text={
            words.code: words.paragraph(
                gap.headline(words),
                gap.story(words),
                *words.tail(
                    coverage="" if gap.coverage is None else words.share(gap.coverage),
                    serves=_served(plan, objectives),
                    action=gap.action(words),
                    mended_when=gap.mended_when(words),
                    owner=owner,
                ),
            )
            for words in LANGUAGES
        },
        point=None if gap.point is None else gap.point.id,
        metric=gap.point.metric if gap.point else "",
        subject=dict(gap.subject),
        objectives=objectives,
        measured=_rounded(gap.measured),
        target=_rounded(gap.target),
        gap=_rounded((gap.measured or 0) - (gap.target or 0)) if known else None,
        unit=gap.unit,
        evidence=gap.evidence,
        plan_revision=plan.revision,
        plan_hash=plan.hash,
        metric_class=_common(point.metric_class for point in points),
        element=_common(point.element for point in points),
        owner=owner,
        action=gap.action(ENGLISH),
        mended_when=gap.mended_when(ENGLISH),
    )
    return Verdict(
        id=finding.id,
        kind=gap.kind,
        point=finding.point,
        subject=gap.subject,
        answer="gap",
        reason=finding.title,
        finding=finding,
    )


def other_verdict(
    kind: str, key: str, point: PlanPoint | None, subject: Subject, answer: Answer, reason: str
) -> Verdict:
    """The verdict "no gap" or "cannot tell"."""
    return Verdict(
        id=finding_id(kind, key, subject),
        kind=kind,
        point=None if point is None else point.id,
        subject=subject,
        answer=answer,
        reason=reason,
    )


def evidence_of(review: Review, point: PlanPoint, reviewed: SubjectReview) -> Evidence:
    """What one subject's statistics show, as far as there is something to show."""
    shown = reviewed.statistics
    return Evidence(
        start_ms=shown.start_ms,
        end_ms=review.window.end_ms,
        samples=shown.samples,
        coverage=shown.coverage,
        statistics={**_shown(shown), **left_out_of([reviewed])},
        query=query(reviewed.subject, metric=point.metric),
    )


def left_out_of(reviewed: Iterable[SubjectReview]) -> dict[str, float | int | None]:
    """How much time was not judged, of all these together, by the reason why; without what is 0."""
    found: Counter[str] = Counter()
    for one in reviewed:
        if one.left_out is not NOTHING_LEFT_OUT:
            found.update(asdict(one.left_out))
    return {reason: time_ms for reason, time_ms in found.items() if time_ms}


def query(subject: Subject, **wanted: str) -> str:
    """The path of the API that shows the series of a subject, of a ``metric`` or ``measurement``."""
    asked = [(name, value) for name, value in wanted.items() if value]
    asked += [("tag", f"{key}={value}") if key in _PARAMETERS else (key, value) for key, value in subject]
    return f"/api/series?{urlencode(asked)}" if asked else "/api/series"


def action_of(point: PlanPoint, texts: dict[str, str]) -> Saying:
    """What the plan says is to be done about the point; where it says nothing, the given words."""
    return lambda words: point.action or words.say(texts)


def _shown(statistics: Statistics) -> dict[str, float | int | None]:
    names = ("availability", "mean", "min", "max", "p50", "p95", "p99")
    found: dict[str, float | int | None] = {name: getattr(statistics, name) for name in names}
    found |= {"every_ms": statistics.every_ms, "measured_ms": statistics.measured_ms}
    return {name: value for name, value in found.items() if value is not None}


def _served(plan: Plan, objectives: Sequence[str]) -> list[str]:
    return _unique(o.service or o.title for o in plan.objectives if o.id in objectives)


def _unique(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(text for text in texts if text))


def _common(texts: Iterable[str]) -> str:
    found = set(texts)
    return found.pop() if len(found) == 1 else ""


def _rounded(value: float | None) -> float | None:
    return None if value is None else round12(value)
