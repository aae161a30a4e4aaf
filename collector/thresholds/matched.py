"""Configured thresholds beside what the plan has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from collector.thresholds.found import Configured, FoundThresholds
from setpoint.limits import Comparison
from setpoint.plan import PlanPoint

if TYPE_CHECKING:
    from collector.analysis.review import SubjectReview

Outcome = Literal["agrees", "differs", "no such level", "cannot tell"]
PlannedSeverity = Literal["warning", "critical"]
Place = Literal["matched", "unknown name", "not planned", "no subject", "not comparable"]


@dataclass(frozen=True, slots=True)
class Pairing:
    """A threshold for one subject of a point. ``level`` is what is configured, in the point's unit, ``high``
    whether values above it are bad, None for one that asks for (in)equality. ``severity`` and ``planned`` are
    what the plan has there, None where it has nothing to compare.
    """

    point: PlanPoint
    reviewed: SubjectReview
    level: float
    high: bool | None
    severity: PlannedSeverity | None
    planned: Comparison | None
    outcome: Outcome
    why: str = ""
    any_severity: bool = False
    """Whether its source does not say, in words that are known, how bad it is."""


@dataclass(frozen=True, slots=True)
class Matched:
    """``metric``: what it is called here, or "". ``why``: what keeps it from being paired."""

    threshold: Configured
    place: Place
    metric: str = ""
    why: str = ""
    pairings: Sequence[Pairing] = ()

    @property
    def counts(self) -> bool:
        """Whether it raises alarms now."""
        one = self.threshold
        return one.present and one.enabled and one.role == "raises"


@dataclass(frozen=True, slots=True)
class MatchedThresholds:
    """Everything that was read, and what has come of each threshold."""

    found: FoundThresholds = field(default_factory=FoundThresholds)
    matched: Sequence[Matched] = ()

    def source_names(self) -> list[str]:
        """The names of all sources, in order."""
        return sorted({one.name for one in self.found.sources})

    def is_fresh(self, source: str, at_ms: int) -> bool:
        """Whether every agent that reads the source has read it lately."""
        reads = [one for one in self.found.sources if one.name == source]
        return bool(reads) and all(one.is_fresh(at_ms) for one in reads)

    def is_complete(self, source: str) -> bool:
        """Whether all of the source could be read and understood."""
        return all(one.complete for one in self.found.sources if one.name == source)

    def is_set_by_people(self, source: str) -> bool:
        """Whether it is a tool. A device has limits of its own, which nobody has put there."""
        return any(one.every_ms is not None for one in self.found.sources if one.name == source)


NO_THRESHOLDS = MatchedThresholds()
