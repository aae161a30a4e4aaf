"""target-missed: a period's statistic against its target."""

from __future__ import annotations

from typing import Any

import pytest

from collector.analysis.gaps.target_missed import check
from collector.analysis.review import Window
from setpoint.finding import Verdict
from tests.unit.review_factory import (
    CPU,
    CPU_SUBJECT,
    CPU_TAGS,
    DAY,
    ERP,
    HEAD,
    HOUR,
    MONTH,
    NEXT_MONTH,
    RUNNING,
    SECOND,
    START,
    alone,
    breaches,
    gaps,
    plan,
    review,
    statistics,
    subject,
)

ERP_TAGS = {"host": "mon-01", "server": "http://erp/", "method": "GET"}


def cpu(window: Window = MONTH, text: str = CPU, **shown: Any) -> list[Verdict]:
    one = plan(text)
    return alone(check(review(one, window, subject(one, "host-cpu", CPU_TAGS, statistics(window, **shown)))))


def erp(window: Window = MONTH, text: str = ERP, **shown: Any) -> list[Verdict]:
    one = plan(text)
    return alone(
        check(review(one, window, subject(one, "erp-answers", ERP_TAGS, statistics(window, **shown))))
    )


def test_a_missed_target_is_a_gap_in_the_unit_of_the_point() -> None:
    (verdict,) = cpu(p95=78.3)
    assert verdict.answer == "gap"
    assert verdict.finding is not None
    assert (verdict.finding.measured, verdict.finding.target, verdict.finding.gap) == (78.3, 70, 8.3)
    assert verdict.finding.unit == "percent"
    assert verdict.finding.severity == "warning"
    assert verdict.finding.evidence.statistics["p95"] == 78.3


def test_a_target_that_is_just_met_is_no_gap() -> None:
    (verdict,) = cpu(p95=70.0)
    assert verdict.answer == "no gap"
    assert verdict.finding is None


def test_a_target_met_in_a_running_period_is_not_yet_no_gap() -> None:
    (verdict,) = cpu(RUNNING, p95=10.0)
    assert (verdict.answer, verdict.reason) == ("cannot tell", "the period is not over")


def test_a_target_missed_so_far_is_a_gap_before_the_period_is_over() -> None:
    (finding,) = gaps(cpu(RUNNING, p95=78.3))
    assert "In October 2026 so far" in finding.text["en"]
    assert "2026 年 10 月截至目前" in finding.text["zh"]


@pytest.mark.parametrize("p95", [10.0, 99.0])
def test_thin_coverage_cannot_tell_whatever_the_statistic(p95: float) -> None:
    (verdict,) = cpu(p95=p95, coverage=0.8999)
    assert verdict.answer == "cannot tell"
    assert "coverage" in verdict.reason


def test_the_points_own_min_coverage_counts() -> None:
    (verdict,) = cpu(p95=10.0, coverage=0.6, text=CPU + "    min_coverage: 0.5\n")
    assert verdict.answer == "no gap"


def test_expected_for_a_part_of_the_period_cannot_close() -> None:
    (verdict,) = cpu(p95=10.0, start_ms=START + DAY)
    assert (verdict.answer, verdict.reason) == (
        "cannot tell",
        "it was expected for only a part of the period",
    )


def test_nearly_nothing_expected_cannot_tell() -> None:
    window = Window(START, START + 29 * SECOND, complete=False, label="2026-10")
    (verdict,) = cpu(window, p95=99.0)
    assert verdict.answer == "cannot tell"
    (verdict,) = cpu(Window(START, START + 30 * SECOND, complete=False, label="2026-10"), p95=99.0)
    assert verdict.answer == "gap"


def test_an_unknown_spacing_cannot_tell() -> None:
    (verdict,) = erp(every=None, availability=0.5)
    assert verdict.answer == "cannot tell"


def test_nothing_measured_cannot_tell() -> None:
    (verdict,) = cpu(coverage=0.0)
    assert verdict.answer == "cannot tell"


def test_a_maximum_that_was_seen_was_seen_however_thin_the_coverage() -> None:
    for target, answer in (
        ("max: {at_most: 90}", "gap"),
        ("max: {at_least: 99}", "cannot tell"),
        ("min: {at_least: 10}", "gap"),
        ("min: {at_most: 5}", "cannot tell"),
        ("p99: {at_least: 99}", "cannot tell"),
    ):
        text = CPU.replace("p95: {at_most: 70}", target)
        (verdict,) = cpu(text=text, coverage=0.2, max=97.0, min=9.0, p99=97.0)
        assert (target, verdict.answer) == (target, answer)


