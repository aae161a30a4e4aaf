"""threshold-drift, threshold-missing, threshold-orphan: configured thresholds against the plan."""

from __future__ import annotations

from typing import Any

import pytest

from agent.inputs.thresholds.found import Found, NoThreshold
from collector.analysis.gaps import threshold_drift, threshold_missing, threshold_orphan
from collector.analysis.review import Review
from collector.series import SeriesTable
from collector.thresholds.found import FoundThresholds
from collector.thresholds.read import read_thresholds
from setpoint.finding import Verdict
from setpoint.reading import Point
from tests.unit.review_factory import (
    CPU,
    CPU_TAGS,
    DAY,
    DISK,
    HOUR,
    LOAD,
    RUNNING,
    absent,
    plan,
    review,
    statistics,
    subject,
)
from tests.unit.threshold_factory import IDLE, found, knowing, observe, read

AT = RUNNING.end_ms
HOSTS = ("mon-01", "jump-01")
RAISED = "    raised_by: [prometheus]\n"


def busy(level: float = 0.2, for_s: float = 300, subject: str = 'mode="idle"', **more: Any) -> Found:
    more = {"severity": "warning", **more}
    return found("Busy", IDLE, "below", level, subject, for_s=for_s, **more)


def very_busy(**more: Any) -> Found:
    return found("VeryBusy", IDLE, "below", 0.05, 'mode="idle"', for_s=300, severity="critical", **more)


def site(known: FoundThresholds, cpu: str = CPU, *more: str, silent: tuple[str, ...] = ()) -> Review:
    one = plan(cpu, *more)
    subjects = []
    for host in HOSTS:
        last = AT - 3 * HOUR if host in silent else AT
        shown = statistics(RUNNING, last_ms=last)
        subjects.append(subject(one, "host-cpu", {**CPU_TAGS, "host": host}, shown, last_ms=last))
    return knowing(review(one, RUNNING, *subjects), known)


def only(verdicts: list[Verdict], ground: str = "") -> Verdict:
    found = [one for one in verdicts if not ground or ground in (one.reason, one.id)]
    assert len(found) == 1
    return found[0]


def drift(*thresholds: Found, cpu: str = CPU, **more: Any) -> Verdict:
    return only(threshold_drift.check(site(read(*thresholds, at_ms=AT, **more), cpu)))


def missing(*thresholds: Found, cpu: str = CPU, **more: Any) -> Verdict:
    return only(threshold_missing.check(site(read(*thresholds, at_ms=AT, **more), cpu)))


def orphans(*thresholds: Found, silent: tuple[str, ...] = (), **more: Any) -> tuple[Verdict, Verdict]:
    not_planned, not_reporting = threshold_orphan.check(
        site(read(*thresholds, **{"at_ms": AT, **more}), silent=silent)
    )
    return not_planned, not_reporting


# -- drift ---------------------------------------------------------------------------------------------


def test_a_threshold_as_planned_is_no_drift() -> None:
    assert drift(busy()).answer == "no gap"
    assert drift(busy(), very_busy()).answer == "no gap"


def test_a_later_alarm_is_a_warning_with_both_figures() -> None:
    finding = drift(busy(0.1)).finding
    assert finding is not None
    assert (finding.severity, finding.measured, finding.target, finding.gap) == ("warning", 90, 80, 10)
    assert (finding.unit, finding.subject, finding.point) == ("percent", {"source": "prometheus"}, "host-cpu")
    said = "warning above 90 percent for 5m (rule Busy), planned above 80 percent for 5m"
    assert finding.evidence.members == [f"host={host} cpu=cpu-total: {said}" for host in HOSTS]
    assert "later than planned" in finding.text["en"]


def test_an_earlier_alarm_is_info() -> None:
    finding = drift(busy(0.3)).finding
    assert finding is not None
    assert (finding.severity, finding.measured) == ("info", 70)
    assert "earlier than planned" in finding.text["en"]


def test_another_for_is_told_in_seconds() -> None:
    finding = drift(busy(for_s=900)).finding
    assert finding is not None
    assert (finding.measured, finding.target, finding.unit) == (900, 300, "s")


def test_a_critical_level_that_alarms_late_says_so() -> None:
    late = found("VeryBusy", IDLE, "below", 0.01, 'mode="idle"', for_s=300, severity="critical")
    finding = drift(late).finding
    assert finding is not None
    assert "at the critical level" in finding.reasons


