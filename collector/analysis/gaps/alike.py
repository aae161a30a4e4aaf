"""Many subjects of a point with the same gap are one finding: who has to mend a plan for two thousand hosts
mends it once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from collector.analysis.gaps.report import (
    ENGLISH,
    MEMBERS_KEPT,
    Gap,
    Saying,
    gap_verdict,
    other_verdict,
    query,
)
from collector.analysis.gaps.words import Words
from collector.analysis.review import Review, SubjectReview
from setpoint.finding import Answer, Evidence, Verdict
from setpoint.plan import PlanPoint
from setpoint.reading import subject_text

MANY: Final = 10
"""So many subjects of a point have findings of their own; more than that have one together."""

_HEADLINE = {
    "en": "{title}: {what} ({count} of {all})",
    "zh": "{title}：{what}（{all}中有 {count} 个）",
}
_STORY = {
    "en": "{period} this holds for {count} of {all}, judged by {plan}. The worst: {worst}.",
    "zh": "{period}，按{plan}，{all}中有 {count} 个存在此差距。最严重的：{worst}。",
}
_MEMBER = {"en": "{name} ({amount})", "zh": "{name}（{amount}）"}
_MENDED = {"en": "of each of them it holds that {mended}", "zh": "每个对象均满足：{mended}"}
_ORDER = {"critical": 0, "warning": 1, "info": 2}


@dataclass(frozen=True, slots=True)
class Found:
    """The gap of one subject: its own finding, how bad it is beside others of the same severity (more is
    worse), and how much it is, in a few words.
    """

    gap: Gap
    weight: float
    amount: Saying


@dataclass(frozen=True, slots=True)
class Judged:
    """What a check answers for one subject. With a ``found``, the answer is "gap"."""

    reviewed: SubjectReview
    answer: Answer
    reason: str
    found: Found | None = None


def verdicts_of_point(
    review: Review, kind: str, key: str, point: PlanPoint, judged: Sequence[Judged], what: Saying
) -> list[Verdict]:
    """One verdict for every subject, and one for the point, under the subject ().

    The point's is "gap" when more than MANY subjects have the gap; each of these then answers "cannot tell",
    so that what was said of it alone stays as it was. ``what`` says the gap, in a few words.
    """
    found = [(one, one.found) for one in judged if one.found is not None]
    together = len(found) > MANY
    verdicts = []
    for one in judged:
        if one.found is not None and not together:
            verdicts.append(gap_verdict(review, one.found.gap))
            continue
        answer, reason = one.answer, one.reason
        if one.found is not None:
            answer, reason = "cannot tell", f"it is said of {point.title} as a whole"
        verdicts.append(other_verdict(kind, key, point, one.reviewed.subject, answer, reason))
    # A measurement without identity tags has one subject, which is ().
    if not judged or any(one.reviewed.subject == () for one in judged):
        return verdicts
    if together:
        worst = sorted(found, key=lambda each: _badness(*each))
        verdicts.append(gap_verdict(review, _together(review, kind, key, point, worst, len(judged), what)))
    elif review.window.complete and all(one.answer != "cannot tell" for one in judged):
        reason = f"at most {MANY} subjects have it, and each is judged by itself"
        verdicts.append(other_verdict(kind, key, point, (), "no gap", reason))
    else:
        verdicts.append(other_verdict(kind, key, point, (), "cannot tell", "it is judged subject by subject"))
    return verdicts


def _badness(one: Judged, found: Found) -> tuple[int, float, str]:
    return _ORDER[found.gap.severity], -found.weight, subject_text(one.reviewed.subject)


def _together(
    review: Review,
    kind: str,
    key: str,
    point: PlanPoint,
    worst: Sequence[tuple[Judged, Found]],
    judged: int,
    what: Saying,
) -> Gap:
    first = worst[0][1].gap
    same = [found for _, found in worst if found.gap.severity == first.severity]

    def facts(words: Words) -> dict[str, str]:
        members = [
            words.say(
                _MEMBER,
                name=words.name(one.reviewed.subject, point.measurement),
                amount=found.amount(words),
            )
            for one, found in worst
        ]
        return {
            "title": point.title,
            "what": what(words),
            "count": f"{len(worst):,}",
            "all": words.subjects(judged),
            "period": words.period(review.window),
            "plan": words.plan_revision(review.plan.revision),
            "worst": words.listing(members),
        }

    coverages = [one.reviewed.statistics.coverage for one, _ in worst]
    return Gap(
        kind=kind,
        key=key,
        subject=(),
        point=point,
        points=[point],
        severity=first.severity,
        reasons=[f"of {len(same):,} subjects: {reason}" for reason in first.reasons[:1]]
        + [f"the worst is {subject_text(worst[0][0].reviewed.subject)}"],
        headline=lambda words: words.say(_HEADLINE, **facts(words)),
        story=lambda words: words.say(_STORY, **facts(words)),
        action=first.action,
        mended_when=lambda words: words.say(_MENDED, mended=first.mended_when(words)),
        evidence=Evidence(
            start_ms=min(one.reviewed.statistics.start_ms for one, _ in worst),
            end_ms=review.window.end_ms,
            samples=sum(one.reviewed.statistics.samples for one, _ in worst),
            coverage=min(coverages),
            statistics={"subjects": len(worst), "judged": judged},
            members=[_line(one, found) for one, found in worst[:MEMBERS_KEPT]],
            query=query((), metric=point.metric),
        ),
        measured=len(worst),
        target=0,
        unit="subjects",
    )


def _line(one: Judged, found: Found) -> str:
    return f"{subject_text(one.reviewed.subject)}: {found.amount(ENGLISH)}"
