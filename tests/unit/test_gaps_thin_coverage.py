"""thin-coverage: what reports, but less than planned."""

from __future__ import annotations

from typing import Any

from collector.analysis.gaps.thin_coverage import KIND, check
from collector.analysis.review import Window
from setpoint.finding import Verdict
from tests.unit.review_factory import (
    CPU,
    CPU_SUBJECT,
    CPU_TAGS,
    DAY,
    DISK,
    LOAD,
    MINUTE,
    MONTH,
    NEXT_MONTH,
    RUNNING,
    SECOND,
    START,
    absent,
    gaps,
    plan,
    review,
    statistics,
    subject,
    verdict_of,
)

MON = (("host", "mon-01"),)


def cpu(window: Window = MONTH, text: str = CPU, **shown: Any) -> Verdict:
    one = plan(text, LOAD)
    other = subject(one, "host-load", {"host": "mon-01"}, statistics(window))
    found = review(one, window, subject(one, "host-cpu", CPU_TAGS, statistics(window, **shown)), other)
    return verdict_of(check(found), KIND, "host-cpu", CPU_SUBJECT)


def test_less_than_planned_is_a_gap() -> None:
    verdict = cpu(coverage=0.713)
    assert verdict.answer == "gap"
    assert verdict.finding is not None
    finding = verdict.finding
    assert (finding.measured, finding.target, finding.gap, finding.unit) == (71.3, 90, -18.7, "percent")
    assert "measured 71.3 % of the time (190,970 of 267,840 expected samples)" in finding.text["en"]
    assert finding.severity == "warning"


def test_enough_is_no_gap() -> None:
    assert cpu(coverage=0.9).answer == "no gap"


def test_the_points_own_min_coverage_counts() -> None:
    assert cpu(coverage=0.6, text=CPU + "    min_coverage: 0.5\n").answer == "no gap"


def test_a_running_period_shows_a_gap_and_never_none() -> None:
    assert cpu(RUNNING, coverage=0.5).answer == "gap"
    assert cpu(RUNNING, coverage=1.0).answer == "cannot tell"


def test_a_running_period_waits_for_twenty_spacings() -> None:
    def window(length_ms: int) -> Window:
        return Window(START, START + length_ms, complete=False, label="2026-10")

    assert cpu(window(199 * SECOND), coverage=0.5).answer == "cannot tell"
    assert cpu(window(200 * SECOND), coverage=0.5).answer == "gap"


def test_expected_for_a_part_of_the_period_cannot_close() -> None:
    assert cpu(start_ms=START + DAY).answer == "cannot tell"
    assert cpu(start_ms=START + DAY, coverage=0.5).answer == "gap"


def test_what_is_silent_or_never_reported_is_not_thin() -> None:
    verdict = cpu(coverage=0.3, last_ms=START + DAY)
    assert (verdict.answer, verdict.reason) == ("cannot tell", "it went silent")
    one = plan(CPU)
    verdicts = check(review(one, MONTH, subject(one, "host-cpu", CPU_TAGS, absent(MONTH))))
    assert {(v.answer) for v in verdicts} == {"cannot tell"}


def test_a_host_that_is_thin_as_a_whole_is_one_finding() -> None:
    one = plan(CPU, DISK)
    found = review(
        one,
        MONTH,
        subject(one, "host-cpu", CPU_TAGS, statistics(MONTH, coverage=0.62)),
        subject(
            one, "host-disk", {"host": "mon-01", "path": "/"}, statistics(MONTH, every=MINUTE, coverage=0.65)
        ),
        subject(one, "host-cpu", {"host": "jump-01", "cpu": "cpu-total"}, statistics(MONTH)),
    )
    verdicts = check(found)
    (finding,) = gaps(verdicts)
    assert (finding.point, finding.subject, finding.measured) == (None, {"host": "mon-01"}, 62)
    assert "between 62 % and 65 %" in finding.text["en"]
    assert verdict_of(verdicts, KIND, "host-cpu", CPU_SUBJECT).answer == "cannot tell"
    assert verdict_of(verdicts, KIND, "", (("host", "jump-01"),)).answer == "no gap"


