"""The table of series."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.series import NEVER, SeriesTable
from collector.store.base import SeriesKey


def key(name: str, host: str = "mon-01") -> SeriesKey:
    return SeriesKey("m", (("host", host),), name)


def table_of(count: int, owner: str = "mon-01") -> SeriesTable:
    table = SeriesTable()
    for i in range(count):
        table.add(key(f"f{i}"), "float", 1_000 + i, owner)
    return table


def observe(table: SeriesTable, *samples: tuple[int, int, float]) -> None:
    series, time_ms, value = zip(*samples, strict=True)
    table.observe(np.array(series, np.int32), np.array(time_ms, np.int64), np.array(value))


def test_numbers_are_dense_and_lead_back_to_the_key() -> None:
    table = table_of(3)
    assert [table.find(key(f"f{i}")) for i in range(3)] == [0, 1, 2]
    assert table.find(key("other")) is None
    assert table.entry(1) == (key("f1"), "float", 1_001)
    assert len(table) == 3


def test_a_series_is_not_added_twice() -> None:
    with pytest.raises(ValueError, match="number 0 already"):
        table_of(1).add(key("f0"), "float", 5, "mon-01")


def test_series_of_a_metric() -> None:
    table = table_of(2)
    table.add(key("f0", "mon-02"), "float", 5, "mon-02")
    assert list(table.of_metric("m", "f0")) == [(0, key("f0")), (2, key("f0", "mon-02"))]
    assert list(table.of_metric("m", "none")) == []


def test_before_the_first_sample_there_is_no_newest() -> None:
    table = table_of(1)
    assert table.last_ms(0) is None
    assert isnan(table.last_value[0])


def test_the_newest_time_wins_over_batches_and_within_one() -> None:
    table = table_of(2)
    observe(table, (0, 20, 2.0), (1, 20, 5.0), (0, 30, 3.0), (0, 10, 1.0))
    assert (table.last_ms(0), table.last_value[0]) == (30, 3.0)
    observe(table, (0, 25, 9.0), (1, 21, 6.0))
    assert (table.last_ms(0), table.last_value[0]) == (30, 3.0)
    assert (table.last_ms(1), table.last_value[1]) == (21, 6.0)


def test_of_samples_with_the_same_time_the_last_one_counts() -> None:
    table = table_of(1)
    observe(table, (0, 20, 1.0), (0, 20, 2.0))
    assert table.last_value[0] == 2.0
    observe(table, (0, 20, 3.0))
    assert table.last_value[0] == 3.0


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9), st.floats(-9, 9)), max_size=12), max_size=5
    )
)
def test_newest_values_are_those_of_one_sample_after_the_other(
    batches: list[list[tuple[int, int, float]]],
) -> None:
    table = table_of(5)
    expected: dict[int, tuple[int, float]] = {}
    for batch in batches:
        if batch:
            observe(table, *batch)
        for series, time_ms, value in batch:
            if time_ms >= expected.get(series, (NEVER, 0.0))[0]:
                expected[series] = (time_ms, value)
    for series, (time_ms, value) in expected.items():
        assert (table.last_ms(series), table.last_value[series]) == (time_ms, value)


def test_growing_keeps_what_was_observed() -> None:
    table = table_of(1_000)
    observe(table, (999, 7, 1.5))
    for i in range(1_000, 5_000):
        table.add(key(f"f{i}"), "float", i, "mon-01")
    assert (table.last_ms(999), table.last_value[999]) == (7, 1.5)
    assert table.last_ms(4_999) is None
    assert table.live("mon-01", 0) == 5_000


def test_restored_series_keep_their_numbers_and_count_for_their_host() -> None:
    table = SeriesTable()
    table.restore(0, key("a"), "text", 5)
    table.restore(1, key("a", "mon-02"), "float", 6)
    assert table.find(key("a", "mon-02")) == 1
    assert table.entry(0).type == "text"
    assert table.live("mon-02", 0) == 1
    with pytest.raises(ValueError, match="expected 2"):
        table.restore(3, key("b"), "float", 6)


def test_a_series_lives_while_its_newest_sample_is_recent() -> None:
    table = table_of(3)
    assert table.live("mon-01", 100) == 3
    observe(table, (0, 99, 1.0), (1, 100, 1.0))
    assert table.live("mon-01", 100) == 2
    assert table.live("unheard of", 100) == 0
