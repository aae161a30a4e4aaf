"""What is asked of one device again and again: found out once, then only read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from agent.inputs.snmp.session import Missing, Value
from setpoint.reading import FieldValue
from setpoint.threshold import Matcher, write_subject

Part = Literal["fast", "slow"]
PARTS: tuple[Part, ...] = ("fast", "slow")
_SUBJECT = ("class", "name")
Raw = Mapping[str, Value | Missing | None]
"""What the device answered, by the name that each OID has in its reading."""


@dataclass(frozen=True, slots=True)
class PlannedPoint:
    """One point: the OIDs that it needs, by name, and how they become its fields.

    ``fields`` gives an empty mapping when the device has no usable value now.
    """

    measurement: str
    tags: Mapping[str, str]
    oids: Mapping[str, str]
    fields: Callable[[Raw], Mapping[str, FieldValue]]
    limits: tuple[PlannedLimit, ...] = ()

    def renamed(self, name: str) -> PlannedPoint:
        """The point with another tag ``name``."""
        return replace(self, tags={**self.tags, "name": name})

    def thresholds(self) -> Iterator[PlannedPoint]:
        """The device's own limits of this reading, as points of ``threshold``."""
        for limit in self.limits:
            subject = write_subject(
                Matcher(key, "=", value) for key in _SUBJECT if (value := self.tags.get(key))
            )
            tags = {
                "source": "snmp",
                "rule": limit.rule,
                "subject": subject,
                "metric": f"{self.measurement}.value",
                "comparison": limit.comparison,
                "severity": limit.severity,
            }
            yield PlannedPoint("threshold", tags, limit.oids, limit.fields)


@dataclass(frozen=True, slots=True)
class PlannedLimit:
    """A limit that the device knows of one of its sensors."""

    rule: str
    comparison: str
    severity: str
    oids: Mapping[str, str]
    fields: Callable[[Raw], Mapping[str, FieldValue]]


@dataclass(slots=True)
class DevicePlan:
    """The points of a device: ``fast`` ones (ports, processors, memory) and ``slow`` ones (all others)."""

    fast: list[PlannedPoint] = field(default_factory=list)
    slow: list[PlannedPoint] = field(default_factory=list)

    def part(self, part: Part) -> list[PlannedPoint]:
        return self.fast if part == "fast" else self.slow

    def counts(self) -> Iterator[tuple[str, int]]:
        """(measurement, how many of its points are read), in the order in which they were found."""
        numbers: dict[str, int] = {}
        for point in (*self.fast, *self.slow):
            numbers[point.measurement] = numbers.get(point.measurement, 0) + 1
        yield from numbers.items()
