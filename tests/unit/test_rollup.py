"""Rollups: whatever time is cut into, the parts add up to what the samples themselves give."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import fields, replace
from itertools import pairwise

import duckdb
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.analysis.episodes import Breaches
from collector.analysis.packed_histogram import packed, sum_histograms
from collector.analysis.rollup import Rollup, merge, rollup_of, statistics_of, unmeasured
from collector.analysis.rollup_codec import decode_rollup, encode_rollup
from collector.analysis.statistics import Levels, Statistics, SubjectWindow, period_statistics
from collector.store.base import Train

Row = tuple[int, int, float]

S = 1000
MINUTE = 60 * S
HOUR = 60 * MINUTE
START = 1_790_812_800_000
"""2026-10-01 00:00 UTC"""
HOURS = 5

CONNECTION = duckdb.connect(config={"threads": 1})


@pytest.fixture(scope="module", autouse=True)
def _connection() -> Iterator[None]:
    yield
    CONNECTION.close()


def statistics(rows: list[Row], windows: list[SubjectWindow], **options: object) -> list[Statistics]:
    columns = {
        "subject": np.array([row[0] for row in rows], dtype=np.int32),
        "t": np.array([row[1] for row in rows], dtype=np.int64),
        "value": np.array([row[2] for row in rows], dtype=np.float64),
    }
    CONNECTION.register("train_rows", columns)
    CONNECTION.execute("CREATE OR REPLACE TABLE train AS SELECT * FROM train_rows")
    CONNECTION.unregister("train_rows")
    given = {"rate": False, "scale": 1.0, "bounds": None, "missing_bad": False, **options}
    return period_statistics(Train(CONNECTION, CONNECTION.table("train"), []), windows, **given)  # type: ignore[arg-type]


def hours_of(window: SubjectWindow) -> list[SubjectWindow]:
    """The window cut at full hours."""
    borders = [start for start in range(START, window.end_ms, HOUR) if start > window.start_ms]
    edges = [window.start_ms, *borders, window.end_ms]
    return [clipped(window, start, end) for start, end in pairwise(edges) if start < end] or [window]


def clipped(window: SubjectWindow, start: int, end: int) -> SubjectWindow:
    spans = window.spans
    if spans is not None:
        cut = ((max(begins, start), min(ends, end)) for begins, ends in spans)
        spans = tuple(span for span in cut if span[0] < span[1])
    return replace(window, start_ms=start, end_ms=end, spans=spans)


VALUES = st.sampled_from([0.0, 1.0, 2.0, 50.0, 90.0, 95.5, 100.0, -5.0, 150.0, float("nan"), 1e300])


def levels(every_ms: int) -> st.SearchStrategy[Levels | None]:
    steps = st.integers(0, 6).map(lambda n: n * every_ms // 2)
    highs = st.sampled_from([0.5, 1.0, 60.0, 95.0])
    return st.one_of(
        st.none(), st.builds(Levels, high=highs, low=st.sampled_from([None, -1.0]), for_ms=steps)
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[Row], list[SubjectWindow]]:
    """Samples of three subjects in the order of their arrival, with runs and holes that cross hours, and
    windows that begin and end anywhere.
    """
    every = draw(st.sampled_from([5 * MINUTE, 10 * MINUTE, HOUR, 3 * HOUR]))
    rows: list[Row] = []
    for subject in range(3):
        # On the hour, runs are exactly as long as `for` asks; elsewhere stretches cross every border.
        t = START - draw(st.integers(0, 4)) * every + draw(st.one_of(st.just(0), st.integers(0, every)))
        value = 0.0
        # Values that last: runs are to be as long as hours.
        steps = draw(st.lists(st.tuples(st.integers(0, 5), VALUES, st.booleans()), max_size=60))
        for spacing, drawn, changes in steps:
            value = drawn if changes else value
            rows.append((subject, t, value))
            t += every * spacing // 2 if spacing else every
    seed = draw(st.integers(0, 1000))
    random.Random(seed).shuffle(rows)
    windows = []
    for _ in range(draw(st.integers(1, 8))):
        start, end = sorted(
            draw(st.tuples(st.integers(0, HOURS * 60), st.integers(0, HOURS * 60))),
        )
        window = SubjectWindow(
            subject=draw(st.integers(0, 3)),
            start_ms=START + start * MINUTE,
            end_ms=START + end * MINUTE,
            every_ms=every,
            warning=draw(levels(every)),
            critical=draw(levels(every)),
            good=draw(levels(every)),
        )
        if draw(st.booleans()) and end - start > 40:
            quarter = (window.end_ms - window.start_ms) // 4
            first = (window.start_ms, window.start_ms + quarter)
            window = replace(window, spans=(first, (first[1] + quarter // 2, window.end_ms)))
        windows.append(window)
    return rows, windows


BOUNDS = st.sampled_from([None, (0.0, 100.0)])


def same(got: Statistics, expected: Statistics) -> None:
    """Equal, but for the digits of the mean and of the sum that summing in another order changes."""
    for one in fields(Statistics):
        mine, theirs = getattr(got, one.name), getattr(expected, one.name)
        if one.name in ("mean", "weighted_sum") and theirs is not None:
            magnitude = max(abs(expected.min or 0), abs(expected.max or 0))
            magnitude *= expected.measured_ms / 1000 if one.name == "weighted_sum" else 1
            assert mine == pytest.approx(theirs, rel=1e-12, abs=1e-12 * magnitude), one.name
        else:
            assert mine == theirs, one.name


@settings(max_examples=40)
@given(case=cases(), rate=st.booleans(), bounds=BOUNDS, missing_bad=st.booleans())
def test_hours_add_up_to_the_period(
    case: tuple[list[Row], list[SubjectWindow]],
    rate: bool,
    bounds: tuple[float, float] | None,
    missing_bad: bool,
) -> None:
    rows, windows = case
    cut = [hours_of(window) for window in windows]
    everything = windows + [hour for hours in cut for hour in hours]
    results = statistics(rows, everything, rate=rate, bounds=bounds, missing_bad=missing_bad)
    wholes, parts = results[: len(windows)], iter(results[len(windows) :])
    for window, hours, whole in zip(windows, cut, wholes, strict=True):
        rollups = [rollup_of(next(parts), hour) for hour in hours]
        merged = statistics_of(merge(rollups), window.subject, bounds=bounds, missing_bad=missing_bad)
        same(merged, whole)


@settings(max_examples=20)
@given(case=cases(), rate=st.booleans(), at=st.lists(st.integers(0, HOURS), max_size=3))
def test_it_does_not_matter_what_was_merged_before(
    case: tuple[list[Row], list[SubjectWindow]], rate: bool, at: list[int]
) -> None:
    rows, windows = case
    hours = hours_of(windows[0])
    results = statistics(rows, hours, rate=rate)
    rollups = [rollup_of(one, hour) for one, hour in zip(results, hours, strict=True)]
    borders = sorted({0, *(border for border in at if border < len(rollups)), len(rollups)})
    groups = [rollups[a:b] for a, b in pairwise(borders)]
    by_groups, at_once = merge([merge(group) for group in groups]), merge(rollups)
    same(
        statistics_of(by_groups, 0, bounds=None, missing_bad=False),
        statistics_of(at_once, 0, bounds=None, missing_bad=False),
    )
    assert by_groups.due_ms == at_once.due_ms


@settings(max_examples=20)
@given(case=cases(), rate=st.booleans())
def test_bytes_stand_for_the_rollup(case: tuple[list[Row], list[SubjectWindow]], rate: bool) -> None:
    rows, windows = case
    for window, one in zip(windows, statistics(rows, windows, rate=rate), strict=True):
        rollup = rollup_of(one, window)
        assert decode_rollup(encode_rollup(rollup)) == rollup


def test_rollups_of_older_files_are_read() -> None:
    counted = [START, HOUR, MINUTE, 60, 0, 3_540_000, 1.5, HOUR, HOUR, None, 1.5, 1.0, 2.0]
    bins_and_levels = [[-3, 2, 40_000], [60_000, 3_480_000, 60_000], None, 0, [], 300_000, 0]
    rollup = decode_rollup(msgspec.msgpack.encode([*counted, *bins_and_levels]))
    assert rollup.histogram == {-3: 60_000, -1: 3_480_000, 39_999: 60_000}
    assert rollup.critical == Breaches()
    assert decode_rollup(encode_rollup(rollup)) == rollup


keys = st.one_of(st.integers(-80_000, 80_000), st.integers(-1, 200))
histograms = st.dictionaries(keys, st.one_of(st.integers(1, 4000), st.integers(1, 2**33)), max_size=150)


@given(st.lists(st.tuples(histograms, st.booleans()), max_size=12))
def test_histograms_add_up_bin_by_bin_packed_or_not(found: list[tuple[dict[int, int], bool]]) -> None:
    ordered = [dict(sorted(each.items())) for each, _ in found]
    parts = [(pack and packed(each)) or each for each, (_, pack) in zip(ordered, found, strict=True)]
    assert parts == ordered
    expected: dict[int, int] = {}
    for each in ordered:
        for key, length_ms in each.items():
            expected[key] = expected.get(key, 0) + length_ms
    together = sum_histograms(parts)
    assert list(together.items()) == sorted(expected.items())


@given(histograms)
def test_a_packed_histogram_stands_for_the_same(histogram: dict[int, int]) -> None:
    ordered = dict(sorted(histogram.items()))
    bins = packed(ordered)
    assert bins is None or list(bins.items()) == list(ordered.items())
    steps = [latter - former for former, latter in pairwise(ordered)]
    assert (bins is None) == (max(steps, default=0) > 255 or max(ordered.values(), default=0) >= 2**32)


@settings(max_examples=10)
@given(case=cases())
def test_time_without_length_changes_nothing(case: tuple[list[Row], list[SubjectWindow]]) -> None:
    rows, windows = case
    window = windows[0]
    rollup = rollup_of(statistics(rows, [window])[0], window)
    before = unmeasured(replace(window, end_ms=window.start_ms, spans=None))
    after = unmeasured(replace(window, start_ms=window.end_ms, spans=None))
    assert merge([before, rollup, after]) == merge([rollup, after]) == merge([before, rollup]) == rollup


def test_time_without_samples_is_what_the_samples_say() -> None:
    window = SubjectWindow(
        0, START, START + HOUR, 10 * S, critical=Levels(high=1, for_ms=5), good=Levels(low=3)
    )
    for one in (window, replace(window, good=None), replace(window, critical=None, good=None)):
        assert unmeasured(one) == rollup_of(statistics([], [one])[0], one)


def test_a_breach_of_three_hours_is_one_episode_with_its_own_borders() -> None:
    rows = [(0, START + minute * MINUTE, 99.0 if 50 <= minute < 190 else 1.0) for minute in range(240)]
    window = SubjectWindow(0, START, START + 4 * HOUR, MINUTE, critical=Levels(high=90, for_ms=2 * HOUR))
    hours = hours_of(window)
    rollups = [rollup_of(s, h) for s, h in zip(statistics(rows, hours), hours, strict=True)]
    assert [r.critical.episodes for r in rollups if r.critical] == [0, 0, 0, 0]
    run = (START + 50 * MINUTE, START + 190 * MINUTE)
    assert merge(rollups).critical == Breaches(
        breach_ms=140 * MINUTE,
        episodes=1,
        episode_ms=140 * MINUTE,
        longest_ms=140 * MINUTE,
        longest=(run,),
    )


def test_a_run_exactly_as_long_as_for_is_one_episode_on_either_side_of_a_border() -> None:
    for first in (50, 60):
        rows = [(0, START + m * MINUTE, 99.0 if first <= m < first + 10 else 1.0) for m in range(120)]
        window = SubjectWindow(
            0, START, START + 2 * HOUR, MINUTE, critical=Levels(high=90, for_ms=10 * MINUTE)
        )
        hours = hours_of(window)
        whole, *parts = statistics(rows, [window, *hours])
        merged = merge([rollup_of(s, h) for s, h in zip(parts, hours, strict=True)])
        assert merged.critical == whole.critical
        assert merged.critical is not None
        assert merged.critical.episodes == 1


def test_the_longest_episodes_are_kept_when_there_are_more_than_fifty() -> None:
    # Every second minute beyond, for 20 s and more: sixty short ones in two hours, and a long one across.
    rows: list[Row] = []
    for minute in range(120):
        beyond = 20 + minute % 7 if not 58 <= minute < 62 else 60
        rows += [(0, START + minute * MINUTE + s * S, 99.0 if s < beyond else 1.0) for s in range(0, 60, 1)]
    window = SubjectWindow(0, START, START + 2 * HOUR, S, critical=Levels(high=90, for_ms=S))
    hours = hours_of(window)
    whole, *parts = statistics(rows, [window, *hours])
    merged = merge([rollup_of(s, h) for s, h in zip(parts, hours, strict=True)])
    assert whole.critical is not None
    assert len(whole.critical.longest) == 50
    assert merged.critical == whole.critical


def test_hours_with_other_spacings_share_one_coverage() -> None:
    rows = [(0, START + minute * MINUTE, 1.0) for minute in range(60)]
    rows += [(0, START + HOUR + minute * MINUTE, 1.0) for minute in range(0, 60, 10)]
    hours = [SubjectWindow(0, START, START + HOUR), SubjectWindow(0, START + HOUR, START + 2 * HOUR)]
    both = merge([rollup_of(s, h) for s, h in zip(statistics(rows, hours), hours, strict=True)])
    result = statistics_of(both, 0, bounds=None, missing_bad=False)
    assert (result.every_ms, result.coverage) == (10 * MINUTE, 1.0)


def test_only_neighbours_are_merged() -> None:
    first = Rollup(start_ms=0, end_ms=HOUR)
    with pytest.raises(ValueError, match="neighbours"):
        merge([first, Rollup(start_ms=2 * HOUR, end_ms=3 * HOUR)])
    with pytest.raises(ValueError, match="got none"):
        merge([])
