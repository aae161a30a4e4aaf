"""target-missed: a period's statistic does not meet the target that the plan sets for it."""

from __future__ import annotations

from typing import Final

import msgspec

from collector.analysis.gaps.alike import Found, Judged, verdicts_of_point
from collector.analysis.gaps.presence import newest_ms
from collector.analysis.gaps.report import Gap, Saying, action_of, evidence_of
from collector.analysis.gaps.rules import not_closing, too_little_expected, too_thin
from collector.analysis.gaps.words import PERCENT, Words, number
from collector.analysis.review import Review, SubjectReview
from setpoint.finding import Answer, Severity, Verdict
from setpoint.limits import SHARES, Statistic, Target
from setpoint.plan import PlanPoint

KIND: Final = "target-missed"

_HEADLINE = {
    "en": "{thing}: {statistic} {measured}, planned {bound}",
    "zh": "{thing}：{statistic} {measured}，计划{bound}",
}
_STORY = {
    "en": "{period} the {statistic} of {thing} was {measured}; {plan} asks for {bound}, so it is {off}."
    "{downtime}",
    "zh": "{period}，{thing}的{statistic}为 {measured}；{plan}要求{bound}，{off}。{downtime}",
}
_DOWNTIME = {
    "en": " It was not good for {time}.",
    "zh": "不达标时间累计 {time}。",
}
_MISSED = {"en": "the {statistic} misses its target", "zh": "{statistic}未达目标"}
_ACTION = {
    "en": "Find what holds the value off its target, and plan the improvement or change the target",
    "zh": "查明未达标原因，制定改进措施或调整目标",
}
_MENDED = {
    "en": "the {statistic} of {review} with at least {coverage} coverage is {bound}",
    "zh": "覆盖率不低于 {coverage} 的{review}内，{statistic}{bound}",
}


def check(review: Review) -> list[Verdict]:
    """One verdict per subject and target, and one per point and target for what many subjects miss. What a
    target says of time in breach is what the plan allows, and threshold-breached judges it.
    """
    verdicts = []
    for reviewed in review.points:
        judged: dict[Statistic, list[Judged]] = {}
        for subject in reviewed.subjects:
            for target in subject.limits.targets:
                if not is_allowance(target):
                    found = _judge(review, reviewed.point, subject, target)
                    judged.setdefault(target.statistic, []).append(found)
        for statistic, ones in judged.items():
            verdicts += verdicts_of_point(
                review, KIND, _key(reviewed.point, statistic), reviewed.point, ones, _missed(statistic)
            )
    return verdicts


def is_allowance(target: Target) -> bool:
    """Whether the target allows a time beyond a level, and is no aim of its own."""
    return target.statistic in ("breach_time", "breach_share") and target.at_most is not None


def _judge(review: Review, point: PlanPoint, reviewed: SubjectReview, target: Target) -> Judged:
    measured = reviewed.statistics.value(target.statistic)
    answer: Answer = "cannot tell"
    if reason := too_little_expected(reviewed):
        pass
    elif measured is None:
        reason = "nothing was measured that it could be judged by"
    elif not target.met(measured):
        reason = "" if _is_certain(point, reviewed, target) else too_thin(point, reviewed)
        if not reason:
            return Judged(reviewed, "gap", "", _found(review, point, reviewed, target, measured))
    else:
        reason = not_closing(review, point, reviewed)
        if not reason:
            answer, reason = "no gap", "the target is met"
    return Judged(reviewed, answer, reason)


def _is_certain(point: PlanPoint, reviewed: SubjectReview, target: Target) -> bool:
    """Whether what was not measured could not make it better: an extreme that was seen was seen, and an
    availability for which missing time is bad has counted it. A subject that never reported is not-measured.
    """
    if target.statistic == "availability":
        return point.missing_bad and newest_ms(reviewed) is not None
    return (target.statistic == "max" and target.at_most is not None) or (
        target.statistic == "min" and target.at_least is not None
    )


def _found(
    review: Review, point: PlanPoint, reviewed: SubjectReview, target: Target, measured: float
) -> Found:
    share = target.statistic in SHARES
    unit = "percent" if share else "s" if target.statistic == "breach_time" else point.unit
    factor = 100 if share else 1
    value, bound = measured * factor, target.bound * factor
    off = abs(value - bound)
    severity, reasons = _severity(point, target)

    def facts(words: Words, *, marked: bool = True) -> dict[str, str]:
        size = words.points_of_percent(number(off)) if unit in PERCENT else words.quantity(off, unit)
        return {
            "thing": words.thing(point.title, words.name(reviewed.subject, point.measurement, marked=marked)),
            "statistic": words.statistic(target.statistic),
            "measured": words.apart(value, bound, unit),
            "bound": words.bound(words.exact(bound, unit), at_most=target.at_most is not None),
            "off": words.off_by(size, too_high=value > bound),
            "period": words.period(review.window),
            "plan": words.plan_revision(review.plan.revision),
            "downtime": _downtime(words, point, reviewed, target),
            "review": words.review_period(review.plan.review),
            "coverage": words.share(point.min_coverage),
        }

    evidence = evidence_of(review, point, reviewed)
    return Found(
        Gap(
            kind=KIND,
            key=_key(point, target.statistic),
            subject=reviewed.subject,
            point=point,
            points=[point],
            severity=severity,
            reasons=reasons,
            headline=lambda words: words.say(_HEADLINE, **facts(words, marked=False)),
            story=lambda words: words.say(_STORY, **facts(words)),
            action=action_of(point, _ACTION),
            mended_when=lambda words: words.say(_MENDED, **facts(words)),
            evidence=msgspec.structs.replace(
                evidence, statistics={**evidence.statistics, target.statistic: measured}
            ),
            coverage=reviewed.statistics.coverage,
            measured=value,
            target=bound,
            unit=unit,
        ),
        weight=off,
        amount=lambda words: facts(words)["measured"],
    )


def _missed(statistic: Statistic) -> Saying:
    return lambda words: words.say(_MISSED, statistic=words.statistic(statistic))


def _severity(point: PlanPoint, target: Target) -> tuple[Severity, list[str]]:
    missed = f"the target for the {target.statistic} is missed"
    if target.statistic != "availability":
        return "warning", [missed]
    if point.objectives:
        return "critical", [missed, "availability is what an objective of the plan rests on"]
    if point.metric_class == "service":
        return "critical", [missed, "it is the availability of a service"]
    return "warning", [missed, "no objective of the plan rests on this availability"]


def _downtime(words: Words, point: PlanPoint, reviewed: SubjectReview, target: Target) -> str:
    shown = reviewed.statistics
    if target.statistic != "availability" or shown.good_ms is None:
        return ""
    judged_ms = shown.expected_ms if point.missing_bad else shown.measured_ms
    return words.say(_DOWNTIME, time=words.duration(judged_ms - shown.good_ms))


def _key(point: PlanPoint, statistic: Statistic) -> str:
    # Two targets of a point are two findings; a point's id cannot hold a colon.
    return f"{point.id}:{statistic}"
