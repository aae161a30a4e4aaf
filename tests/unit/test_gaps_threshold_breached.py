"""threshold-breached: time beyond a level against what the plan allows."""

from __future__ import annotations

from typing import Any

import pytest

from collector.analysis.gaps.threshold_breached import check
from collector.analysis.review import Window
from setpoint.finding import Verdict
from tests.unit.review_factory import (
    CPU,
    CPU_TAGS,
    DAY,
    DISK,
    HOUR,
    LOAD,
    MINUTE,
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

NONE = breaches(0, count=0)


def allowing(target: str) -> str:
    return CPU.replace("p95: {at_most: 70}", target)


def cpu(window: Window = MONTH, text: str = CPU, **shown: Any) -> list[Verdict]:
    one = plan(text)
    shown.setdefault("warning", NONE)
    shown.setdefault("critical", NONE)
    return alone(check(review(one, window, subject(one, "host-cpu", CPU_TAGS, statistics(window, **shown)))))


def test_critical_time_that_is_not_allowed_is_critical() -> None:
    (finding,) = gaps(
        cpu(
            coverage=0.992,
            max=96.84,
            warning=breaches(5 * HOUR),
            critical=breaches(3 * HOUR + 42 * MINUTE, count=7, longest_ms=65 * MINUTE),
        )
    )
    assert finding.severity == "critical"
    assert (finding.measured, finding.target, finding.gap, finding.unit) == (13_320, 0, 13_320, "s")
    assert (
        "was above 95 % for 3 h 42 min in 7 episodes of at least 5 min, the longest 1 h 5 min; "
        "plan revision 14 allows none of it. The highest value was 96.8 %. Coverage 99.2 %."
    ) in finding.text["en"]
    assert (
        "高于 95 % 累计 3 小时 42 分（7 次，每次至少 5 分钟，最长 1 小时 5 分）；计划修订 14 不允许超限。"
        "实测最高 96.8 %。测量覆盖率 99.2 %。涉及服务：ERP。"
    ) in finding.text["zh"]
    assert finding.evidence.statistics["episodes"] == 7
    assert finding.evidence.statistics["longest_ms"] == 65 * MINUTE
    assert len(finding.evidence.episodes) == 1


def test_warning_time_alone_is_a_warning() -> None:
    (finding,) = gaps(cpu(warning=breaches(20 * MINUTE)))
    assert finding.severity == "warning"
    assert "above 80 %" in finding.title


def test_time_within_the_allowance_is_no_gap() -> None:
    text = allowing("breach_time: {at_most: 1h}")
    (verdict,) = cpu(text=text, warning=breaches(HOUR), critical=breaches(HOUR))
    assert verdict.answer == "no gap"


def test_time_beyond_the_allowance_is_the_gap() -> None:
    text = allowing("breach_time: {at_most: 1h}")
    (finding,) = gaps(cpu(text=text, critical=breaches(3 * HOUR + 42 * MINUTE, count=7)))
    assert (finding.measured, finding.target, finding.gap) == (13_320, 3_600, 9_720)
    assert "plan revision 14 allows 1 h, so the gap is 2 h 42 min" in finding.text["en"]
    assert "stays within 1 h above 95 %" in finding.mended_when


def test_critical_time_within_the_allowance_leaves_the_warning_to_be_judged() -> None:
    text = allowing("breach_time: {at_most: 1h}")
    (finding,) = gaps(cpu(text=text, warning=breaches(2 * HOUR), critical=breaches(HOUR)))
    assert (finding.severity, finding.gap) == ("warning", 3_600)


def test_an_allowed_share_is_of_the_measured_time() -> None:
    text = allowing("breach_share: {at_most: 1%}")
    allowed = round(31 * DAY * 0.95 * 0.01)
    (verdict,) = cpu(text=text, coverage=0.95, warning=breaches(allowed))
    assert verdict.answer == "no gap"
    (verdict,) = cpu(text=text, coverage=0.95, warning=breaches(allowed + 1000))
    assert verdict.answer == "gap"


def test_of_two_allowances_the_smaller_counts() -> None:
    text = allowing("breach_share: {at_most: 50%}, breach_time: {at_most: 1h}")
    (verdict,) = cpu(text=text, warning=breaches(2 * HOUR))
    assert verdict.answer == "gap"


def test_a_breach_that_was_measured_stays_one_however_thin_the_coverage() -> None:
    (verdict,) = cpu(coverage=0.1, critical=breaches(HOUR))
    assert verdict.answer == "gap"


def test_thin_coverage_without_a_breach_cannot_tell() -> None:
    (verdict,) = cpu(coverage=0.8)
    assert verdict.answer == "cannot tell"
    assert verdict.reason == "coverage is 80 %, and below 90 % nothing is judged"


def test_a_share_of_thin_coverage_is_a_gap_only_where_more_measuring_could_not_mend_it() -> None:
    text = allowing("breach_share: {at_most: 1%}")
    certain = round(31 * DAY * 0.01)
    (verdict,) = cpu(text=text, coverage=0.5, warning=breaches(certain - 1000))
    assert verdict.answer == "cannot tell"
    (verdict,) = cpu(text=text, coverage=0.5, warning=breaches(certain + 1000))
    assert verdict.answer == "gap"


@pytest.mark.parametrize(("critical", "answer"), [(NONE, "cannot tell"), (breaches(HOUR), "gap")])
def test_a_running_period_shows_gaps_only(critical: Any, answer: str) -> None:
    (verdict,) = cpu(RUNNING, critical=critical)
    assert verdict.answer == answer


def test_expected_for_a_part_of_the_period_cannot_close() -> None:
    (verdict,) = cpu(start_ms=START + 1)
    assert verdict.answer == "cannot tell"


def test_nearly_nothing_expected_cannot_tell() -> None:
    window = Window(START, START + 29 * SECOND, complete=False, label="2026-10")
    (verdict,) = cpu(window, critical=breaches(29 * SECOND))
    assert verdict.answer == "cannot tell"


def test_one_level_alone_is_judged() -> None:
    one = plan(DISK)
    tags = {"host": "mon-01", "path": "/"}
    shown = statistics(MONTH, every=MINUTE, warning=breaches(HOUR), min=4.0, max=85.0)
    (finding,) = gaps(check(review(one, MONTH, subject(one, "host-disk", tags, shown))))
    assert finding.severity == "warning"
    assert (
        "in one episode; plan revision 14 allows none of it. The highest value was 85 %."
        in finding.text["en"]
    )


def test_a_subject_without_levels_is_not_judged() -> None:
    one = plan(LOAD)
    shown = subject(one, "host-load", {"host": "mon-01"}, statistics(MONTH))
    assert check(review(one, MONTH, shown)) == []


def test_values_too_low_name_the_lowest() -> None:
    text = CPU.replace("critical: {above: 95, for: 5m}", "critical: {outside: [10, 95]}")
    (finding,) = gaps(cpu(text=text, critical=breaches(HOUR), min=4.0, max=99.0))
    assert "outside 10 % to 95 %" in finding.text["en"]
    assert "The highest value was 99 %. The lowest value was 4 %." in finding.text["en"]


def test_a_little_too_long_is_told_to_the_second() -> None:
    text = allowing("breach_time: {at_most: 1h}")
    (finding,) = gaps(cpu(text=text, critical=breaches(HOUR + 20 * SECOND)))
    assert "for 1 h 20 s in one episode" in finding.text["en"]
    assert "the gap is 20 s" in finding.text["en"]


def test_the_same_gap_keeps_its_id_whatever_its_level_and_period() -> None:
    (one,) = cpu(warning=breaches(HOUR))
    (two,) = cpu(NEXT_MONTH, critical=breaches(HOUR))
    assert one.id == two.id
