"""What ``plan.yaml`` can say: its keys, and what of their values can be checked one by one."""

from __future__ import annotations

import datetime
import zoneinfo
from typing import Annotated, Literal, get_args

import msgspec

from setpoint.config import suggest
from setpoint.limits import Comparison, Share, Statistic, Target
from setpoint.plan_match import Pattern, is_glob
from setpoint.topics import NAME_EXPECTED, is_name
from setpoint.units import Duration

Period = Literal["day", "week", "month", "quarter", "year"]
Found = list[tuple[str, str]]
"""Problems: path below the struct, message."""


class Condition(msgspec.Struct, kw_only=True):
    """Which values are meant: exactly one of the five."""

    above: float | None = None
    below: float | None = None
    outside: tuple[float, float] | None = None
    equals: float | None = None
    not_equals: float | None = None

    def comparison(self) -> Comparison:
        """The condition in the form that judges values."""
        low, high = self.outside or (self.below, self.above)
        return Comparison(high=high, low=low, equal=self.equals, unequal=self.not_equals)

    def problems(self) -> Found:
        found = _exactly_one(self, "above", "below", "outside", "equals", "not_equals")
        if self.outside is not None and self.outside[0] >= self.outside[1]:
            found.append(("outside", "expected the low level first, then a higher one"))
        return found


class Level(Condition, kw_only=True):
    """``for``: how long a breach lasts before it counts. ``clear``: the level at which it is over."""

    for_: Duration = msgspec.field(default=Duration(0), name="for")
    clear: float | None = None

    def comparison(self) -> Comparison:
        return msgspec.structs.replace(super().comparison(), for_ms=int(self.for_), clear=self.clear)

    def problems(self) -> Found:
        found = super().problems()
        if self.clear is None or found:
            return found
        if self.above is not None and self.clear > self.above:
            found.append(("clear", f"expected at most the level above, {self.above:g}, got {self.clear:g}"))
        elif self.below is not None and self.clear < self.below:
            found.append(("clear", f"expected at least the level below, {self.below:g}, got {self.clear:g}"))
        elif self.above is None and self.below is None:
            found.append(("clear", "goes with above or below only"))
        return found


class Bound(msgspec.Struct, kw_only=True):
    at_most: float | None = None
    at_least: float | None = None

    def problems(self) -> Found:
        return _exactly_one(self, "at_most", "at_least")


class ShareBound(msgspec.Struct, kw_only=True):
    at_most: Share | None = None
    at_least: Share | None = None

    def problems(self) -> Found:
        return _exactly_one(self, "at_most", "at_least")


class TimeBound(msgspec.Struct, kw_only=True):
    at_most: Duration | None = None
    at_least: Duration | None = None

    def problems(self) -> Found:
        return _exactly_one(self, "at_most", "at_least")


class Targets(msgspec.Struct, kw_only=True):
    """What the period's statistics must come to; all that are given."""

    mean: Bound | None = None
    min: Bound | None = None
    max: Bound | None = None
    p50: Bound | None = None
    p95: Bound | None = None
    p99: Bound | None = None
    availability: ShareBound | None = None
    breach_share: ShareBound | None = None
    breach_time: TimeBound | None = None

    def targets(self) -> tuple[Target, ...]:
        """The targets that are given, in the order of the statistics; ``breach_time`` in seconds."""
        found = []
        for statistic in get_args(Statistic):
            bound: Bound | ShareBound | TimeBound | None = getattr(self, statistic)
            if bound is not None:
                low, high = _number(bound.at_least), _number(bound.at_most)
                found.append(Target(statistic=statistic, at_most=high, at_least=low))
        return tuple(found)

    def problems(self) -> Found:
        if self.targets():
            return []
        return [("", "expected at least one statistic, such as p95 or availability")]


class Override(msgspec.Struct, kw_only=True):
    """What holds instead, where the tags match. Keys that are not given stay; ``null`` takes away."""

    where: dict[str, Pattern]
    warning: Level | msgspec.UnsetType | None = msgspec.UNSET
    critical: Level | msgspec.UnsetType | None = msgspec.UNSET
    good: Condition | msgspec.UnsetType | None = msgspec.UNSET
    target: Targets | msgspec.UnsetType | None = msgspec.UNSET
    every: Duration | msgspec.UnsetType | None = msgspec.UNSET

    def problems(self) -> Found:
        found = _not_zero("every", self.every)
        if all(getattr(self, key) is msgspec.UNSET for key in self.__struct_fields__ if key != "where"):
            found.append(("", "expected at least one of warning, critical, good, target, every"))
        return found


