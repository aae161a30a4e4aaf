"""thin-coverage: something reports, but less than planned, so that what it shows is not to be relied on."""

from __future__ import annotations

from typing import Final

from collector.analysis.gaps.members import Case, Scope, key_of, verdicts_by_cause
from collector.analysis.gaps.presence import Presence, presence
from collector.analysis.gaps.report import Gap, evidence_of, gap_verdict, left_out_of, query
from collector.analysis.gaps.rules import every_ms, not_closing, too_little_expected, too_thin
from collector.analysis.gaps.words import Words, number
from collector.analysis.review import Review, SubjectReview
from setpoint.finding import Answer, Evidence, Severity, Verdict
from setpoint.plan import PlanPoint

KIND: Final = "thin-coverage"

LEAST_SPACINGS_RUNNING: Final = 20
"""In a running period one restart may cost several samples, which does not make a habit."""

_HEADLINE = {"en": "{thing} is measured thinly", "zh": "{thing}的测量不足"}
_STORY = {
    "en": "{period} {what} was measured {share} of the time{samples}; {plan} asks for {least}.",
    "zh": "{period}，{what}的测量时间占比为 {share}{samples}；{plan}要求 {least}。",
}
_SAMPLES = {
    "en": " ({samples} of {expected} expected samples)",
    "zh": "（{expected} 个样本中收到 {samples} 个）",
}
_BETWEEN = {"en": "between {low} and {high}", "zh": "{low} 至 {high}"}
_ACTION = {
    "en": "See why samples are missing: the agent's restarts and dropped readings, a slow source, or an "
    "interval that is longer than planned",
    "zh": "查明样本缺失原因：代理重启或丢弃读数、数据源过慢，或采集间隔大于计划",
}
_MENDED = {
    "en": "{review} shows a coverage of at least {least}",
    "zh": "{review}内覆盖率不低于 {least}",
}


def check(review: Review) -> list[Verdict]:
    """One verdict per subject, and per host, device, tool and point that may be the cause for several."""
    cases = [
        _case(review, reviewed.point, subject) for reviewed in review.points for subject in reviewed.subjects
    ]
    return verdicts_by_cause(KIND, cases, lambda scope: _gap(review, scope))


def _case(review: Review, point: PlanPoint, reviewed: SubjectReview) -> Case:
    answer, reason = _answer(review, point, reviewed)
    return Case(
        point=point,
        subject=reviewed.subject,
        tags=reviewed.tags,
        reviewed=(reviewed,),
        answer=answer,
        reason=reason,
        well=not too_little_expected(reviewed) and not too_thin(point, reviewed),
    )


def _answer(review: Review, point: PlanPoint, reviewed: SubjectReview) -> tuple[Answer, str]:
    found = presence(reviewed, review.window)
    if found not in (Presence.REPORTING, Presence.AWAY):
        return "cannot tell", found.value
    least = LEAST_SPACINGS_RUNNING if not review.window.complete else None
    reason = too_little_expected(reviewed, least) if least else too_little_expected(reviewed)
    if reason:
        return "cannot tell", reason
    if too_thin(point, reviewed):
        return "gap", ""
    if reason := not_closing(review, point, reviewed):
        return "cannot tell", reason
    return "no gap", "enough of it was measured"


def _gap(review: Review, scope: Scope) -> Verdict:
    point, window = scope.point, review.window
    worst, worst_point = min(
        ((case.reviewed[0], case.point) for case in scope.cases), key=lambda pair: pair[0].statistics.coverage
    )
    coverages = [case.reviewed[0].statistics.coverage for case in scope.cases]
    least = worst_point.min_coverage
    severity, reasons = _severity(scope)

    def facts(words: Words) -> dict[str, str]:
        low, high = (words.apart(share * 100, least * 100, "%") for share in (min(coverages), max(coverages)))
        return {
            "period": words.period(window),
            "what": scope.what(words),
            "share": low if low == high else words.say(_BETWEEN, low=low, high=high),
            "samples": _samples(words, worst) if scope.is_single else "",
            "plan": words.plan_revision(review.plan.revision),
            "least": words.exact(least * 100, "%"),
            "review": words.review_period(review.plan.review),
        }

    evidence = Evidence(
        start_ms=window.start_ms,
        end_ms=window.end_ms,
        samples=sum(case.reviewed[0].statistics.samples for case in scope.cases),
        coverage=min(coverages),
        statistics={
            "subjects": len(scope.cases),
            "lowest": min(coverages),
            "highest": max(coverages),
            **left_out_of([case.reviewed[0] for case in scope.cases]),
        },
        members=scope.members(),
        query=query(scope.subject, metric=point.metric if point else ""),
    )
    return gap_verdict(
        review,
        Gap(
            kind=KIND,
            key=key_of(point),
            subject=scope.subject,
            point=point,
            points=scope.points,
            severity=severity,
            reasons=reasons,
            headline=lambda words: words.say(_HEADLINE, thing=scope.thing(words, marked=False)),
            story=lambda words: words.say(_STORY, **facts(words)),
            action=lambda words: words.say(_ACTION),
            mended_when=lambda words: words.say(_MENDED, **facts(words)),
            evidence=evidence_of(review, point, worst) if point and scope.is_single else evidence,
            measured=worst.statistics.coverage * 100,
            target=least * 100,
            unit="percent",
        ),
    )


def _samples(words: Words, reviewed: SubjectReview) -> str:
    every = every_ms(reviewed)
    if not every:
        return ""
    return words.say(
        _SAMPLES,
        samples=number(reviewed.statistics.samples),
        expected=number(reviewed.statistics.expected_ms // every),
    )


def _severity(scope: Scope) -> tuple[Severity, list[str]]:
    limits = [one.limits for case in scope.cases for one in case.reviewed]
    if any(one.critical or one.targets for one in limits):
        return "warning", ["a critical level or a target cannot be judged by so little"]
    return "info", ["it has neither a critical level nor a target"]
