"""Stretches of time against sets of moments."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from setpoint.spans import Spans, length_ms, merged, overlap, without

BORDER = st.integers(0, 30)
SPANS = st.lists(st.tuples(BORDER, BORDER), max_size=6)


def moments(spans: Spans) -> set[int]:
    return {moment for start, end in spans for moment in range(start, end)}


def is_in_order(spans: Spans) -> bool:
    borders = [border for span in spans for border in span]
    return borders == sorted(set(borders))


@given(SPANS, SPANS)
def test_spans_are_sets_of_moments(first: list[tuple[int, int]], second: list[tuple[int, int]]) -> None:
    one, other = merged(first), merged(second)
    assert moments(one) == {m for start, end in first for m in range(start, end)}
    assert moments(overlap(one, other)) == moments(one) & moments(other)
    assert moments(without(one, other)) == moments(one) - moments(other)
    assert length_ms(one) == len(moments(one))
    for result in (one, overlap(one, other), without(one, other)):
        assert is_in_order(result)


def test_spans_that_touch_are_one() -> None:
    assert merged([(5, 9), (0, 5), (9, 9)]) == ((0, 9),)
