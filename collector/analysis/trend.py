"""Where a value is heading: a robust line through its days, and when that line reaches a level.

The line is that of H. Theil and P. K. Sen (P. K. Sen, "Estimates of the Regression Coefficient Based on
Kendall's Tau", Journal of the American Statistical Association 63, 1968): the median of the slopes of all
pairs of days. Up to 29 % of the days may be anything without changing it much.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Days = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

LEAST_DAYS: Final = 14
"""Two of each weekday: with fewer, a week's rhythm looks like a trend."""
LEAST_SHARE: Final = 0.7
"""Of the days from the first to the last that have to be measured."""

# 95 % of a normal distribution lie within so many standard deviations.
_CONFIDENCE: Final = 1.96
_NORMAL: Final = 1.4826
# A step is so many times what days differ by otherwise, and no less than this share of all that was seen.
_STEP_SPREADS: Final = 6.0
_STEP_SHARE: Final = 0.1
_BESIDE: Final = 5
_LEAST_BESIDE: Final = 3
"""Five days before and after, but three at least, have to agree that it was a step and not an odd day."""
_WEEKS_FOR_RHYTHM: Final = 3


@dataclass(frozen=True, slots=True)
class Trend:
    """A line: ``level`` on ``last_day``, and ``slope`` a day, which lies between ``slope_low`` and
    ``slope_high`` with 95 % confidence. Days are counted from any day 0. ``step_day`` is the first day after
    the newest step (a clean-up, a migration); what came before it was left out.
    """

    first_day: int
    last_day: int
    days: int
    level: float
    slope: float
    slope_low: float
    slope_high: float
    step_day: int | None


@dataclass(frozen=True, slots=True)
class Reached:
    """In how many days from the trend's last one a level is reached: most likely, at the earliest and at the
    latest, with 95 % confidence; ``latest`` is infinite when it may never be.
    """

    likely: float
    earliest: float
    latest: float


def fit(day: Days, value: Values) -> Trend | str:
    """The trend of a value on each day, in order of days; else why there is none to be told."""
    usable = np.isfinite(value)
    day, value = day[usable], value[usable]
    if len(day) < LEAST_DAYS:
        return f"{len(day)} days were measured, and a trend needs {LEAST_DAYS}"
    value = value - _rhythm(day, value)
    start = _after_last_step(value)
    first_used, used = day[start:], value[start:]
    if len(first_used) < LEAST_DAYS:
        return (
            f"it made a step {len(first_used)} measured days ago, and a trend needs {LEAST_DAYS} since then"
        )
    span = int(first_used[-1] - first_used[0]) + 1
    if len(first_used) < LEAST_SHARE * span:
        return f"only {len(first_used)} of {span} days were measured"
    slope, low, high = _slope(first_used, used)
    level = float(np.median(used - slope * (first_used - first_used[-1])))
    return Trend(
        first_day=int(first_used[0]),
        last_day=int(first_used[-1]),
        days=len(first_used),
        level=level,
        slope=slope,
        slope_low=low,
        slope_high=high,
        step_day=int(first_used[0]) if start else None,
    )


def reaches(trend: Trend, level: float, *, above: bool) -> Reached | None:
    """When the trend reaches the level from below, or for one that is ``above`` False from above; None when
    it is beyond it already, or even at the fastest never comes there.
    """
    sign = 1 if above else -1
    distance = sign * (level - trend.level)
    slopes = sorted((sign * trend.slope_low, sign * trend.slope_high))
    if distance <= 0 or slopes[1] <= 0:
        return None
    return Reached(
        likely=_days_to(distance, sign * trend.slope),
        earliest=_days_to(distance, slopes[1]),
        latest=_days_to(distance, slopes[0]),
    )


def _days_to(distance: float, slope: float) -> float:
    return distance / slope if slope > 0 else math.inf


def _rhythm(day: Days, value: Values) -> Values:
    """For each day what its weekday is off by, as the median of that weekday; nothing without three weeks."""
    if len(day) < 7 * _WEEKS_FOR_RHYTHM:
        return np.zeros(len(day))
    # What is off is told against the days around it, so that a trend is no rhythm.
    around = np.array([np.median(value[max(0, n - 3) : n + 4]) for n in range(len(value))])
    off = value - around
    # At both ends there are days on one side only.
    inner = (day >= day[0] + 3) & (day <= day[-1] - 3)
    found = np.zeros(len(day))
    for weekday in range(7):
        mine = day % 7 == weekday
        counted = off[mine & inner]
        if len(counted) >= _WEEKS_FOR_RHYTHM - 1:
            found[mine] = np.median(counted)
    return found


def _after_last_step(value: Values) -> int:
    """The index of the first day after the newest step; 0 without one."""
    change = np.diff(value)
    usual = float(np.median(change))
    spread = _NORMAL * float(np.median(np.abs(change - usual)))
    low, high = np.quantile(value, [0.02, 0.98])
    least = max(_STEP_SPREADS * spread, _STEP_SHARE * float(high - low))
    for n in np.flatnonzero(np.abs(change - usual) > least)[::-1]:
        before = value[max(0, n + 1 - _BESIDE) : n + 1]
        after = value[n + 1 : n + 1 + _BESIDE]
        # Of an odd day both changes are great, and what is around it is as before.
        if (
            min(len(before), len(after)) >= _LEAST_BESIDE
            and abs(_jump(before, after) - usual * _BESIDE) > least
        ):
            return int(n) + 1
    return 0


def _jump(before: Values, after: Values) -> float:
    return float(np.median(after) - np.median(before))


def _slope(day: Days, value: Values) -> tuple[float, float, float]:
    """Sen's slope with its 95 % interval. Neighbouring days resemble each other, so they count for fewer than
    they are: by the autocorrelation of what the line leaves over.
    """
    n = len(day)
    first, second = np.triu_indices(n, 1)
    slopes = np.sort((value[second] - value[first]) / (day[second] - day[first]))
    slope = float(np.median(slopes))
    rest = value - slope * day
    rest = rest - np.median(rest)
    power = float(np.dot(rest, rest))
    alike = float(np.dot(rest[1:], rest[:-1])) / power if power > 0 else 0.0
    alike = min(max(alike, 0.0), 0.9)
    # Kendall's variance of the number of concordant pairs.
    deviation = math.sqrt(n * (n - 1) * (2 * n + 5) / 18 * (1 + alike) / (1 - alike))
    off = _CONFIDENCE * deviation / 2
    last = len(slopes) - 1
    low = slopes[max(0, math.floor(last / 2 - off))]
    high = slopes[min(last, math.ceil(last / 2 + off))]
    return slope, float(low), float(high)
