"""The statistics in SQL against a slow and obvious reference, and every definition by example."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.analysis.episodes import Breaches
from collector.analysis.histogram import LOG_BINS, LinearBins, bins_for, percentile
from collector.analysis.statistics import Levels, Statistics, SubjectWindow, period_statistics
from collector.store.base import Train
from setpoint.spans import overlap
from tests.unit.statistics_reference import reference

Row = tuple[int, int, float]

S = 1000
MINUTE = 60 * S
HOUR = 60 * MINUTE
MIDNIGHT = 1_790_812_800_000
"""2026-10-01 00:00 UTC"""

CONNECTION = duckdb.connect(config={"threads": 1})


@pytest.fixture(scope="module", autouse=True)
def _connection() -> Iterator[None]:
    yield
    CONNECTION.close()


def train_of(rows: list[Row]) -> Train:
    columns = {
        "subject": np.array([row[0] for row in rows], dtype=np.int32),
        "t": np.array([row[1] for row in rows], dtype=np.int64),
        "value": np.array([row[2] for row in rows], dtype=np.float64),
    }
    CONNECTION.register("train_rows", columns)
    CONNECTION.execute("CREATE OR REPLACE TABLE train AS SELECT * FROM train_rows")
    CONNECTION.unregister("train_rows")
    return Train(CONNECTION, CONNECTION.table("train"), [])


def statistics_of(
    rows: list[Row],
    *windows: SubjectWindow,
    rate: bool = False,
    scale: float = 1.0,
    bounds: tuple[float, float] | None = None,
    missing_bad: bool = False,
    max_episodes: int = 50,
) -> list[Statistics]:
    return period_statistics(
        train_of(rows),
        windows,
        rate=rate,
        scale=scale,
        bounds=bounds,
        missing_bad=missing_bad,
        max_episodes=max_episodes,
    )


def one(
    values: Mapping[int, float] | Mapping[float, float], window: SubjectWindow, **options: object
) -> Statistics:
    """The statistics of subject 0, whose samples are given as {seconds after midnight: value}."""
    rows = [(0, MIDNIGHT + round(t * S), value) for t, value in values.items()]
    return statistics_of(rows, window, **options)[0]  # type: ignore[arg-type]


def seconds(start: float, end: float, every: float | None = 10, **levels: Levels) -> SubjectWindow:
    """The window of subject 0, in seconds after midnight."""
    every_ms = None if every is None else round(every * S)
    return SubjectWindow(0, MIDNIGHT + round(start * S), MIDNIGHT + round(end * S), every_ms, **levels)


# --- the SQL against the reference ----------------------------------------------------------------------

# Few distinct values, so that samples meet levels and each other; now and then any float at all.
VALUES = st.one_of(
    st.sampled_from([0.0, 1.0, 2.0, 50.0, 90.0, 95.5, 100.0, -5.0, 150.0, math.nan, math.inf, -math.inf]),
    st.floats(min_value=-1e300, max_value=1e300),
)
LEVEL = st.one_of(st.none(), st.sampled_from([-5.0, 0.0, 1.0, 2.0, 50.0, 90.0, 100.0]))
SUBJECTS = 3


@st.composite
def trains(draw: st.DrawFn) -> tuple[list[Row], list[SubjectWindow]]:
    """Unsorted samples of three subjects around midnight, and windows for them and a fourth one."""
    grid = draw(st.sampled_from([1, 7, 10 * S, 20 * MINUTE]))
    jitter = st.integers(0, 3) if grid > 7 else st.just(0)
    times = st.builds(lambda step, extra: MIDNIGHT + step * grid + extra, st.integers(-15, 15), jitter)
    row = st.tuples(st.integers(0, SUBJECTS - 1), times, VALUES)
    rows = draw(st.lists(row, min_size=draw(st.sampled_from([0, 30, 60])), max_size=90))
    levels = st.one_of(
        st.none(),
        st.builds(
            Levels, LEVEL, LEVEL, LEVEL, LEVEL, for_ms=st.integers(0, 6).map(lambda steps: steps * grid)
        ),
    )
    windows = []
    # Many windows at once: an example costs what the SQL statements cost, however many rows they see.
    for _ in range(draw(st.integers(1, 10))):
        start, end = sorted((draw(times), draw(times)))
        borders = sorted(draw(st.sets(st.integers(start, end), max_size=6)))
        spans = tuple(zip(borders[::2], borders[1::2], strict=False))
        windows.append(
            SubjectWindow(
                subject=draw(st.integers(0, SUBJECTS)),
                start_ms=start,
                end_ms=end,
                every_ms=draw(st.one_of(st.none(), st.integers(1, 4).map(lambda steps: steps * grid))),
                warning=draw(levels),
                critical=draw(levels),
                good=draw(levels),
                spans=draw(st.sampled_from([None, spans])),
            )
        )
    return rows, windows


def close(expected: object, magnitude: float) -> object:
    if not isinstance(expected, float):
        return expected
    return pytest.approx(expected, rel=1e-9, abs=max(1e-9 * magnitude, 1e-290))


def within_bin(exact: float, bounds: tuple[float, float] | None, seen: tuple[float, float]) -> object:
    if bounds is None:
        return pytest.approx(exact, rel=0.01 + 1e-9, abs=1e-290)
    low, high = bounds
    if exact < low:
        return pytest.approx(seen[0])
    if exact > high:
        return pytest.approx(seen[1])
    return pytest.approx(exact, abs=0.01 * (high - low))


@settings(max_examples=80, deadline=None)
@given(
    case=trains(),
    rate=st.booleans(),
    scale=st.sampled_from([1.0, 8.0, 0.001, -2.0]),
    bounds=st.sampled_from([None, (0.0, 100.0), (-50.0, 1e6)]),
    missing_bad=st.booleans(),
    max_episodes=st.integers(0, 3),
)
def test_statistics_are_those_of_the_reference(
    case: tuple[list[Row], list[SubjectWindow]],
    rate: bool,
    scale: float,
    bounds: tuple[float, float] | None,
    missing_bad: bool,
    max_episodes: int,
) -> None:
    rows, windows = case
    results = statistics_of(
        rows,
        *windows,
        rate=rate,
        scale=scale,
        bounds=bounds,
        missing_bad=missing_bad,
        max_episodes=max_episodes,
    )
    assert len(results) == len(windows)
    for window, result in zip(windows, results, strict=True):
        expected = reference(
            rows, window, rate=rate, scale=scale, missing_bad=missing_bad, max_episodes=max_episodes
        )
        assert (result.subject, result.start_ms, result.end_ms) == (
            window.subject,
            window.start_ms,
            window.end_ms,
        )
        assert sum(result.histogram.values()) == result.measured_ms
        low, high = expected.pop("min"), expected.pop("max")
        assert result.min == close(low, 0)
        assert result.max == close(high, 0)
        magnitude = max(abs(low), abs(high)) if isinstance(low, float) and isinstance(high, float) else 0
        for percent in ("p50", "p95", "p99"):
            exact = expected.pop(percent)
            got = result.value(percent)
            if isinstance(exact, float):
                assert got == within_bin(exact, bounds, (low, high))  # type: ignore[arg-type]
            else:
                assert got is None
        weighted_sum = expected.pop("weighted_sum")
        assert result.weighted_sum == close(weighted_sum, magnitude * result.measured_ms / 1000)
        assert result.mean == close(expected.pop("mean"), magnitude)
        for level in ("warning", "critical"):
            wanted = expected.pop(level)
            got_breaches = getattr(result, level)
            if wanted is None:
                assert got_breaches is None
            else:
                assert {f.name: getattr(got_breaches, f.name) for f in fields(Breaches)} == wanted
        for name, value in expected.items():
            assert getattr(result, name) == close(value, 0), name


@settings(max_examples=40, deadline=None)
@given(
    case=trains(),
    rate=st.booleans(),
    bounds=st.sampled_from([None, (0.0, 100.0)]),
    where=st.floats(0, 1),
)
def test_two_neighbouring_windows_add_up_to_the_one_that_they_make(
    case: tuple[list[Row], list[SubjectWindow]],
    rate: bool,
    bounds: tuple[float, float] | None,
    where: float,
) -> None:
    rows, windows = case
    parts: list[SubjectWindow] = []
    for window in windows:
        whole = replace(
            window,
            every_ms=window.every_ms or 10 * S,  # two medians do not make one
            critical=window.critical or Levels(high=1.5, for_ms=20 * S),
        )
        border = whole.start_ms + int(where * (whole.end_ms - whole.start_ms))
        for start, end in ((whole.start_ms, border), (border, whole.end_ms)):
            spans = None if whole.spans is None else overlap(whole.spans, ((start, end),))
            parts.append(replace(whole, start_ms=start, end_ms=end, spans=spans))
        parts.append(whole)
    results = statistics_of(rows, *parts, rate=rate, bounds=bounds, max_episodes=1000)
    for i in range(0, len(parts), 3):
        critical = parts[i].critical
        assert critical is not None
        assert_adds_up(results[i], results[i + 1], results[i + 2], critical.for_ms)


def assert_adds_up(a: Statistics, b: Statistics, ab: Statistics, for_ms: int) -> None:
    assert a.measured_ms + b.measured_ms == ab.measured_ms
    assert a.expected_ms + b.expected_ms == ab.expected_ms
    assert a.samples + b.samples == ab.samples
    assert (a.good_ms or 0) + (b.good_ms or 0) == ab.good_ms
    assert {
        key: a.histogram.get(key, 0) + b.histogram.get(key, 0) for key in {*a.histogram, *b.histogram}
    } == ab.histogram
    assert min((x for x in (a.min, b.min) if x is not None), default=None) == ab.min
    assert max((x for x in (a.max, b.max) if x is not None), default=None) == ab.max
    magnitude = max(abs(ab.min or 0), abs(ab.max or 0)) * ab.measured_ms / 1000
    assert a.weighted_sum + b.weighted_sum == close(ab.weighted_sum, magnitude)

    assert a.critical is not None
    assert b.critical is not None
    assert ab.critical is not None
    assert a.critical.breach_ms + b.critical.breach_ms == ab.critical.breach_ms
    border = a.end_ms
    across = (border - a.critical.open_at_end_ms, border + b.critical.open_at_start_ms)
    merged = [episode for episode in a.critical.longest if episode[1] != border]
    if across[1] - across[0] >= max(for_ms, 1):
        merged.append(across)
    merged += [episode for episode in b.critical.longest if episode[0] != border]
    assert tuple(merged) == ab.critical.longest


def test_the_example_of_the_documentation() -> None:
    values = {-5: 95, 5: 50, 15: 92, 25: 96, 75: 99, 85: 40, 115: 60}
    window = seconds(0, 120, critical=Levels(high=90, for_ms=20 * S))
    result = one(values, window, bounds=(0, 100))
    assert (result.measured_ms, result.samples, result.coverage) == (80 * S, 6, 0.5)
    assert (result.mean, result.min, result.max, result.p50) == (73.8125, 40, 99, 92.25)
    assert result.critical == Breaches(
        breach_ms=45 * S,
        episodes=1,
        episode_ms=30 * S,
        longest_ms=30 * S,
        longest=((MIDNIGHT + 15 * S, MIDNIGHT + 45 * S),),
        open_at_start_ms=5 * S,
    )
    assert (result.value("breach_time"), result.value("breach_share")) == (30, 0.375)
    assert result.availability == 0.4375
    strict = one(values, window, bounds=(0, 100), missing_bad=True)
    assert strict.availability == pytest.approx(35 / 120)


# --- how long a sample stands ---------------------------------------------------------------------------


def test_a_sample_stands_until_the_next_one_and_at_most_twice_the_spacing() -> None:
    result = one({0: 10, 10: 20, 50: 30}, seconds(0, 60))
    assert result.measured_ms == (10 + 20 + 10) * S
    assert result.mean == (10 * 10 + 20 * 20 + 30 * 10) / 40
    assert result.coverage == 0.5  # three samples of 10 s, although 40 of 60 s are measured
    assert result.samples == 3
    assert (result.first_ms, result.last_ms) == (MIDNIGHT, MIDNIGHT + 50 * S)
    assert result.last == 30


def test_a_sample_before_the_window_stands_into_it_and_is_not_counted_in_it() -> None:
    result = one({-12: 7, 100: 9}, seconds(0, 100))
    assert result.measured_ms == 8 * S
    assert (result.min, result.max, result.mean) == (7, 7, 7)
    assert (result.samples, result.first_ms, result.last) == (0, None, None)


def test_a_spacing_that_nobody_planned_is_the_median_of_those_seen_in_the_window() -> None:
    result = one({-500: 1, 0: 1, 10: 1, 21: 1, 1000: 1}, seconds(0, 2000, every=None))
    assert result.every_ms == 11 * S
    # Of an even number, the lower one of the two in the middle.
    assert one({0: 1, 10: 1, 22: 1}, seconds(0, 100, every=None)).every_ms == 10 * S


def test_one_sample_of_an_unknown_spacing_has_no_measured_time() -> None:
    result = one({-5: 1, 10: 2}, seconds(0, 60, every=None, critical=Levels(high=1)))
    assert result.every_ms is None
    assert (result.samples, result.last, result.measured_ms) == (1, 2, 0)
    assert (result.mean, result.p50, result.availability, result.coverage) == (None, None, None, 0)
    assert result.value("breach_time") is None


def test_a_sample_that_is_no_number_is_as_if_never_sent() -> None:
    with_junk = one({0: 1, 5: math.nan, 10: 2, 15: math.inf, 17: -math.inf}, seconds(0, 30))
    assert with_junk == one({0: 1, 10: 2}, seconds(0, 30))


def test_a_value_that_scaling_makes_infinite_is_as_if_never_sent() -> None:
    values = {0: 1.0, 10: 1e308, 20: 2.0}
    assert one(values, seconds(0, 30), scale=8) == one({0: 1, 20: 2}, seconds(0, 30), scale=8)


def test_of_two_samples_at_one_time_the_greater_stands() -> None:
    rows = [(0, MIDNIGHT, 5.0), (0, MIDNIGHT, 9.0), (0, MIDNIGHT, 7.0)]
    [result] = statistics_of(rows, seconds(0, 10))
    assert (result.samples, result.min, result.max, result.measured_ms) == (1, 9, 9, 10 * S)


def test_a_subject_that_never_reported_has_nothing_but_its_expected_time() -> None:
    window = SubjectWindow(7, MIDNIGHT, MIDNIGHT + HOUR, 10 * S, critical=Levels(high=1))
    [result] = statistics_of([(0, MIDNIGHT, 5.0)], window)
    assert result == Statistics(
        subject=7,
        start_ms=MIDNIGHT,
        end_ms=MIDNIGHT + HOUR,
        every_ms=10 * S,
        good_ms=0,
        critical=Breaches(),
    )
    assert result.expected_ms == HOUR


def test_coverage_is_never_more_than_all_of_the_time() -> None:
    assert one(dict.fromkeys(range(60), 1), seconds(0, 60)).coverage == 1


# --- spans ----------------------------------------------------------------------------------------------


def spans(*borders: float) -> tuple[tuple[int, int], ...]:
    """The spans with these starts and ends, in seconds after midnight."""
    times = [MIDNIGHT + round(border * S) for border in borders]
    return tuple(zip(times[::2], times[1::2], strict=True))


def test_time_between_spans_is_neither_expected_nor_judged() -> None:
    values = {0: 95, 10: 95, 20: 95, 30: 95, 40: 95, 50: 50}
    window = seconds(0, 60, critical=Levels(high=90, for_ms=15 * S))
    result = one(values, replace(window, spans=spans(5, 20, 32, 60)))
    assert (result.expected_ms, result.measured_ms, result.excluded_ms) == (43 * S, 43 * S, 17 * S)
    # The samples at 10, 40 and 50 s are inside; those at 0, 20 and 30 s are not, though two stand inside.
    assert (result.samples, result.coverage) == (3, round(30 / 43, 12))
    assert (result.first_ms, result.last_ms) == (MIDNIGHT + 10 * S, MIDNIGHT + 50 * S)
    assert result.critical == Breaches(
        breach_ms=33 * S, episodes=2, episode_ms=33 * S, longest_ms=18 * S, longest=spans(5, 20, 32, 50)
    )
    assert result.availability == round(10 / 43, 12)


def test_what_is_not_judged_does_not_raise_the_spacing() -> None:
    values = dict.fromkeys((0, 10, 100, 110, 200), 1)
    unplanned = seconds(0, 300, every=None)
    assert one(values, replace(unplanned, spans=spans(0, 20, 100, 120, 200, 220))).every_ms == 10 * S
    assert one(values, replace(unplanned, spans=spans(0, 5, 100, 105))).every_ms is None


def test_a_window_without_spans_is_not_judged_at_all() -> None:
    result = one({0: 95, 10: 95}, replace(seconds(0, 20, critical=Levels(high=90)), spans=()))
    assert (result.expected_ms, result.samples, result.measured_ms, result.coverage) == (0, 0, 0, 0)
    assert (result.availability, result.mean, result.critical) == (None, None, Breaches())


def test_missing_time_is_bad_in_the_spans_only() -> None:
    window = replace(seconds(0, 100, critical=Levels(high=90)), spans=spans(0, 40))
    assert one({0: 1}, window, missing_bad=True).availability == 0.5


# --- rates ----------------------------------------------------------------------------------------------


def test_a_rate_belongs_to_the_interval_before_its_sample() -> None:
    counter = {-5: 0, 5: 100, 15: 100, 25: 400}
    result = one(counter, seconds(0, 20), rate=True, scale=8)
    # 10/s from -5 s to 5 s, nothing to 15 s, 30/s to 25 s: both ends are cut.
    assert result.measured_ms == 20 * S
    assert (result.min, result.max) == (0, 240)
    assert result.mean == (80 * 5 + 0 * 10 + 240 * 5) / 20
    assert result.last == 0


def test_a_counter_that_decreases_leaves_a_hole() -> None:
    result = one({0: 100, 10: 200, 20: 5, 30: 105}, seconds(0, 30), rate=True)
    assert result.measured_ms == 20 * S
    assert (result.min, result.max) == (10, 10)
    assert one({0: 100, 10: 50}, seconds(0, 30), rate=True).last is None


def test_an_interval_longer_than_twice_the_spacing_has_no_rate() -> None:
    assert one({0: 0, 20: 1}, seconds(0, 30), rate=True).measured_ms == 20 * S
    assert one({0: 0, 20.001: 1}, seconds(0, 30), rate=True).measured_ms == 0


def test_an_increase_beyond_the_largest_float_has_no_rate() -> None:
    result = one({0: -1e308, 10: 1e308}, seconds(0, 30), rate=True)
    assert (result.measured_ms, result.last, result.max) == (0, None, None)


# --- breaches and episodes ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("levels", "breaching"),
    [
        (Levels(high=2), {3}),
        (Levels(low=2), {1}),
        (Levels(equal=2), {2}),
        (Levels(unequal=2), {1, 3}),
        (Levels(low=2, high=2), {1, 3}),
        (Levels(low=2, equal=3), {1, 3}),
        (Levels(), set()),
    ],
)
def test_a_level_is_breached_by_values_above_below_equal_or_unequal(
    levels: Levels, breaching: set[int]
) -> None:
    for value in (1, 2, 3):
        result = one({0: value}, seconds(0, 10, critical=levels))
        assert result.critical is not None
        assert result.critical.breach_ms == (10 * S if value in breaching else 0)


def test_a_run_shorter_than_for_is_a_breach_and_no_episode() -> None:
    levels = Levels(high=90, for_ms=30 * S)
    values = dict.fromkeys(range(0, 200, 10), 50) | {20: 95, 30: 95} | {100: 95, 110: 95, 120: 95}
    result = one(values, seconds(0, 200, critical=levels))
    assert result.critical == Breaches(
        breach_ms=50 * S,
        episodes=1,
        episode_ms=30 * S,
        longest_ms=30 * S,
        longest=((MIDNIGHT + 100 * S, MIDNIGHT + 130 * S),),
    )
    assert result.value("breach_time") == 30
    assert result.value("breach_share") == 30 / 200
    assert result.availability == 150 / 200


def test_a_hole_ends_an_episode() -> None:
    result = one({0: 95, 10: 95, 31: 95, 40: 95}, seconds(0, 50, critical=Levels(high=90)))
    assert result.critical is not None
    assert result.critical.longest == (
        (MIDNIGHT, MIDNIGHT + 30 * S),
        (MIDNIGHT + 31 * S, MIDNIGHT + 50 * S),
    )


def test_an_episode_carries_over_hour_and_day_borders() -> None:
    values = dict.fromkeys(range(-2 * 3600, 2 * 3600, 60), 95.0)
    window = seconds(-3 * 3600, 3 * 3600, every=60, critical=Levels(high=90, for_ms=HOUR))
    result = one(values, window)
    assert result.critical is not None
    assert result.critical.longest == ((MIDNIGHT - 2 * HOUR, MIDNIGHT + 2 * HOUR + MINUTE),)


def test_runs_that_touch_the_borders_are_given_however_short() -> None:
    values = {-10: 95, 0: 95, 10: 50, 20: 95, 25: 50, 30: 95}
    result = one(values, seconds(0, 35, warning=Levels(high=90, for_ms=MINUTE)))
    assert result.warning == Breaches(breach_ms=20 * S, open_at_start_ms=10 * S, open_at_end_ms=5 * S)
    through = one({-10: 95, 0: 95, 10: 95}, seconds(0, 20, warning=Levels(high=90)))
    assert through.warning is not None
    assert through.warning.open_at_start_ms == through.warning.open_at_end_ms == 20 * S


def test_the_longest_episodes_are_listed_in_order_of_time_and_all_are_counted() -> None:
    runs = {0: 10, 100: 30, 200: 10, 300: 20}
    values = dict.fromkeys(range(0, 400, 10), 50.0)
    for start, length in runs.items():
        values |= dict.fromkeys(range(start, start + length, 10), 95.0)
    result = one(values, seconds(0, 400, critical=Levels(high=90)), max_episodes=3)
    assert result.critical is not None
    assert (result.critical.episodes, result.critical.episode_ms) == (4, 70 * S)
    assert [(start - MIDNIGHT) // S for start, _ in result.critical.longest] == [0, 100, 300]


def test_every_subject_is_judged_by_its_own_levels() -> None:
    rows = [(subject, MIDNIGHT, 95.0) for subject in range(3)]
    windows = [
        SubjectWindow(2, MIDNIGHT, MIDNIGHT + 10 * S, 10 * S, critical=Levels(high=99)),
        SubjectWindow(0, MIDNIGHT, MIDNIGHT + 10 * S, 10 * S, critical=Levels(high=90)),
        SubjectWindow(1, MIDNIGHT, MIDNIGHT + 10 * S, 10 * S),
    ]
    results = statistics_of(rows, *windows)
    assert [result.subject for result in results] == [2, 0, 1]
    assert [result.critical and result.critical.breach_ms for result in results] == [0, 10 * S, None]


# --- availability ---------------------------------------------------------------------------------------


def test_good_is_what_is_not_critical_or_what_the_plan_says() -> None:
    values = {0: 1, 10: 2, 20: 3, 30: 4}
    critical = Levels(high=3, for_ms=HOUR)
    assert one(values, seconds(0, 40, critical=critical)).availability == 0.75
    assert one(values, seconds(0, 40, critical=critical, good=Levels(equal=2))).availability == 0.25
    assert one(values, seconds(0, 40, warning=critical)).availability is None


def test_missing_time_is_bad_only_where_the_plan_says_so() -> None:
    window = seconds(0, 100, critical=Levels(high=90, for_ms=10 * S))
    lenient = one({0: 95, 10: 1}, window)
    strict = one({0: 95, 10: 1}, window, missing_bad=True)
    assert lenient.measured_ms == strict.measured_ms == 30 * S
    assert lenient.availability == pytest.approx(20 / 30)
    assert strict.availability == 0.2
    assert strict.critical == lenient.critical
    assert strict.value("breach_share") == lenient.value("breach_share")
    assert one({}, window, missing_bad=True).availability == 0


# --- quantiles ------------------------------------------------------------------------------------------


def test_quantiles_are_weighted_by_time() -> None:
    # 1 stands for 90 s, 100 for 10 s, although there are more samples of 100.
    values = {0: 1.0} | {90 + t: 100.0 for t in range(10)}
    result = one(values, seconds(0, 100, every=90))
    assert result.p50 == pytest.approx(1, rel=0.01)
    assert result.p95 == pytest.approx(100, rel=0.01)


def test_a_constant_has_itself_as_every_quantile() -> None:
    for bounds in (None, (0.0, 100.0), (0.0, 1.0)):
        result = one({0: 42.42}, seconds(0, 10), bounds=bounds)
        assert result.p50 == result.p99 == result.mean == result.min == 42.42


@pytest.mark.parametrize("bounds", [None, (0.0, 1.0)])
def test_the_largest_and_smallest_floats_are_taken(bounds: tuple[float, float] | None) -> None:
    values = {0: 1.7976931348623157e308, 10: -1.7976931348623157e308, 20: 5e-324, 30: 0.0}
    for rate in (False, True):
        result = one(values, seconds(0, 40), bounds=bounds, rate=rate)
        assert sum(result.histogram.values()) == result.measured_ms
    huge = one({0: 1.7976931348623157e308}, seconds(0, 40))
    assert huge.mean == huge.p99 == 1.79769313486e308


def test_a_bin_key_grows_with_the_value() -> None:
    values = sorted(
        sign * mantissa * 10.0**exponent
        for sign in (-1, 1)
        for mantissa in (0, 1, 1.009, 5)
        for exponent in range(-307, 308, 9)
    )
    for bins in (bins_for(None), bins_for((-1e5, 3e9))):
        sql = "SELECT {} FROM (SELECT unnest(?) AS value)".format(bins.key_sql("value"))
        keys = [row[0] for row in CONNECTION.execute(sql, [values]).fetchall()]
        assert keys == sorted(keys)
        representatives = [bins.representative(key) for key in keys]
        assert representatives == sorted(representatives)


def test_a_value_on_the_upper_bound_is_inside() -> None:
    sql = LinearBins(0, 100).key_sql("value")
    keys = CONNECTION.execute(
        f"SELECT {sql} FROM (SELECT unnest([-0.1, 0, 0.49, 0.5, 99.9, 100, 100.1]) AS value)"
    ).fetchall()
    assert [key for (key,) in keys] == [-1, 0, 0, 1, 199, 199, 200]


def test_a_percentile_needs_no_more_than_the_histogram() -> None:
    one_to_e2 = {LOG_BINS.OFFSET: 15, LOG_BINS.OFFSET + 100: 85}  # around 1 and e² = 7.39
    assert percentile(one_to_e2, 15, LOG_BINS, 0.9, 8) == pytest.approx(1, rel=0.011)
    assert percentile(one_to_e2, 16, LOG_BINS, 0.9, 8) == pytest.approx(math.exp(2), rel=0.011)
    assert percentile(one_to_e2, 16, LOG_BINS, 0.9, 7) == 7
    assert percentile({}, 50, LOG_BINS, 0, 0) is None


# --- the interface --------------------------------------------------------------------------------------


def test_statistics_have_twelve_digits() -> None:
    result = one({0: 1 / 3, 10: 2 / 3}, seconds(0, 20), scale=1 / 7)
    assert result.min == 0.047619047619
    assert result.mean == 0.0714285714286


def test_breach_time_is_that_of_warning_where_there_is_no_critical_level() -> None:
    values = {0: 95, 10: 50}
    warned = one(values, seconds(0, 20, warning=Levels(high=90)))
    assert (warned.value("breach_time"), warned.value("breach_share")) == (10, 0.5)
    both = one(values, seconds(0, 20, warning=Levels(high=90), critical=Levels(high=99)))
    assert (both.value("breach_time"), both.value("breach_share")) == (0, 0)
    assert one(values, seconds(0, 20)).value("breach_time") is None


def test_a_statistic_that_does_not_exist_is_refused_by_name() -> None:
    result = one({0: 1}, seconds(0, 10))
    assert result.value("max") == 1
    with pytest.raises(ValueError, match=r"expected one of mean, min, .* got 'p90'"):
        result.value("p90")


def test_nothing_is_left_on_the_connection() -> None:
    one({0: 1}, seconds(0, 10, every=None))
    names = "SELECT name FROM (SHOW ALL TABLES) WHERE name LIKE 'setpoint%'"
    assert CONNECTION.execute(names).fetchall() == []
    broken = Train(CONNECTION, CONNECTION.sql("SELECT 1 AS subject, 'soon' AS t, 'much' AS value"), [])
    with pytest.raises(duckdb.Error):
        period_statistics(broken, [seconds(0, 10)], rate=False, scale=1, bounds=None, missing_bad=False)
    assert CONNECTION.execute(names).fetchall() == []


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="window"):
        SubjectWindow(0, 1, 0, 10)
    with pytest.raises(ValueError, match="spacing"):
        SubjectWindow(0, 0, 1, 0)
    for borders in ((0, 0), (0, 2, 2, 3), (4, 5, 0, 2), (0, 11), (-1, 3)):
        with pytest.raises(ValueError, match="spans"):
            replace(seconds(0, 10), spans=spans(*borders))
    with pytest.raises(ValueError, match="levels"):
        Levels(low=math.nan)
    with pytest.raises(ValueError, match="length of time"):
        Levels(for_ms=-1)
    with pytest.raises(ValueError, match="bounds"):
        one({}, seconds(0, 10), bounds=(1.0, 1.0))
    with pytest.raises(ValueError, match="scale"):
        one({}, seconds(0, 10), scale=math.inf)


def test_no_windows_give_no_statistics() -> None:
    assert statistics_of([(0, MIDNIGHT, 1.0)]) == []
