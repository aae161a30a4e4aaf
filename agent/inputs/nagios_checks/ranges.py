"""Ranges as check plugins take them, and the thresholds that they are.

https://www.monitoring-plugins.org/doc/guidelines.html#THRESHOLDFORMAT
"""

from __future__ import annotations

import math
import re
from typing import Final, NamedTuple

from setpoint.threshold import Comparison, Role

_NUMBER: Final = r"[-+]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"(@?)(?:(~|{_NUMBER})?(:))?({_NUMBER})?", re.ASCII)


class NoRange(ValueError):
    """The text is no range; it says why."""


class Range(NamedTuple):
    """An alert is raised for values outside of it, its ends not counted; or, with ``inside``, for those
    within it, its ends counted. ``implied``: it was written as one number, and begins at 0.
    """

    low: float
    high: float
    inside: bool = False
    implied: bool = False


class Bound(NamedTuple):
    comparison: Comparison
    level: float
    role: Role = "raises"


def parse_range(text: str) -> Range:
    """The range that `10`, `10:`, `~:10`, `10:20` or `@10:20` says. NoRange."""
    match = _RANGE.fullmatch(text.strip())
    if match is None or not text.strip("@ "):
        raise NoRange(f'"{text[:60]}" is no range such as 10, 10:, ~:10, 10:20 or @10:20')
    at, start, colon, end = match.groups()
    low = -math.inf if start == "~" else _number(start or "0")
    high = math.inf if end is None else _number(end)
    if low > high:
        raise NoRange(f'"{text[:60]}" ends before it begins')
    return Range(low, high, inside=bool(at), implied=not colon)


def bounds(span: Range) -> list[Bound]:
    """The comparisons that raise an alert; those that `requires` must hold beside the first.

    None of a range without ends: it alerts for nothing, or, with ``inside``, for everything.
    """
    found = []
    if span.inside:
        if math.isfinite(span.low):
            found.append(Bound("at_least", span.low))
        if math.isfinite(span.high):
            found.append(Bound("at_most", span.high, "requires" if found else "raises"))
        return found
    if math.isfinite(span.high):
        found.append(Bound("above", span.high))
    if math.isfinite(span.low):
        found.append(Bound("below", span.low))
    return found


def _number(text: str) -> float:
    # Plugins write the comma of the language that they run in.
    return float(text.replace(",", "."))
