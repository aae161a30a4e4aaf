"""Which lines of a publisher are taken: whose they are, from when they are, and how many series there may be.

Past a limit the surplus is refused with its reason, and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Literal, NamedTuple

import msgspec

from collector.lines import Line
from collector.series import SeriesTable, field_type
from collector.store.base import SeriesKey
from setpoint.line_protocol import NS_PER_MS
from setpoint.reading import FieldValue

LineFault = Literal["syntax", "size", "host", "time", "clock-skew", "type", "series-limit"]

_HOUR_MS = 3_600_000
# Counting a publisher's live series looks at every series there is.
_COUNT_AGAIN_AFTER_MS = 600_000


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of what is taken. ``body_bytes`` is after decompression; ``future_ms`` and ``retention_ms``
    are counted from the time of receipt. ``lines`` bounds the time that one payload can take: a few hundred
    compressed bytes may hold millions of lines of one letter.
    """

    payload_bytes: int = 1 << 20
    body_bytes: int = 8 << 20
    lines: int = 100_000
    line_bytes: int = 64 << 10
    tags_per_line: int = 32
    fields_per_line: int = 256
    series_per_agent: int = 100_000
    new_series_per_agent_hour: int = 20_000
    future_ms: int = 300_000
    retention_ms: int = 400 * 24 * _HOUR_MS


class LineRefused(Exception):
    """A line, or some fields of it, are not taken. ``readings`` is how many fields that is;
    ``offset_ms`` the distance from the time of receipt, where that is the reason.
    """

    def __init__(self, fault: LineFault, text: str, readings: int = 1, offset_ms: int = 0) -> None:
        super().__init__(text)
        self.fault = fault
        self.readings = readings
        self.offset_ms = offset_ms


class Admitted(NamedTuple):
    """``numbers``: the series of every field that is taken. ``surplus``: why the others are not."""

    time_ms: int
    numbers: dict[str, int]
    surplus: LineRefused | None


class Admission:
    """Decides for one publisher, and numbers its new series.

    ``host``: what the tag ``host`` of every line must say; None for publishers that are not our agents,
    whose lines may say anything but the name of one of ``agents``.
    """

    def __init__(
        self, publisher: str, host: str | None, agents: Container[str], series: SeriesTable, limits: Limits
    ) -> None:
        self._publisher = publisher
        self._host = host
        self._agents = agents
        self._series = series
        self._limits = limits
        self._count: int | None = None
        self._counted_ms = 0
        self._hour = 0
        self._new_this_hour = 0

    def admit(self, line: Line, received_ms: int, *, needs_time: bool) -> Admitted:
        """What is taken of the line. LineRefused when nothing is; then no series was made either.

        A line without a time has the time of receipt, unless ``needs_time``.
        """
        readings = len(line.fields)
        self._check_host(line.tags, readings)
        if len(line.tags) > self._limits.tags_per_line:
            text = f"{len(line.tags)} tags, at most {self._limits.tags_per_line} allowed"
            raise LineRefused("size", text, readings)
        if readings > self._limits.fields_per_line:
            text = f"{readings} fields, at most {self._limits.fields_per_line} allowed"
            raise LineRefused("size", text, readings)
        time_ms = self._time_ms(line, received_ms, needs_time)
        numbers, new = self._known_series(line)
        surplus = None
        if new:
            room, text = self._room(len(new), received_ms)
            if room < len(new):
                surplus = LineRefused("series-limit", text, len(new) - max(room, 0))
                if room <= 0 and not numbers:
                    raise surplus
            for key, value in new[: max(room, 0)]:
                numbers[key.field] = self._series.add(key, field_type(value), time_ms, self._publisher)
                self._new_this_hour += 1
                self._count = (self._count or 0) + 1
        return Admitted(time_ms, numbers, surplus)

    def _check_host(self, tags: tuple[tuple[str, str], ...], readings: int) -> None:
        host = dict(tags).get("host")
        if self._host is None:
            if host is not None and host in self._agents:
                text = f'claims the host "{host}", which has an agent of its own'
                raise LineRefused("host", text, readings)
        elif host is None:
            raise LineRefused("host", f'has no tag host, expected "{self._host}"', readings)
        elif host != self._host:
            raise LineRefused("host", f'claims another host: "{host}", expected "{self._host}"', readings)

    def _time_ms(self, line: Line, received_ms: int, needs_time: bool) -> int:
        if line.time_ns is None:
            if needs_time:
                raise LineRefused("time", "no timestamp", len(line.fields))
            return received_ms
        time_ms = line.time_ns // NS_PER_MS
        offset_ms = time_ms - received_ms
        if offset_ms > self._limits.future_ms:
            text = f"{offset_ms / 1000:.0f} s ahead of the collector's clock"
            raise LineRefused("clock-skew", text, len(line.fields), offset_ms)
        if -offset_ms > self._limits.retention_ms:
            text = f"{-offset_ms / 1000:.0f} s old, which is beyond the retention"
            raise LineRefused("clock-skew", text, len(line.fields), offset_ms)
        return time_ms

    def _known_series(self, line: Line) -> tuple[dict[str, int], list[tuple[SeriesKey, FieldValue]]]:
        """The numbers of the fields whose series exist, and the others. LineRefused when a type differs."""
        numbers: dict[str, int] = {}
        new: list[tuple[SeriesKey, FieldValue]] = []
        for name, value in line.fields.items():
            key = SeriesKey(line.measurement, line.tags, name)
            number = self._series.find(key)
            if number is None:
                new.append((key, value))
                continue
            before, now = self._series.entry(number).type, field_type(value)
            if before == "unknown":
                self._series.settle_type(number, now)
            elif before != now:
                text = f'field "{name}" of "{line.measurement}" is {now} here and {before} before'
                raise LineRefused("type", text, len(line.fields))
            numbers[name] = number
        return numbers, new

    def _room(self, wanted: int, received_ms: int) -> tuple[int, str]:
        """(how many new series are allowed now, what to say of more)."""
        limit = self._limits.series_per_agent
        full = self._count is not None and self._count + wanted > limit
        if self._count is None or (full and received_ms - self._counted_ms >= _COUNT_AGAIN_AFTER_MS):
            # Series that fell silent longer than the retention ago make room for new ones.
            self._count = self._series.live(self._publisher, received_ms - self._limits.retention_ms)
            self._counted_ms = received_ms
        hour = received_ms // _HOUR_MS
        if hour != self._hour:
            self._hour, self._new_this_hour = hour, 0
        by_count = limit - self._count
        by_hour = self._limits.new_series_per_agent_hour - self._new_this_hour
        if by_count <= by_hour:
            return by_count, f"a new series, and there are {limit} of this publisher already"
        return by_hour, f"a new series, and there were {self._limits.new_series_per_agent_hour} this hour"
