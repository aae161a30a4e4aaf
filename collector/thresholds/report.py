"""What a service review asks for: every configured threshold beside the plan, and how many there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

import msgspec

from collector.analysis.gaps.presence import Presence, presence
from collector.analysis.gaps.threshold_drift import drifts_in, raised_by_point
from collector.analysis.gaps.threshold_missing import lacks_of
from collector.analysis.gaps.threshold_orphan import orphans_of
from collector.analysis.review import PointReview, Review, SubjectReview
from collector.thresholds.found import Configured
from collector.thresholds.matched import Matched, Pairing
from setpoint.limits import Comparison
from setpoint.plan import PlanPoint

ThresholdState = Literal[
    "drifts", "orphaned", "unmatched", "cannot tell", "no such level", "agrees", "condition", "off", "none"
]
STATES: Final[tuple[ThresholdState, ...]] = (
    "drifts",
    "orphaned",
    "unmatched",
    "cannot tell",
    "no such level",
    "agrees",
    "condition",
    "off",
    "none",
)
"""What wants a look first."""
TOTAL: Final = "total"


class ThresholdRow(msgspec.Struct, frozen=True, kw_only=True):
    """One configured threshold, or a rule without one (state ``none``). ``level`` is in the source's unit,
    ``ours`` what the metric is called here, ``points`` those of the plan that it is for, ``subjects`` how
    many subjects of them. ``configured`` says it in the plan's unit, ``planned`` what the plan has there,
    ``why`` what the state rests on.
    """

    source: str
    agent: str
    rule: str
    state: ThresholdState
    metric: str = ""
    subject: str = ""
    comparison: str = ""
    level: float | None = None
    for_s: float | None = None
    severity: str = ""
    role: str = ""
    ours: str = ""
    points: list[str] = []
    subjects: int = 0
    configured: str = ""
    planned: str = ""
    why: str = ""


class PointCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many monitoring points there are of one kind. A subject is one host, port or service of a point.
    ``change``: by how much each number differs from the end of the last period.
    """

    by: str
    value: str
    points: int
    subjects: int
    with_threshold: int
    without_threshold: int
    reporting: int
    not_reporting: int
    change: dict[str, int] = {}


class SourceCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many thresholds there are in one source. ``missing``: levels of the plan that it lacks.
    ``without``: rules without a threshold. ``change``: as in PointCounts.
    """

    source: str
    thresholds: int
    matched: int
    agreeing: int
    drifting: int
    orphaned: int
    unmatched: int
    off: int
    without: int
    missing: int
    change: dict[str, int] = {}


class ThresholdReport(msgspec.Struct, frozen=True, kw_only=True):
    """As of ``time_ms`` (UTC milliseconds). ``previous``: the last period that ``change`` compares with, ""
    where none is known.
    """

    time_ms: int
    period: str
    previous: str
    points: list[PointCounts]
    sources: list[SourceCounts]
    rows: list[ThresholdRow]


Counts = Mapping[str, Mapping[str, int]]
"""The numbers of a report: the row's name, then the column's."""


def build_report(review: Review) -> ThresholdReport:
    """The report of a review, without what has changed since the last period."""
    rows = _rows(review)
    return ThresholdReport(
        time_ms=review.window.end_ms,
        period=review.window.label,
        previous="",
        points=_point_counts(review),
        sources=_source_counts(review, rows),
        rows=sorted(rows, key=lambda row: (STATES.index(row.state), row.source, row.rule, row.metric)),
    )


def counts_of(report: ThresholdReport) -> Counts:
    """The report's numbers, to be compared with those of another period."""
    found: dict[str, dict[str, int]] = {}
    for points in report.points:
        found[f"{points.by}\0{points.value}"] = _numbers(points)
    for source in report.sources:
        found[f"source\0{source.source}"] = _numbers(source)
    return found


def with_change(report: ThresholdReport, previous: str, before: Counts) -> ThresholdReport:
    """The report with the differences to the counts of the period ``previous``."""

    def change(name: str, row: msgspec.Struct) -> dict[str, int]:
        old = before.get(name, {})
        return {key: n - old.get(key, 0) for key, n in _numbers(row).items() if n != old.get(key, 0)}

    return msgspec.structs.replace(
        report,
        previous=previous,
        points=[
            msgspec.structs.replace(row, change=change(f"{row.by}\0{row.value}", row))
            for row in report.points
        ],
        sources=[
            msgspec.structs.replace(row, change=change(f"source\0{row.source}", row))
            for row in report.sources
        ],
    )


def _numbers(row: msgspec.Struct) -> dict[str, int]:
    fields = msgspec.structs.asdict(row)
    return {key: value for key, value in fields.items() if isinstance(value, int)}


# -- thresholds ----------------------------------------------------------------------------------------


def _rows(review: Review) -> list[ThresholdRow]:
    drifting: set[int] = set()
    orphaned: dict[int, str] = {}
    for raised in raised_by_point(review).values():
        drifting |= {id(one.threshold) for one in drifts_in(raised)[0]}
    for source in review.thresholds.source_names():
        for orphan in orphans_of(review, source, "not planned"):
            orphaned[id(orphan.matched.threshold)] = orphan.matched.why
        for orphan in orphans_of(review, source, "not reporting"):
            orphaned[id(orphan.matched.threshold)] = "what it is about does not report"
    rows = [_row(one, drifting, orphaned) for one in review.thresholds.matched if one.threshold.present]
    rows += [
        ThresholdRow(
            source=one.source,
            agent=one.agent,
            rule=one.rule,
            state="none",
            severity=one.severity,
            why=one.reason,
        )
        for one in review.thresholds.found.without
        if one.present
    ]
    return rows


