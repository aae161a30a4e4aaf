"""Whether a level fits what it judges: by a period's statistics alone, so that only what looks wrong is
looked at more closely.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from collector.analysis.review import SubjectReview
from collector.analysis.statistics import Statistics
from setpoint.limits import Comparison
from setpoint.plan import PlanPoint

DAY_MS: Final = 86_400_000
LEAST_DAYS_FAR: Final = 7
"""So long a value is watched before its level is called out of reach."""
LEAST_DAYS_MANY: Final = 1

# A level that is so many times the whole range of what was seen beyond it has nothing to do with the value.
_FAR_RANGES: Final = 10.0
_MANY: Final = 10
_MANY_A_DAY: Final = 1.0
# Beyond its level for most of the time is not "often for a short time"; threshold-breached says it.
_MOST_SHARE: Final = 0.5
# What outlasts its `for` by no more than this has crossed the level and come back.
_SHORT_SPACINGS: Final = 3
_SHORT_MS: Final = 60_000

MisfitKind = Literal["never-near", "too-tight", "flapping"]
LevelName = Literal["critical", "warning"]


@dataclass(frozen=True, slots=True)
class Misfit:
    """A level that does not fit, and how: for ``never-near``, by how much the level is beyond everything seen
    (``beyond``), and what range was seen (``ranged``); both None where the unit's bounds put it out of reach.
    """

    kind: MisfitKind
    level: LevelName
    comparison: Comparison
    beyond: float | None = None
    ranged: float | None = None


def misfit(point: PlanPoint, reviewed: SubjectReview) -> Misfit | None:
    """How a level of the subject does not fit what the statistics show; None where nothing looks wrong."""
    return _too_often(reviewed) or _out_of_reach(point, reviewed)


def days(statistics: Statistics) -> float:
    """For how many days the subject was expected."""
    return statistics.expected_ms / DAY_MS


def levels(reviewed: SubjectReview) -> Iterator[tuple[LevelName, Comparison]]:
    """The levels that the subject has, the worse one first."""
    if reviewed.limits.critical is not None:
        yield "critical", reviewed.limits.critical
    if reviewed.limits.warning is not None:
        yield "warning", reviewed.limits.warning


def is_often_short(reviewed: SubjectReview, level: LevelName) -> bool:
    """Whether there were many episodes, in a small part of the time."""
    shown = reviewed.statistics
    breaches = shown.critical if level == "critical" else shown.warning
    return (
        breaches is not None
        and breaches.episodes >= max(_MANY, _MANY_A_DAY * days(shown))
        and breaches.episode_ms <= _MOST_SHARE * shown.measured_ms
    )


def _too_often(reviewed: SubjectReview) -> Misfit | None:
    shown = reviewed.statistics
    if days(shown) < LEAST_DAYS_MANY:
        return None
    for level, comparison in levels(reviewed):
        breaches = shown.critical if level == "critical" else shown.warning
        if breaches is None or not is_often_short(reviewed, level):
            continue
        short_ms = max(_SHORT_SPACINGS * (reviewed.limits.every_ms or shown.every_ms or 0), _SHORT_MS)
        crossing = breaches.episode_ms / breaches.episodes - comparison.for_ms <= short_ms
        return Misfit("flapping" if crossing else "too-tight", level, comparison)
    return None


def _out_of_reach(point: PlanPoint, reviewed: SubjectReview) -> Misfit | None:
    """The nearest level is what guards first: only where that one is far away nothing is guarded."""
    shown = reviewed.statistics
    if shown.min is None or shown.max is None or days(shown) < LEAST_DAYS_FAR:
        return None
    nearest: Misfit | None = None
    for level, comparison in levels(reviewed):
        found = _far(point, shown, level, comparison)
        if found is None:
            return None
        if nearest is None or (found.beyond is not None and found.beyond <= (nearest.beyond or found.beyond)):
            nearest = found
    return nearest


def _far(point: PlanPoint, shown: Statistics, level: LevelName, comparison: Comparison) -> Misfit | None:
    """The level, where it is far beyond what was seen on each side that it has."""
    assert shown.min is not None
    assert shown.max is not None
    if comparison.high is None and comparison.low is None:
        return None
    if point.bounds is not None:
        low, high = point.bounds
        # Inside the bounds a level is a part of a capacity, and what is far from it is room to spare.
        inside = (comparison.high is not None and comparison.high < high) or (
            comparison.low is not None and comparison.low > low
        )
        seen_outside = shown.min < low or shown.max > high
        return None if inside or seen_outside else Misfit("never-near", level, comparison)
    ranged = shown.max - shown.min
    beyond = min(
        comparison.high - shown.max if comparison.high is not None else float("inf"),
        shown.min - comparison.low if comparison.low is not None else float("inf"),
    )
    if ranged <= 0 or beyond <= _FAR_RANGES * ranged:
        return None
    return Misfit("never-near", level, comparison, beyond, ranged)
