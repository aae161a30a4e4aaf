"""The operators of a comparison, as the nodes of a tree write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from setpoint.threshold import Comparison

COMPARING: Final[Mapping[str, Comparison]] = {
    ">": "above",
    ">=": "at_least",
    "<": "below",
    "<=": "at_most",
    "==": "equals",
    "!=": "not_equals",
}
"""What each asks of its left side."""

INVERSE: Final[Mapping[str, str]] = {">": "<=", ">=": "<", "<": ">=", "<=": ">", "==": "!=", "!=": "=="}
"""What holds where the other does not."""

MIRRORED: Final[Mapping[str, str]] = {">": "<", ">=": "<=", "<": ">", "<=": ">=", "==": "==", "!=": "!="}
"""The same with the sides exchanged."""


def compare(operator: str, left: float, right: float) -> bool:
    """What the comparison of two numbers gives."""
    return {
        ">": left > right,
        ">=": left >= right,
        "<": left < right,
        "<=": left <= right,
        "==": left == right,
        "!=": left != right,
    }[operator]
