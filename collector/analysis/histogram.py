"""Histograms of time over value, with fixed bins: what two hours have per bin adds up to the day's.

Bins are named by an integer key that grows with the value. A bounded unit (per cent) has 200 bins of
equal width over its bounds; anything else has the logarithmic bins of DDSketch: C. Masson, J. E. Rim,
H. K. Lee, "DDSketch: A Fast and Fully-Mergeable Quantile Sketch with Relative-Error Guarantees", PVLDB
12 (12), 2019, section 2.1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

Histogram = Mapping[int, int]
"""Milliseconds per bin key; bins without time are left out."""


class Bins(Protocol):
    """A division of the numbers into bins."""

    def key_sql(self, value: str) -> str:
        """SQL for the INTEGER key of the bin that holds ``value``, a finite DOUBLE expression."""

    def keys(self, value: Floats) -> Ints:
        """The same of finite numbers."""

    def representative(self, key: int) -> float:
        """The value that stands for a bin; infinite for the open bins at the ends."""


@dataclass(frozen=True, slots=True)
class LinearBins:
    """200 bins of equal width over [low, high]; -1 holds what is below, 200 what is above.

    A representative is at most half a bin, 0.25 % of the range, from any value in its bin. ValueError
    when the bounds are not two finite numbers in order.
    """

    low: float
    high: float

    COUNT = 200

    def __post_init__(self) -> None:
        if not (math.isfinite(self.high - self.low) and self.low < self.high):
            raise ValueError(f"expected finite bounds, the low one first, got {self.low}, {self.high}")

    def key_sql(self, value: str) -> str:
        low, high = f"'{self.low!r}'::DOUBLE", f"'{self.high!r}'::DOUBLE"
        bin_ = f"floor(({value} - {low}) / ({high} - {low}) * {self.COUNT})"
        return (
            f"CASE WHEN {value} < {low} THEN -1 WHEN {value} > {high} THEN {self.COUNT}"
            f" ELSE least({bin_}, {self.COUNT - 1})::INTEGER END"
        )

    def keys(self, value: Floats) -> Ints:
        with np.errstate(over="ignore"):
            bin_ = (value - self.low) / (self.high - self.low) * self.COUNT
        keys = np.minimum(np.floor(bin_, out=bin_), self.COUNT - 1, out=bin_)
        keys[value < self.low] = -1
        keys[value > self.high] = self.COUNT
        return keys.astype(np.int64)

    def representative(self, key: int) -> float:
        if key < 0:
            return -math.inf
        if key >= self.COUNT:
            return math.inf
        return self.low + (key + 0.5) * (self.high - self.low) / self.COUNT


@dataclass(frozen=True, slots=True)
class LogBins:
    """Bin i holds (γ^(i-1), γ^i], with γ = (1 + α) / (1 - α) and α = 1 %.

    The representative 2γ^i / (γ + 1) is at most α of it from any value in its bin. The key is i + 40000
    for positive values, its negative for negative ones, and 0 for magnitudes below 1e-300, which are
    taken for zero: floats are too coarse there for a relative accuracy.
    """

    ACCURACY = 0.01
    GAMMA = (1 + ACCURACY) / (1 - ACCURACY)
    LN_GAMMA = math.log(GAMMA)
    # Beyond every index that a float can have (-34,539 to 35,488), so that keys keep the order of values.
    OFFSET = 40_000

    def key_sql(self, value: str) -> str:
        index = f"ceil(ln(abs({value})) / '{self.LN_GAMMA!r}'::DOUBLE)::INTEGER"
        return (
            f"CASE WHEN abs({value}) < 1e-300::DOUBLE THEN 0"
            f" ELSE sign({value})::INTEGER * ({index} + {self.OFFSET}) END"
        )

    def keys(self, value: Floats) -> Ints:
        magnitude = np.abs(value)
        is_zero = magnitude < 1e-300
        magnitude[is_zero] = 1
        index = np.log(magnitude) / self.LN_GAMMA
        # Logarithms differ in the last bits from one processor to another; between two bins that matters.
        unsure = np.flatnonzero((np.abs(index - np.rint(index)) < 1e-8) & (magnitude != 1))
        if len(unsure):
            found, where = np.unique(magnitude[unsure], return_inverse=True)
            index[unsure] = np.array([math.log(one) / self.LN_GAMMA for one in found.tolist()])[where]
        keys = np.sign(value).astype(np.int64) * (np.ceil(index).astype(np.int64) + self.OFFSET)
        keys[is_zero] = 0
        return keys

    def representative(self, key: int) -> float:
        if key == 0:
            return 0.0
        exponent = (abs(key) - self.OFFSET) * self.LN_GAMMA + math.log(2 / (self.GAMMA + 1))
        try:
            return math.copysign(math.exp(exponent), key)
        except OverflowError:  # the middle of the last bin is beyond the largest float
            return math.copysign(math.inf, key)


LOG_BINS: Final = LogBins()


def bins_for(bounds: tuple[float, float] | None) -> Bins:
    """Linear bins over the bounds of a bounded unit, logarithmic ones for any other."""
    return LOG_BINS if bounds is None else LinearBins(*map(float, bounds))


def percentile(histogram: Histogram, percent: int, bins: Bins, low: float, high: float) -> float | None:
    """The value that was not exceeded for ``percent`` of the time, within the accuracy of the bins.

    That is the lowest value at or below which at least so much of the time was spent. ``low`` and
    ``high`` are the least and the greatest value seen; the answer lies between them. None when the
    histogram is empty.
    """
    wanted = percent * sum(histogram.values())
    passed = 0
    for key in sorted(histogram):
        passed += 100 * histogram[key]
        if passed >= wanted:
            return min(max(bins.representative(key), low), high)
    return None