def test_one_threshold_as_planned_is_enough() -> None:
    assert drift(busy(0.1), busy()).answer == "no gap"


def test_all_that_differ_are_told_where_none_is_as_planned() -> None:
    finding = drift(busy(0.1), busy(0.3)).finding
    assert finding is not None
    assert finding.measured == 90
    assert finding.evidence.statistics == {"subjects": 2, "thresholds": 4}


def test_only_what_differs_is_a_member() -> None:
    own = CPU + "    overrides:\n      - {where: {host: jump-01}, warning: {above: 90, for: 5m}}\n"
    finding = drift(busy(0.1), cpu=own).finding
    assert finding is not None
    assert len(finding.evidence.members) == 1
    assert "mon-01" in finding.title


@pytest.mark.parametrize(
    "threshold",
    [
        busy(0.1, enabled=False),
        busy(0.1, role="requires"),
        busy(0.1, severity="info"),
        found("Load", "node_load5", "above", 5),
    ],
)
def test_what_does_not_raise_or_is_not_planned_is_no_drift(threshold: Found) -> None:
    assert drift(threshold).answer == "no gap"


@pytest.mark.parametrize(
    ("threshold", "more"),
    [
        (busy(0.1, subject='env="prod",mode="idle"'), {}),
        (busy(), {"failed_parts": 1}),
        (NoThreshold("r", "unreadable"), {}),
        (busy(0.1), {"every_s": 60, "at_ms": AT - HOUR}),
    ],
)
def test_what_cannot_be_told_is_not_told(threshold: Found, more: dict[str, Any]) -> None:
    known = read(threshold, **{"at_ms": AT, **more})
    assert only(threshold_drift.check(site(known))).answer == "cannot tell"


def test_a_rule_that_is_gone_drifts_no_longer() -> None:
    series = SeriesTable()
    read(busy(0.1), at_ms=AT - HOUR, series=series)
    known = read(very_busy(), at_ms=AT, series=series)
    assert only(threshold_drift.check(site(known))).answer == "no gap"


def test_without_a_source_there_is_nothing_to_say() -> None:
    assert threshold_drift.check(site(FoundThresholds())) == []
    assert threshold_orphan.check(site(FoundThresholds())) == []


# -- missing -------------------------------------------------------------------------------------------


def test_a_level_that_the_tool_lacks_is_missing_where_the_plan_wants_it_there() -> None:
    verdict = missing(busy(), cpu=CPU + RAISED)
    assert verdict.finding is not None
    assert verdict.finding.measured == 2
    assert verdict.finding.severity == "warning"
    assert verdict.finding.evidence.members == [
        "host=mon-01 cpu=cpu-total: critical in prometheus",
        "host=jump-01 cpu=cpu-total: critical in prometheus",
    ]


def test_everything_that_is_raised_is_not_missing() -> None:
    assert missing(busy(), very_busy(), cpu=CPU + RAISED).answer == "no gap"
    # It is there, though at another level: that is a drift.
    assert missing(busy(0.9), very_busy(), cpu=CPU + RAISED).answer == "no gap"


def test_a_threshold_that_does_not_say_how_bad_it_is_stands_for_every_level() -> None:
    assert missing(busy(severity=""), cpu=CPU + RAISED).answer == "no gap"


def test_a_rule_that_is_switched_off_is_missing_and_told() -> None:
    finding = missing(busy(), very_busy(enabled=False), cpu=CPU + RAISED).finding
    assert finding is not None
    assert "switched off" in finding.text["en"]


def test_a_rule_for_one_host_is_missing_for_the_other() -> None:
    own = busy(subject='instance="mon-01:9100",mode="idle"')
    finding = missing(own, very_busy(), cpu=CPU + RAISED).finding
    assert finding is not None
    assert finding.evidence.members == ["host=jump-01 cpu=cpu-total: warning in prometheus"]


def test_nobody_has_to_raise_what_the_plan_gives_to_nobody() -> None:
    assert missing(found("Load", "node_load5", "above", 5)).answer == "no gap"


