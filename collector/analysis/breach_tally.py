"""Breaches that are counted while samples pass by, part after part."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from collector.analysis.episodes import Breaches
from collector.analysis.windows import COMPARISONS, LevelName, SubjectWindow

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_NONE: Final = -1


class Condition:
    """What the windows ask of a value at one level."""

    def __init__(self, name: LevelName, windows: Sequence[SubjectWindow]) -> None:
        asked = [window.levels(name) for window in windows]
        self._levels: dict[str, Floats] = {}
        for comparison in COMPARISONS:
            levels = [None if one is None else getattr(one, comparison) for one in asked]
            if any(level is not None for level in levels):
                numbers = [math.nan if level is None else level for level in levels]
                self._levels[comparison] = np.array(numbers, np.float64)

    def met(self, value: Floats, windows: Ints, counts: Ints) -> Flags:
        """For each value whether it meets the condition of its window; the first ``counts[0]`` values are in
        the window ``windows[0]``, and so on.
        """
        met = np.zeros(len(value), np.bool_)
        for comparison, levels in self._levels.items():
            level: Floats = levels[windows]
            # One level for all is compared in a third of the time.
            level = np.repeat(level, counts) if (level != level[0]).any() else level[:1]
            if comparison == "high":
                met |= value > level
            elif comparison == "low":
                met |= value < level
            elif comparison == "equal":
                met |= value == level
            else:
                met |= (value != level) & ~np.isnan(level)
        return met


class BreachTally:
    """The breaches of one level, of all windows. Places are those of an Axis; ``starts`` and ``ends`` are the
    windows' borders there.
    """

    def __init__(self, for_ms: Ints, starts: Ints, ends: Ints, max_episodes: int) -> None:
        size = len(for_ms)
        self._for_ms, self._starts, self._ends, self._max_episodes = for_ms, starts, ends, max_episodes
        self._open_begins = np.full(size, _NONE, np.int64)
        self._open_ends = np.full(size, _NONE, np.int64)
        (
            self._breach_ms,
            self._episodes,
            self._episode_ms,
            self._longest_ms,
            self._at_start_ms,
            self._at_end_ms,
        ) = (np.zeros(size, np.int64) for _ in range(6))
        self._longest = np.empty((3, 0), np.int64)

    def add(self, window: Ints, begins: Ints, ends: Ints) -> None:
        """Counts breaching stretches, which are in order of window and time, and in each window later than
        those before.
        """
        if not len(window):
            return
        apart = (window[1:] != window[:-1]) | (begins[1:] != ends[:-1])
        opens, closes = np.append(True, apart), np.append(apart, True)
        window, begins, ends = window[opens], begins[opens], ends[closes]
        changes = window[1:] != window[:-1]
        first, last = np.flatnonzero(np.append(True, changes)), np.append(changes, True)
        was_open = window[first]
        continues = self._open_ends[was_open] == begins[first]
        self._close(was_open[~continues])
        begins[first[continues]] = self._open_begins[was_open[continues]]
        self._open_begins[window[last]] = begins[last]
        self._open_ends[window[last]] = ends[last]
        self._count(window[~last], begins[~last], ends[~last])

    def _close(self, window: Ints) -> None:
        window = window[self._open_begins[window] != _NONE]
        self._count(window, self._open_begins[window], self._open_ends[window])

    def _count(self, window: Ints, begins: Ints, ends: Ints) -> None:
        if not len(window):
            return
        length = ends - begins
        np.add.at(self._breach_ms, window, length)
        at_start, at_end = begins == self._starts[window], ends == self._ends[window]
        self._at_start_ms[window[at_start]] = length[at_start]
        self._at_end_ms[window[at_end]] = length[at_end]
        is_episode = length >= self._for_ms[window]
        np.add.at(self._episodes, window[is_episode], 1)
        np.add.at(self._episode_ms, window[is_episode], length[is_episode])
        np.maximum.at(self._longest_ms, window[is_episode], length[is_episode])
        found = np.stack([window[is_episode], begins[is_episode], ends[is_episode]])
        self._longest = np.concatenate([self._longest, found], axis=1)
        if self._longest.shape[1] > 100_000:
            self._shorten()

    def _shorten(self) -> None:
        """Keeps of each window its longest episodes, of equals the earlier."""
        window, begins, ends = self._longest
        order = np.lexsort((begins, begins - ends, window))
        window = window[order]
        first = np.flatnonzero(np.append(True, window[1:] != window[:-1])) if len(window) else window
        rank = np.arange(len(window)) - np.repeat(first, np.diff(np.append(first, len(window))))
        self._longest = self._longest[:, order[rank < self._max_episodes]]

    def breaches(self, asked: Ints, origin_ms: Ints) -> dict[int, Breaches]:
        """The breaches of the windows ``asked``; ``origin_ms`` makes the places in a window times."""
        self._close(np.arange(len(self._for_ms)))
        self._open_begins[:] = _NONE
        self._shorten()
        window, begins, ends = self._longest
        order = np.lexsort((begins, window))
        window, begins, ends = window[order], begins[order], ends[order]
        begins, ends = begins + origin_ms[window], ends + origin_ms[window]
        spans = list(zip(begins.tolist(), ends.tolist(), strict=True))
        from_, to = np.searchsorted(window, asked), np.searchsorted(window, asked, side="right")
        return {
            number: Breaches(
                breach_ms=int(self._breach_ms[number]),
                episodes=int(self._episodes[number]),
                episode_ms=int(self._episode_ms[number]),
                longest_ms=int(self._longest_ms[number]),
                longest=tuple(spans[start:stop]),
                open_at_start_ms=int(self._at_start_ms[number]),
                open_at_end_ms=int(self._at_end_ms[number]),
            )
            for number, start, stop in zip(asked.tolist(), from_.tolist(), to.tolist(), strict=True)
        }
