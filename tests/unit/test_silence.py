"""Who was silent when, and who was masked meanwhile."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.analysis.silence import Masks, Signs, masks_of, silent_spans
from setpoint.spans import Spans, merged


def signs(times: list[int], patience: int | None, shortest: int, newest: int | None = None) -> Signs:
    runs: list[tuple[int, int]] = []
    for t in sorted(times):
        if runs and t - runs[-1][1] <= shortest:
            runs[-1] = (runs[-1][0], t)
        else:
            runs.append((t, t))
    return Signs(patience, newest, runs)


def test_silence_is_from_the_last_sign_to_the_next() -> None:
    one = signs([*range(0, 101, 10), *range(300, 401, 10)], 30, 30)
    assert silent_spans([one], 0, 400) == ((100, 300),)
    assert silent_spans([one], 150, 200) == ((150, 200),)
    assert silent_spans([one], 0, 430) == ((100, 300),)
    assert silent_spans([one], 0, 431) == ((100, 300), (400, 431))


def test_a_sign_of_anything_ends_it() -> None:
    fast = signs([*range(0, 101, 10), *range(300, 401, 10)], 30, 30)
    slow = signs([0, 200, 400], 600, 30)
    assert silent_spans([fast, slow], 0, 400) == ((100, 200),)
    # From 200 on nobody can tell: the fast one had been late before.
    broken = signs([*range(0, 101, 10)], 30, 30)
    assert silent_spans([broken, signs([*range(0, 401, 20)], 60, 30)], 0, 400) == ()


def test_what_never_reported_or_has_no_rhythm_is_not_silent() -> None:
    assert silent_spans([], 0, 100) == ()
    assert silent_spans([Signs(30, None)], 0, 100) == ()
    assert silent_spans([signs([0], None, 30)], 0, 1000) == ()
    assert silent_spans([signs([500], 30, 30)], 0, 500) == ()


def test_what_stopped_before_the_period_is_silent_all_through_it() -> None:
    assert silent_spans([Signs(30, 900)], 1000, 2000) == ((1000, 2000),)
    # Its samples are gone, or come later: nobody knows.
    assert silent_spans([Signs(30, 1500)], 1000, 2000) == ()


@given(
    times=st.lists(st.lists(st.integers(0, 60), max_size=15), min_size=1, max_size=3),
    patiences=st.lists(st.integers(1, 20), min_size=3, max_size=3),
)
def test_silence_by_looking_at_every_pair_of_signs(times: list[list[int]], patiences: list[int]) -> None:
    shortest = min(patiences[: len(times)])
    subjects = [signs(each, patience, shortest) for each, patience in zip(times, patiences, strict=False)]
    everything = sorted({t for each in times for t in each})
    expected = []
    for a, b in pairwise([*everything, 60]):
        for each, patience in zip(times, patiences, strict=False):
            before = [t for t in each if t <= a]
            if b - a > patience and before and a - max(before) <= patience:
                expected.append((a, b))
    assert silent_spans(subjects, 0, 60) == merged(expected)


A, B, BOTH = ((0, 10), (20, 30)), ((5, 25),), ((5, 10), (20, 25))


@pytest.mark.parametrize(
    ("depends_on", "silent", "masked", "behind"),
    [
        ({"host": ("sw",)}, {"sw": A}, {"host": A}, {"sw": ["host"]}),
        ({"host": ("sw",)}, {"sw": ()}, {}, {}),
        ({"host": ("sw",)}, {}, {}, {}),
        ({"host": ("a", "b")}, {"a": A, "b": B}, {"host": BOTH}, {"a": ["host"], "b": ["host"]}),
        ({"host": ("a", "b")}, {"a": A, "b": ()}, {}, {}),
        # What is in between and not measured passes the mask on; the cause is said to be at the end.
        ({"host": ("sw",), "sw": ("core",)}, {"core": A}, {"host": A, "sw": A}, {"core": ["host", "sw"]}),
        # What is measured stands for itself: it may be reached on another way.
        ({"host": ("sw",), "sw": ("core",)}, {"core": A, "sw": ()}, {"sw": A}, {"core": ["sw"]}),
        ({"host": ("sw",), "sw": ("core",)}, {"core": A, "sw": A, "host": A}, {"host": A, "sw": A},
         {"core": ["host", "sw"]}),
    ],
)  # fmt: skip
def test_a_host_is_masked_while_all_that_it_depends_on_is_silent(
    depends_on: dict[str, tuple[str, ...]],
    silent: dict[str, Spans],
    masked: dict[str, Spans],
    behind: dict[str, list[str]],
) -> None:
    assert masks_of(depends_on, silent.get) == Masks(masked, behind)
