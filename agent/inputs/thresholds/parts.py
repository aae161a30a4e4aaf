"""What an alert's expression comes to: comparisons with a number, and what has none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from agent.inputs.thresholds.arithmetic import Affine, take_out
from agent.inputs.thresholds.found import Found, FoundThreshold, NoThreshold
from agent.inputs.thresholds.spelling import has_series
from agent.inputs.thresholds.tree import Binary, Node, Number
from setpoint.threshold import Comparison, Matcher, Reason, Role, mirrored

CHOOSING: Final[frozenset[Reason]] = frozenset({"no comparison", "always", "no data"})
"""What compares nothing for one of these reasons only chooses what else is judged."""


class Level(NamedTuple):
    """One comparison with a number. ``possible``: False where a constant beside it switches it off."""

    metric: str
    subject: frozenset[Matcher]
    comparison: Comparison
    level: float
    window_s: float | None
    for_s: float = 0.0
    role: Role = "raises"
    possible: bool = True


class Without(NamedTuple):
    """A part that has no number to compare with."""

    reason: Reason
    detail: str


Part = Level | Without


class Measured(NamedTuple):
    """What is measured in a comparison, and the number that it is then compared with."""

    core: Node
    comparison: Comparison
    level: float


def reason_of(part: Part) -> str:
    """Why the part has no number; "" for one that has."""
    return part.reason if isinstance(part, Without) else ""


def isolate(left: Node, right: Node, comparison: Comparison) -> Measured | None:
    """The comparison with all constants on its right; None where two things measured are compared.

    ``left`` is no number; both are folded.
    """
    if isinstance(right, Number):
        return _measured(take_out(left), right.value, comparison)
    one, other = take_out(left), take_out(right)
    if not has_series(one.core):
        one, other, comparison = other, one, mirrored(comparison)
    if has_series(other.core) or one.scale != other.scale:
        return None
    # x < time() - 3600 asks whether x - time() is below -3600.
    core = Binary("-", one.core, other.core)
    return _measured(Affine(core, one.scale, one.offset), other.offset, comparison)


def _measured(affine: Affine, value: float, comparison: Comparison) -> Measured:
    return Measured(
        affine.core,
        comparison if affine.scale > 0 else mirrored(comparison),
        (value - affine.offset) / affine.scale,
    )


def found_in(
    parts: Sequence[Part],
    rule: str,
    severity: str,
    expression: str,
    *,
    for_s: float = 0.0,
    enabled: bool = True,
) -> list[Found]:
    """The parts of a rule's expression, as what an input finds. ``for_s``: the rule's own."""
    conditions = sum(isinstance(part, Level) for part in parts) - 1

    def found(part: Part) -> Found:
        if isinstance(part, Without):
            return NoThreshold(rule, part.reason, part.detail, severity, enabled)
        return FoundThreshold(
            rule=rule,
            metric=part.metric,
            comparison=part.comparison,
            level=part.level,
            subject=sorted(part.subject),
            severity=severity,
            for_s=for_s + part.for_s,
            enabled=enabled and part.possible,
            role=part.role,
            window_s=part.window_s,
            conditions=conditions,
            expression=expression,
        )

    return [found(part) for part in parts]
