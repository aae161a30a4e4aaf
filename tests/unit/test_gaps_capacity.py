"""capacity: a trend that reaches the level within the horizon."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from collector.analysis.gaps.capacity import check
from collector.analysis.trend import Trend
from setpoint.finding import Verdict
from tests.unit.review_factory import DISK, MONTH, RUNNING, alone, plan, review, statistics, subject

LAST = date(2026, 10, 31).toordinal()
"""The day before the month's end in Shanghai, which is 1 November."""
FULL = DISK.replace("owner", "element: resource\n    owner")
TAGS = {"host": "mon-01", "path": "/"}


def trend(level: float = 70.0, slope: float = 0.5, low: float = 0.4, high: float = 0.6) -> Trend:
    return Trend(LAST - 59, LAST, 60, level, slope, low, high, None)


def judge(found: Trend | str | None, text: str = FULL) -> list[Verdict]:
    one = plan(text)
    point, reviewed = subject(one, "host-disk", TAGS, statistics(MONTH, every=60_000))
    return alone(check(review(one, MONTH, (point, replace(reviewed, trend=found)))))


def test_the_day_is_told_with_its_confidence() -> None:
    (verdict,) = judge(trend())
    finding = verdict.finding
    assert finding is not None
    # 20 days after 31 October; today is 1 November.
    assert (finding.measured, finding.target, finding.unit) == (19, 90, "days")
    assert finding.title == "File system used on mon-01 path / will be above 80 % about 2026-11-20"
    assert "between 2026-11-17 and 2026-11-25" in finding.text["en"]
    assert "每天上升 0.5 个百分点" in finding.text["zh"]
    assert finding.evidence.statistics["slope_per_day"] == 0.5


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (trend(slope=0.112, low=0.111, high=0.113), "gap"),
        (trend(slope=0.108, low=0.1, high=0.109), "no gap"),
        (trend(slope=0.108, low=0.05, high=0.3), "cannot tell"),
        (trend(slope=0.0, low=-0.1, high=0.3), "cannot tell"),
        (trend(slope=-0.2, low=-0.3, high=-0.1), "no gap"),
        (trend(level=81), "cannot tell"),
        ("13 days were measured, and a trend needs 14", "cannot tell"),
        (None, "cannot tell"),
    ],
)
def test_the_horizon_is_ninety_days(found: Trend | str | None, expected: str) -> None:
    (verdict,) = judge(found)
    assert verdict.answer == expected


def test_one_that_may_never_come_has_no_latest_day() -> None:
    (verdict,) = judge(trend(low=-0.1))
    assert verdict.finding is not None
    assert "not before 2026-11-17" in verdict.finding.text["en"]


def test_an_old_trend_is_none() -> None:
    old = Trend(LAST - 70, LAST - 3, 60, 70.0, 0.5, 0.4, 0.6, None)
    (verdict,) = judge(old)
    assert (verdict.answer, verdict.reason) == ("cannot tell", "it has not been measured for 4 days")


def test_another_horizon_is_the_points_own() -> None:
    far = trend(slope=0.2, low=0.19, high=0.21)
    assert judge(far)[0].answer == "gap"
    assert judge(far, FULL + "    capacity: {horizon: 30d}\n")[0].answer == "no gap"
    assert judge(far, FULL + "    capacity: null\n") == []


def test_what_empties_is_told_too() -> None:
    text = FULL.replace("above: 80", "below: 20") + "    capacity: {horizon: 90d}\n"
    (verdict,) = judge(trend(level=40.0, slope=-0.5, low=-0.6, high=-0.4), text)
    assert verdict.finding is not None
    assert "falls by 0.5 percentage points a day" in verdict.finding.text["en"]


@pytest.mark.parametrize(
    ("text", "slope", "severity"),
    [
        (FULL, 0.5, "info"),
        (FULL.replace("warning", "critical"), 0.5, "warning"),
        (FULL.replace("warning", "critical"), 0.2, "info"),
    ],
)
def test_a_critical_level_within_a_month_is_a_warning(text: str, slope: float, severity: str) -> None:
    (verdict,) = judge(trend(slope=slope, low=slope, high=slope), text)
    assert verdict.finding is not None
    assert verdict.finding.severity == severity


def test_it_speaks_of_now_so_a_running_period_closes_it() -> None:
    one = plan(FULL)
    point, reviewed = subject(one, "host-disk", TAGS, statistics(RUNNING, every=60_000))
    last = date(2026, 10, 10).toordinal()
    away = Trend(last - 30, last, 31, 50.0, -0.1, -0.2, -0.05, None)
    (verdict,) = alone(check(review(one, RUNNING, (point, replace(reviewed, trend=away)))))
    assert verdict.answer == "no gap"
