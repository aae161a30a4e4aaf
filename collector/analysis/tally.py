"""Counts samples into windows while they pass by, part after part: what a month shows takes no more memory
than a day.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from collector.analysis.breach_tally import BreachTally, Condition, Flags, Floats, Ints
from collector.analysis.episodes import Breaches
from collector.analysis.histogram import Bins, Histogram
from collector.analysis.ordered import Axis, Ordered, ordered_increases, ordered_samples
from collector.analysis.segments import usable_sql
from collector.analysis.totals import Totals
from collector.analysis.windows import LevelName, SubjectWindow

if TYPE_CHECKING:
    from collector.store.base import Train

_NO_TIME: Final = np.iinfo(np.int64).min
_MANY_BINS: Final = 2_000_000


class Tallied(NamedTuple):
    """Per window its totals; by its number the histogram and, by number and level, the breaches where it has
    such a level.
    """

    totals: list[Totals]
    histograms: dict[int, Histogram]
    breaches: dict[tuple[int, str], Breaches]


def tally(
    train: Train,
    windows: Sequence[SubjectWindow],
    every_ms: Sequence[int | None],
    asked: Sequence[LevelName],
    *,
    rate: bool,
    scale: float,
    bins: Bins,
    max_episodes: int,
) -> Tallied:
    """What the train shows in the windows, which are also in WINDOWS; ``every_ms`` is the spacing of each."""
    spans = [
        (window.subject, number, start_ms, end_ms, 2 * (every_ms[number] or 0))
        for number, window in enumerate(windows)
        for start_ms, end_ms in window.judged
    ]
    if spans:
        first_ms = min(start_ms - reach_ms for _, _, start_ms, _, reach_ms in spans)
        until_ms = max(end_ms + (reach_ms if rate else 0) for _, _, _, end_ms, reach_ms in spans)
        axis = Axis(first_ms, until_ms)
    else:
        axis = Axis(0, 0)
    counted = _Tally(axis, windows, asked, bins, max_episodes)
    if spans:
        pieces = _Pieces.of(axis, spans, after=rate)
        ordered = ordered_increases if rate else ordered_samples
        usable = "isfinite(value)" if rate else usable_sql(scale)
        # A product or a quotient may be too large for a float: that is a hole, as it is in SQL.
        with closing(ordered(train, axis, usable)) as parts, np.errstate(over="ignore", invalid="ignore"):
            for part in parts:
                counted.add(pieces, part, rate=rate, scale=scale)
    return counted.result(every_ms)


class _Pieces(NamedTuple):
    """The spans of the windows in order of subject, window and time, as places on the axis. ``low`` and
    ``high`` are their borders, ``reach`` is how long a sample stands; the samples in [``first``, ``until``)
    can matter to them.
    """

    window: Ints
    low: Ints
    high: Ints
    reach: Ints
    first: Ints
    until: Ints

    @classmethod
    def of(cls, axis: Axis, spans: list[tuple[int, int, int, int, int]], *, after: bool) -> _Pieces:
        subject, window, start_ms, end_ms, reach = np.array(sorted(spans), np.int64).T
        low, high = axis.places(subject, start_ms), axis.places(subject, end_ms)
        return cls(window, low, high, reach, low - reach, high + reach if after else high)


class _Stretches(NamedTuple):
    """Samples and what they stand for, in order of window and time. ``windows`` have ``counts`` rows each,
    the first of each at ``starts``. A row with ``length`` 0 stands for nothing. ``inside`` is None where all
    are.
    """

    at: Ints
    value: Floats
    begins: Ints
    length: Ints
    inside: Flags | None
    windows: Ints
    starts: Ints
    counts: Ints


def _stretches(pieces: _Pieces, part: Ordered, *, rate: bool, scale: float) -> _Stretches | None:
    """The samples of the part that matter to the pieces, cut into these."""
    start, stop = np.searchsorted(part.at, pieces.first), np.searchsorted(part.at, pieces.until)
    matters = np.flatnonzero(stop > start)
    if not len(matters):
        return None
    start, stop = start[matters], stop[matters]
    counts = stop - start
    at, value, gap = part
    # Mostly each sample matters to one piece, and nothing has to be moved.
    if start[0] or stop[-1] != len(at) or (start[1:] != stop[:-1]).any():
        shift = start - (np.cumsum(counts) - counts)
        rows = np.repeat(shift, counts) + np.arange(counts.sum())
        at, value, gap = at[rows], value[rows], gap[rows]
    reach = pieces.reach[matters]
    reach = reach[:1] if (reach == reach[0]).all() else np.repeat(reach, counts)
    if rate:
        value = value / (gap / 1000) * scale
        stands = (gap <= reach) & np.isfinite(value)
        value[~stands] = np.nan
        length = np.where(stands, gap, 0)
        begins = at - length
    else:
        value = value if scale == 1 else value * scale
        begins, length = at, np.minimum(gap, reach)
    begins, length, inside = _cut(pieces, matters, counts, at, begins, length)
    windows = pieces.window[matters]
    opens = np.flatnonzero(np.append(True, windows[1:] != windows[:-1]))
    starts = (np.cumsum(counts) - counts)[opens]
    counts = np.diff(np.append(starts, len(at)))
    return _Stretches(at, value, begins, length, inside, windows[opens], starts, counts)


def _cut(
    pieces: _Pieces, matters: Ints, counts: Ints, at: Ints, begins: Ints, length: Ints
) -> tuple[Ints, Ints, Flags | None]:
    """``begins`` and ``length`` of what lies in the pieces, and which of the samples do."""
    low, high = pieces.low[matters], pieces.high[matters]
    last = np.cumsum(counts) - 1
    first = last - counts + 1
    # All are in order of time: what lies inside at both ends does so between them.
    within = (begins[first] >= low) & (begins[last] + length[last] <= high) & (at[last] < high)
    if within.all():
        return begins, length, None
    low, high = np.repeat(low, counts), np.repeat(high, counts)
    cut = np.maximum(begins, low)
    length = np.maximum(np.minimum(begins + length, high) - cut, 0)
    return cut, length, (at >= low) & (at < high)


class _Tally:
    def __init__(
        self,
        axis: Axis,
        windows: Sequence[SubjectWindow],
        asked: Sequence[LevelName],
        bins: Bins,
        max_episodes: int,
    ) -> None:
        size = len(windows)
        self._windows, self._bins = windows, bins
        subject = np.array([window.subject for window in windows], np.int64)
        starts = axis.places(subject, np.array([window.start_ms for window in windows], np.int64))
        ends = axis.places(subject, np.array([window.end_ms for window in windows], np.int64))
        self._origin_ms = axis.first_ms - subject * axis.width
        self._samples, self._measured_ms, self._good_ms = (np.zeros(size, np.int64) for _ in range(3))
        self._first, self._last = (np.full(size, _NO_TIME, np.int64) for _ in range(2))
        self._last_value = np.full(size, np.nan)
        self._low, self._high = np.full(size, np.inf), np.full(size, -np.inf)
        self._sum, self._rest = np.zeros(size), np.zeros(size)
        longest_ms = max(window.end_ms - window.start_ms for window in windows)
        # Weights below 1 keep the sum of the largest floats finite; divided by a power of two they are exact.
        self._unit_ms = float(2 ** longest_ms.bit_length())
        self._bin_parts: list[Ints] = []
        self._bin_rows = 0
        self._good = Condition("good", windows) if any(one.good is not None for one in windows) else None
        self._levels = {
            name: (
                Condition(name, windows),
                BreachTally(
                    np.array(
                        [0 if (one := w.levels(name)) is None else one.for_ms for w in windows], np.int64
                    ),
                    starts,
                    ends,
                    max_episodes,
                ),
            )
            for name in asked
        }

    def add(self, pieces: _Pieces, part: Ordered, *, rate: bool, scale: float) -> None:
        """Counts the samples of one subject that are later than those before."""
        rows = _stretches(pieces, part, rate=rate, scale=scale)
        if rows is None:
            return
        self._add_samples(rows)
        self._measured_ms[rows.windows] += np.add.reduceat(rows.length, rows.starts)
        if self._good is not None:
            good = self._good.met(rows.value, rows.windows, rows.counts)
            self._good_ms[rows.windows] += np.add.reduceat(np.where(good, rows.length, 0), rows.starts)
        measured = rows.length > 0
        self._add_values(rows, measured)
        for condition, breaches in self._levels.values():
            met = condition.met(rows.value, rows.windows, rows.counts)
            found = np.flatnonzero(met & measured)
            of_window = np.searchsorted(rows.starts, found, side="right") - 1
            begins = rows.begins[found]
            breaches.add(rows.windows[of_window], begins, begins + rows.length[found])

    def _add_samples(self, rows: _Stretches) -> None:
        windows, first, last = rows.windows, rows.starts, rows.starts + rows.counts - 1
        samples = rows.counts
        if rows.inside is not None:
            samples = np.add.reduceat(rows.inside, rows.starts, dtype=np.int64)
            number = np.arange(len(rows.at))
            first = np.minimum.reduceat(np.where(rows.inside, number, len(number)), rows.starts)
            last = np.maximum.reduceat(np.where(rows.inside, number, -1), rows.starts)
            seen = samples > 0
            windows, first, last, samples = windows[seen], first[seen], last[seen], samples[seen]
        self._samples[windows] += samples
        is_first = self._first[windows] == _NO_TIME
        self._first[windows[is_first]] = rows.at[first[is_first]]
        self._last[windows] = rows.at[last]
        self._last_value[windows] = rows.value[last]

    def _add_values(self, rows: _Stretches, measured: Flags) -> None:
        value, lowest, highest = rows.value, rows.value, rows.value
        if not measured.all():
            value = np.where(measured, value, 0)
            lowest, highest = np.where(measured, value, np.inf), np.where(measured, value, -np.inf)
        windows = rows.windows
        self._low[windows] = np.minimum(self._low[windows], np.minimum.reduceat(lowest, rows.starts))
        self._high[windows] = np.maximum(self._high[windows], np.maximum.reduceat(highest, rows.starts))
        # Each of these sums is a pairwise one, and those of the parts keep what rounding takes from them: the
        # cuts between the parts then stay out of the 12 digits that are shown.
        shares = value * (rows.length / self._unit_ms)
        sums = [
            np.add.reduce(shares[start : start + count])
            for start, count in zip(rows.starts.tolist(), rows.counts.tolist(), strict=True)
        ]
        former, added = self._sum[windows], np.array(sums)
        total = former + added
        moved = total - former
        self._rest[windows] += (former - (total - moved)) + (added - moved)
        self._sum[windows] = total
        self._add_bins(rows, value)

    def _add_bins(self, rows: _Stretches, value: Floats) -> None:
        keys = self._bins.keys(value)
        lowest = int(keys.min())
        span = int(keys.max()) - lowest + 1
        keys += np.repeat(np.arange(len(rows.windows)) * span - lowest, rows.counts)
        if len(rows.windows) * span <= 4 * len(keys) + 1000:
            # As a float each sum is exact: there is no such length of time as 2^53 ms.
            lengths_ms = np.bincount(keys, weights=rows.length)
            found = np.flatnonzero(lengths_ms)
            lengths_ms = lengths_ms[found]
        else:
            found, where = np.unique(keys, return_inverse=True)
            lengths_ms = np.bincount(where, weights=rows.length)
            found, lengths_ms = found[lengths_ms > 0], lengths_ms[lengths_ms > 0]
        part = np.stack([rows.windows[found // span], found % span + lowest, lengths_ms.astype(np.int64)])
        self._bin_parts.append(part)
        self._bin_rows += part.shape[1]
        if self._bin_rows > _MANY_BINS:
            self._bin_parts = [_added_up(self._bin_parts)]
            self._bin_rows = self._bin_parts[0].shape[1] // 2

    def result(self, every_ms: Sequence[int | None]) -> Tallied:
        size = len(self._windows)
        share_sum = (self._sum + self._rest).tolist()
        first, last = ((times + self._origin_ms).tolist() for times in (self._first, self._last))
        last_value, low, high = self._last_value.tolist(), self._low.tolist(), self._high.tolist()
        samples, measured_ms, good_ms = (
            times.tolist() for times in (self._samples, self._measured_ms, self._good_ms)
        )
        totals = []
        for n, window in enumerate(self._windows):
            length_ms = window.end_ms - window.start_ms
            totals.append(
                Totals(
                    every_ms=every_ms[n],
                    samples=samples[n],
                    first_ms=first[n] if samples[n] else None,
                    last_ms=last[n] if samples[n] else None,
                    last=last_value[n] if samples[n] and last_value[n] == last_value[n] else None,
                    measured_ms=measured_ms[n],
                    good_ms=good_ms[n],
                    min=low[n] if measured_ms[n] else None,
                    max=high[n] if measured_ms[n] else None,
                    share_sum=share_sum[n] * (self._unit_ms / length_ms) if length_ms else 0.0,
                    ratio_part=None,
                    ratio_whole=None,
                )
            )
        breaches: dict[tuple[int, str], Breaches] = {}
        for name, (_, counted) in self._levels.items():
            asked = np.array([n for n in range(size) if self._windows[n].levels(name) is not None], np.int64)
            found = counted.breaches(asked, self._origin_ms)
            breaches |= {(number, name): one for number, one in found.items()}
        return Tallied(totals, _histograms(self._bin_parts), breaches)


def _added_up(parts: Sequence[Ints]) -> Ints:
    """Rows of window, bin and length, each window and bin once, in order."""
    window, key, length_ms = np.concatenate(parts, axis=1)
    order = np.lexsort((key, window))
    window, key, length_ms = window[order], key[order], length_ms[order]
    is_first = np.append(True, (window[1:] != window[:-1]) | (key[1:] != key[:-1]))
    first = np.flatnonzero(is_first)
    return np.stack([window[first], key[first], np.add.reduceat(length_ms, first)])


def _histograms(parts: Sequence[Ints]) -> dict[int, Histogram]:
    if not any(part.shape[1] for part in parts):
        return {}
    window, key, length_ms = _added_up(parts)
    first = np.flatnonzero(np.append(True, window[1:] != window[:-1])).tolist()
    keys, lengths_ms = key.tolist(), length_ms.tolist()
    return {
        number: dict(zip(keys[start:stop], lengths_ms[start:stop], strict=True))
        for number, start, stop in zip(window[first].tolist(), first, [*first[1:], len(keys)], strict=True)
    }


__all__: Sequence[str] = ("Tallied", "tally")
