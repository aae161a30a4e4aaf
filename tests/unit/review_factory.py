"""Builds what the gap checks are given: a plan from its text, and subjects with statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from collector.analysis.episodes import Breaches
from collector.analysis.proposals import Outcome, Proposal
from collector.analysis.review import (
    AgentClock,
    AgentLosses,
    PointReview,
    Review,
    SubjectReview,
    Window,
)
from collector.analysis.statistics import Statistics
from collector.store.base import SeriesKey, SeriesSeen
from setpoint.finding import Finding, Verdict, finding_id
from setpoint.limits import Comparison
from setpoint.plan import Plan
from setpoint.plan_load import parse_plan
from setpoint.reading import Subject, subject_of

SECOND = 1_000
MINUTE = 60_000
HOUR = 3_600_000
DAY = 24 * HOUR
# 1 October 2026, 00:00 in Asia/Shanghai.
START = 1_790_784_000_000
MONTH = Window(START, START + 31 * DAY, complete=True, label="2026-10")
NEXT_MONTH = Window(MONTH.end_ms, MONTH.end_ms + 30 * DAY, complete=True, label="2026-11")
RUNNING = Window(START, START + 10 * DAY, complete=False, label="2026-10")

HEAD = """
plan: Operations resources
revision: 14
timezone: Asia/Shanghai
review: month
objectives:
  - {id: erp-uptime, title: ERP is there in office hours, service: ERP}
groups:
  hosts: [mon-01, jump-01]
points:
"""

CPU = """
  - id: host-cpu
    title: CPU busy
    for: [erp-uptime]
    metric: cpu.usage_active
    where: {cpu: cpu-total}
    expect: {host: hosts, every: 10s}
    unit: percent
    class: technical
    element: resource
    warning: {above: 80, for: 5m}
    critical: {above: 95, for: 5m}
    target: {p95: {at_most: 70}}
    owner: platform
    action: Add capacity or move load; see the capacity procedure.
"""
DISK = """
  - id: host-disk
    title: File system used
    metric: disk.used_percent
    expect: {host: hosts, every: 1m}
    unit: percent
    warning: {above: 80}
    owner: storage
"""
LOAD = """
  - id: host-load
    title: Load, 5 minutes
    metric: system.load5
    expect: {host: hosts, every: 10s}
    owner: platform
"""
PORT = """
  - id: port-load
    title: Core uplink
    metric: snmp_port.in_octets
    expect: {device: [sw-1, sw-2], every: 1m}
    unit: percent
    critical: {above: 90}
    owner: network
"""
ERP = """
  - id: erp-answers
    title: ERP answers
    for: [erp-uptime]
    metric: http_response.result_code
    class: service
    critical: {not_equals: 0}
    target: {availability: {at_least: 99.5%}}
"""
ANSWER_TIME = """
  - id: erp-time
    title: ERP's time to answer
    for: [erp-uptime]
    metric: http_response.response_time
    expect: {host: hosts, every: 30s}
    unit: s
    critical: {above: 30}
    owner: platform
"""


def plan(*points: str, head: str = HEAD) -> Plan:
    """A plan with these points, as they stand in its file."""
    return parse_plan(head + "".join(points))


def statistics(window: Window, *, every: int | None = 10 * SECOND, **shown: Any) -> Statistics:
    """Those of a subject that reported as planned, in full, but for what is given."""
    start = shown.pop("start_ms", window.start_ms)
    expected = window.end_ms - start
    coverage = shown.setdefault("coverage", 1.0)
    shown.setdefault("measured_ms", round(expected * coverage))
    shown.setdefault("samples", round(expected * coverage / every) if every else 0)
    if shown["samples"]:
        shown.setdefault("last_ms", window.end_ms - (every or 0))
    return Statistics(subject=0, start_ms=start, end_ms=window.end_ms, every_ms=every, **shown)


def proposed(
    one: tuple[str, SubjectReview], high: float, for_ms: int, before: int, after: int
) -> tuple[str, SubjectReview]:
    """The subject with a proposal: so many episodes in 30 days before, and so many after."""
    proposal = Proposal(
        comparison=Comparison(high=high, for_ms=for_ms),
        start_ms=START,
        end_ms=START + 30 * DAY,
        present=Outcome(before, before * HOUR, HOUR, ()),
        proposed=Outcome(after, after * HOUR, HOUR, ((START + DAY, START + DAY + HOUR),)),
        usual=None,
    )
    return one[0], replace(one[1], proposal=proposal)


def absent(window: Window, *, every: int | None = 10 * SECOND, start_ms: int | None = None) -> Statistics:
    """Those of a subject that did not report in the window."""
    return Statistics(subject=0, start_ms=start_ms or window.start_ms, end_ms=window.end_ms, every_ms=every)


def subject(
    plan: Plan,
    point: str,
    tags: Mapping[str, str],
    shown: Statistics,
    *,
    named: bool = True,
    last_ms: int | None = None,
) -> tuple[str, SubjectReview]:
    """A subject of the point with this id, expected since its statistics begin."""
    one = next(p for p in plan.points if p.id == point)
    reviewed = SubjectReview(
        subject=subject_of(one.measurement, tags, one.by),
        tags=tags,
        limits=one.settings(tags),
        statistics=shown,
        named=named,
        since_ms=shown.start_ms,
        last_ms=last_ms if last_ms is not None else shown.last_ms,
    )
    return point, reviewed


def review(
    plan: Plan,
    window: Window,
    *subjects: tuple[str, SubjectReview],
    series: Sequence[SeriesSeen] = (),
    agents: Mapping[str, int] | None = None,
    clocks: Mapping[str, AgentClock] | None = None,
    losses: Mapping[str, AgentLosses] | None = None,
) -> Review:
    """The review of these subjects."""
    return Review(
        plan=plan,
        window=window,
        points=[PointReview(p, [one for point, one in subjects if point == p.id]) for p in plan.points],
        series=series,
        agents=agents or {},
        clocks=clocks or {},
        losses=losses or {},
    )


def breaches(total_ms: int, *, count: int = 1, longest_ms: int | None = None) -> Breaches:
    """Episodes of this length altogether."""
    longest = longest_ms or total_ms // max(count, 1)
    return Breaches(
        breach_ms=total_ms,
        episodes=count,
        episode_ms=total_ms,
        longest_ms=longest,
        longest=((START + HOUR, START + HOUR + longest),) if count else (),
    )


def seen(metric: str, tags: Mapping[str, str], window: Window) -> SeriesSeen:
    """A series that reported all through the window."""
    measurement, _, field = metric.partition(".")
    return SeriesSeen(
        SeriesKey(measurement, tuple(sorted(tags.items())), field), window.start_ms, window.end_ms
    )


CPU_TAGS: Mapping[str, str] = {"host": "mon-01", "cpu": "cpu-total"}
CPU_SUBJECT: Subject = (("host", "mon-01"), ("cpu", "cpu-total"))


def answers(verdicts: Sequence[Verdict]) -> dict[tuple[str | None, Subject], str]:
    """What is answered, by point and subject."""
    return {(verdict.point, verdict.subject): verdict.answer for verdict in verdicts}


def gaps(verdicts: Sequence[Verdict]) -> list[Finding]:
    """The findings."""
    return [verdict.finding for verdict in verdicts if verdict.finding is not None]


def verdict_of(verdicts: Sequence[Verdict], kind: str, key: str, subject: Subject) -> Verdict:
    """The verdict with the id that these give."""
    return next(v for v in verdicts if v.id == finding_id(kind, key, subject))


def alone(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts on subjects, without those on points as a whole."""
    return [verdict for verdict in verdicts if verdict.subject]
