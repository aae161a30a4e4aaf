"""threshold-drift: a tool or device has another threshold than the plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from collector.analysis.gaps.report import MEMBERS_KEPT, Gap, gap_verdict, other_verdict, query
from collector.analysis.gaps.sources import SEVERITIES, code, not_read, read_in_part
from collector.analysis.gaps.words import Words
from collector.analysis.review import Review
from collector.thresholds.found import Configured
from collector.thresholds.matched import Pairing
from setpoint.finding import Evidence, Severity, Verdict
from setpoint.limits import Comparison
from setpoint.plan import PlanPoint
from setpoint.reading import Subject, subject_text

KIND: Final = "threshold-drift"

_HEADLINE = {
    "en": "{source} has another threshold for {thing} than the plan",
    "zh": "{source} 中{thing}的阈值与计划不一致",
}
_STORY = {
    "en": "{plan} has the {severity} threshold of {thing} at {planned}; in {source} the rule {rule} says "
    "{found}.{more}{effect}",
    "zh": "{plan}将{thing}的{severity}阈值定为{planned}；{source} 的规则 {rule} 为{found}。{more}{effect}",
}
_MORE = {
    "en": " That concerns {count} (rules: {rules}).",
    "zh": "共涉及 {count}、{rules} 条规则。",
}
_LATE = {
    "en": " It alarms later than planned, or not at all.",
    "zh": "其告警将晚于计划，或根本不告警。",
}
_EARLY = {"en": " It alarms earlier than planned.", "zh": "其告警将早于计划。"}
_OTHERWISE = {"en": " It alarms at other times than planned.", "zh": "其告警时机与计划不同。"}
_HELD = {"en": "{level} for {time}", "zh": "{level}、持续 {time}"}
_ACTION = {
    "en": "Set {source} to what the plan says; or, if {source} is right, change the plan",
    "zh": "按计划修改 {source} 的阈值；若 {source} 正确，则修改计划",
}
_MENDED = {
    "en": "the threshold reads back from {source} as it is planned",
    "zh": "从 {source} 读回的阈值与计划一致",
}


class Drift(NamedTuple):
    """One threshold for one subject, beside the plan. ``late``: it alarms later than planned; None where that
    cannot be said.
    """

    threshold: Configured
    pairing: Pairing
    late: bool | None


Raised = Mapping[tuple[str, str], Sequence[tuple[Configured, Pairing]]]
"""What raises alarms and can be compared, by source and point."""


def check(review: Review) -> list[Verdict]:
    """One verdict per point and source."""
    raised = raised_by_point(review)
    return [
        _judge(review, source, reviewed.point, raised.get((source, reviewed.point.id), ()))
        for reviewed in review.points
        for source in review.thresholds.source_names()
    ]


def raised_by_point(review: Review) -> Raised:
    """The thresholds that raise alarms, with the subjects that the plan has a comparable level for."""
    found: dict[tuple[str, str], list[tuple[Configured, Pairing]]] = {}
    for one in review.thresholds.matched:
        for pairing in one.pairings if one.counts else ():
            if pairing.severity and pairing.outcome != "no such level":
                key = (one.threshold.source, pairing.point.id)
                found.setdefault(key, []).append((one.threshold, pairing))
    return found


def drifts_in(raised: Sequence[tuple[Configured, Pairing]]) -> tuple[list[Drift], bool]:
    """What differs from the plan, and whether something could not be told.

    Of several thresholds for the same severity of a subject it is enough that one is as planned.
    """
    found: dict[tuple[Subject, str | None, bool | None], list[tuple[Configured, Pairing]]] = {}
    for threshold, pairing in raised:
        key = (pairing.reviewed.subject, pairing.severity, pairing.high)
        found.setdefault(key, []).append((threshold, pairing))
    drifts: list[Drift] = []
    unknown = False
    for pairs in found.values():
        outcomes = {pairing.outcome for _, pairing in pairs}
        if "agrees" in outcomes:
            continue
        if "cannot tell" in outcomes:
            unknown = True
            continue
        drifts += [Drift(threshold, pairing, _is_late(threshold, pairing)) for threshold, pairing in pairs]
    return drifts, unknown


def _is_late(threshold: Configured, pairing: Pairing) -> bool | None:
    planned = pairing.planned
    at = None if planned is None or pairing.high is None else planned.high if pairing.high else planned.low
    if planned is None or at is None:
        return None
    beyond = pairing.level - at if pairing.high else at - pairing.level
    longer_ms = threshold.for_s * 1000 - planned.for_ms
    if beyond >= 0 and longer_ms >= 0:
        return True
    return False if beyond <= 0 and longer_ms <= 0 else None


def _judge(
    review: Review, source: str, point: PlanPoint, raised: Sequence[tuple[Configured, Pairing]]
) -> Verdict:
    subject: Subject = (("source", source),)
    if reason := not_read(review, source):
        return other_verdict(KIND, point.id, point, subject, "cannot tell", reason)
    drifts, unknown = drifts_in(raised)
    if drifts:
        return _gap(review, source, point, drifts)
    if unknown:
        reason = "some thresholds may be for other hosts than those of the plan"
        return other_verdict(KIND, point.id, point, subject, "cannot tell", reason)
    if reason := read_in_part(review, source):
        return other_verdict(KIND, point.id, point, subject, "cannot tell", reason)
    return other_verdict(KIND, point.id, point, subject, "no gap", f"what {source} has of it is as planned")


def _gap(review: Review, source: str, point: PlanPoint, drifts: Sequence[Drift]) -> Verdict:
    first = min(drifts, key=lambda one: (one.late is not True, one.pairing.severity != "critical"))
    pairing, planned = first.pairing, first.pairing.planned
    assert planned is not None
    single = drifts[0].pairing.reviewed.subject if len(_subjects(drifts)) == 1 else ()
    late = any(one.late for one in drifts)
    severity: Severity = "warning" if late else "info"
    reasons = (
        ["it alarms later than planned, or not at all"] if late else ["what is set is not what is planned"]
    )
    if late and any(one.late and one.pairing.severity == "critical" for one in drifts):
        reasons.append("at the critical level")
    measured, target, unit = _figures(first)

    def thing(words: Words, *, marked: bool = True) -> str:
        return words.thing(
            point.title, words.name(single, point.measurement, marked=marked) if single else ""
        )

    def story(words: Words) -> str:
        return words.say(
            _STORY,
            plan=words.begin(words.plan_revision(review.plan.revision)),
            severity=words.say(SEVERITIES[pairing.severity or "warning"]),
            thing=thing(words),
            planned=_said(words, planned, point.unit, planned.for_ms),
            source=code(source),
            rule=code(first.threshold.rule),
            found=_said(words, _as_configured(pairing), point.unit, round(first.threshold.for_s * 1000)),
            more=words.say(
                _MORE,
                count=words.subjects(len(_subjects(drifts))),
                rules=str(len({one.threshold.rule for one in drifts})),
            )
            if len(drifts) > 1
            else "",
            effect=words.say(_LATE if first.late else _OTHERWISE if first.late is None else _EARLY),
        )

    subject: Subject = (("source", source),)
    return gap_verdict(
        review,
        Gap(
            kind=KIND,
            key=point.id,
            subject=subject,
            point=point,
            points=[point],
            severity=severity,
            reasons=reasons,
            headline=lambda words: words.say(_HEADLINE, source=source, thing=thing(words, marked=False)),
            story=story,
            action=lambda words: words.say(_ACTION, source=source),
            mended_when=lambda words: words.say(_MENDED, source=source),
            evidence=Evidence(
                start_ms=review.window.start_ms,
                end_ms=review.window.end_ms,
                statistics={"subjects": len(_subjects(drifts)), "thresholds": len(drifts)},
                members=[_member(one, point.unit) for one in drifts[:MEMBERS_KEPT]],
                query=query(subject, measurement="threshold"),
            ),
            measured=measured,
            target=target,
            unit=unit,
        ),
    )


def _figures(drift: Drift) -> tuple[float, float | None, str]:
    """What is configured, what is planned, and the unit: of the level, or of `for` if only that differs."""
    pairing, planned = drift.pairing, drift.pairing.planned
    assert planned is not None
    at = _planned_level(pairing, planned)
    if at == pairing.level:
        return drift.threshold.for_s, planned.for_ms / 1000, "s"
    return pairing.level, at, pairing.point.unit


def _planned_level(pairing: Pairing, planned: Comparison) -> float | None:
    if pairing.high is not None:
        return planned.high if pairing.high else planned.low
    return planned.equal if planned.equal is not None else planned.unequal


def _as_configured(pairing: Pairing) -> Comparison:
    """The plan's comparison with the level that is configured."""
    if pairing.high is not None:
        return Comparison(high=pairing.level) if pairing.high else Comparison(low=pairing.level)
    assert pairing.planned is not None
    if pairing.planned.equal is not None:
        return Comparison(equal=pairing.level)
    return Comparison(unequal=pairing.level)


def _said(words: Words, comparison: Comparison, unit: str, for_ms: int) -> str:
    level = words.comparison(comparison, unit)
    return words.say(_HELD, level=level, time=words.duration(for_ms)) if for_ms else level


def _subjects(drifts: Sequence[Drift]) -> set[Subject]:
    return {one.pairing.reviewed.subject for one in drifts}


def _member(drift: Drift, unit: str) -> str:
    pairing, planned = drift.pairing, drift.pairing.planned
    assert planned is not None
    comparison = _as_configured(pairing)
    for_ms = round(drift.threshold.for_s * 1000)
    found = Comparison(
        high=comparison.high,
        low=comparison.low,
        equal=comparison.equal,
        unequal=comparison.unequal,
        for_ms=for_ms,
    )
    return (
        f"{subject_text(pairing.reviewed.subject)}: {pairing.severity} {found.describe(unit)} "
        f"(rule {drift.threshold.rule}), planned {planned.describe(unit)}"
    )
