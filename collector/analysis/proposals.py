"""A level and a ``for`` that fit a subject's own history. ``docs/proposals.md`` says how they are found."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from collector.analysis.replay import History, Runs, Values, episodes, runs
from collector.analysis.usual import usual_reaches
from collector.analysis.windows import Levels
from setpoint.limits import Comparison

_DAY_MS: Final = 86_400_000
_MINUTE_MS: Final = 60_000

LEAST_DAYS: Final = 7
"""With fewer days there is no telling what a usual day is, nor a usual weekend."""
LEAST_MEASURED: Final = 0.5
"""Of the time between the first and the last sample."""

# What an alarm is for is the exception: about one a week in a month, one a month in the long run, and seldom.
_LEAST_BUDGET: Final = 4
_MOST_SHARE: Final = 0.01
# What is less far from the usual than this is what days differ by anyway.
_CLEAR_SPREADS: Final = 2.0
_FAR_SPREADS: Final = 4.0
# The lowest peak that is kept is this much farther from the usual than the level, so that a slightly other
# month has the same episodes.
_CLEAR_GAP: Final = 1.05
# A longer `for` sees short exceptions no more: it has to keep so many times as many.
_WORTH_WAITING: Final = 2
_HOLDS_MS: Final = tuple(
    minutes * _MINUTE_MS for minutes in (1, 2, 3, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240)
)
_EACH: Final = 100
"""So many levels are tried among the values of the top hundredth, and among those below it."""
_LISTED: Final = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """The episodes that a setting would have had; ``longest`` lists at most 20 of them, in order of time."""

    episodes: int
    total_ms: int
    longest_ms: int
    longest: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A setting, and what it would have done in [start_ms, end_ms) beside the present one.

    ``usual`` is the value that a usual day reaches for as long as the setting's ``for``; None where the level
    is the present one.
    """

    comparison: Comparison
    start_ms: int
    end_ms: int
    present: Outcome
    proposed: Outcome
    usual: float | None


def levels_of(comparison: Comparison) -> Levels:
    """The condition as the arithmetic takes it."""
    return Levels(comparison.high, comparison.low, comparison.equal, comparison.unequal, comparison.for_ms)


def outcome(history: History, comparison: Comparison) -> Outcome:
    """What the setting would have done."""
    return _outcome(episodes(history, levels_of(comparison)))


def suffices(history: History) -> bool:
    """Whether there is enough of it for a proposal."""
    return history.span_ms >= LEAST_DAYS * _DAY_MS and history.measured_ms >= LEAST_MEASURED * history.span_ms


def budget(span_ms: int) -> int:
    """How many episodes a setting may have had in so much time."""
    return max(_LEAST_BUDGET, round(span_ms / (30 * _DAY_MS)))


def propose_hold(history: History, present: Comparison) -> Proposal | None:
    """The present level with the shortest ``for`` that leaves no more episodes than the budget allows; the
    long ones stay. None when the history is too short, or no ``for`` of up to four hours does it.
    """
    if not suffices(history):
        return None
    found = runs(history, levels_of(present))
    lengths = found[:, 1] - found[:, 0]
    for for_ms in _holds(history.every_ms):
        if for_ms > present.for_ms and np.count_nonzero(lengths >= for_ms) <= budget(history.span_ms):
            return _proposal(history, present, _with(present, for_ms=for_ms), None)
    return None


def propose_level(history: History, present: Comparison, zone_ms: int = 0) -> Proposal | None:
    """The most sensitive level, with its ``for``, that stays above what usual days reach and within the
    budget. ``zone_ms`` is what local time is ahead of UTC: days and weekdays are the local ones.

    None when the history is too short, the value never changed, or the present setting has neither one level
    above nor one below.
    """
    if (present.high is None) == (present.low is None) or not suffices(history):
        return None
    sign = 1 if present.high is not None else -1
    # Everything below looks for a level above; below is the same upside down.
    upright = History(history.begins, history.ends, sign * history.value, history.every_ms)
    if upright.value.min() == upright.value.max():
        return None
    best = _best(upright, zone_ms)
    level = sign * best.level
    changed = Comparison(
        high=level if sign > 0 else None, low=level if sign < 0 else None, for_ms=best.for_ms
    )
    return _proposal(history, present, changed, sign * best.usual)


@dataclass(frozen=True, slots=True)
class _Candidate:
    level: float
    for_ms: int
    usual: float
    kept: int
    clear: int
    """How many of the kept are far from what days differ by."""


