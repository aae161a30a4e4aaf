"""Days read from the store, and the trend in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from collector import outlook
from collector.analysis.review import Window
from collector.analysis.trend import Trend
from tests.four_weeks import DAY, PER_DAY, START, WINDOW, FourWeeks, Values, daily


@pytest.fixture
def site(tmp_path: Path) -> Iterator[FourWeeks]:
    site = FourWeeks(tmp_path)
    yield site
    site.close()


def filling(slope: float = 0.5) -> Values:
    """Rises from about 50 by so much a day, with the rhythm of a day."""
    values = daily() * 0.2 + 40
    return np.asarray(values + slope * np.arange(len(values)) / PER_DAY, np.float64)


def trends(site: FourWeeks) -> Sequence[Trend | str | None]:
    return [subject.trend for subject in site.build().points[0].subjects]


def test_a_resource_that_fills_is_told_before_it_is_full(site: FourWeeks) -> None:
    site.measured("web-1", filling(1.2))
    site.plan("element: resource, critical: {above: 95}", unit="percent")
    (finding,) = site.found("capacity")
    # 50 + 1.2 a day from 28 September on reaches 95 after 37.5 days, 7 of which are left.
    assert finding.measured == pytest.approx(7, abs=1)
    assert finding.evidence.statistics["slope_per_day"] == pytest.approx(1.2, abs=0.02)


def test_the_running_day_is_not_one_of_the_trends(site: FourWeeks) -> None:
    values = filling()
    values[-PER_DAY // 2 :] = 5
    site.measured("web-1", values)
    site.plan("element: resource, critical: {above: 95}", unit="percent")
    assert site.reviewer is not None
    noon = Window(START, WINDOW.end_ms - DAY // 2, complete=False, label="so far")
    (subject,) = site.reviewer.build(noon).points[0].subjects
    assert isinstance(subject.trend, Trend)
    assert subject.trend.days == 29


def test_a_day_that_was_hardly_measured_is_left_out(site: FourWeeks) -> None:
    values = filling()
    values[10 * PER_DAY : 10 * PER_DAY + PER_DAY * 2 // 3] = np.nan
    site.measured("web-1", values)
    site.plan("element: resource, critical: {above: 95}", unit="percent")
    (trend,) = trends(site)
    assert isinstance(trend, Trend)
    assert trend.days == 28  # of 29 that were over for an hour


def test_days_are_read_a_few_at_a_time_and_once(site: FourWeeks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlook, "_MOST_WINDOWS", 50)
    for number in range(2):
        site.measured(f"web-{number}", filling(0.3 + number))
    site.plan("element: resource, critical: {above: 95}", unit="percent")
    # 25 days of two subjects each time: 120 days take five.
    found = [trends(site) for _ in range(5)]
    assert found[:4] == [[None, None]] * 4
    assert [isinstance(each, Trend) for each in found[4]] == [True, True]
    # Without time for another reading, what was read is there.
    monkeypatch.setattr(outlook, "_MOST_S", -1.0)
    assert trends(site) == found[4]


def test_without_a_horizon_no_days_are_read(site: FourWeeks) -> None:
    site.measured("web-1", filling())
    site.plan("critical: {above: 95}", unit="percent")
    assert trends(site) == [None]