def test_two_targets_of_a_point_are_two_findings() -> None:
    text = CPU.replace("p95: {at_most: 70}", "p95: {at_most: 70}, mean: {at_most: 40}")
    found = gaps(cpu(text=text, p95=78.0, mean=50.0))
    assert len({finding.id for finding in found}) == 2


def test_time_in_breach_that_the_plan_allows_is_not_judged_here() -> None:
    text = CPU.replace("p95: {at_most: 70}", "breach_time: {at_most: 1h}, breach_share: {at_most: 1%}")
    assert cpu(text=text, critical=breaches(5 * HOUR)) == []


def test_a_least_time_in_breach_is_a_target_like_any_other() -> None:
    text = CPU.replace("p95: {at_most: 70}", "breach_time: {at_least: 2h}")
    (finding,) = gaps(cpu(text=text, critical=breaches(HOUR)))
    assert (finding.measured, finding.target, finding.unit) == (3600, 7200, "s")


def test_an_availability_is_told_in_percent_with_enough_digits_to_see_the_gap() -> None:
    (finding,) = gaps(erp(every=30 * SECOND, availability=0.99476, good_ms=round(31 * DAY * 0.99476)))
    assert (finding.measured, finding.target, finding.gap, finding.unit) == (
        99.476,
        99.5,
        -0.024,
        "percent",
    )
    assert "99.48 %; plan revision 14 asks for at least 99.5 %" in finding.text["en"]
    assert "0.024 percentage points too low" in finding.text["en"]
    assert "not good for 3 h 53 min" in finding.text["en"]
    assert "偏低 0.024 个百分点" in finding.text["zh"]


def test_the_availability_behind_an_objective_is_critical() -> None:
    (finding,) = gaps(erp(every=30 * SECOND, availability=0.9))
    assert finding.severity == "critical"
    assert len(finding.reasons) == 2
    plain = ERP.replace("    for: [erp-uptime]\n", "").replace("    class: service\n", "")
    (finding,) = gaps(erp(text=plain, every=30 * SECOND, availability=0.9))
    assert finding.severity == "warning"
    service = ERP.replace("    for: [erp-uptime]\n", "")
    (finding,) = gaps(erp(text=service, every=30 * SECOND, availability=0.9))
    assert finding.severity == "critical"


def test_missing_time_that_is_bad_is_told_however_thin_the_coverage() -> None:
    text = ERP + "    missing: bad\n"
    (verdict,) = erp(text=text, every=30 * SECOND, coverage=0.5, availability=0.5)
    assert verdict.answer == "gap"
    (verdict,) = erp(every=30 * SECOND, coverage=0.5, availability=0.5)
    assert verdict.answer == "cannot tell"


def test_what_never_reported_is_not_measured_and_not_unavailable() -> None:
    (verdict,) = erp(text=ERP + "    missing: bad\n", every=30 * SECOND, coverage=0.0, availability=0.0)
    assert verdict.answer == "cannot tell"


def test_the_same_gap_keeps_its_id_from_period_to_period() -> None:
    (before,), (after,) = cpu(p95=78.0), cpu(NEXT_MONTH, p95=91.0)
    assert before.id == after.id
    assert before.subject == CPU_SUBJECT


def test_the_evidence_holds_the_statistics_that_there_are() -> None:
    (finding,) = gaps(cpu(p95=78.3, mean=40.5, coverage=0.95))
    assert finding.evidence.statistics["mean"] == 40.5
    assert "p99" not in finding.evidence.statistics
    assert (finding.evidence.start_ms, finding.evidence.end_ms) == (MONTH.start_ms, MONTH.end_ms)
    assert (finding.evidence.samples, finding.evidence.coverage) == (254_448, 0.95)


def test_an_objective_is_named_by_its_service_or_its_title() -> None:
    head = HEAD.replace(", service: ERP", "")
    one = plan(CPU, head=head)
    found = review(one, MONTH, subject(one, "host-cpu", CPU_TAGS, statistics(MONTH, p95=78.0)))
    (finding,) = gaps(check(found))
    assert "Serves: ERP is there in office hours." in finding.text["en"]
    assert finding.objectives == ["erp-uptime"]
