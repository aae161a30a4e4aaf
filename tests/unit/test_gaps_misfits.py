"""never-near, too-tight, flapping: levels that do not fit what they judge."""

from __future__ import annotations

from typing import Any

import pytest

from collector.analysis.gaps import flapping, never_near, too_tight
from collector.analysis.level_fit import misfit
from collector.analysis.review import Window
from setpoint.finding import Verdict
from tests.unit.review_factory import (
    ANSWER_TIME,
    CPU,
    CPU_TAGS,
    DAY,
    HOUR,
    MINUTE,
    MONTH,
    RUNNING,
    SECOND,
    alone,
    breaches,
    plan,
    proposed,
    review,
    statistics,
    subject,
)

CHECKS = (never_near.check, too_tight.check, flapping.check)
TIME_TAGS = {"host": "mon-01", "server": "https://erp/", "method": "GET"}
NONE = breaches(0, count=0)


def answer_time(level: str = "above: 30", window: Window = MONTH, **shown: Any) -> dict[str, Verdict]:
    one = plan(ANSWER_TIME.replace("above: 30", level))
    values = {"min": 0.1, "max": 0.3, "critical": NONE, "every": 30 * SECOND, **shown}
    reviewed = subject(one, "erp-time", TIME_TAGS, statistics(window, **values))
    return {v.kind: v for check in CHECKS for v in alone(check(review(one, window, reviewed)))}


def cpu(text: str = CPU, window: Window = MONTH, **shown: Any) -> dict[str, Verdict]:
    one = plan(text)
    values = {"min": 1.0, "max": 99.0, "critical": NONE, "warning": NONE, **shown}
    reviewed = subject(one, "host-cpu", CPU_TAGS, statistics(window, **values))
    return {v.kind: v for check in CHECKS for v in alone(check(review(one, window, reviewed)))}


def answer(found: dict[str, Verdict]) -> dict[str, str]:
    return {kind: verdict.answer for kind, verdict in found.items()}


# --- never-near -----------------------------------------------------------------------------------------


def test_a_level_more_than_ten_ranges_away_guards_nothing() -> None:
    found = answer_time()["never-near"]
    assert found.finding is not None
    assert (found.finding.measured, found.finding.target, found.finding.unit) == (0.3, 30.0, "s")
    assert found.finding.severity == "info"
    assert "148 times the whole range" in found.finding.text["en"]


@pytest.mark.parametrize(("level", "is_far"), [("above: 2.29", False), ("above: 2.31", True)])
def test_ten_ranges_are_the_border(level: str, is_far: bool) -> None:
    assert (answer_time(level)["never-near"].answer == "gap") == is_far


def test_below_is_measured_from_the_lowest_value() -> None:
    assert answer_time("below: -1.89")["never-near"].answer == "no gap"
    assert answer_time("below: -1.91")["never-near"].answer == "gap"


def test_outside_has_to_be_far_on_both_sides() -> None:
    assert answer_time("outside: [-50, 50]")["never-near"].answer == "gap"
    assert answer_time("outside: [0, 50]")["never-near"].answer == "no gap"


def test_a_near_warning_makes_a_far_critical_level_sound() -> None:
    both = "above: 30}\n    warning: {above: 1"
    assert answer_time(both, warning=NONE)["never-near"].answer == "no gap"
    both = "above: 30}\n    warning: {above: 20"
    found = answer_time(both, warning=NONE)["never-near"].finding
    assert found is not None
    assert "warning level" in found.title


def test_what_never_changed_tells_nothing_of_its_range() -> None:
    assert answer_time(min=0.1, max=0.1)["never-near"].answer == "no gap"


def test_equality_has_no_distance() -> None:
    assert answer_time("equals: 30")["never-near"].answer == "no gap"


def test_room_to_spare_below_a_bound_is_no_gap() -> None:
    assert cpu(min=1.0, max=1.5)["never-near"].answer == "no gap"


def test_a_level_that_the_unit_cannot_reach_is_a_gap() -> None:
    text = CPU.replace("above: 95", "above: 100").replace("    warning: {above: 80, for: 5m}\n", "")
    found = cpu(text)["never-near"].finding
    assert found is not None
    assert found.severity == "warning"
    assert "can never be breached" in found.text["en"]
    # A unit that does reach it has other bounds than it says.
    assert cpu(text, max=100.5)["never-near"].answer == "no gap"


