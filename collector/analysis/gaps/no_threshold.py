"""no-threshold: the plan has it measured, and nobody said what is good."""

from __future__ import annotations

from typing import Final

from collector.analysis.gaps.report import MEMBERS_KEPT, Gap, gap_verdict, other_verdict, query
from collector.analysis.gaps.words import Words
from collector.analysis.review import PointReview, Review, SubjectReview
from setpoint.finding import Evidence, Verdict
from setpoint.limits import Limits
from setpoint.reading import subject_text

KIND: Final = "no-threshold"

_HEADLINE = {"en": "{thing} has no threshold", "zh": "{thing}没有阈值"}
_STORY = {
    "en": "{period} {thing} was measured ({count}), and {plan} sets neither a threshold nor a target for "
    "it: no value that it can have is a gap.{seen}",
    "zh": "{period}，{thing}有测量数据（{count}），但{plan}既未设阈值也未设目标："
    "任何取值都不会被判为差距。{seen}",
}
_SEEN = {
    "en": " It lay between {low} and {high}.",
    "zh": "实测值介于 {low} 与 {high} 之间。",
}
_ACTION = {
    "en": "Say which values are normal, and set a threshold or a target; or take the point out of the plan",
    "zh": "明确正常取值范围，设置阈值或目标；或将该测量点移出计划",
}
_MENDED = {
    "en": "the plan has a threshold or a target for every subject of the point",
    "zh": "计划中该测量点的每个对象都有阈值或目标",
}


def check(review: Review) -> list[Verdict]:
    """One verdict per point."""
    return [_judge(review, reviewed) for reviewed in review.points]


def is_judged(limits: Limits) -> bool:
    """Whether any value could be a gap."""
    return bool(limits.warning or limits.critical or limits.targets)


def _judge(review: Review, reviewed: PointReview) -> Verdict:
    point = reviewed.point
    unjudged = [one for one in reviewed.subjects if not is_judged(one.limits)]
    measured = [one for one in unjudged if one.statistics.samples]
    if measured:
        return _gap(review, reviewed, measured)
    if unjudged or not (reviewed.subjects or is_judged(point.limits)):
        return other_verdict(
            KIND, point.id, point, (), "cannot tell", "what has no threshold is not measured"
        )
    return other_verdict(KIND, point.id, point, (), "no gap", "everything has a threshold or a target")


def _gap(review: Review, reviewed: PointReview, members: list[SubjectReview]) -> Verdict:
    point = reviewed.point
    single = members[0] if len(members) == 1 else None

    def thing(words: Words, *, marked: bool = True) -> str:
        name = words.name(single.subject, point.measurement, marked=marked) if single else ""
        return words.thing(point.title, name)

    def story(words: Words) -> str:
        return words.say(
            _STORY,
            period=words.period(review.window),
            count=words.subjects(len(members)),
            thing=words.thing(point.title, ""),
            plan=words.plan_revision(review.plan.revision),
            seen=_seen(words, point.unit, members),
        )

    return gap_verdict(
        review,
        Gap(
            kind=KIND,
            key=point.id,
            subject=(),
            point=point,
            points=[point],
            severity="info",
            reasons=["it is measured, and nothing can come of it"],
            headline=lambda words: words.say(_HEADLINE, thing=thing(words, marked=False)),
            story=story,
            # The point's own action is for a breach, and there can be none yet.
            action=lambda words: words.say(_ACTION),
            mended_when=lambda words: words.say(_MENDED),
            evidence=Evidence(
                start_ms=review.window.start_ms,
                end_ms=review.window.end_ms,
                samples=sum(one.statistics.samples for one in members),
                statistics={"subjects": len(members)},
                members=[subject_text(one.subject) for one in members[:MEMBERS_KEPT]],
                query=query(single.subject if single else (), metric=point.metric),
            ),
        ),
    )


def _seen(words: Words, unit: str, members: list[SubjectReview]) -> str:
    lows = [one.statistics.min for one in members if one.statistics.min is not None]
    highs = [one.statistics.max for one in members if one.statistics.max is not None]
    if not lows or not highs:
        return ""
    return words.say(_SEEN, low=words.quantity(min(lows), unit), high=words.quantity(max(highs), unit))
