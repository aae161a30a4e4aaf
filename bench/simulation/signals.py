"""What healthy and faulty things look like over time, as columns."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Times = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
OFFSET_MS = 8 * HOUR_MS
"""The fleet's time zone, Asia/Shanghai, which has no daylight-saving time."""


@dataclass(slots=True)
class Signal:
    """One series. ``time_ms`` and ``value`` have one entry per sample."""

    measurement: str
    tags: dict[str, str]
    field: str
    time_ms: Times
    value: Values
    every_ms: int
    counts: bool = False
    """Whether it is a counter or a state, which is written as an integer."""

    def keep(self, wanted: npt.NDArray[np.bool_]) -> None:
        """Loses all samples but these."""
        self.time_ms, self.value = self.time_ms[wanted], self.value[wanted]

    def during(self, start_ms: float, end_ms: float) -> npt.NDArray[np.bool_]:
        """Which samples lie in [start_ms, end_ms)."""
        return (self.time_ms >= start_ms) & (self.time_ms < end_ms)


@dataclass(slots=True)
class Rhythm:
    """A level with a daily and a weekly rhythm: ``night`` and ``day`` are its usual values, ``weekend`` the
    part of the daily rise that weekends have, ``noise`` the standard deviation of a noise whose neighbours
    resemble each other.
    """

    night: float
    day: float
    noise: float
    weekend: float = 0.3
    peak_hour: float = 14.0


@dataclass(slots=True)
class Clock:
    """The simulated month, and the grids on which agents measure."""

    start_ms: int
    days: int
    random: np.random.Generator = field(repr=False)

    @property
    def end_ms(self) -> int:
        return self.start_ms + self.days * DAY_MS

    def grid(self, every_ms: int) -> Times:
        """Samples every so often, at an offset of their own, each a little late now and then."""
        offset = int(self.random.integers(0, every_ms))
        times = np.arange(self.start_ms + offset, self.end_ms, every_ms, dtype=np.int64)
        return times + self.random.integers(0, max(1, every_ms // 100), len(times))

    def at(self, day: float) -> int:
        """The time so many days after the start, UTC milliseconds; whole days begin at local midnight."""
        return self.start_ms + round(day * DAY_MS)


def hours_of_day(time_ms: Times) -> Values:
    """The local hour, 0 to 24."""
    return ((time_ms + OFFSET_MS) % DAY_MS) / HOUR_MS


def is_weekend(time_ms: Times) -> npt.NDArray[np.bool_]:
    # 1970-01-01 was a Thursday.
    return ((time_ms + OFFSET_MS) // DAY_MS + 3) % 7 >= 5


def rhythmic(random: np.random.Generator, time_ms: Times, rhythm: Rhythm) -> Values:
    """Values with the rhythm. The noise is clipped at three standard deviations, as a busy machine's is."""
    day = np.exp(-(((hours_of_day(time_ms) - rhythm.peak_hour) / 4.5) ** 2))
    share = np.where(is_weekend(time_ms), rhythm.weekend, 1.0)
    level = rhythm.night + (rhythm.day - rhythm.night) * day * share
    return level + np.clip(smooth_noise(random, len(time_ms)), -3, 3) * rhythm.noise


def smooth_noise(random: np.random.Generator, count: int, memory: int = 10) -> Values:
    """Noise of mean 0 and standard deviation 1 that lasts for about ``memory`` samples."""
    kernel = np.exp(-np.arange(4 * memory) / memory)
    noise = np.convolve(random.standard_normal(count + len(kernel) - 1), kernel, mode="valid")
    return noise / np.sqrt(np.sum(kernel**2))


def counter_of(rate_per_s: Values, time_ms: Times, *, first: float = 0.0) -> Values:
    """The counter that grows at these rates, as whole numbers."""
    seconds = np.diff(time_ms, prepend=time_ms[0]) / 1000
    return np.floor(first + np.cumsum(np.maximum(rate_per_s, 0) * seconds))
