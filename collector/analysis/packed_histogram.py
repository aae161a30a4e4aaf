"""Histograms as few bytes, which add up without a number being taken out of them one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, chain, pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from collector.analysis.histogram import Histogram

_LENGTHS: Final = "<u4"
_LONGEST_MS: Final = 2**32 - 1
_FARTHEST: Final = 255
_FEW_BINS: Final = 500
"""Up to so many, a loop is faster than arrays are made."""

_Ints = npt.NDArray[np.int64]


class PackedHistogram(Mapping[int, int]):
    """The milliseconds of each key, in the order of the keys. ``steps``: for each bin a byte, by how much its
    key is above the one before; that of the first is 0. ``lengths``: for each bin four bytes, the lowest
    first.
    """

    __slots__ = ("_bins", "first_key", "lengths", "steps")

    def __init__(self, first_key: int, steps: bytes, lengths: bytes) -> None:
        """ValueError when the two are not of the same number of bins."""
        if 4 * len(steps) != len(lengths):
            raise ValueError(f"expected 4 bytes for each of {len(steps)} bins, got {len(lengths)}")
        self.first_key = first_key
        self.steps = steps
        self.lengths = lengths
        self._bins: dict[int, int] | None = None

    def _unpacked(self) -> dict[int, int]:
        if self._bins is None:
            keys = accumulate(self.steps[1:], initial=self.first_key)
            self._bins = dict(zip(keys, np.frombuffer(self.lengths, _LENGTHS).tolist(), strict=False))
        return self._bins

    def __getitem__(self, key: int) -> int:
        return self._unpacked()[key]

    def __iter__(self) -> Iterator[int]:
        return iter(self._unpacked())

    def __len__(self) -> int:
        return len(self.steps)

    def __repr__(self) -> str:
        return repr(self._unpacked())


def packed(histogram: Histogram) -> PackedHistogram | None:
    """The histogram as bytes; None when its keys are out of order, or bins too far apart or too long."""
    keys, lengths_ms = list(histogram), list(histogram.values())
    steps = [latter - former for former, latter in pairwise(keys)]
    if (
        min(steps, default=1) < 1
        or max(steps, default=1) > _FARTHEST
        or max(lengths_ms, default=0) > _LONGEST_MS
    ):
        return None
    first_key, first_step = (keys[0], [0]) if keys else (0, [])
    return PackedHistogram(first_key, bytes([*first_step, *steps]), np.array(lengths_ms, _LENGTHS).tobytes())


def sum_histograms(histograms: Sequence[Histogram]) -> Histogram:
    """The milliseconds of each key in all of them, in the order of the keys."""
    if sum(map(len, histograms)) < _FEW_BINS:
        together: dict[int, int] = {}
        for histogram in histograms:
            for key, length_ms in histogram.items():
                together[key] = together.get(key, 0) + length_ms
        return dict(sorted(together.items()))
    # Weights are floats, exact up to 285,000 years of milliseconds.
    arrays = [
        _arrays_of_packed([each for each in histograms if type(each) is PackedHistogram and each.steps]),
        _arrays([each for each in histograms if type(each) is not PackedHistogram]),
    ]
    keys, lengths_ms = (np.concatenate(columns) for columns in zip(*arrays, strict=True))
    lowest = keys.min()
    sums = np.bincount(keys - lowest, weights=lengths_ms)
    found = sums.nonzero()[0]
    return dict(zip((found + lowest).tolist(), sums[found].astype(np.int64).tolist(), strict=True))


def _arrays(histograms: Sequence[Histogram]) -> tuple[_Ints, _Ints]:
    size = sum(map(len, histograms))
    keys = np.fromiter(chain.from_iterable(histograms), np.int64, size)
    return keys, np.fromiter(chain.from_iterable(each.values() for each in histograms), np.int64, size)


def _arrays_of_packed(histograms: Sequence[PackedHistogram]) -> tuple[_Ints, _Ints]:
    steps = np.frombuffer(b"".join([each.steps for each in histograms]), np.uint8)
    lengths_ms = np.frombuffer(b"".join([each.lengths for each in histograms]), _LENGTHS).astype(np.int64)
    sizes = np.array([len(each.steps) for each in histograms], np.int64)
    keys = np.cumsum(steps, dtype=np.int64)
    first_keys = np.array([each.first_key for each in histograms], np.int64)
    return keys + np.repeat(first_keys - keys[np.cumsum(sizes) - sizes], sizes), lengths_ms
