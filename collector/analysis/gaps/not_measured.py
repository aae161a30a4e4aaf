"""not-measured: the plan names something, and nothing ever reported it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from collector.analysis.gaps.members import Case, Scope, key_of, verdicts_by_cause
from collector.analysis.gaps.presence import (
    Presence,
    expected_since_ms,
    first_wait_ms,
    newest_ms,
    presence,
    roots,
    silent_roots,
)
from collector.analysis.gaps.report import Gap, gap_verdict, query
from collector.analysis.gaps.words import Words
from collector.analysis.review import PointReview, Review, SubjectReview
from setpoint.finding import Answer, Evidence, Severity, Verdict
from setpoint.plan import PlanPoint
from setpoint.reading import Subject, subject_of

KIND: Final = "not-measured"

_HEADLINE_POINT = {"en": "{thing} is not measured", "zh": "{thing}未被测量"}
_HEADLINE_ROOT = {"en": "{thing} has never reported", "zh": "{thing}从未上报"}
_HEADLINE_UNPLANNED = {"en": "Nothing planned on {thing} is measured", "zh": "{thing}的计划对象均未被测量"}
_HEADLINE_ALL = {"en": "Nothing in the plan has ever reported", "zh": "计划中的任何对象都从未上报"}
_STORY = {
    "en": "{plan} wants {what} measured{rhythm}; {until} no sample had ever arrived.{agent}",
    "zh": "{plan}要求测量{what}{rhythm}；截至 {until} 从未收到样本。{agent}",
}
_RHYTHM = {"en": " every {every}", "zh": "（每 {every}一次）"}
_AGENT_SEEN = {
    "en": " The agent itself was last heard of at {moment}.",
    "zh": "该代理最近一次上报时间为 {moment}。",
}
_ACTION_ROOT = {
    "en": "See that the agent runs there and reaches the collector, and that its inputs cover the plan",
    "zh": "确认代理已运行并能连接采集端，且其输入项覆盖计划内容",
}
_ACTION_ASKED = {
    "en": "See that it answers, and that an agent asks it at the right address and with the right access",
    "zh": "确认其可应答，且有代理以正确的地址和权限采集",
}
_ACTION_POINT = {
    "en": "Switch on the input that measures it, correct what the point selects, or take it out of the plan",
    "zh": "启用对应的输入项，更正测量点的筛选条件，或将其移出计划",
}
_MENDED = {"en": "its first sample has arrived", "zh": "收到其首个样本"}


class Expectation(NamedTuple):
    """Something that the plan names, and the subjects seen that answer to it. Without ``expect``, the point
    itself is what is named: somebody has to report it.
    """

    subject: Subject
    tags: Mapping[str, str]
    reviewed: Sequence[SubjectReview]


class _Known(NamedTuple):
    """What is known of the whole review: what went silent as a whole, and when anything was first seen in
    the window, of each host and at all.
    """

    review: Review
    silent: set[Subject]
    first_ms_by_host: Mapping[str | None, int]
    first_ms: int | None


def check(review: Review) -> list[Verdict]:
    """One verdict per expectation, and per host, device, tool and point that may be why it is not met."""
    known = _known(review)
    cases = [
        _case(known, reviewed.point, expectation)
        for reviewed in review.points
        for expectation in expectations(review, reviewed)
    ]
    return verdicts_by_cause(KIND, cases, lambda scope: _gap(known, scope))


def expectations(review: Review, reviewed: PointReview) -> Iterator[Expectation]:
    """What the plan names for this point, once each."""
    point = reviewed.point
    expected = point.expected_hosts(review.agents)
    if not expected:
        yield Expectation((), {}, reviewed.subjects)
        return
    # All that a point expects is named by the same tags, so the subjects are sorted by these once.
    keys = tuple(expected[0])
    answering: dict[tuple[str | None, ...], list[SubjectReview]] = {}
    for one in reviewed.subjects:
        answering.setdefault(tuple(one.tags.get(key) for key in keys), []).append(one)
    named: dict[Subject, Expectation] = {}
    for tags in expected:
        subject = subject_of(point.measurement, tags, point.by)
        before = named[subject].reviewed if subject in named else ()
        found = answering.get(tuple(tags[key] for key in keys), ())
        named[subject] = Expectation(subject, tags, [*before, *found])
    yield from named.values()


def _known(review: Review) -> _Known:
    first: dict[str | None, int] = {}
    for seen in review.series:
        host = dict(seen.key.tags).get("host")
        first[host] = min(first.get(host, seen.first_ms), seen.first_ms)
    return _Known(review, silent_roots(review), first, min(first.values(), default=None))


def _case(known: _Known, point: PlanPoint, expectation: Expectation) -> Case:
    answer, reason = _answer(known, point, expectation)
    return Case(
        point=point,
        subject=expectation.subject,
        tags=expectation.tags,
        reviewed=expectation.reviewed,
        answer=answer,
        reason=reason,
        well=answer == "no gap",
    )


def _answer(known: _Known, point: PlanPoint, expectation: Expectation) -> tuple[Answer, str]:
    window, answering = known.review.window, expectation.reviewed
    if any(one.statistics.samples or presence(one, window) is Presence.REPORTING for one in answering):
        return "no gap", "it has been measured"
    if any(newest_ms(one) is not None for one in answering):
        return "cannot tell", "it reported before this period, and went silent"
    if any(root in known.silent for root in roots(expectation.tags)):
        return "cannot tell", "what should report it went silent as a whole"
    since_ms = _since_ms(known, expectation.tags, answering)
    if since_ms is None:
        return "cannot tell", "nothing at all has arrived in this period yet"
    wait_ms = first_wait_ms(point.settings(expectation.tags).every_ms)
    if window.end_ms - since_ms < wait_ms:
        return "cannot tell", "its first sample is still waited for"
    if answering and all(expected_since_ms(one, window, since_ms) < wait_ms for one in answering):
        return "cannot tell", "it has hardly been expected: outside its calendar, in maintenance, or masked"
    return "gap", ""


def _since_ms(known: _Known, tags: Mapping[str, str], answering: Sequence[SubjectReview]) -> int | None:
    """Since when it is waited for; None when the waiting has not begun."""
    if not (answering or tags):
        # Nobody is named, so nobody is late before somebody has reported anything: a new collector would
        # otherwise begin with a finding for every point.
        return known.first_ms
    since_ms = min((one.since_ms for one in answering), default=known.review.window.start_ms)
    # A host that has just begun to report gets the time for its slower inputs.
    host = tags.get("host")
    return max(since_ms, known.first_ms_by_host.get(host, since_ms)) if host else since_ms


def _gap(known: _Known, scope: Scope) -> Verdict:
    review = known.review
    point, window = scope.point, review.window
    severity, reasons = _severity(scope)
    every = point.settings(dict(scope.subject)).every_ms if point else None
    since = [one for case in scope.cases if (one := _since_ms(known, case.tags, case.reviewed)) is not None]
    start_ms = min(since, default=window.start_ms)
    expected = (window.end_ms - start_ms) // every if every and scope.is_single else None

    def story(words: Words) -> str:
        return words.say(
            _STORY,
            plan=words.begin(words.plan_revision(review.plan.revision)),
            what=scope.what(words),
            rhythm=words.say(_RHYTHM, every=words.duration(every)) if every else "",
            until=words.until(window, review.plan.timezone),
            agent=_agent(words, review, scope),
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
            headline=lambda words: words.say(
                _headline(review, scope), thing=scope.thing(words, marked=False)
            ),
            story=story,
            action=lambda words: words.say(_action(scope)),
            mended_when=lambda words: words.say(_MENDED),
            evidence=Evidence(
                start_ms=start_ms,
                end_ms=window.end_ms,
                samples=0,
                coverage=0.0,
                statistics={"subjects": len(scope.cases)},
                members=scope.members(),
                query=query(scope.subject, metric=point.metric if point else ""),
            ),
            measured=0 if expected else None,
            target=expected,
            unit="samples" if expected else "",
        ),
    )


def _headline(review: Review, scope: Scope) -> Mapping[str, str]:
    if scope.point is not None:
        return _HEADLINE_POINT
    if not scope.subject:
        return _HEADLINE_ALL
    return _HEADLINE_UNPLANNED if _heard_ms(review, scope) else _HEADLINE_ROOT


def _heard_ms(review: Review, scope: Scope) -> int | None:
    """When the agent was last heard of, though nothing planned came from it."""
    return review.agents.get(dict(scope.subject).get("host", ""))


def _agent(words: Words, review: Review, scope: Scope) -> str:
    heard_ms = _heard_ms(review, scope)
    if not heard_ms:
        return ""
    return words.say(_AGENT_SEEN, moment=words.moment(heard_ms, review.plan.timezone))


def _action(scope: Scope) -> Mapping[str, str]:
    if scope.point is not None:
        return _ACTION_POINT
    return _ACTION_ROOT if dict(scope.subject).keys() <= {"host"} else _ACTION_ASKED


def _severity(scope: Scope) -> tuple[Severity, list[str]]:
    if scope.point is None:
        return "critical", ["nothing that is planned there is known"]
    if scope.point.expect is None:
        return "info", ["the plan does not say who has to report it"]
    if any(case.point.settings(case.tags).critical for case in scope.cases):
        return "warning", ["it has a critical level, and nobody would see it breached"]
    return "info", ["it has no critical level"]
