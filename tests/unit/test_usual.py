"""The level that was held for a while, up to each moment: against the definition, word by word."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from collector.analysis.replay import History
from collector.analysis.usual import usual_reaches

EVERY = 10
DAY = 86_400_000
_stretches = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 0, 0, 25]),  # the hole before it
        st.sampled_from([EVERY, EVERY, EVERY, EVERY, 3, 17, 20]),
        st.integers(0, 9),
    ),
    min_size=1,
    max_size=80,
)


def history_of(stretches: list[tuple[int, int, int]], start_ms: int) -> History:
    begins, ends, t = [], [], start_ms
    for hole, length, _ in stretches:
        begins.append(t + hole)
        t += hole + length
        ends.append(t)
    values = np.array([value for _, _, value in stretches], np.float64)
    return History(np.array(begins, np.int64), np.array(ends, np.int64), values, EVERY)


def highest_held(history: History, hold_ms: int) -> float | None:
    """The highest level that was held without interruption, in one day."""
    found = []
    for n, end in enumerate(history.ends.tolist()):
        lowest, m = float(history.value[n]), n
        while history.begins[m] > end - hold_ms and m > 0 and history.ends[m - 1] == history.begins[m]:
            m -= 1
            lowest = min(lowest, float(history.value[m]))
        if history.begins[m] <= end - hold_ms:
            found.append(lowest)
    return max(found, default=None)


@given(_stretches, st.lists(st.integers(1, 300), min_size=1, max_size=5, unique=True))
def test_what_a_day_reaches_is_the_highest_level_that_was_held(
    stretches: list[tuple[int, int, int]], holds: list[int]
) -> None:
    history = history_of(stretches, 20_000 * DAY)
    asked = sorted({0, *holds, *(hold * EVERY for hold in holds)})
    found = usual_reaches(history, asked, 0)
    # With one day there is no other to differ from.
    for hold in asked:
        usual = found[hold][0] if hold in found else None
        assert usual == highest_held(history, hold), hold