def test_a_host_that_is_partly_well_in_a_running_period_is_not_thin_as_a_whole() -> None:
    one = plan(CPU, DISK)
    found = review(
        one,
        RUNNING,
        subject(one, "host-cpu", CPU_TAGS, statistics(RUNNING, coverage=0.62)),
        subject(one, "host-disk", {"host": "mon-01", "path": "/"}, statistics(RUNNING, every=MINUTE)),
    )
    verdicts = check(found)
    (finding,) = gaps(verdicts)
    assert finding.point == "host-cpu"
    assert verdict_of(verdicts, KIND, "", MON).answer == "cannot tell"


def test_a_point_that_is_thin_on_every_host_is_one_finding() -> None:
    one = plan(CPU, LOAD)
    found = review(
        one,
        MONTH,
        *(
            subject(one, "host-cpu", {"host": host, "cpu": "cpu-total"}, statistics(MONTH, coverage=0.33))
            for host in ("mon-01", "jump-01")
        ),
        *(
            subject(one, "host-load", {"host": host}, statistics(MONTH, every=MINUTE))
            for host in ("mon-01", "jump-01")
        ),
    )
    (finding,) = gaps(check(found))
    assert (finding.point, finding.subject) == ("host-cpu", {})


def test_coverage_just_below_is_told_with_enough_digits() -> None:
    verdict = cpu(coverage=0.89996)
    assert verdict.finding is not None
    assert "measured 89.996 % of the time" in verdict.finding.text["en"]


def test_severity_is_info_where_nothing_depends_on_it() -> None:
    one = plan(DISK)
    thin = statistics(MONTH, every=MINUTE, coverage=0.5)
    (finding,) = gaps(
        check(review(one, MONTH, subject(one, "host-disk", {"host": "mon-01", "path": "/"}, thin)))
    )
    assert finding.severity == "info"


def test_the_same_gap_keeps_its_id_from_period_to_period() -> None:
    assert cpu(coverage=0.5).id == cpu(NEXT_MONTH, coverage=0.6).id


def test_a_group_shows_its_lowest_and_its_highest_coverage() -> None:
    text = DISK + "    overrides: [{where: {path: /}, critical: {above: 95}}]\n"
    one = plan(text)
    found = [
        subject(
            one,
            "host-disk",
            {"host": "mon-01", "path": path},
            statistics(MONTH, every=MINUTE, coverage=coverage),
        )
        for path, coverage in (("/", 0.5), ("/var", 0.625))
    ]
    well = subject(one, "host-disk", {"host": "jump-01", "path": "/"}, statistics(MONTH, every=MINUTE))
    (finding,) = gaps(check(review(one, MONTH, *found, well)))
    assert finding.subject == {"host": "mon-01"}
    assert finding.evidence.coverage == 0.5
    assert finding.evidence.statistics == {"subjects": 2, "lowest": 0.5, "highest": 0.625}
    assert finding.severity == "warning"


def test_a_point_that_is_thin_everywhere_has_its_own_evidence() -> None:
    one = plan(CPU, LOAD)
    hosts = ("mon-01", "jump-01")
    thin = [
        subject(one, "host-cpu", {"host": h, "cpu": "cpu-total"}, statistics(MONTH, coverage=0.3))
        for h in hosts
    ]
    well = [subject(one, "host-load", {"host": h}, statistics(MONTH)) for h in hosts]
    (finding,) = gaps(check(review(one, MONTH, *thin, *well)))
    assert finding.evidence.members == ["host=mon-01 cpu=cpu-total", "host=jump-01 cpu=cpu-total"]
    assert finding.evidence.query == "/api/series?metric=cpu.usage_active"
    assert "expected samples" not in finding.text["en"]
