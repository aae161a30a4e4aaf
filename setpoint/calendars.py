"""Calendars: the times of the week that count, in a time zone, with holidays and days that are different."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self
from zoneinfo import ZoneInfo

from setpoint.spans import Span, Spans, merged, overlap

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_TIMES = re.compile(r"(\d{2}):(\d{2})-(\d{2}):(\d{2})")
_DAY_MINUTES = 24 * 60

Stretch = tuple[int, int]
"""Start and end in minutes after the midnight that the day begins with; the end may be in the next day."""


class Times(str):
    """Times of one day, in its own order: ``08:00-12:00 13:00-17:30``.

    One that ends at or before its start goes on into the next day: ``22:00-06:00``.
    """

    expected: ClassVar[str] = 'times such as "08:00-18:00" or "08:00-12:00 13:00-17:30"'

    @classmethod
    def parse(cls, text: str) -> Self:
        """The times that the text says. ValueError when it says none."""
        if not text.split():
            raise ValueError(f"expected {cls.expected}")
        cls(text).stretches()
        return cls(text)

    def stretches(self) -> tuple[Stretch, ...]:
        """The times as they are written."""
        return tuple(_stretch(word) for word in self.split())


class Weekly(str):
    """Times of the week: ``Mon-Fri 08:00-18:00, Sat 09:00-12:00``."""

    expected: ClassVar[str] = 'times of the week such as "Mon-Fri 08:00-18:00, Sat 09:00-12:00"'

    @classmethod
    def parse(cls, text: str) -> Self:
        """The times that the text says. ValueError when it says none."""
        cls(text).by_day()
        return cls(text)

    def by_day(self) -> tuple[tuple[Stretch, ...], ...]:
        """What counts on each day, from Monday on."""
        found: list[list[Stretch]] = [[] for _ in _DAYS]
        for part in self.split(","):
            days, _, times = part.strip().partition(" ")
            for day in _days(days):
                found[day] += Times.parse(times).stretches()
        return tuple(tuple(day) for day in found)


class LocalTime(str):
    """A moment in the plan's time zone: ``2026-10-03 22:00``."""

    expected: ClassVar[str] = "a local time such as 2026-10-03 22:00"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The moment that the text says. ValueError when it says none."""
        cls(text).wall()
        return cls(text)

    def wall(self) -> datetime.datetime:
        """What a clock on the wall shows then."""
        moment = datetime.datetime.fromisoformat(self)
        if moment.tzinfo is not None or len(self) <= len("2026-10-03"):
            raise ValueError(f"expected {self.expected}")
        return moment

    def start_ms(self, zone: ZoneInfo) -> int:
        """UTC milliseconds, of the first such moment where there are two."""
        return _moment_ms(self.wall(), zone, fold=0)

    def end_ms(self, zone: ZoneInfo) -> int:
        """UTC milliseconds, of the last such moment where there are two."""
        return _moment_ms(self.wall(), zone, fold=1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """What counts on the days of a week (from Monday on), but for holidays, which have nothing, and ``extra``
    days, which have what is said for them, be they holidays or not. What begins on a day belongs to it, also
    where it goes on after midnight.

    A day with daylight saving has 23 or 25 hours. A local time that exists twice is the first one as a start
    and the second one as an end; one that does not exist is the moment at which the clocks go forward.
    """

    zone: str
    week: tuple[tuple[Stretch, ...], ...]
    holidays: frozenset[datetime.date] = frozenset()
    extra: Mapping[datetime.date, tuple[Stretch, ...]] = field(default_factory=dict, hash=False)

    def spans(self, start_ms: int, end_ms: int) -> Spans:
        """What counts of [start_ms, end_ms)."""
        if start_ms >= end_ms:
            return ()
        zone = ZoneInfo(self.zone)
        # A stretch may begin on the day before, or, where zones lie far from UTC, even earlier.
        day = datetime.datetime.fromtimestamp(start_ms / 1000, zone).date() - datetime.timedelta(days=2)
        last = datetime.datetime.fromtimestamp(end_ms / 1000, zone).date()
        found: list[Span] = []
        while day <= last:
            found += [_span(day, stretch, zone) for stretch in self._stretches(day)]
            day += datetime.timedelta(days=1)
        return overlap(merged(found), ((start_ms, end_ms),))

    def contains(self, moment_ms: int) -> bool:
        """Whether the moment counts."""
        return bool(self.spans(moment_ms, moment_ms + 1))

    def _stretches(self, day: datetime.date) -> tuple[Stretch, ...]:
        if day in self.extra:
            return self.extra[day]
        return () if day in self.holidays else self.week[day.weekday()]

    def definition(self) -> Any:
        """Plain data that is the same for two calendars in which the same counts."""
        return {
            "zone": self.zone,
            "week": [sorted(day) for day in self.week],
            "holidays": sorted(str(day) for day in self.holidays),
            "extra": sorted((str(day), sorted(stretches)) for day, stretches in self.extra.items()),
        }


def _stretch(text: str) -> Stretch:
    match = _TIMES.fullmatch(text)
    if match is None:
        raise ValueError(f"expected {Times.expected}")
    start_hour, start_minute, end_hour, end_minute = map(int, match.groups())
    start, end = 60 * start_hour + start_minute, 60 * end_hour + end_minute
    if start >= _DAY_MINUTES or end > _DAY_MINUTES or max(start_minute, end_minute) > 59:
        raise ValueError(f"expected {Times.expected}")
    return (start, end) if start < end else (start, end + _DAY_MINUTES)


def _days(text: str) -> list[int]:
    first, dash, last = text.partition("-")
    if first not in _DAYS or (dash and last not in _DAYS):
        raise ValueError(f"expected {Weekly.expected}")
    start = _DAYS.index(first)
    count = (_DAYS.index(last) - start) % 7 + 1 if dash else 1
    return [(start + number) % 7 for number in range(count)]


def _span(day: datetime.date, stretch: Stretch, zone: ZoneInfo) -> Span:
    midnight = datetime.datetime.combine(day, datetime.time())
    # On walls, so that 18:00 is 18:00 on days with 23 hours too.
    start, end = (midnight + datetime.timedelta(minutes=minutes) for minutes in stretch)
    return _moment_ms(start, zone, fold=0), _moment_ms(end, zone, fold=1)


def _moment_ms(wall: datetime.datetime, zone: ZoneInfo, fold: int) -> int:
    """UTC milliseconds when a clock on the wall shows this; ``fold`` says which, where it does so twice."""
    first, second = (_utc_ms(wall.replace(tzinfo=zone, fold=each)) for each in (0, 1))
    if first <= second:  # PEP 495: the same but for times that exist twice
        return second if fold else first
    # It does not exist. The clocks go forward between the two; whole seconds, as zones have them.
    before, after = second // 1000, first // 1000
    later = _offset(after, zone)
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(middle, zone) == later:
            after = middle
        else:
            before = middle
    return after * 1000


def _utc_ms(moment: datetime.datetime) -> int:
    return round(moment.timestamp() * 1000)


def _offset(moment_s: int, zone: ZoneInfo) -> datetime.timedelta | None:
    return datetime.datetime.fromtimestamp(moment_s, zone).utcoffset()
