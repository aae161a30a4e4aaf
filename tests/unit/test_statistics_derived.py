"""Values from several metrics: against the reference, and every definition by example."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import duckdb
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from collector.analysis.derived import Derivation
from collector.analysis.statistics import Levels, Statistics, SubjectWindow, period_statistics
from collector.store.base import Train
from setpoint.reading import Subject
from tests.unit.statistics_reference import reference, samples_of

Row = tuple[int, int, float]
S, HOUR = 1000, 3_600_000
T0 = 1_790_812_800_000
CONNECTION = duckdb.connect(config={"threads": 1})


@pytest.fixture(scope="module", autouse=True)
def _connection() -> Iterator[None]:
    yield
    CONNECTION.close()


def train_of(name: str, rows: Sequence[Row], subjects: Sequence[Subject], *beside: Train) -> Train:
    columns = {
        "subject": np.array([row[0] for row in rows], dtype=np.int32),
        "t": np.array([row[1] for row in rows], dtype=np.int64),
        "value": np.array([row[2] for row in rows], dtype=np.float64),
    }
    CONNECTION.register("rows", columns)
    CONNECTION.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM rows")
    CONNECTION.unregister("rows")
    return Train(CONNECTION, CONNECTION.table(name), subjects, beside)


PORTS: list[Subject] = [(("host", "m"), ("device", f"d{n % 2}"), ("name", f"p{n}")) for n in range(3)]
DEVICES: list[Subject] = [(("host", "m"), ("device", f"d{n}")) for n in range(2)]
# The second metric knows the subjects by other numbers, and one that is nobody's.
OTHERS: list[Subject] = [(("host", "x"),), PORTS[2], PORTS[0], PORTS[1]]
OTHER_OF = {0: 2, 1: 3, 2: 1}


def derived(
    rows: Sequence[Row],
    windows: Sequence[SubjectWindow],
    second: Literal["percent", "ratio"] | None = None,
    *,
    others: Sequence[Row] = (),
    uptime: Sequence[Row] | None = None,
    rate: bool = False,
    scale: float = 1.0,
) -> list[Statistics]:
    beside = []
    if second:
        beside.append(train_of("others", others, OTHERS))
    if uptime is not None:
        beside.append(train_of("uptime", uptime, DEVICES))
    return period_statistics(
        train_of("train", rows, PORTS, *beside),
        windows,
        rate=rate,
        scale=scale,
        bounds=None,
        missing_bad=False,
        derivation=Derivation(second, uptime is not None),
    )


def one(
    values: Mapping[int, float],
    end: int,
    second: Literal["percent", "ratio"] | None = None,
    other: Mapping[int, float] | None = None,
    up: Mapping[int, float] | None = None,
    every: int = 10,
    **options: Any,
) -> Statistics:
    """The statistics of subject 0 from second 0 to ``end``; samples are {second: value}."""
    levels = options.pop("critical", None)
    return derived(
        [(0, T0 + t * S, value) for t, value in values.items()],
        [SubjectWindow(0, T0, T0 + end * S, every * S, critical=levels)],
        second,
        others=[(OTHER_OF[0], T0 + t * S, value) for t, value in (other or {}).items()],
        uptime=None if up is None else [(0, T0 + t * S, value) for t, value in up.items()],
        **options,
    )[0]


VALUES = st.sampled_from([0.0, 1.0, 2.0, 50.0, 100.0, -5.0, 2.0**32 - 10, 2.0**32, math.nan, math.inf])


@st.composite
def sites(draw: st.DrawFn) -> tuple[list[Row], list[Row], list[Row], list[SubjectWindow]]:
    grid = draw(st.sampled_from([1, 10 * S, 20 * 60 * S, HOUR]))
    times = st.integers(-12, 12).map(lambda step: T0 + step * grid)

    def rows(subjects: int, values: st.SearchStrategy[float]) -> list[Row]:
        row = st.tuples(st.integers(0, subjects - 1), times, values)
        return draw(st.lists(row, min_size=draw(st.sampled_from([0, 30])), max_size=60))

    uptimes = st.integers(0, 40).map(lambda steps: steps * grid / 1000 / 2)
    windows = []
    for _ in range(draw(st.integers(1, 6))):
        start, end = sorted((draw(times), draw(times)))
        borders = sorted(draw(st.sets(st.integers(start, end), max_size=4)))
        spans = tuple(zip(borders[::2], borders[1::2], strict=False))
        windows.append(
            SubjectWindow(
                subject=draw(st.integers(0, 3)),
                start_ms=start,
                end_ms=end,
                every_ms=draw(st.one_of(st.none(), st.integers(1, 3).map(lambda steps: steps * grid))),
                critical=draw(st.sampled_from([None, Levels(high=50.0)])),
                spans=draw(st.sampled_from([None, spans])),
            )
        )
    return rows(3, VALUES), rows(4, VALUES), rows(2, uptimes), windows


@settings(max_examples=120, deadline=None)
@given(
    site=sites(),
    second=st.sampled_from([None, "percent", "ratio"]),
    rate=st.booleans(),
    wraps=st.booleans(),
    scale=st.sampled_from([1.0, 8.0]),
)
def test_derived_statistics_are_those_of_the_reference(
    site: tuple[list[Row], list[Row], list[Row], list[SubjectWindow]],
    second: Literal["percent", "ratio"] | None,
    rate: bool,
    wraps: bool,
    scale: float,
) -> None:
    rows, others, uptime, windows = site
    assume(rate or not wraps)
    results = derived(
        rows,
        windows,
        second,
        others=others,
        uptime=uptime if wraps else None,
        rate=rate,
        scale=scale,
    )
    for window, result in zip(windows, results, strict=True):
        number = window.subject
        other = samples_of(others, OTHER_OF.get(number, 99))
        least = [(source, t, -value) for source, t, value in uptime]
        up = [(t, -value) for t, value in samples_of(least, number % 2 if number < 3 else 99)]
        expected = reference(
            rows,
            window,
            rate=rate,
            scale=scale,
            missing_bad=False,
            max_episodes=50,
            percent_of=other if second == "percent" else None,
            ratio_to=other if second == "ratio" else None,
            uptime=up if wraps else None,
        )
        for name in ("every_ms", "samples", "last_ms", "measured_ms", "good_ms"):
            assert getattr(result, name) == expected[name], name
        for name in ("last", "mean", "min", "max", "coverage", "ratio_part", "ratio_whole"):
            wanted = expected[name]
            if isinstance(wanted, float):
                wanted = pytest.approx(wanted, rel=1e-9, abs=1e-6)
            assert getattr(result, name) == wanted, name


# -- percent_of ------------------------------------------------------------------------------------


def test_a_share_is_of_the_newest_other_value() -> None:
    load = one({0: 10, 10: 20, 20: 30}, 30, "percent", {-5: 100, 10: 200, 11: 50})
    assert (load.min, load.max, load.mean, load.last) == (10, 60, round(80 / 3, 10), 60)


def test_a_divisor_is_an_hour_old_at_most_or_twice_the_spacing() -> None:
    assert one({0: 10}, 20, "percent", {-3600: 100}).mean == 10
    assert one({0: 10}, 20, "percent", {-3601: 100}).mean is None
    assert one({0: 10}, 20, "percent", {-3700: 100}, every=1850).mean == 10


@pytest.mark.parametrize("other", [{}, {10: 0}, {11: 100}])
def test_without_a_divisor_there_is_a_hole(other: dict[int, float]) -> None:
    load = one({0: 10, 10: 99, 20: 10}, 30, "percent", {-1: 100, 20: 100} | other, critical=Levels(high=5))
    if 10 in other:
        assert load.measured_ms == 20 * S
        assert load.critical is not None
        assert load.critical.episodes == 2
        assert load.samples == 3
    else:
        assert load.measured_ms == 30 * S


def test_the_load_of_a_port_is_its_rate_by_its_speed() -> None:
    octets = {0: 0, 10: 1_250_000, 20: 1_250_000}
    load = one(octets, 20, "percent", {0: 10e6, 10: 10e6}, rate=True, scale=8)
    assert (load.max, load.min, load.mean) == (10, 0, 5)


# -- 32 bits ---------------------------------------------------------------------------------------

WRAP = {0: 2.0**32 - 500, 10: 500.0}


def test_a_counter_of_32_bits_wraps() -> None:
    assert one(WRAP, 10, up={10: 86_400}, rate=True).mean == 100
    # The device has been up since just before the interval.
    assert one(WRAP, 10, up={10: 10}, rate=True).mean == 100
    assert one(WRAP, 10, up={15: 15}, rate=True).mean == 100


@pytest.mark.parametrize(
    "up",
    [{}, {10: 9.9}, {0: 86_400}, {15: 14.9}, {3611: 86_400}],
    ids=["unknown", "restarted", "not known since", "restarted, asked later", "asked too late"],
)
def test_a_reset_is_a_hole_and_never_a_spike(up: dict[int, float]) -> None:
    assert one(WRAP, 10, up=up, rate=True).measured_ms == 0


def test_what_is_no_counter_of_32_bits_does_not_wrap() -> None:
    assert one(WRAP, 10, rate=True).measured_ms == 0
    assert one({0: 2.0**40, 10: 5.0}, 10, up={10: 86_400}, rate=True).measured_ms == 0


# -- ratios ----------------------------------------------------------------------------------------


def test_a_ratio_is_one_of_sums_and_no_mean_of_ratios() -> None:
    hits = one({0: 1, 10: 90, 20: 7}, 20, "ratio", {0: 2, 10: 100, 20: 7})
    assert (hits.mean, hits.ratio_part, hits.ratio_whole) == (round(91 / 102, 12), 91, 102)
    assert (hits.samples, hits.coverage, hits.measured_ms) == (2, 1, 20 * S)
    assert (hits.min, hits.p95, hits.last, hits.histogram) == (None, None, None, {})
    assert one({0: 1}, 10, "ratio", {0: 4}, scale=100).mean == 25


def test_nothing_to_divide_by_is_measured_and_has_no_answer() -> None:
    quiet = one({0: 0, 10: 0}, 20, "ratio", {0: 0, 10: 0})
    assert (quiet.mean, quiet.coverage, quiet.measured_ms) == (None, 1, 20 * S)


def test_what_comes_without_its_other_half_does_not_count() -> None:
    hits = one({0: 5, 10: 5, 20: 5}, 30, "ratio", {0: 10, 20: 10, 25: 99})
    assert (hits.mean, hits.samples, hits.measured_ms) == (0.5, 2, 30 * S)


def test_of_counters_the_increases_count_as_far_as_they_lie_inside() -> None:
    hits = one({-10: 0, 10: 20, 20: 3, 30: 13}, 30, "ratio", {-10: 0, 10: 40, 20: 50, 30: 60}, rate=True)
    # Half of the first interval, nothing of the one with the reset, all of the last one.
    assert (hits.ratio_part, hits.ratio_whole, hits.mean) == (20, 30, round(2 / 3, 12))
    assert hits.measured_ms == 20 * S


def test_a_train_that_is_missing_is_said() -> None:
    with pytest.raises(ValueError, match="expected 1 trains beside the train, got 0"):
        period_statistics(
            train_of("train", [], PORTS),
            [SubjectWindow(0, T0, T0 + S, S)],
            rate=False,
            scale=1,
            bounds=None,
            missing_bad=False,
            derivation=Derivation("ratio"),
        )
