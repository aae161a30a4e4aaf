"""What was read of thresholds that are configured in tools and devices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from setpoint.threshold import Comparison, Matcher, Role

# A source that says nothing of itself, such as a device: how old its newest threshold may be.
_PATIENCE_WITHOUT_EVERY_MS = 3_600_000
_TURNS = 3
_LEAST_PATIENCE_MS = 90_000


@dataclass(frozen=True, slots=True)
class Configured:
    """One threshold in the words and the unit of its source. ``agent``: who read it. ``present``: it was
    there when its source was read last. ``matchers`` are None where the tag ``subject`` cannot be read.
    """

    source: str
    agent: str
    rule: str
    metric: str
    subject: str
    matchers: tuple[Matcher, ...] | None
    comparison: Comparison
    severity: str
    role: Role
    level: float
    for_s: float
    enabled: bool
    present: bool
    first_ms: int
    last_ms: int


@dataclass(frozen=True, slots=True)
class Without:
    """A rule that has no threshold, and why."""

    source: str
    agent: str
    rule: str
    reason: str
    severity: str
    present: bool


@dataclass(frozen=True, slots=True)
class SourceRead:
    """What reading a source came to, last time. ``every_ms`` is None where it does not say how often it is
    read. ``complete``: all of it could be read and understood.
    """

    name: str
    agent: str
    last_ms: int
    every_ms: int | None
    rules: int
    complete: bool

    def is_fresh(self, at_ms: int) -> bool:
        """Whether what is known of it still holds at this time."""
        patience = _PATIENCE_WITHOUT_EVERY_MS
        if self.every_ms is not None:
            patience = max(_TURNS * self.every_ms, _LEAST_PATIENCE_MS)
        return at_ms - self.last_ms <= patience


@dataclass(frozen=True, slots=True)
class FoundThresholds:
    """Everything that was read."""

    thresholds: Sequence[Configured] = ()
    without: Sequence[Without] = ()
    sources: Sequence[SourceRead] = ()
