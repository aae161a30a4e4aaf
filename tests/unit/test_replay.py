"""Replaying a setting over a history: the same episodes that the statistics have."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.analysis.replay import episodes, read_histories, read_history, runs, standing
from collector.analysis.statistics import Levels, SubjectWindow, period_statistics
from collector.store.base import Train

S = 1000
MIDNIGHT = 1_790_812_800_000
CONNECTION = duckdb.connect(config={"threads": 1})
LEVEL = st.one_of(st.none(), st.sampled_from([0.0, 1.0, 2.0, 50.0]))
LEVELS = st.builds(Levels, LEVEL, LEVEL, LEVEL, LEVEL, for_ms=st.integers(0, 5).map(lambda n: n * 5 * S))
ROWS = st.lists(
    st.tuples(
        st.integers(-40, 60).map(lambda n: MIDNIGHT + n * 5 * S),
        st.sampled_from([0.0, 1.0, 2.0, 3.0, 50.0, 60.0, float("nan"), float("inf")]),
    ),
    max_size=80,
)


@pytest.fixture(scope="module", autouse=True)
def _connection() -> Iterator[None]:
    yield
    CONNECTION.close()


def train_of(rows: list[tuple[int, float]]) -> Train:
    columns = {
        "subject": np.zeros(len(rows), np.int32),
        "t": np.array([t for t, _ in rows], np.int64),
        "value": np.array([value for _, value in rows], np.float64),
    }
    CONNECTION.register("train_rows", columns)
    CONNECTION.execute("CREATE OR REPLACE TABLE train AS SELECT * FROM train_rows")
    CONNECTION.unregister("train_rows")
    return Train(CONNECTION, CONNECTION.table("train"), [])


@settings(max_examples=50)
@given(ROWS, LEVELS, st.booleans(), st.sampled_from([1.0, -2.0]), st.integers(1, 4))
def test_the_present_setting_has_the_episodes_of_the_statistics(
    rows: list[tuple[int, float]], levels: Levels, rate: bool, scale: float, spacing: int
) -> None:
    train = train_of(rows)
    window = SubjectWindow(0, MIDNIGHT, MIDNIGHT + 200 * S, spacing * 5 * S, critical=levels)
    (shown,) = period_statistics(
        train, [window], rate=rate, scale=scale, bounds=None, missing_bad=False, max_episodes=1000
    )
    breaches = shown.critical
    assert breaches is not None
    history = read_history(train, window, rate=rate, scale=scale, most_samples=1000)
    assert history.measured_ms == shown.measured_ms
    found = episodes(history, levels)
    assert [tuple(each) for each in found.tolist()] == list(breaches.longest)
    every = runs(history, levels)
    assert int((every[:, 1] - every[:, 0]).sum()) == breaches.breach_ms


@given(st.dictionaries(st.integers(0, 200), st.floats(), max_size=60), st.integers(1, 5))
def test_a_sample_stands_until_the_next_one_and_at_most_twice_the_spacing(
    values: dict[int, float], spacing: int
) -> None:
    t = np.array(sorted(values), np.int64)
    history = standing(t, np.array([values[int(each)] for each in t], np.float64), spacing)
    assert np.isfinite(history.value).all()
    lengths = history.ends - history.begins
    assert ((lengths > 0) & (lengths <= 2 * spacing)).all()
    assert (history.ends[:-1] <= history.begins[1:]).all()


def test_a_long_history_is_thinned_to_its_last_samples() -> None:
    rows = [(MIDNIGHT + n * S, float(n)) for n in range(1000)]
    window = SubjectWindow(0, MIDNIGHT, MIDNIGHT + 1000 * S, S)
    history = read_history(train_of(rows), window, rate=False, scale=1.0, most_samples=100)
    assert history.every_ms == 10 * S
    assert len(history.value) == 100
    assert {after - before for before, after in pairwise(history.value)} == {10.0}
    assert history.value[0] == 9.0


def test_several_histories_are_read_at_once_as_one_by_one() -> None:
    rows = [(n * 5 * S, float(n % 7)) for n in range(30)]
    train = train_of([(MIDNIGHT + t, value) for t, value in rows])
    CONNECTION.execute("INSERT INTO train SELECT 2, t + 1000, value + 1 FROM train")
    windows = [SubjectWindow(n, MIDNIGHT + 20 * S, MIDNIGHT + 120 * S, 5 * S) for n in (2, 1, 0)]
    together = read_histories(train, windows, rate=False, scale=1.0, most_samples=100)
    for window, several in zip(windows, together, strict=True):
        alone = read_history(train, window, rate=False, scale=1.0, most_samples=100)
        for name in ("begins", "ends", "value"):
            assert getattr(several, name).tolist() == getattr(alone, name).tolist()
    assert [len(each.value) for each in together] == [21, 0, 20]


def test_a_window_without_a_spacing_cannot_be_read() -> None:
    window = SubjectWindow(0, MIDNIGHT, MIDNIGHT + S)
    with pytest.raises(ValueError, match="expected a window with a spacing"):
        read_history(train_of([]), window, rate=False, scale=1.0, most_samples=10)