def _row(one: Matched, drifting: set[int], orphaned: Mapping[int, str]) -> ThresholdRow:
    threshold = one.threshold
    state, why = _state(one, drifting, orphaned)
    pair = next((pair for pair in one.pairings if pair.planned is not None), None)
    pair = pair or next(iter(one.pairings), None)
    return ThresholdRow(
        source=threshold.source,
        agent=threshold.agent,
        rule=threshold.rule,
        state=state,
        metric=threshold.metric,
        subject=threshold.subject,
        comparison=threshold.comparison,
        level=threshold.level,
        for_s=threshold.for_s,
        severity=threshold.severity,
        role=threshold.role,
        ours=one.metric,
        points=sorted({pair.point.id for pair in one.pairings}),
        subjects=len(one.pairings),
        configured="" if pair is None else _said(_configured(threshold, pair), pair.point.unit),
        planned="" if pair is None or pair.planned is None else _said(pair.planned, pair.point.unit),
        why=why,
    )


def _configured(threshold: Configured, pair: Pairing) -> Comparison:
    for_ms = round(threshold.for_s * 1000)
    if pair.high is not None:
        return (
            Comparison(high=pair.level, for_ms=for_ms)
            if pair.high
            else Comparison(low=pair.level, for_ms=for_ms)
        )
    if threshold.comparison == "equals":
        return Comparison(equal=pair.level, for_ms=for_ms)
    return Comparison(unequal=pair.level, for_ms=for_ms)


def _said(comparison: Comparison, unit: str) -> str:
    return comparison.describe("%" if unit == "percent" else unit)


def _state(one: Matched, drifting: set[int], orphaned: Mapping[int, str]) -> tuple[ThresholdState, str]:
    threshold = one.threshold
    if not threshold.enabled:
        return "off", "it is switched off"
    if threshold.role != "raises":
        return "condition", "it raises nothing by itself"
    if id(threshold) in drifting:
        return "drifts", "it is not what the plan has"
    if id(threshold) in orphaned:
        return "orphaned", orphaned[id(threshold)]
    if not one.pairings:
        return "unmatched", one.why
    outcomes: dict[str, str] = {pair.outcome: pair.why for pair in one.pairings}
    if "agrees" in outcomes:
        return "agrees", ""
    if "differs" in outcomes:
        return "agrees", "another rule of the same source is as planned"
    if "cannot tell" in outcomes:
        return "cannot tell", outcomes["cannot tell"]
    return "no such level", outcomes.get("no such level", "")


def _source_counts(review: Review, rows: Sequence[ThresholdRow]) -> list[SourceCounts]:
    lacks = lacks_of(review)
    # One that the plan counts on and that nobody reads is shown with nothing in it.
    wanted = (source for point in review.plan.points for source in point.raised_by)
    names = sorted({*review.thresholds.source_names(), *(row.source for row in rows), *wanted})
    found = [
        _count_source(name, [r for r in rows if r.source == name], sum(one.source == name for one in lacks))
        for name in names
    ]
    if len(found) > 1:
        found.append(_count_source(TOTAL, rows, len(lacks)))
    return found


def _count_source(name: str, rows: Sequence[ThresholdRow], missing: int) -> SourceCounts:
    def count(*states: ThresholdState) -> int:
        return sum(row.state in states for row in rows)

    return SourceCounts(
        source=name,
        thresholds=len(rows) - count("none"),
        matched=sum(bool(row.points) for row in rows),
        agreeing=count("agrees"),
        drifting=count("drifts"),
        orphaned=count("orphaned"),
        unmatched=count("unmatched"),
        off=count("off"),
        without=count("none"),
        missing=missing,
    )


# -- points --------------------------------------------------------------------------------------------

_GROUPINGS: Final[Mapping[str, Callable[[PlanPoint], str]]] = {
    "class": lambda point: point.metric_class,
    "element": lambda point: point.element,
    "owner": lambda point: point.owner,
    "measurement": lambda point: point.measurement,
}


def _point_counts(review: Review) -> list[PointCounts]:
    found = [_count_points(review, TOTAL, "", review.points)]
    for by, value_of in _GROUPINGS.items():
        groups: dict[str, list[PointReview]] = {}
        for reviewed in review.points:
            groups.setdefault(value_of(reviewed.point), []).append(reviewed)
        found += [_count_points(review, by, value, groups[value]) for value in sorted(groups)]
    return found


def _count_points(review: Review, by: str, value: str, points: Sequence[PointReview]) -> PointCounts:
    subjects = [one for reviewed in points for one in reviewed.subjects]
    held = sum(_is_held(one) for one in subjects)
    reporting = sum(presence(one, review.window) is Presence.REPORTING for one in subjects)
    return PointCounts(
        by=by,
        value=value,
        points=len(points),
        subjects=len(subjects),
        with_threshold=held,
        without_threshold=len(subjects) - held,
        reporting=reporting,
        not_reporting=len(subjects) - reporting,
    )


def _is_held(subject: SubjectReview) -> bool:
    return subject.limits.warning is not None or subject.limits.critical is not None
