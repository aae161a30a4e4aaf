"""What ``plan.yaml`` can say: its keys, and what of their values can be checked one by one."""

from __future__ import annotations

import datetime
import zoneinfo
from typing import Annotated, Literal, get_args

import msgspec

from setpoint.calendars import LocalTime, Times, Weekly
from setpoint.config import suggest
from setpoint.limits import Comparison, Share, Statistic, Target
from setpoint.plan_match import Pattern, is_glob
from setpoint.topics import NAME_EXPECTED, is_name
from setpoint.units import Duration

Period = Literal["day", "week", "month", "quarter", "year"]
Found = list[tuple[str, str]]
"""Problems: path below the struct, message."""

RATIO_IS_OF_A_PERIOD = "does not go with ratio, which is judged over a period only: set target.mean"


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


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the trend reaches the level within ``horizon`` from now."""

    horizon: Duration = Duration(90 * 86_400_000)

    def problems(self) -> Found:
        return _not_zero("horizon", self.horizon)


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """Over a period, the sum of one field by the sum of another; both come in the same lines."""

    of: str
    to: str

    def problems(self) -> Found:
        found = _metric("of", self.of) + _metric("to", self.to)
        if not found and self.of == self.to:
            found.append(("to", f"expected another field than that of `of`, {self.of}"))
        elif not found and self.of.partition(".")[0] != self.to.partition(".")[0]:
            found.append(("to", f'expected a field of the same measurement as {self.of}, got "{self.to}"'))
        return found


class PointEntry(msgspec.Struct, kw_only=True):
    """One entry of ``points``: what is measured, of whom, and what is held. ``raised_by``: the tools, by the
    name of their source, that must have its thresholds too. ``capacity``: how far ahead its trend is looked
    at; of a resource in per cent 90 days, unless this is ``null``.
    """

    id: str
    title: str = ""
    for_: tuple[str, ...] = msgspec.field(default=(), name="for")
    metric: str | None = None
    ratio: Ratio | None = None
    where: dict[str, Pattern] = {}
    by: tuple[str, ...] | None = None
    expect: dict[str, Pattern] | None = None
    as_: Literal["rate"] | None = msgspec.field(default=None, name="as")
    counter: Literal[32] | None = None
    scale: float = 1.0
    percent_of: str | None = None
    when: str | None = None
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
    raised_by: tuple[str, ...] = ()
    capacity: Capacity | msgspec.UnsetType | None = msgspec.UNSET
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
        found += _exactly_one(self, "metric", "ratio")
        if self.metric is not None:
            found += _metric("metric", self.metric)
        found += self._problems_with_others()
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

    def _problems_with_others(self) -> Found:
        """What is wrong in the keys that say how a value comes about from several."""
        found: Found = []
        if self.counter is not None and self.as_ != "rate":
            found.append(("counter", "goes with as: rate only"))
        if self.percent_of is not None:
            malformed = _metric("percent_of", self.percent_of)
            found += malformed
            measurement = (self.metric or "").partition(".")[0]
            if self.ratio is not None:
                found.append(("percent_of", "goes with metric only; of a ratio, scale: 100 makes per cent"))
            elif not malformed and self.by is None and self.percent_of.partition(".")[0] != measurement:
                message = f"expected a field of {measurement}, or `by` with the tags that both have"
                found.append(("percent_of", message))
        if self.ratio is not None:
            for key in ("warning", "critical", "good", "missing"):
                if getattr(self, key) is not None:
                    found.append((key, RATIO_IS_OF_A_PERIOD))
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


class CalendarEntry(msgspec.Struct, kw_only=True):
    """Times that count, in the plan's time zone. ``extra``: what holds on a date instead, holiday or not."""

    weekly: Weekly
    holidays: tuple[datetime.date, ...] = ()
    extra: dict[str, Times] = {}

    def days(self) -> dict[datetime.date, Times]:
        """``extra`` by its dates."""
        return {datetime.date.fromisoformat(day): times for day, times in self.extra.items()}

    def problems(self) -> Found:
        found: Found = []
        for day in self.extra:
            try:
                datetime.date.fromisoformat(day)
            except ValueError:
                found.append((f"extra.{day}", "expected a date such as 2026-10-10"))
        return found


class MaintenanceEntry(msgspec.Struct, kw_only=True):
    """Planned downtime of hosts or devices: once, ``from`` and ``to``, or ``weekly``."""

    hosts: Pattern
    reason: str
    from_: LocalTime | None = msgspec.field(default=None, name="from")
    to: LocalTime | None = None
    weekly: Weekly | None = None

    def problems(self) -> Found:
        found: Found = []
        if not self.reason.strip():
            found.append(("reason", "expected a reason"))
        once = self.from_ is not None and self.to is not None
        if (self.from_ is None) != (self.to is None) or once == (self.weekly is not None):
            found.append(("", "expected from and to, or weekly"))
        if self.from_ and self.to and self.from_.wall() >= self.to.wall():
            found.append(("to", f"expected a time after from, {self.from_}, got {self.to}"))
        return found


class HostEntry(msgspec.Struct, kw_only=True):
    """What is known of a host or device."""

    depends_on: tuple[str, ...] = ()


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
    hosts: dict[str, HostEntry] = {}
    calendars: dict[str, CalendarEntry] = {}
    maintenance: tuple[MaintenanceEntry, ...] = ()
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


def _metric(key: str, text: str) -> Found:
    measurement, dot, field = text.partition(".")
    if measurement and dot and field:
        return []
    return [(key, f'expected measurement.field, such as cpu.usage_active, got "{text}"')]


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