class PointEntry(msgspec.Struct, kw_only=True):
    """One entry of ``points``: what is measured, of whom, and what is held."""

    id: str
    title: str = ""
    for_: tuple[str, ...] = msgspec.field(default=(), name="for")
    metric: str
    where: dict[str, Pattern] = {}
    by: tuple[str, ...] | None = None
    expect: dict[str, Pattern] | None = None
    as_: Literal["rate"] | None = msgspec.field(default=None, name="as")
    scale: float = 1.0
    unit: str = ""
    bounded: tuple[float, float] | None = None
    class_: Literal["technical", "process", "service"] | None = msgspec.field(default=None, name="class")
    element: Literal["people", "resource", "technology", "process"] | None = None
    warning: Level | None = None
    critical: Level | None = None
    good: Condition | None = None
    missing: Literal["bad"] | None = None
    target: Targets | None = None
    overrides: tuple[Override, ...] = ()
    owner: str = ""
    action: str = ""
    min_coverage: Share | None = None

    @property
    def every(self) -> Duration | None:
        """How often is expected; None when the plan does not say."""
        text = (self.expect or {}).get("every")
        return Duration.parse(text) if isinstance(text, str) else None

    def problems(self) -> Found:
        found = _name("id", self.id)
        measurement, dot, field = self.metric.partition(".")
        if not (measurement and dot and field):
            found.append(
                ("metric", f'expected measurement.field, such as cpu.usage_active, got "{self.metric}"')
            )
        if self.scale == 0:
            found.append(("scale", "expected a number other than 0"))
        if self.bounded is not None and self.bounded[0] >= self.bounded[1]:
            found.append(("bounded", "expected the low bound first, then a higher one"))
        if self.by == ():
            found.append(("by", "expected at least one tag, got an empty list"))
        if self.expect is not None and "every" in self.expect:
            try:
                found += _not_zero("expect.every", self.every)
            except ValueError:
                found.append(("expect.every", f'expected {Duration.expected}, got "{self.expect["every"]}"'))
            if not isinstance(self.expect["every"], str):
                found.append(("expect.every", f"expected {Duration.expected}"))
        return found


class Objective(msgspec.Struct, frozen=True, kw_only=True):
    """Why something is measured: what the service has to do for whom."""

    id: str
    title: str
    service: str = ""

    def problems(self) -> Found:
        return _name("id", self.id)


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """Who approved the revision, and when."""

    by: str
    on: datetime.date


class PlanFile(msgspec.Struct, kw_only=True):
    """The plan as it is written."""

    plan: str
    revision: Annotated[int, msgspec.Meta(ge=0)]
    approved: Approval | None = None
    site: str = ""
    timezone: str = "UTC"
    review: Period = "month"
    min_coverage: Share = Share(0.9)
    objectives: tuple[Objective, ...] = ()
    groups: dict[str, Pattern] = {}
    points: tuple[PointEntry, ...] = ()

    def problems(self) -> Found:
        found = _name("site", self.site) if self.site else []
        try:
            zoneinfo.ZoneInfo(self.timezone)
        except (KeyError, ValueError, OSError):
            near = suggest(self.timezone, zoneinfo.available_timezones()) if self.timezone else ""
            hint = near if "did you mean" in near else ", expected one such as Asia/Shanghai"
            found.append(("timezone", f'unknown time zone "{self.timezone}"{hint}'))
        for name in self.groups:
            if is_glob(name) or not name:
                found.append(("groups", f'expected a group name without *, ? and [, got "{name}"'))
        return found


def _exactly_one(struct: msgspec.Struct, *keys: str) -> Found:
    given = [key for key in keys if getattr(struct, key) is not None]
    if len(given) == 1:
        return []
    return [("", f"expected exactly one of {', '.join(keys)}, got {' and '.join(given) or 'none'}")]


def _not_zero(key: str, duration: Duration | msgspec.UnsetType | None) -> Found:
    return [(key, "expected more than 0s")] if isinstance(duration, int) and duration == 0 else []


def _name(key: str, name: str) -> Found:
    return [] if is_name(name) else [(key, f'expected {NAME_EXPECTED}, got "{name}"')]


def _number(value: float | None) -> float | None:
    """A plain float; a Duration in seconds."""
    return value.seconds if isinstance(value, Duration) else None if value is None else float(value)
