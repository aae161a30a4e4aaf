"""What a subject's usual days reach, and for how long."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from collector.analysis.replay import History, Times, Values

_DAY_MS: Final = 86_400_000
_NORMAL: Final = 1.4826
"""The median distance from the median, times this, is the standard deviation of a normal distribution."""

_Indexes = npt.NDArray[np.int64]


def usual_reaches(history: History, holds: Sequence[int], zone_ms: int) -> dict[int, tuple[float, float]]:
    """For each of these lengths in milliseconds: what a usual day reaches for so long, and by how much days
    differ in that. Left out are those for which nothing was measured without interruption. ``zone_ms`` is
    what local time is ahead of UTC.

    A day's reach is the highest value that was held without interruption. The usual one is the median of the
    days, taken for each weekday where there are four of each (else for working days and weekends), of which
    the highest counts; so what happens every night, or every Sunday, is usual. Anomalies on fewer than half
    of the days change neither of the two much.
    """
    day = (history.begins + zone_ms) // _DAY_MS
    first = np.flatnonzero(np.append(True, day[1:] != day[:-1]))
    middle, ranged = float(np.median(history.value)), float(np.ptp(history.value))
    found = {}
    for hold, held in zip(holds, _held(history, holds), strict=True):
        reach = np.maximum.reduceat(held, first)
        reached = np.isfinite(reach)
        if reached.any():
            usual, spread = _usual(day[first][reached], reach[reached])
            # Where days hardly differ at all, a hundredth of what a day goes through is no difference either.
            found[hold] = usual, max(spread, 0.01 * (usual - middle)) or 0.01 * ranged
    return found


def _usual(days: Times, reach: Values) -> tuple[float, float]:
    """What a usual one of the days reaches, and by how much they differ in that."""
    weekday = (days + 3) % 7  # 1 January 1970 was a Thursday; Monday is 0
    kind = weekday if len(days) >= 28 else weekday // 5
    usual, off = -math.inf, np.empty(len(days))
    for each in np.unique(kind):
        of_kind = kind == each
        middle = float(np.median(reach[of_kind]))
        off[of_kind] = np.abs(reach[of_kind] - middle)
        usual = max(usual, middle)
    return usual, _NORMAL * float(np.median(off))


def _held(history: History, holds: Sequence[int]) -> Iterator[Values]:
    """For each length, for each stretch: the highest level that was held for so long up to its end; -inf
    where no unbroken time is that long.
    """
    ends, value, n = history.ends, history.value, np.arange(len(history.value))
    broken = np.append(True, history.begins[1:] != ends[:-1])
    run_start = np.maximum.accumulate(np.where(broken, n, 0))
    uneven = np.cumsum(broken | (np.diff(ends, prepend=ends[0]) != history.every_ms))
    lows = _Lows(value)
    for hold_ms in holds:
        if hold_ms == 0:
            yield value
            continue
        held = np.full(len(value), -np.inf)
        others = n
        many, rest_ms = divmod(hold_ms, history.every_ms)
        if rest_ms == 0 and 0 < many < len(value):
            # Most samples come as planned: there, so many stretches make the time.
            even = uneven[many:] == uneven[:-many]
            held[many:] = np.where(even, lows.of_each(many)[1:], -np.inf)
            others = np.concatenate([n[:many], np.flatnonzero(~even) + many])
        # The stretch that the time `hold_ms` before this one's end lies in.
        since = ends[others] - hold_ms
        first = np.searchsorted(ends, since, side="right")
        enough = (first >= run_start[others]) & (history.begins[first] <= since)
        held[others[enough]] = lows.between(first[enough], others[enough])
        yield held


class _Lows:
    """The lowest of values in a row: sparse tables, after J. L. Bentley."""

    def __init__(self, value: Values) -> None:
        # self._tables[k][m] is the lowest of value[m - 2**k + 1 : m + 1].
        self._tables = [value]

    def of_each(self, many: int) -> Values:
        """The lowest of ``many`` in a row, for each that has so many up to it."""
        size = 1 << (many.bit_length() - 1)
        table = self._table(many.bit_length() - 1)
        return np.minimum(table[many - 1 :], table[size - 1 : len(table) - many + size])

    def between(self, first: _Indexes, last: _Indexes) -> Values:
        """The lowest of value[first[n]:last[n] + 1], for each n."""
        length = last - first + 1
        found = np.empty(len(first))
        for k in range(int(length.max(initial=0)).bit_length()):
            at = np.flatnonzero(length >> k == 1)
            if len(at):
                table = self._table(k)
                found[at] = np.minimum(table[last[at]], table[first[at] + (1 << k) - 1])
        return found

    def _table(self, k: int) -> Values:
        while len(self._tables) <= k:
            former, size = self._tables[-1], 1 << (len(self._tables) - 1)
            doubled = former.copy()
            np.minimum(former[size:], former[:-size], out=doubled[size:])
            self._tables.append(doubled)
        return self._tables[k]
