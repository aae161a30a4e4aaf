"""threshold-missing: the plan has a threshold, and the tool that should raise it has none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from collector.analysis.gaps.report import MEMBERS_KEPT, Gap, gap_verdict, other_verdict, query
from collector.analysis.gaps.sources import SEVERITIES, code, read_in_part
from collector.analysis.gaps.words import Words
from collector.analysis.review import PointReview, Review, SubjectReview
from collector.thresholds.matched import Matched
from setpoint.finding import Answer, Evidence, Severity, Verdict
from setpoint.plan import PlanPoint
from setpoint.reading import Subject, subject_text

KIND: Final = "threshold-missing"

_HEADLINE = {
    "en": "{sources} lacks thresholds for {thing}",
    "zh": "{sources} 缺少{thing}的阈值",
}
_STORY = {
    "en": "{plan} has a threshold for {thing}, and {why}. {sources} has none for {count}: {names}.{off}",
    "zh": "{plan}为{thing}设有阈值，且{why}。{sources} 对其中 {count}没有阈值：{names}。{off}",
}
_SAID = {
    "en": "says that {sources} raises it",
    "zh": "规定由 {sources} 告警",
}
_COVERED = {
    "en": "{sources} looks after the same hosts",
    "zh": "{sources} 负责监控相同主机",
}
_OFF = {
    "en": " There is a rule for it that is switched off.",
    "zh": "相应规则存在，但已停用。",
}
_NAME = {"en": "{name} ({severity})", "zh": "{name}（{severity}）"}
_ACTION = {
    "en": "Set the planned thresholds in {sources}, or take it out of the point's `raised_by`",
    "zh": "在 {sources} 中配置计划的阈值，或从该测量点的 `raised_by` 中去除",
}
_ACTION_COVERED = {
    "en": "Set the planned thresholds in {sources}",
    "zh": "在 {sources} 中配置计划的阈值",
}
_MENDED = {
    "en": "a threshold for everything that is planned reads back from {sources}",
    "zh": "从 {sources} 读回的阈值覆盖全部计划对象",
}


class Lack(NamedTuple):
    """A planned level of a subject that nobody raises. ``off``: there is a rule, which is switched off."""

    subject: SubjectReview
    severity: str
    source: str
    off: bool


def check(review: Review) -> list[Verdict]:
    """One verdict per point."""
    raised = _raised(review)
    named = _named_hosts(review)
    return [_judge(review, reviewed, raised, named) for reviewed in review.points]


def lacks_of(review: Review) -> list[Lack]:
    """The planned levels that a source lacks which was read lately and in full."""
    raised = _raised(review)
    named = _named_hosts(review)
    found = [one for reviewed in review.points for one in _lacks(reviewed, raised, named)[0]]
    return [one for one in found if not read_in_part(review, one.source)]


_Raised = Mapping[tuple[str, Subject], list[tuple[Matched, str]]]


def _raised(review: Review) -> _Raised:
    """For each point and subject, what is configured, with the severity of the plan that it stands for."""
    found: dict[tuple[str, Subject], list[tuple[Matched, str]]] = {}
    for one in review.thresholds.matched:
        if one.threshold.present and one.threshold.role == "raises":
            for pairing in one.pairings:
                key = (pairing.point.id, pairing.reviewed.subject)
                severities = _levels(pairing.reviewed) if pairing.any_severity else [pairing.severity or ""]
                found.setdefault(key, []).extend((one, severity) for severity in severities)
    return found


def _named_hosts(review: Review) -> dict[str, set[Subject]]:
    """For each source, the hosts and devices that it has a threshold for by name: not by a pattern, and not
    because it asks for none.
    """
    named: dict[str, set[Subject]] = {}
    for one in review.thresholds.matched:
        asked = {matcher.value for matcher in one.threshold.matchers or () if matcher.operator == "="}
        if not one.counts:
            continue
        for pairing in one.pairings:
            root = _root(pairing.reviewed)
            if root and any(_is_named(root[0][1], value) for value in asked):
                named.setdefault(one.threshold.source, set()).add(root)
    return named


def _is_named(host: str, value: str) -> bool:
    return value.partition(":")[0].partition(".")[0].lower() == host.partition(".")[0].lower()


def _root(subject: SubjectReview) -> Subject:
    tag = next((tag for tag in ("device", "host") if tag in dict(subject.subject)), None)
    return () if tag is None else ((tag, subject.tags[tag]),)


def _lacks(
    reviewed: PointReview, raised: _Raised, named: Mapping[str, set[Subject]]
) -> tuple[list[Lack], set[str]]:
    """The levels of a point that are not set where they are to be raised, and where that is."""
    point = reviewed.point
    # A tool that has it for some hosts, and looks after another one, should have it there too.
    sources = set(point.raised_by) or {
        one.threshold.source for (id_, _), there in raised.items() if id_ == point.id for one, _ in there
    }
    lacks: list[Lack] = []
    wanted = [(one, severity) for one in reviewed.subjects for severity in _levels(one)]
    for subject, severity in wanted:
        there = [one for one, its in raised.get((point.id, subject.subject), []) if its == severity]
        for source in sorted(sources):
            if not point.raised_by and _root(subject) not in named.get(source, ()):
                continue
            counting = [one for one in there if one.counts]
            if any(one.threshold.source == source or not point.raised_by for one in counting):
                continue
            off = any(one.threshold.source == source for one in there)
            lacks.append(Lack(subject, severity, source, off))
    return lacks, sources


def _judge(
    review: Review, reviewed: PointReview, raised: _Raised, named: Mapping[str, set[Subject]]
) -> Verdict:
    point = reviewed.point

    def other(answer: Answer, reason: str) -> Verdict:
        return other_verdict(KIND, point.id, point, (), answer, reason)

    if not any(_levels(one) for one in reviewed.subjects):
        return other("no gap", "the plan has no level for it")
    lacks, sources = _lacks(reviewed, raised, named)
    blind = sorted({one.source for one in lacks if read_in_part(review, one.source)})
    lacks = [one for one in lacks if one.source not in blind]
    if lacks:
        return _gap(review, point, lacks)
    if blind:
        return other("cannot tell", "; ".join(read_in_part(review, source) for source in blind))
    if not sources:
        return other("no gap", "nothing says that a tool has to raise it")
    return other("no gap", "every level of the plan is set where it is to be raised")


def _levels(subject: SubjectReview) -> list[str]:
    limits = subject.limits
    pairs = (("critical", limits.critical), ("warning", limits.warning))
    return [severity for severity, comparison in pairs if comparison is not None]


def _gap(review: Review, point: PlanPoint, lacks: Sequence[Lack]) -> Verdict:
    sources = ", ".join(sorted({one.source for one in lacks}))
    subjects = list(dict.fromkeys(one.subject.subject for one in lacks))
    single = subjects[0] if len(subjects) == 1 else ()
    critical = any(one.severity == "critical" for one in lacks)
    severity: Severity = "warning" if critical or point.raised_by else "info"
    reasons = (
        ["the plan says that it is raised there"] if point.raised_by else ["its hosts are looked after there"]
    )
    if critical:
        reasons.append("it is a critical level")

    def thing(words: Words, *, marked: bool = True) -> str:
        return words.thing(
            point.title, words.name(single, point.measurement, marked=marked) if single else ""
        )

    def story(words: Words) -> str:
        names = [
            words.say(
                _NAME,
                name=words.name(one.subject.subject, point.measurement),
                severity=words.say(SEVERITIES[one.severity]),
            )
            for one in lacks
        ]
        return words.say(
            _STORY,
            plan=words.begin(words.plan_revision(review.plan.revision)),
            thing=words.thing(point.title, ""),
            why=words.say(_SAID if point.raised_by else _COVERED, sources=code(sources)),
            sources=code(sources),
            count=words.subjects(len(subjects)),
            names=words.listing(names),
            off=words.say(_OFF) if any(one.off for one in lacks) else "",
        )

    return gap_verdict(
        review,
        Gap(
            kind=KIND,
            key=point.id,
            subject=(),
            point=point,
            points=[point],
            severity=severity,
            reasons=reasons,
            headline=lambda words: words.say(_HEADLINE, sources=sources, thing=thing(words, marked=False)),
            story=story,
            action=lambda words: words.say(_ACTION if point.raised_by else _ACTION_COVERED, sources=sources),
            mended_when=lambda words: words.say(_MENDED, sources=sources),
            evidence=Evidence(
                start_ms=review.window.start_ms,
                end_ms=review.window.end_ms,
                statistics={"subjects": len(subjects), "thresholds": len(lacks)},
                members=[_member(one) for one in lacks[:MEMBERS_KEPT]],
                query=query((), measurement="threshold"),
            ),
            measured=len(lacks),
            target=0,
            unit="thresholds",
        ),
    )


def _member(lack: Lack) -> str:
    return f"{subject_text(lack.subject.subject)}: {lack.severity} in {lack.source}"
