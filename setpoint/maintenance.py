"""Maintenance: planned downtime of hosts, once or every week."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from setpoint.calendars import Calendar
from setpoint.plan_match import Matcher
from setpoint.spans import Span, Spans, merged, overlap, without

HOST_TAGS = ("host", "device")
"""The tags that name what maintenance is done on, and what depends on something."""


@dataclass(frozen=True, slots=True)
class Maintenance:
    """Either once, in ``span``, or again and again, in ``week``.

    It takes out everything of a host or a device that matches: also what a host in maintenance measures of
    others. ``added_ms``: when somebody entered it; None for what the plan says.
    """

    hosts: Matcher
    reason: str
    span: Span | None = None
    week: Calendar | None = None
    added_ms: int | None = None

    def concerns(self, tags: Mapping[str, str]) -> bool:
        """Whether it is done on the subject with these tags, or on what measures it."""
        return any(tag in tags and self.hosts.matches(tags[tag]) for tag in HOST_TAGS)

    def spans(self, start_ms: int, end_ms: int) -> Spans:
        """When it is done in [start_ms, end_ms)."""
        if start_ms >= end_ms:
            return ()
        if self.week is not None:
            return self.week.spans(start_ms, end_ms)
        return overlap(merged([self.span] if self.span else []), ((start_ms, end_ms),))


class Announced(msgspec.Struct, frozen=True, kw_only=True):
    """Maintenance that somebody entered beside the plan. ``hosts`` is a name or a glob; times are UTC
    milliseconds.
    """

    id: int
    hosts: str
    reason: str
    from_ms: int
    to_ms: int
    added_ms: int

    def maintenance(self) -> Maintenance:
        """The same in the form that knows whom it concerns."""
        span = (self.from_ms, self.to_ms)
        return Maintenance(Matcher([self.hosts]), self.reason, span=span, added_ms=self.added_ms)


@dataclass(frozen=True, slots=True)
class Downtime:
    """The maintenance of one subject: when, and the part of that which had passed before anybody said so."""

    spans: Spans = ()
    entered_late: Spans = ()


NO_DOWNTIME = Downtime()


def downtime(
    maintenance: Iterable[Maintenance], tags: Mapping[str, str], start_ms: int, end_ms: int
) -> Downtime:
    """What of [start_ms, end_ms) is maintenance for the subject with these tags."""
    announced: list[Span] = []
    late: list[Span] = []
    for one in maintenance:
        if one.concerns(tags):
            spans = one.spans(start_ms, end_ms)
            added_ms = start_ms if one.added_ms is None else one.added_ms
            late += overlap(spans, ((start_ms, added_ms),)) if added_ms > start_ms else ()
            announced += overlap(spans, ((added_ms, end_ms),)) if added_ms < end_ms else ()
    both = merged([*announced, *late])
    return Downtime(both, without(both, merged(announced))) if both else NO_DOWNTIME
