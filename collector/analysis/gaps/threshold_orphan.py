"""threshold-orphan: a tool has a threshold on what no plan knows, or on what no longer reports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from collector.analysis.gaps.presence import Presence, presence
from collector.analysis.gaps.report import MEMBERS_KEPT, Gap, gap_verdict, other_verdict, query
from collector.analysis.gaps.sources import code, not_read
from collector.analysis.gaps.words import Words, number
from collector.analysis.review import Review
from collector.thresholds.matched import Matched
from setpoint.finding import Evidence, Severity, Verdict
from setpoint.plan import PlanPoint
from setpoint.reading import Subject, subject_text

KIND: Final = "threshold-orphan"

Ground = Literal["not planned", "not reporting"]
_GROUNDS: Final[tuple[Ground, ...]] = ("not planned", "not reporting")
_GONE = frozenset({Presence.SILENT, Presence.NEVER})

_HEADLINE = {
    "not planned": {
        "en": "{source} has thresholds on what the plan does not know",
        "zh": "{source} 中有计划未涉及对象的阈值",
    },
    "not reporting": {
        "en": "{source} has thresholds on what does not report",
        "zh": "{source} 中有已不上报对象的阈值",
    },
}
_STORY = {
    "not planned": {
        "en": "{count} of the {total} thresholds of {source} that could be understood are on something that "
        "no point of {plan} wants: {names}.",
        "zh": "{source} 中可识别的 {total} 个阈值里，有 {count} 个不属于{plan}的任何测量点：{names}。",
    },
    "not reporting": {
        "en": "{count} of the {total} thresholds of {source} that could be understood are on something that "
        "{plan} wants and that does not report: {names}.",
        "zh": "{source} 中可识别的 {total} 个阈值里，有 {count} 个针对{plan}中已不上报的对象：{names}。",
    },
}
_NAME = {"en": "{rule} ({what})", "zh": "{rule}（{what}）"}
_ACTION = {
    "not planned": {
        "en": "Plan what is of use, and take the other rules out of {source}",
        "zh": "将有用的纳入计划，并从 {source} 中删除其余规则",
    },
    "not reporting": {
        "en": "Find out whether it is gone for good; then take its rules out of {source} and the plan",
        "zh": "确认对象是否已下线；若是，则从 {source} 和计划中删除相应规则",
    },
}
_MENDED = {
    "not planned": {
        "en": "every threshold of {source} is on something that the plan wants",
        "zh": "{source} 的每个阈值都属于计划中的某个测量点",
    },
    "not reporting": {
        "en": "everything that {source} has a threshold on reports",
        "zh": "{source} 设有阈值的对象均在上报",
    },
}
_REASONS: Final[dict[Ground, str]] = {
    "not planned": "it alarms for something that nobody has planned",
    "not reporting": "whether its alarms can still come is not known",
}


class Orphan(NamedTuple):
    """``what``: which metric or subject it is on. ``points``: those of the plan, where there are such."""

    matched: Matched
    what: str
    points: tuple[PlanPoint, ...]


def check(review: Review) -> list[Verdict]:
    """Two verdicts per source: on what the plan does not know, and on what does not report."""
    return [
        _judge(review, source, ground) for source in review.thresholds.source_names() for ground in _GROUNDS
    ]


def orphans_of(review: Review, source: str, ground: Ground) -> list[Orphan]:
    """The thresholds of the source that are raised and have nothing to stand on, for this reason."""
    found: list[Orphan] = []
    if ground == "not planned" and not review.thresholds.is_set_by_people(source):
        return found
    for one in review.thresholds.matched:
        if one.threshold.source == source and one.counts:
            orphan = _unplanned(one) if ground == "not planned" else _unreported(review, one)
            if orphan is not None:
                found.append(orphan)
    return found


def _unplanned(one: Matched) -> Orphan | None:
    if one.place == "not planned":
        return Orphan(one, one.metric, ())
    if one.place == "no subject":
        return Orphan(one, f"{one.metric} {one.threshold.subject}", ())
    return None


def _unreported(review: Review, one: Matched) -> Orphan | None:
    if not one.pairings:
        return None
    if any(presence(pairing.reviewed, review.window) not in _GONE for pairing in one.pairings):
        return None
    points = tuple({pairing.point.id: pairing.point for pairing in one.pairings}.values())
    first = subject_text(one.pairings[0].reviewed.subject)
    more = len(one.pairings) - 1
    return Orphan(one, f"{one.metric} {first}" + (f" +{more}" if more else ""), points)


def _judge(review: Review, source: str, ground: Ground) -> Verdict:
    subject: Subject = (("source", source),)
    if reason := not_read(review, source):
        return other_verdict(KIND, ground, None, subject, "cannot tell", reason)
    orphans = orphans_of(review, source, ground)
    counted = [one for one in review.thresholds.matched if one.threshold.source == source and one.counts]
    understood = [one for one in counted if one.place not in ("unknown name", "not comparable")]
    if orphans:
        return _gap(review, source, ground, orphans, len(understood))
    if counted and not understood:
        reason = f"for none of the {len(counted)} thresholds is it known what it is called here"
        return other_verdict(KIND, ground, None, subject, "cannot tell", reason)
    return other_verdict(
        KIND,
        ground,
        None,
        subject,
        "no gap",
        f"none of the {len(understood)} thresholds that are understood is",
    )


def _gap(review: Review, source: str, ground: Ground, orphans: Sequence[Orphan], understood: int) -> Verdict:
    points = list({point.id: point for one in orphans for point in one.points}.values())
    critical = any(pairing.severity == "critical" for one in orphans for pairing in one.matched.pairings)
    severity: Severity = "warning" if critical and ground == "not reporting" else "info"
    reasons = [_REASONS[ground]] + (["some are for critical levels"] if severity == "warning" else [])
    subject: Subject = (("source", source),)

    def story(words: Words) -> str:
        names = [
            words.say(_NAME, rule=code(one.matched.threshold.rule), what=code(one.what)) for one in orphans
        ]
        return words.say(
            _STORY[ground],
            count=number(len(orphans)),
            total=number(understood),
            source=code(source),
            plan=words.plan_revision(review.plan.revision),
            names=words.listing(names),
        )

    return gap_verdict(
        review,
        Gap(
            kind=KIND,
            key=ground,
            subject=subject,
            point=None,
            points=points,
            severity=severity,
            reasons=reasons,
            headline=lambda words: words.say(_HEADLINE[ground], source=source),
            story=story,
            action=lambda words: words.say(_ACTION[ground], source=source),
            mended_when=lambda words: words.say(_MENDED[ground], source=source),
            evidence=Evidence(
                start_ms=review.window.start_ms,
                end_ms=review.window.end_ms,
                statistics={"thresholds": len(orphans), "understood": understood},
                members=[f"{one.matched.threshold.rule}: {one.what}" for one in orphans[:MEMBERS_KEPT]],
                query=query(subject, measurement="threshold"),
            ),
            measured=len(orphans),
            target=0,
            unit="thresholds",
        ),
    )
