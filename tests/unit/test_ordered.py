"""Samples in order, however many are read at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.analysis.ordered import Axis, Ordered, ordered_increases, ordered_samples
from collector.analysis.statistics import Levels, period_statistics
from collector.analysis.windows import SubjectWindow, load_windows
from collector.store.base import Train

Row = tuple[int, int, float]

CONNECTION = duckdb.connect(config={"threads": 1})
HOUR = 3_600_000
START = 1_790_812_800_000
AXIS = Axis(START, START + 100 * HOUR)
SUBJECTS = 3


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
    load_windows(CONNECTION, [SubjectWindow(n, START, START + 1) for n in range(SUBJECTS)])
    return Train(CONNECTION, CONNECTION.table("train"), [])


def rows_of(part: Ordered) -> list[tuple[int, int, float, int | None]]:
    """(subject, time, value, gap) of each sample; the gap is None where there is no neighbour."""
    return [
        (at // AXIS.width, at % AXIS.width + START, value, gap if gap <= AXIS.length else None)
        for at, value, gap in zip(*(column.tolist() for column in part), strict=True)
    ]


def samples_of(rows: list[Row]) -> list[Row]:
    inside = [row for row in rows if START <= row[1] < AXIS.until_ms and math.isfinite(row[2])]
    inside = [row for row in inside if row[0] < SUBJECTS]
    greatest: dict[tuple[int, int], float] = {}
    for subject, t, value in inside:
        greatest[subject, t] = max(value, greatest.get((subject, t), -math.inf))
    return sorted((subject, t, value) for (subject, t), value in greatest.items())


ROWS = st.lists(
    st.tuples(
        st.integers(0, SUBJECTS),
        st.one_of(
            st.integers(-3, 103).map(lambda hour: START + hour * HOUR), st.integers(START, START + 9 * HOUR)
        ),
        st.sampled_from([0.0, 1.0, 2.0, -1.0, math.nan, math.inf]),
    ),
    max_size=60,
)


@settings(deadline=None)
@given(rows=ROWS, many_rows=st.integers(1, 100))
def test_every_sample_comes_once_with_the_way_to_the_next(rows: list[Row], many_rows: int) -> None:
    parts = [
        rows_of(part)
        for part in ordered_samples(train_of(rows), AXIS, "isfinite(value)", many_rows=many_rows)
    ]
    assert all(part == sorted(part, key=lambda row: row[:2]) for part in parts)
    expected = samples_of(rows)
    following = {
        sample[:2]: later[1] - sample[1] for sample, later in pairwise(expected) if sample[0] == later[0]
    }
    for subject in range(SUBJECTS):
        got = [row for part in parts for row in part if row[0] == subject]
        assert got == [(*row, following.get(row[:2])) for row in expected if row[0] == subject]


@settings(deadline=None)
@given(rows=ROWS, many_rows=st.integers(1, 100))
def test_every_increase_comes_once_with_the_way_from_the_former(rows: list[Row], many_rows: int) -> None:
    parts = ordered_increases(train_of(rows), AXIS, "isfinite(value)", many_rows=many_rows)
    got = [row for part in parts for row in rows_of(part)]
    expected = samples_of(rows)
    for subject in range(SUBJECTS):
        samples = [row for row in expected if row[0] == subject]
        found = [row for row in got if row[0] == subject]
        assert [row[1] for row in found] == [t for _, t, _ in samples]
        if found:
            assert found[0][3] is None
        for former, sample, (_, _, increase, gap) in zip(samples, samples[1:], found[1:], strict=False):
            assert gap == sample[1] - former[1]
            if sample[2] < former[2]:
                assert math.isnan(increase)
            else:
                assert increase == sample[2] - former[2]


def test_subjects_with_large_numbers_and_long_windows_are_told_apart() -> None:
    year = 366 * 24 * HOUR
    subjects = [1_000_000, 1_000_001]
    rows = [
        (subject, START + n * year // 4, float(subject % 10 * 10 + n))
        for subject in subjects
        for n in range(4)
    ]
    windows = [
        SubjectWindow(subject, START, START + year, year // 4, warning=Levels(high=11))
        for subject in subjects
    ]
    first, second = period_statistics(
        train_of(rows[::-1]), windows, rate=False, scale=1, bounds=None, missing_bad=False
    )
    assert (first.samples, first.min, first.max, first.coverage) == (4, 0, 3, 1)
    assert (second.samples, second.min, second.max, second.last) == (4, 10, 13, 13)
    assert second.warning is not None
    assert second.warning.longest == ((START + year // 2, START + year),)