def test_a_week_is_needed() -> None:
    week = Window(MONTH.start_ms, MONTH.start_ms + 7 * DAY, complete=False, label="2026-10")
    short = Window(MONTH.start_ms, MONTH.start_ms + 7 * DAY - HOUR, complete=False, label="2026-10")
    assert answer_time(window=week)["never-near"].answer == "gap"
    assert answer_time(window=short)["never-near"].answer == "cannot tell"


def test_what_was_not_watched_may_have_come_near() -> None:
    assert answer_time(coverage=0.5)["never-near"].answer == "cannot tell"


# --- too-tight and flapping -----------------------------------------------------------------------------


def test_many_long_episodes_are_too_tight() -> None:
    found = cpu(warning=breaches(31 * 12 * MINUTE, count=31, longest_ms=HOUR))
    assert answer(found) == {"never-near": "no gap", "too-tight": "gap", "flapping": "no gap"}
    finding = found["too-tight"].finding
    assert finding is not None
    assert (finding.measured, finding.severity) == (31, "info")


def test_many_short_ones_flap() -> None:
    # One minute beyond the five that the level asks for.
    found = cpu(warning=breaches(31 * 6 * MINUTE, count=31))
    assert answer(found) == {"never-near": "no gap", "too-tight": "no gap", "flapping": "gap"}


def test_the_critical_level_is_told_first() -> None:
    found = cpu(warning=breaches(99 * 12 * MINUTE, count=99), critical=breaches(31 * 12 * MINUTE, count=31))
    finding = found["too-tight"].finding
    assert finding is not None
    assert (finding.measured, finding.severity) == (31, "warning")


@pytest.mark.parametrize(("days", "count", "expected"), [(31, 30, "no gap"), (31, 31, "gap")])
def test_many_is_one_a_day(days: int, count: int, expected: str) -> None:
    window = Window(MONTH.start_ms, MONTH.start_ms + days * DAY, complete=True, label="2026-10")
    found = cpu(window=window, warning=breaches(count * 12 * MINUTE, count=count))
    assert found["too-tight"].answer == expected


@pytest.mark.parametrize(("count", "expected"), [(9, "cannot tell"), (10, "gap")])
def test_many_is_ten_at_least(count: int, expected: str) -> None:
    window = Window(MONTH.start_ms, MONTH.start_ms + 2 * DAY, complete=False, label="2026-10")
    found = cpu(window=window, warning=breaches(count * 12 * MINUTE, count=count))
    assert found["too-tight"].answer == expected


def test_less_than_a_day_tells_nothing() -> None:
    window = Window(MONTH.start_ms, MONTH.start_ms + 23 * HOUR, complete=False, label="2026-10")
    found = cpu(window=window, warning=breaches(50 * 12 * MINUTE, count=50))
    assert answer(found) == dict.fromkeys(("never-near", "too-tight", "flapping"), "cannot tell")


def test_beyond_the_level_most_of_the_time_is_another_finding() -> None:
    found = cpu(warning=breaches(16 * DAY, count=40))
    assert answer(found) == {"never-near": "no gap", "too-tight": "no gap", "flapping": "no gap"}


def test_what_was_counted_was_counted_however_thin_the_coverage() -> None:
    assert cpu(warning=breaches(9 * HOUR, count=40), coverage=0.2)["too-tight"].answer == "gap"


def test_no_gap_needs_the_whole_period() -> None:
    assert set(answer(cpu(window=RUNNING)).values()) == {"cannot tell"}
    assert set(answer(cpu(coverage=0.5)).values()) == {"cannot tell"}


def test_a_proposal_is_what_to_do() -> None:
    one = plan(CPU)
    shown = statistics(MONTH, min=1.0, max=99.0, warning=breaches(9 * HOUR, count=40))
    reviewed = proposed(subject(one, "host-cpu", CPU_TAGS, shown), 90, 10 * MINUTE, 41, 3)
    (verdict,) = alone(too_tight.check(review(one, MONTH, reviewed)))
    assert verdict.finding is not None
    assert verdict.finding.action == (
        "Set the warning level to above 90 % for 10 min: in the last 30 d it would have had 3 episodes "
        "instead of 41"
    )
    assert verdict.finding.evidence.statistics["proposed_level"] == 90
    assert "将警告阈值设为高于 90 %、持续 10 分钟" in verdict.finding.text["zh"]


def test_nothing_is_looked_at_more_closely_that_fits() -> None:
    one = plan(CPU)
    _, fitting = subject(one, "host-cpu", CPU_TAGS, statistics(MONTH, min=1.0, max=99.0, warning=NONE))
    assert misfit(one.points[0], fitting) is None
