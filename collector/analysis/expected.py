"""When a subject is expected: in its calendar, not in maintenance, and not behind something silent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from setpoint.calendars import Calendar
from setpoint.maintenance import HOST_TAGS, NO_DOWNTIME, Maintenance, downtime
from setpoint.spans import Spans, length_ms, merged, overlap, without


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """How much of a window is not expected, and why, in milliseconds. What several reasons leave out counts
    for the first of them.
    """

    outside_ms: int = 0
    """Outside the calendar."""
    maintenance_ms: int = 0
    maintenance_late_ms: int = 0
    """The part of ``maintenance_ms`` that had passed when the maintenance was entered."""
    masked_ms: int = 0
    """Behind something silent."""


NOTHING_LEFT_OUT = LeftOut()


class ExpectedTimes:
    """What of one window [start_ms, end_ms) is expected of whom. ``masked``: when hosts and devices, by name,
    are behind something silent.
    """

    def __init__(
        self,
        start_ms: int,
        end_ms: int,
        maintenance: Sequence[Maintenance] = (),
        masked: Mapping[str, Spans] | None = None,
    ) -> None:
        self._start_ms, self._end_ms = start_ms, end_ms
        self._maintenance = [one for one in maintenance if one.spans(start_ms, end_ms)]
        self._masked = masked or {}
        self._calendars: dict[int, tuple[Calendar, Spans]] = {}

    def of(
        self, calendar: Calendar | None, tags: Mapping[str, str], start_ms: int, end_ms: int
    ) -> tuple[Spans | None, LeftOut]:
        """The spans of [start_ms, end_ms), which lies in the window; None when all of it is expected."""
        whole = merged([(start_ms, end_ms)])
        in_calendar = overlap(self._open(calendar), whole) if calendar else whole
        down = downtime(self._maintenance, tags, start_ms, end_ms) if self._maintenance else NO_DOWNTIME
        up = without(in_calendar, down.spans)
        masked = merged(span for tag in HOST_TAGS if tag in tags for span in self._masked.get(tags[tag], ()))
        spans = without(up, masked)
        if spans == whole:
            return None, NOTHING_LEFT_OUT
        return spans, LeftOut(
            outside_ms=length_ms(whole) - length_ms(in_calendar),
            maintenance_ms=length_ms(in_calendar) - length_ms(up),
            maintenance_late_ms=length_ms(overlap(in_calendar, down.entered_late)),
            masked_ms=length_ms(up) - length_ms(spans),
        )

    def _open(self, calendar: Calendar) -> Spans:
        # Many subjects share one calendar; with it, its number stays its own.
        known = self._calendars.get(id(calendar))
        if known is None:
            known = calendar, calendar.spans(self._start_ms, self._end_ms)
            self._calendars[id(calendar)] = known
        return known[1]
