"""went-silent: something reported, and stopped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from collector.analysis.gaps.members import Case, Scope, key_of, verdicts_by_cause
from collector.analysis.gaps.presence import (
    Presence,
    is_said_of_the_silent,
    newest_ms,
    patience_ms,
    presence,
    roots,
    silent_roots,
)
from collector.analysis.gaps.report import MEMBERS_KEPT, Gap, gap_verdict, left_out_of, query
from collector.analysis.gaps.rules import every_ms
from collector.analysis.gaps.words import Words
from collector.analysis.review import Review, SubjectReview
from setpoint.finding import Answer, Evidence, Severity, Verdict
from setpoint.maintenance import HOST_TAGS
from setpoint.plan import PlanPoint
from setpoint.reading import Subject

KIND: Final = "went-silent"

_HEADLINE = {"en": "{thing} went silent", "zh": "{thing}已停止上报"}
_STORY = {
    "en": "The last sample of {what} is of {last}, and {until} it had been silent for {silence}."
    "{rhythm}{agent}{masked}",
    "zh": "{what}的最后一个样本时间为 {last}，至 {until} 已静默 {silence}。{rhythm}{agent}{masked}",
}
_PLANNED = {
    "en": " {plan} expects a sample every {every}.",
    "zh": "{plan}要求每 {every}采样一次。",
}
_USUAL = {"en": " It used to report every {every}.", "zh": "此前每 {every}上报一次。"}
_AGENT_LIVES = {
    "en": " Its agent still reports other things, last at {moment}.",
    "zh": "其代理仍在上报其他数据，最近一次为 {moment}。",
}
_MASKED = {
    "en": " What depends on it is not judged meanwhile: {hosts}.",
    "zh": "依赖它的对象在此期间不作判定：{hosts}。",
}
_ACTION_ROOT = {
    "en": "See whether it runs and reaches the collector; start its agent, or take it out of the plan",
    "zh": "确认其是否运行、能否连接采集端；启动代理，或将其移出计划",
}
_ACTION_ASKED = {
    "en": "See whether it answers, and whether the agent that asks it still may; or take it out of the plan",
    "zh": "确认其是否应答、采集它的代理是否仍有权限；或将其移出计划",
}
_ACTION_POINT = {
    "en": "See what its agent says of the input; mend the source, or take it out of the plan",
    "zh": "查看代理对该输入项的报告；修复数据源，或将其移出计划",
}
_MENDED = {"en": "its samples arrive again", "zh": "重新收到其样本"}


def check(review: Review) -> list[Verdict]:
    """One verdict per subject, and per host, device, tool and point that may be silent as a whole."""
    silent = silent_roots(review)
    cases = [
        _case(review, reviewed.point, subject, silent)
        for reviewed in review.points
        for subject in reviewed.subjects
        if newest_ms(subject) is not None
    ]
    return verdicts_by_cause(KIND, cases, lambda scope: _gap(review, scope))


def _case(review: Review, point: PlanPoint, reviewed: SubjectReview, silent: set[Subject]) -> Case:
    found = presence(reviewed, review.window)
    answer: Answer = "cannot tell"
    reason = found.value
    if found is Presence.REPORTING and is_said_of_the_silent(point, reviewed):
        reason = "it is what an agent says of a device that does not answer"
    elif found is Presence.REPORTING and not silent.isdisjoint(roots(reviewed.tags)):
        reason = "it is not late yet, but nothing has arrived from where it comes from"
    elif found is Presence.REPORTING:
        answer = "no gap"
    elif found is Presence.SILENT and (reviewed.named or reviewed.statistics.samples):
        answer = "gap"
    elif found is Presence.SILENT:
        # A point without `expect` is for whatever reports it, and this does not, nor is it ever closed.
        reason = "the plan does not name it, and it was silent for the whole period"
    return Case(
        point=point,
        subject=reviewed.subject,
        tags=reviewed.tags,
        reviewed=(reviewed,),
        answer=answer,
        reason=reason,
        well=answer == "no gap",
    )


def _gap(review: Review, scope: Scope) -> Verdict:
    window, zone, point = review.window, review.plan.timezone, scope.point
    all_reviewed = [one for case in scope.cases for one in case.reviewed]
    newest, latest = max(((newest_ms(one) or 0, one) for one in all_reviewed), key=lambda pair: pair[0])
    patience = patience_ms(every_ms(latest))
    severity, reasons = _severity(scope)
    behind = _behind(review, scope)

    def story(words: Words) -> str:
        return words.say(
            _STORY,
            what=scope.what(words),
            last=words.moment(newest, zone),
            until=words.until(window, zone),
            silence=words.duration(window.end_ms - newest),
            rhythm=_rhythm(words, review, all_reviewed),
            agent=_agent(words, review, scope, patience),
            masked=words.say(_MASKED, hosts=words.listing(behind)) if behind else "",
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
            story=story,
            action=lambda words: words.say(_action(scope)),
            mended_when=lambda words: words.say(_MENDED),
            evidence=Evidence(
                start_ms=window.start_ms,
                end_ms=window.end_ms,
                samples=sum(one.statistics.samples for one in all_reviewed),
                coverage=latest.statistics.coverage if scope.is_single else None,
                statistics={
                    "subjects": len(scope.cases),
                    "last_ms": newest,
                    "patience_ms": patience,
                    **({"masked_hosts": len(behind)} if behind else {}),
                    **left_out_of(all_reviewed),
                },
                members=[*scope.members(), *(f"masked: {name}" for name in behind[:MEMBERS_KEPT])],
                query=query(scope.subject, metric=point.metric if point else ""),
            ),
            measured=(window.end_ms - newest) / 1000,
            target=patience / 1000,
            unit="s",
        ),
    )


def _behind(review: Review, scope: Scope) -> list[str]:
    """The hosts and devices that are masked because of what the verdict is about."""
    names = [value for tag, value in scope.subject if tag in HOST_TAGS]
    return sorted({host for name in names[-1:] for host in review.masks.get(name, ())})


def _rhythm(words: Words, review: Review, reviewed: list[SubjectReview]) -> str:
    spacings = {(one.limits.every_ms, every_ms(one)) for one in reviewed}
    if len(spacings) > 1:
        return ""
    planned, every = spacings.pop()
    plan = words.plan_revision(review.plan.revision)
    return words.say(
        _PLANNED if planned else _USUAL, plan=words.begin(plan), every=words.duration(every or 0)
    )


def _agent(words: Words, review: Review, scope: Scope, patience: int) -> str:
    """That the agent itself still reports, where that is so: then the host is not what failed."""
    heard_ms = review.agents.get(dict(scope.subject).get("host", ""))
    if heard_ms is None or review.window.end_ms - heard_ms > patience:
        return ""
    return words.say(_AGENT_LIVES, moment=words.moment(heard_ms, review.plan.timezone))


def _action(scope: Scope) -> Mapping[str, str]:
    if scope.point is not None:
        return _ACTION_POINT
    return _ACTION_ROOT if dict(scope.subject).keys() <= {"host"} else _ACTION_ASKED


def _severity(scope: Scope) -> tuple[Severity, list[str]]:
    if scope.point is None:
        return "critical", ["nothing that is planned there is known any more"]
    if any(one.limits.critical for case in scope.cases for one in case.reviewed):
        return "warning", ["it has a critical level, and nobody would see it breached"]
    return "info", ["it has no critical level"]
