"""The plan: what is to be measured and held, and what for, ready to be asked about series and values."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from setpoint.calendars import Calendar
from setpoint.config import Problem
from setpoint.limits import Limits
from setpoint.maintenance import Maintenance
from setpoint.plan_file import Approval, Objective, Period
from setpoint.plan_match import Where, wants


@dataclass(frozen=True, slots=True)
class PlanPoint:
    """One thing to measure and hold. ``scale`` is a factor on the value, after ``rate``.

    ``bounds`` are those of a bounded unit, in scaled values: 0 to 100 for percent. ``by`` replaces the
    identity tags of the measurement. ``missing_bad``: unmeasured time is bad time. ``definition_hash``
    changes when anything changes that decides how the point is judged; titles, owners and actions do not.
    """

    id: str
    title: str
    objectives: tuple[str, ...]
    measurement: str
    field: str
    unit: str
    metric_class: str
    element: str
    owner: str
    action: str
    rate: bool
    scale: float
    missing_bad: bool
    bounds: tuple[float, float] | None
    by: tuple[str, ...] | None
    min_coverage: float
    definition_hash: str
    where: Where
    expect: Where | None
    limits: Limits
    """What holds where no override matches."""
    overrides: tuple[tuple[Where, Limits], ...]
    percent_of: tuple[str, str] | None = None
    """Measurement and field of the same subject that the value is set against, in per cent."""
    ratio_to: tuple[str, str] | None = None
    """What the metric is divided by, sum by sum. A counter (``rate``) counts with its increases."""
    counter_bits: int | None = None
    """How many bits the counter has, where its wrapping is to be told from a reset."""
    calendar: Calendar | None = None
    """When it is expected and judged; always, without one."""
    raised_by: tuple[str, ...] = ()
    """The sources of thresholds that must have its levels too. How it is judged does not depend on that."""
    horizon_ms: int | None = None
    """How far ahead it is asked whether the trend reaches a level; None where that is not asked."""

    @property
    def metric(self) -> str:
        return f"{self.measurement}.{self.field}"

    def wants(self, tags: Mapping[str, str]) -> bool:
        """Whether the point applies to a series of its metric with these tags."""
        return wants(self.where, tags) and (self.expect is None or wants(self.expect, tags))

    def settings(self, tags: Mapping[str, str]) -> Limits:
        """What holds for a subject with these tags: the first override that matches wins."""
        for where, limits in self.overrides:
            if wants(where, tags):
                return limits
        return self.limits

    def expected_literals(self) -> list[dict[str, str]]:
        """The subjects that ``expect`` names one by one: they must report even if nobody ever saw them.

        Each is a combination of tags, with the literal values of ``where`` added. A tag that only globs
        or exclusions describe is left out: any subject that the point wants and that has the other tags
        will do. Empty without ``expect``, or when it names nothing.
        """
        return self.expected_hosts(())

    def expected_hosts(self, known_hosts: Iterable[str]) -> list[dict[str, str]]:
        """The same, with what ``expect`` says of ``host`` found among the names of known agents too."""
        named: dict[str, list[str]] = {}
        expect = self.expect or ()
        for tag, matcher in expect:
            values = matcher.literals()
            if tag == "host":
                values += sorted({host for host in known_hosts if matcher.matches(host)} - {*values})
            if values:
                named[tag] = values
        if not named:
            return []
        for tag, matcher in self.where:
            if tag not in named and (values := matcher.literals()):
                named[tag] = values
        combinations = (
            dict(zip(named, values, strict=True)) for values in itertools.product(*named.values())
        )
        asked = [(tag, matcher) for tag, matcher in (*self.where, *expect) if tag in named]
        return [tags for tags in combinations if wants(asked, tags)]


@dataclass(frozen=True, slots=True)
class Plan:
    """One revision of the plan. ``hash`` is of the file's bytes, ``text`` the file as it was read.

    ``hints`` are what is allowed and yet looks like a slip.
    """

    title: str
    revision: int
    hash: str
    text: str
    approved: Approval | None
    site: str
    timezone: str
    review: Period
    min_coverage: float
    objectives: tuple[Objective, ...]
    points: tuple[PlanPoint, ...]
    maintenance: tuple[Maintenance, ...] = ()
    depends_on: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """For hosts and devices, by name, what they are behind: masked while all of that is silent."""
    hints: tuple[Problem, ...] = ()
