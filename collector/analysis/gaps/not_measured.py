"""not-measured: the plan names something, and nothing ever reported it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from collector.analysis.gaps.members import Case, Scope, key_of, verdicts_by_cause
from collector.analysis.gaps.presence import Presence, first_wait_ms, newest_ms, presence, roots, silent_roots
from collector.analysis.gaps.report import Gap, gap_verdict, query
from collector.analysis.gaps.words import Words, number
from collector.analysis.review import PointReview, Review, SubjectReview
from setpoint.finding import Answer, Evidence, Severity, Verdict
from setpoint.reading import Subject, subject_of

KIND: Final = "not-measured"

_HEADLINE_POINT = {"en": "{thing} is not measured", "zh": "{thing}未被测量"}
_HEADLINE_ROOT = {"en": "{thing} has never reported", "zh": "{thing}从未上报"}
_STORY = {
    "en": "{period} nothing has ever reported {what}, though {plan} expects {expected}.{agent}",
    "zh": "{period}，{what}没有任何上报，而{plan}要求{expected}。{agent}",
}
_WHAT_ROOT = {
    "en": "any of the {count} subjects that are planned for {thing} ({points})",
    "zh": "{thing}计划中的 {count} 个对象（{points}）",
}
_EXPECTED_EVERY = {"en": "a sample every {every}", "zh": "每 {every}采样一次"}
_EXPECTED = {"en": "it to be measured", "zh": "对其测量"}
_AGENT_SEEN = {
    "en": " The agent itself was last heard of at {moment}.",
    "zh": "该代理最近一次上报时间为 {moment}。",
}
_ACTION_ROOT = {
    "en": "See that the agent runs there and reaches the collector, and that its inputs cover the plan",
    "zh": "确认代理已运行并能连接采集端，且其输入项覆盖计划内容",
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


def check(review: Review) -> list[Verdict]:
    """One verdict per expectation, and per host, device, tool and point that may be why it is not met."""
    silent = silent_roots(review)
    cases = [
        _case(review, reviewed, expectation, silent)
        for reviewed in review.points
        for expectation in expectations(review, reviewed)
    ]
    return verdicts_by_cause(KIND, cases, lambda scope: _gap(review, scope))


def expectations(review: Review, reviewed: PointReview) -> Iterator[Expectation]:
    """What the plan names for this point, once each."""
    point = reviewed.point
    named: dict[Subject, Expectation] = {}
    for tags in point.expected_hosts(review.agents):
        subject = subject_of(point.measurement, tags, point.by)
        answering = [one for one in reviewed.subjects if tags.items() <= one.tags.items()]
        before = named[subject].reviewed if subject in named else ()
        named[subject] = Expectation(subject, tags, [*before, *answering])
    yield from named.values() or [Expectation((), {}, reviewed.subjects)]


def _case(review: Review, reviewed: PointReview, expectation: Expectation, silent: set[Subject]) -> Case:
    answer, reason = _answer(review, reviewed, expectation, silent)
    return Case(
        point=reviewed.point,
        subject=expectation.subject,
        tags=expectation.tags,
        reviewed=expectation.reviewed,
        answer=answer,
        reason=reason,
        well=answer == "no gap",
    )


def _answer(
    review: Review, reviewed: PointReview, expectation: Expectation, silent: set[Subject]
) -> tuple[Answer, str]:
    answering = expectation.reviewed
    if any(_is_measured(review, one) for one in answering):
        return "no gap", "it has been measured"
    if any(newest_ms(one) is not None for one in answering):
        return "cannot tell", "it reported before this period, and went silent"
    if any(root in silent for root in roots(expectation.tags)):
        return "cannot tell", "what should report it went silent as a whole"
    since_ms = _since_ms(review, expectation.subject, answering)
    if since_ms is None:
        return "cannot tell", "nothing at all has arrived in this period yet"
    every = reviewed.point.settings(expectation.tags).every_ms
    if review.window.end_ms - since_ms < first_wait_ms(every):
        return "cannot tell", "its first sample is still waited for"
    return "gap", ""


def _is_measured(review: Review, one: SubjectReview) -> bool:
    return one.statistics.samples > 0 or presence(one, review.window) is Presence.REPORTING


def _since_ms(review: Review, subject: Subject, answering: Sequence[SubjectReview]) -> int | None:
    """Since when it is waited for."""
    if answering:
        return min(one.since_ms for one in answering)
    if subject or review.window.complete:
        return review.window.start_ms
    # Nobody is named, so nobody is late before somebody has reported anything: a new collector would
    # otherwise begin with a finding for every point.
    return min((seen.first_ms for seen in review.series), default=None)


def _gap(review: Review, scope: Scope) -> Verdict:
    point, window = scope.point, review.window
    severity, reasons = _severity(scope)
    every = point.settings(dict(scope.subject)).every_ms if point else None
    since = [
        one for case in scope.cases if (one := _since_ms(review, case.subject, case.reviewed)) is not None
    ]
    start_ms = min(since, default=window.start_ms)
    expected = (window.end_ms - start_ms) // every if every and scope.is_single else None

    def story(words: Words) -> str:
        thing = scope.thing(words)
        return words.say(
            _STORY,
            period=words.period(window),
            what=thing if point else _what(words, scope, thing),
            plan=words.plan_revision(review.plan.revision),
            expected=words.say(_EXPECTED_EVERY, every=words.duration(every))
            if every
            else words.say(_EXPECTED),
            agent=_agent(words, review, scope),
        )

    headline = _HEADLINE_POINT if point else _HEADLINE_ROOT
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
            headline=lambda words: words.say(headline, thing=scope.thing(words, marked=False)),
            story=story,
            action=lambda words: words.say(_ACTION_POINT if point else _ACTION_ROOT),
            mended_when=lambda words: words.say(_MENDED),
            evidence=Evidence(
                start_ms=start_ms,
                end_ms=window.end_ms,
                samples=0,
                coverage=0.0,
                statistics={"subjects": len(scope.cases)},
                members=scope.members(),
                query=query(point.metric if point else "", scope.subject),
            ),
            measured=0 if expected else None,
            target=expected,
            unit="samples" if expected else "",
        ),
    )


def _what(words: Words, scope: Scope, thing: str) -> str:
    titles = words.listing([point.title for point in scope.points])
    return words.say(_WHAT_ROOT, count=number(len(scope.cases)), thing=thing, points=titles)


def _agent(words: Words, review: Review, scope: Scope) -> str:
    heard_ms = review.agents.get(dict(scope.subject).get("host", ""))
    if not heard_ms:
        return ""
    return words.say(_AGENT_SEEN, moment=words.moment(heard_ms, review.plan.timezone))


def _severity(scope: Scope) -> tuple[Severity, list[str]]:
    if scope.point is None:
        return "critical", ["nothing that is planned there is known"]
    if scope.point.expect is None:
        return "info", ["the plan does not say who has to report it"]
    if any(case.point.settings(case.tags).critical for case in scope.cases):
        return "warning", ["it has a critical level, and nobody would see it breached"]
    return "info", ["it has no critical level"]
