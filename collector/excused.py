"""Why a planned subject is not judged now: maintenance, its calendar, or what it is behind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from collector.analysis.silence import masks_of
from collector.watched import State
from setpoint.calendars import Calendar
from setpoint.maintenance import HOST_TAGS, Maintenance
from setpoint.plan import PlanPoint
from setpoint.spans import Spans

# Worse than this, it may be due to what it is behind. What is well has another way, and stays so.
_MASKABLE = frozenset({"critical", "warning", "silent", "never"})
_DOWN: Spans = ((0, 1),)


class Seen(NamedTuple):
    """The state of one subject by its samples alone."""

    point: PlanPoint
    tags: Mapping[str, str]
    state: State
    value: float | None


class Excuses:
    """What holds at one moment."""

    def __init__(
        self,
        now_ms: int,
        maintenance: Iterable[Maintenance],
        depends_on: Mapping[str, Sequence[str]],
        seen: Iterable[Seen],
    ) -> None:
        self._now_ms = now_ms
        self._maintenance = [one for one in maintenance if one.spans(now_ms, now_ms + 1)]
        self._open: dict[int, bool] = {}
        self._masked = masks_of(depends_on, _Down(depends_on, seen).of).masked if depends_on else {}

    def state(self, one: Seen) -> Literal["maintenance", "unjudged", "masked"] | None:
        """The state that it has instead of its own; None where it keeps that."""
        if any(each.concerns(one.tags) for each in self._maintenance):
            return "maintenance"
        if one.point.calendar is not None and not self._is_open(one.point.calendar):
            return "unjudged"
        if self._masked and one.state in _MASKABLE and _names(one.tags) & self._masked.keys():
            return "masked"
        return None

    def _is_open(self, calendar: Calendar) -> bool:
        if id(calendar) not in self._open:
            self._open[id(calendar)] = calendar.contains(self._now_ms)
        return self._open[id(calendar)]


class _Down:
    """Which of the hosts and devices that others depend on are down: something of them is silent and nothing
    reports, or they were asked whether they are up, and did not answer.
    """

    def __init__(self, depends_on: Mapping[str, Sequence[str]], seen: Iterable[Seen]) -> None:
        upstream = {name for others in depends_on.values() for name in others}
        self._known: set[str] = set()
        self._late: set[str] = set()
        self._alive: set[str] = set()
        for one in seen:
            names = _names(one.tags) & upstream
            self._known |= names
            metric = (one.point.measurement, one.point.field)
            if one.state == "silent" or (metric == ("snmp_device", "up") and one.value == 0):
                self._late |= names
            elif one.state != "never" and one.value is not None and metric != ("snmp_device", "poll_s"):
                self._alive |= names

    def of(self, name: str) -> Spans | None:
        """As ``masks_of`` asks for it: all of the moment, none of it, or None for what nobody measures."""
        if name not in self._known:
            return None
        return _DOWN if name in self._late and name not in self._alive else ()


def _names(tags: Mapping[str, str]) -> set[str]:
    return {tags[tag] for tag in HOST_TAGS if tag in tags}