def _best(history: History, zone_ms: int) -> _Candidate:
    """The candidate with the shortest ``for``, unless nothing stands out with it, or a longer one keeps more,
    and far more that are clear.
    """
    best: _Candidate | None = None
    for candidate in _candidates(history, zone_ms):
        if best is None or (
            candidate.kept > best.kept
            and (best.kept == 0 or candidate.clear >= _WORTH_WAITING * max(best.clear, 1))
        ):
            best = candidate
    assert best is not None  # there is always one without a `for`
    return best


def _candidates(history: History, zone_ms: int) -> Iterator[_Candidate]:
    """One per ``for``, the shortest first: the lowest level that comes into question with it."""
    reaches = usual_reaches(history, (0, *_holds(history.every_ms)), zone_ms)
    tried = _levels(history.value, min(usual for usual, _ in reaches.values()))
    lengths = [each[:, 1] - each[:, 0] for each in (runs(history, Levels(high=level)) for level in tried)]
    most_ms = _MOST_SHARE * history.measured_ms
    allowed = budget(history.span_ms)
    for hold, (usual, spread) in reaches.items():
        floor = usual + _CLEAR_SPREADS * spread
        top = float(tried[0])
        sure = chosen = _Candidate(_roundest(max(top, floor), max(top, floor) + spread), hold, usual, 0, 0)
        # From the top down, to the first level that says too much. What is above a plateau of equal counts
        # is the lowest peak that it keeps.
        peak, kept, clear = top, 0, 0
        for above, level, each in zip(tried, tried[1:], lengths[1:], strict=False):
            lasting = each[each >= hold]
            if above <= floor or len(lasting) > allowed or lasting.sum() > most_ms:
                break
            former = kept
            if len(lasting) != kept:
                peak, kept = float(above), len(lasting)
                clear = kept if above > usual + _FAR_SPREADS * spread else clear
            low = max(float(level), floor)
            if kept and peak - usual >= _CLEAR_GAP * (low - usual):
                chosen = _Candidate(_roundest(low, peak), hold, usual, kept, clear)
                sure = _Candidate(float(above), hold, usual, former, min(former, clear))
        # Of a long history not every level is tried, and between two that are anything may be.
        found = outcome(history, Comparison(high=chosen.level, for_ms=hold)) if chosen.kept else None
        yield sure if found and (found.episodes > allowed or found.total_ms > most_ms) else chosen


def _levels(value: Values, floor: float) -> Values:
    """The levels to try, the highest first: values that occur, from the highest down to the floor."""
    occurring = np.unique(value)[::-1]
    occurring = occurring[occurring >= floor]
    rare = occurring[occurring >= np.quantile(value, 1 - _MOST_SHARE)]
    common = occurring[len(rare) :]
    return np.concatenate([_spaced(rare), _spaced(common)])


def _spaced(values: Values) -> Values:
    if len(values) <= _EACH:
        return values
    return values[np.unique(np.linspace(0, len(values) - 1, _EACH).round().astype(np.int64))]


def _roundest(low: float, high: float) -> float:
    """The number in [low, high) with the fewest digits, the middle one of several."""
    if not low < high:
        return low
    middle = low + (high - low) / 2
    step = 10.0 ** math.floor(math.log10(high - low) + 1)
    while step > 0 and math.isfinite(step):
        for size in (step, step / 2):
            rounded = float(f"{round(middle / size) * size:.12g}")
            if low <= rounded < high:
                return rounded
        step /= 10
    return low


def _holds(every_ms: int) -> list[int]:
    """What a ``for`` may be: round, and at least two samples long."""
    return [hold for hold in _HOLDS_MS if hold >= 2 * every_ms]


def _with(comparison: Comparison, *, for_ms: int) -> Comparison:
    return Comparison(
        high=comparison.high,
        low=comparison.low,
        equal=comparison.equal,
        unequal=comparison.unequal,
        clear=comparison.clear,
        for_ms=for_ms,
    )


def _proposal(history: History, present: Comparison, changed: Comparison, usual: float | None) -> Proposal:
    return Proposal(
        comparison=changed,
        start_ms=int(history.begins[0]),
        end_ms=int(history.ends[-1]),
        present=outcome(history, present),
        proposed=outcome(history, changed),
        usual=usual,
    )


def _outcome(found: Runs) -> Outcome:
    lengths = found[:, 1] - found[:, 0]
    longest = np.sort(np.argsort(-lengths, kind="stable")[:_LISTED])
    return Outcome(
        episodes=len(found),
        total_ms=int(lengths.sum()),
        longest_ms=int(lengths.max(initial=0)),
        longest=tuple((int(start), int(end)) for start, end in found[longest]),
    )
