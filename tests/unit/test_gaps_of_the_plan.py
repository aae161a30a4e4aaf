"""no-threshold and unplanned-series: what the plan leaves open."""

from __future__ import annotations

from collector.analysis.gaps import no_threshold, unplanned_series
from collector.analysis.review import Review
from setpoint.finding import Verdict
from tests.unit.review_factory import (
    CPU,
    CPU_TAGS,
    DISK,
    LOAD,
    MONTH,
    NEXT_MONTH,
    RUNNING,
    absent,
    answers,
    gaps,
    plan,
    review,
    seen,
    statistics,
    subject,
)


def load_of(*hosts: str, text: str = LOAD) -> Review:
    one = plan(text)
    return review(
        one,
        RUNNING,
        *(subject(one, "host-load", {"host": h}, statistics(RUNNING, min=0.1, max=3.234)) for h in hosts),
    )


def test_measured_and_judged_by_nothing_is_one_finding_with_its_subjects() -> None:
    (finding,) = gaps(no_threshold.check(load_of("mon-01", "jump-01")))
    assert (finding.point, finding.subject, finding.severity) == ("host-load", {}, "info")
    assert finding.evidence.members == ["host=mon-01", "host=jump-01"]
    assert finding.title == "Load, 5 minutes has no threshold"
    assert "between 0.1 and 3.23" in finding.text["en"]


def test_the_range_is_that_of_all_subjects() -> None:
    one = plan(LOAD)
    found = [
        subject(one, "host-load", {"host": h}, statistics(RUNNING, min=low, max=high))
        for h, low, high in (("mon-01", 0.5, 7.0), ("jump-01", 0.25, 3.0))
    ]
    (finding,) = gaps(no_threshold.check(review(one, RUNNING, *found)))
    assert "It lay between 0.25 and 7." in finding.text["en"]


def test_a_hundred_and_more_members_are_counted_and_a_hundred_listed() -> None:
    (finding,) = gaps(no_threshold.check(load_of(*(f"web-{n}" for n in range(150)))))
    assert len(finding.evidence.members) == 100
    assert finding.evidence.statistics["subjects"] == 150
    assert "(150 subjects)" in finding.text["en"]


def test_a_threshold_or_a_target_is_no_gap() -> None:
    for limits in ("warning: {above: 3}", "critical: {above: 3}", "target: {mean: {at_most: 3}}"):
        (verdict,) = no_threshold.check(load_of("mon-01", text=f"{LOAD}    {limits}\n"))
        assert verdict.answer == "no gap"


def test_saying_what_is_good_judges_nothing_by_itself() -> None:
    (verdict,) = no_threshold.check(load_of("mon-01", text=LOAD + "    good: {below: 3}\n"))
    assert verdict.answer == "gap"


def test_an_override_that_takes_the_threshold_away_is_a_gap_for_its_subjects() -> None:
    text = LOAD + "    warning: {above: 3}\n    overrides: [{where: {host: jump-01}, warning: null}]\n"
    (finding,) = gaps(no_threshold.check(load_of("mon-01", "jump-01", text=text)))
    assert finding.evidence.members == ["host=jump-01"]
    assert finding.subject == {}


def test_what_is_not_measured_cannot_be_told() -> None:
    one = plan(LOAD)
    found = review(one, RUNNING, subject(one, "host-load", {"host": "mon-01"}, absent(RUNNING)))
    (verdict,) = no_threshold.check(found)
    assert verdict.answer == "cannot tell"
    (verdict,) = no_threshold.check(review(one, RUNNING))
    assert verdict.answer == "cannot tell"
    (verdict,) = no_threshold.check(review(plan(DISK), RUNNING))
    assert verdict.answer == "no gap"


NET = {"host": "mon-01", "interface": "eth0"}


def unplanned(*metrics: str) -> list[Verdict]:
    tags = {"cpu": CPU_TAGS, "net": NET}
    series = [seen(m, tags.get(m.partition(".")[0], {"host": "mon-01"}), MONTH) for m in metrics]
    return unplanned_series.check(review(plan(CPU), MONTH, series=series))


def test_unplanned_series_are_summed_up_by_measurement() -> None:
    verdicts = unplanned("cpu.usage_active", "cpu.usage_idle", "net.bytes_recv", "net.bytes_sent")
    assert [(f.evidence.query, f.subject, f.severity) for f in gaps(verdicts)] == [
        ("/api/series?measurement=cpu", {"measurement": "cpu"}, "info"),
        ("/api/series?measurement=net", {"measurement": "net"}, "info"),
    ]
    cpu, net = gaps(verdicts)
    assert cpu.evidence.members == ["cpu.usage_idle (1)"]
    assert cpu.evidence.statistics == {"series": 2, "unplanned": 1}
    assert cpu.title == "cpu is measured, and the plan wants only a part of it"
    assert net.title == "net is measured, and the plan wants none of it"


def test_a_series_that_the_point_does_not_want_is_unplanned_though_its_metric_is_planned() -> None:
    single = {"host": "mon-01", "cpu": "cpu0"}
    found = review(plan(CPU), MONTH, series=[seen("cpu.usage_active", single, MONTH)])
    assert len(gaps(unplanned_series.check(found))) == 1


def test_all_wanted_is_no_gap() -> None:
    assert answers(unplanned("cpu.usage_active")) == {(None, (("measurement", "cpu"),)): "no gap"}


def test_what_setpoint_says_of_itself_and_thresholds_are_not_unplanned() -> None:
    assert unplanned("setpoint_agent.connected", "setpoint_gap.mean", "threshold.level") == []


def test_what_came_after_a_past_period_is_not_of_it() -> None:
    late = seen("net.bytes_recv", NET, NEXT_MONTH)
    assert unplanned_series.check(review(plan(CPU), MONTH, series=[late])) == []


def test_the_biggest_metrics_are_named_and_the_rest_counted() -> None:
    series = [
        seen(f"mem.field{n:02}", {"host": f"h{m}"}, MONTH)
        for n in range(120)
        for m in range(2 if n == 7 else 1)
    ]
    (finding,) = gaps(unplanned_series.check(review(plan(CPU), MONTH, series=series)))
    assert len(finding.evidence.members) == 100
    assert finding.evidence.members[0] == "mem.field07 (2)"
    assert "field07 (2); field00 (1)" in finding.text["en"]
    assert "and 115 more" in finding.text["en"]
