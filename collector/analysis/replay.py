"""What a level would have said of a history: its runs and episodes, over arrays of one subject."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from collector.analysis.segments import SAMPLES, load_samples
from collector.analysis.windows import Levels, SubjectWindow, load_windows

if TYPE_CHECKING:
    from collector.store.base import Train

Times = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]
Runs = npt.NDArray[np.int64]
"""Of shape (n, 2): start and end of each, in order of time."""


@dataclass(frozen=True, slots=True)
class History:
    """One subject's measured time: ``value[n]`` stands in [begins[n], ends[n]), UTC milliseconds. The
    stretches are in order of time, not empty, and overlap nowhere; where one ends before the next begins,
    nothing was measured.
    """

    begins: Times
    ends: Times
    value: Values
    every_ms: int

    @property
    def measured_ms(self) -> int:
        """How much time was measured."""
        return int((self.ends - self.begins).sum())

    @property
    def span_ms(self) -> int:
        """From the first measured moment to the last."""
        return int(self.ends[-1] - self.begins[0]) if len(self.begins) else 0


def standing(t: Times, value: Values, every_ms: int) -> History:
    """The history of samples in order of time, one for each time: a sample stands until the next one, and at
    most twice the spacing. What is not a finite number is left out.
    """
    usable = np.isfinite(value)
    t, value = t[usable], value[usable]
    ends = np.minimum(t + 2 * every_ms, np.append(t[1:], np.iinfo(np.int64).max))
    return History(t, ends, value, every_ms)


def read_history(
    train: Train, window: SubjectWindow, *, rate: bool, scale: float, most_samples: int
) -> History:
    """The history of the window's subject, by the arithmetic of the statistics; the window has its spacing.

    A window that can hold more than ``most_samples`` is thinned: of each bucket of time the last sample
    stays, and the bucket's length is the spacing. ValueError when the window has no spacing.
    """
    return read_histories(train, [window], rate=rate, scale=scale, most_samples=most_samples)[0]


def read_histories(
    train: Train, windows: Sequence[SubjectWindow], *, rate: bool, scale: float, most_samples: int
) -> list[History]:
    """The same of several windows, of subjects of their own, as long as each other and with one spacing."""
    every_ms, length_ms = windows[0].every_ms, windows[0].end_ms - windows[0].start_ms
    if every_ms is None:
        raise ValueError(f"expected a window with a spacing, got {windows[0]}")
    for window in windows:
        if (window.every_ms, window.end_ms - window.start_ms) != (every_ms, length_ms):
            raise ValueError(f"expected windows as long as {windows[0]} and with its spacing, got {window}")
    bucket_ms = -(-length_ms // most_samples)
    if bucket_ms > every_ms:
        every_ms = bucket_ms
        windows = [replace(window, every_ms=bucket_ms) for window in windows]
        thinned = train.relation.aggregate(
            f"subject, max(t) AS t, arg_max(value, t) AS value, t // {bucket_ms} AS bucket"
        )
        train = replace(train, relation=thinned)
    load_windows(train.connection, windows)
    load_samples(train, rate=rate, scale=scale, unknown_spacing=False)
    columns = train.connection.execute(
        f"SELECT window_id, begins, ends, value FROM {SAMPLES} WHERE ends > begins ORDER BY window_id, begins"
    ).fetchnumpy()
    begins, ends = (np.asarray(columns[name], np.int64) for name in ("begins", "ends"))
    value = np.asarray(columns["value"], np.float64)
    borders = np.searchsorted(np.asarray(columns["window_id"], np.int64), np.arange(len(windows) + 1))
    return [History(begins[a:b], ends[a:b], value[a:b], every_ms) for a, b in pairwise(borders.tolist())]


def breaching(levels: Levels, value: Values) -> npt.NDArray[np.bool_]:
    """For each value whether it meets the condition."""
    found = np.zeros(len(value), np.bool_)
    if levels.high is not None:
        found |= value > levels.high
    if levels.low is not None:
        found |= value < levels.low
    if levels.equal is not None:
        found |= value == levels.equal
    if levels.unequal is not None:
        found |= value != levels.unequal
    return found


def runs(history: History, levels: Levels) -> Runs:
    """All breaching time without interruption, however short: as ``collector.analysis.episodes`` has it."""
    at = np.flatnonzero(breaching(levels, history.value))
    if not len(at):
        return np.empty((0, 2), np.int64)
    apart = history.begins[at[1:]] != history.ends[at[:-1]]
    first = np.append(True, apart)
    last = np.append(apart, True)
    return np.stack([history.begins[at[first]], history.ends[at[last]]], axis=1)


def episodes(history: History, levels: Levels) -> Runs:
    """The runs that last at least the levels' ``for_ms``."""
    found = runs(history, levels)
    return found[found[:, 1] - found[:, 0] >= levels.for_ms]