def test_a_tool_that_has_it_elsewhere_and_knows_the_host_should_have_it_there() -> None:
    own = busy(subject='instance="mon-01:9100",mode="idle"')
    load = found("Load", "node_load5", "above", 5, 'instance="jump-01:9100"')
    one = plan(CPU, LOAD)
    subjects = [
        subject(one, point, {**tags, "host": host}, statistics(RUNNING))
        for host in HOSTS
        for point, tags in (("host-cpu", CPU_TAGS), ("host-load", {}))
    ]
    both = [own, very_busy(), load]
    verdicts = threshold_missing.check(knowing(review(one, RUNNING, *subjects), read(*both, at_ms=AT)))
    finding = next(verdict.finding for verdict in verdicts if verdict.point == "host-cpu")
    assert finding is not None
    assert finding.evidence.members == ["host=jump-01 cpu=cpu-total: warning in prometheus"]
    alone = threshold_missing.check(knowing(review(one, RUNNING, *subjects), read(*both[:2], at_ms=AT)))
    assert {verdict.answer for verdict in alone} == {"no gap"}


@pytest.mark.parametrize(
    "known",
    [
        FoundThresholds(),
        read(busy(), at_ms=AT - DAY),
        read(busy(), at_ms=AT, failed_parts=1),
        read(busy(), NoThreshold("x", "unreadable"), at_ms=AT),
        read(busy(), very_busy(), at_ms=AT, source="grafana"),
    ],
)
def test_what_was_not_read_is_not_called_missing(known: FoundThresholds) -> None:
    assert only(threshold_missing.check(site(known, CPU + RAISED))).answer == "cannot tell"


# -- orphans -------------------------------------------------------------------------------------------


def test_a_threshold_on_what_is_planned_and_reports_is_no_orphan() -> None:
    assert [verdict.answer for verdict in orphans(busy())] == ["no gap", "no gap"]


@pytest.mark.parametrize(
    "threshold",
    [
        found("Load", "node_load5", "above", 5),
        found("Mem", "mem.used_percent", "above", 5),
        busy(subject='instance="gone-01:9100",mode="idle"'),
    ],
)
def test_a_threshold_on_what_no_plan_knows_is_an_orphan(threshold: Found) -> None:
    not_planned, not_reporting = orphans(threshold, busy())
    assert not_planned.finding is not None
    assert (not_planned.finding.measured, not_planned.finding.severity) == (1, "info")
    assert not_planned.finding.evidence.statistics == {"thresholds": 1, "understood": 2}
    assert not_reporting.answer == "no gap"


def test_a_threshold_on_what_no_longer_reports_is_an_orphan() -> None:
    own = busy(subject='instance="mon-01:9100",mode="idle"')
    _, not_reporting = orphans(own, silent=("mon-01",))
    assert not_reporting.finding is not None
    assert not_reporting.finding.severity == "info"
    assert "host=mon-01" in not_reporting.finding.evidence.members[0]
    _, reporting = orphans(busy(), silent=("mon-01",))
    assert reporting.answer == "no gap"


def test_an_orphan_at_a_critical_level_is_a_warning() -> None:
    _, not_reporting = orphans(very_busy(), silent=HOSTS)
    assert not_reporting.finding is not None
    assert not_reporting.finding.severity == "warning"


def test_a_name_that_is_not_known_makes_no_orphan() -> None:
    unknown = found("Odd", "some_metric", "above", 5)
    assert {verdict.answer for verdict in orphans(unknown)} == {"cannot tell"}
    assert {verdict.answer for verdict in orphans(unknown, busy())} == {"no gap"}


def test_a_condition_and_a_rule_that_is_off_are_no_orphans() -> None:
    assert orphans(busy(), found("L", "node_load5", "above", 5, role="requires"))[0].answer == "no gap"
    assert orphans(busy(), found("L", "node_load5", "above", 5, enabled=False))[0].answer == "no gap"


def test_a_source_that_was_not_read_lately_closes_nothing() -> None:
    assert {verdict.answer for verdict in orphans(busy(), at_ms=AT - DAY)} == {"cannot tell"}


def test_never_reported_is_not_reporting() -> None:
    one = plan(DISK)
    never = subject(one, "host-disk", {"host": "mon-01", "path": "/"}, absent(RUNNING))
    full = found("Full", "disk.used_percent", "above", 80, severity="warning")
    _, not_reporting = threshold_orphan.check(knowing(review(one, RUNNING, never), read(full, at_ms=AT)))
    assert not_reporting.answer == "gap"


def test_what_a_device_knows_by_itself_needs_no_plan() -> None:
    series = SeriesTable()
    tags = {
        "source": "snmp",
        "rule": "too hot",
        "metric": "snmp_sensor.value",
        "comparison": "above",
        "device": "sw-1",
    }
    observe(series, [Point("threshold", tags, {"level": 60.0})], AT)
    assert {one.answer for one in threshold_orphan.check(site(read_thresholds(series)))} == {"no gap"}
