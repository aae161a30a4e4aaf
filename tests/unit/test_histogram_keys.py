"""Bins have the same keys in SQL and in arrays: histograms of either are added up."""

from __future__ import annotations

import math
from collections.abc import Iterator

import duckdb
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from collector.analysis.histogram import LOG_BINS, bins_for

CONNECTION = duckdb.connect(config={"threads": 1})


@pytest.fixture(scope="module", autouse=True)
def _connection() -> Iterator[None]:
    yield
    CONNECTION.close()


BORDERS = [sign * LOG_BINS.GAMMA**exponent for exponent in (-300, -1, 0, 1, 2, 35, 350) for sign in (1, -1)]
VALUES = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(-1, 101),
    st.sampled_from(BORDERS).flatmap(
        lambda border: st.sampled_from([border, math.nextafter(border, math.inf)])
    ),
)


@settings(deadline=None)
@given(
    values=st.lists(VALUES, min_size=1, max_size=50),
    bounds=st.sampled_from([None, (0.0, 100.0), (-50.0, 1e6), (0.1, 0.3)]),
)
@example(values=[-5e-324, 0.0, 100.0, 100.00000000000001, -1e308, 1e308, 1e-300], bounds=(0.0, 100.0))
@example(values=[0.0, -0.0, 1.0, 1e-300, 9e-301, -1e308, 5e-324], bounds=None)
def test_a_value_has_the_same_key_in_sql_and_in_arrays(
    values: list[float], bounds: tuple[float, float] | None
) -> None:
    bins = bins_for(bounds)
    columns = {"n": np.arange(len(values)), "value": np.array(values)}
    CONNECTION.register("keyed", columns)
    rows = CONNECTION.execute(f"SELECT {bins.key_sql('value')} FROM keyed ORDER BY n").fetchall()
    CONNECTION.unregister("keyed")
    assert bins.keys(np.array(values)).tolist() == [key for (key,) in rows]
