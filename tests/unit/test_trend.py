"""The robust line through a value's days, and when it reaches a level."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.analysis.trend import LEAST_DAYS, Trend, fit, reaches

Values = npt.NDArray[np.float64]


def days(count: int) -> npt.NDArray[np.int64]:
    return np.arange(739_000, 739_000 + count, dtype=np.int64)


def line(count: int, slope: float = 0.2, start: float = 30.0, noise: float = 0.0, seed: int = 1) -> Values:
    off = np.random.default_rng(seed).normal(0, noise, count) if noise else np.zeros(count)
    return np.asarray(start + slope * np.arange(count) + off, np.float64)


def fitted(value: Values) -> Trend:
    found = fit(days(len(value)), value)
    assert isinstance(found, Trend), found
    return found


SERIES = st.builds(
    line,
    st.integers(LEAST_DAYS, 60),
    st.integers(-50, 50).map(lambda n: n / 10),
    st.floats(-100, 100),
    st.sampled_from([0.0, 0.5]),
    st.integers(0, 99),
)


@given(SERIES)
def test_the_slope_lies_in_its_interval_and_the_days_are_those_given(value: Values) -> None:
    found = fit(days(len(value)), value)
    if isinstance(found, str):
        return
    assert found.slope_low <= found.slope <= found.slope_high
    assert days(1)[0] <= found.first_day <= found.last_day == days(len(value))[-1]


@settings(max_examples=50)
@given(SERIES, st.sampled_from([-3.0, 0.001, 1e6]), st.sampled_from([0.0, 1e3]))
def test_another_unit_changes_nothing_but_the_unit(value: Values, factor: float, offset: float) -> None:
    one, other = fit(days(len(value)), value), fit(days(len(value)), factor * value + offset)
    assert isinstance(one, str) == isinstance(other, str)
    if isinstance(one, str) or isinstance(other, str):
        return
    assert (one.first_day, one.days) == (other.first_day, other.days)
    size = abs(factor) * 100 + offset
    assert other.slope == pytest.approx(factor * one.slope, rel=1e-6, abs=1e-9 * size)
    assert other.level == pytest.approx(factor * one.level + offset, rel=1e-6, abs=1e-9 * size)


@settings(max_examples=50)
@given(
    st.integers(0, 99),
    st.lists(st.tuples(st.integers(0, 9), st.floats(-1e6, 1e6)), max_size=8, unique_by=lambda each: each[0]),
)
def test_odd_days_do_not_turn_the_line(seed: int, odd: list[tuple[int, float]]) -> None:
    value = line(60, noise=0.5, seed=seed)
    for position, off in odd:
        value[6 * position + 2] += off
    found = fitted(value)
    assert found.step_day is None
    assert found.slope == pytest.approx(0.2, abs=0.05)


@given(st.integers(LEAST_DAYS, 45), st.sampled_from([-40.0, 25.0]), st.integers(0, 99))
def test_what_came_before_a_step_is_left_out(after: int, jump: float, seed: int) -> None:
    value = line(60, noise=0.5, seed=seed)
    value[: 60 - after] -= jump
    found = fitted(value)
    assert found.step_day == found.first_day == days(60)[60 - after]
    assert found.days == after


def test_soon_after_a_step_there_is_no_trend() -> None:
    value = line(60, noise=0.5)
    value[:50] += 40
    assert fit(days(60), value) == "it made a step 10 measured days ago, and a trend needs 14 since then"


def test_a_weeks_rhythm_is_neither_trend_nor_step() -> None:
    value = line(42, noise=0.2)
    value[days(42) % 7 >= 5] -= 15
    found = fitted(value)
    assert found.step_day is None
    assert found.slope == pytest.approx(0.2, abs=0.02)
    # Without taking it out, the interval is many times as wide.
    assert found.slope_high - found.slope_low < 0.05


def test_what_rests_is_not_heading_anywhere() -> None:
    found = fitted(line(60, slope=0.0, noise=0.5))
    assert found.slope_low < 0 < found.slope_high
    still = fitted(line(60, slope=0.0))
    assert (still.slope, still.slope_low, still.slope_high) == (0, 0, 0)
    assert reaches(still, 90, above=True) is None


def test_two_weeks_are_needed_and_most_of_their_days() -> None:
    assert fit(days(13), line(13)) == "13 days were measured, and a trend needs 14"
    value = line(60)
    value[2::2] = np.nan
    assert fit(days(60), value) == "only 31 of 60 days were measured"


def test_a_level_is_reached_where_the_line_meets_it() -> None:
    trend = Trend(0, 59, 60, 70.0, 0.5, 0.4, 0.8, None)
    reached = reaches(trend, 80, above=True)
    assert reached is not None
    assert (reached.likely, reached.earliest, reached.latest) == (20, 12.5, 25)
    falling = Trend(0, 59, 60, 30.0, -0.5, -0.8, 0.1, None)
    below = reaches(falling, 20, above=False)
    assert below is not None
    assert (below.likely, below.earliest, below.latest) == (20, 12.5, math.inf)


def test_what_is_beyond_or_leads_away_never_reaches() -> None:
    trend = Trend(0, 59, 60, 70.0, 0.5, 0.4, 0.8, None)
    assert reaches(trend, 60, above=True) is None
    assert reaches(trend, 60, above=False) is None
    assert reaches(Trend(0, 59, 60, 70.0, -0.1, -0.2, 0.0, None), 80, above=True) is None


def test_the_interval_holds_the_slope_about_as_often_as_it_says() -> None:
    held = 0
    for seed in range(100):
        found = fitted(line(45, noise=1.0, seed=seed))
        held += found.slope_low <= 0.2 <= found.slope_high
    assert held >= 90
