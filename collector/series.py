"""The series that the collector knows: a number for each, its type, and its newest value."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from collector.store.base import NewestSample, SeriesKey
from setpoint.reading import FieldValue

_Number = TypeVar("_Number", bound=np.generic)
FieldType = Literal["float", "integer", "boolean", "text", "unknown"]
_TYPES: dict[type, FieldType] = {float: "float", int: "integer", bool: "boolean", str: "text"}

NEVER = int(np.iinfo(np.int64).min)
"""The newest time of a series of which no numeric sample has been observed."""


class SeriesEntry(NamedTuple):
    """``first_ms`` is the time of the first reading, UTC milliseconds. A series restored from a store that
    does not keep types has the type "unknown" until its next reading.
    """

    key: SeriesKey
    type: FieldType
    first_ms: int


def field_type(value: FieldValue) -> FieldType:
    """The field type of a parsed value."""
    return _TYPES[type(value)]


class SeriesTable:
    """Numbers every series, dense from 0 in the order of first sight; no number is given twice.

    One thread at a time adds and observes; others may read at any time, since all of a series is in place
    before ``len()`` counts it and ``find()`` finds it. The arrays are replaced when they grow: read
    ``table.last_value`` anew for each use. For an instant a reader may see a new value beside its old time.
    """

    last_time_ms: npt.NDArray[np.int64]
    """Time of each series' newest numeric sample, or NEVER. Longer than the table: use ``len()`` of it."""
    last_value: npt.NDArray[np.float64]
    """Each series' newest number; NaN before the first. Longer than the table, like ``last_time_ms``."""

    def __init__(self) -> None:
        self._numbers: dict[SeriesKey, int] = {}
        self._entries: list[SeriesEntry] = []
        self._of_metric: dict[tuple[str, str], list[int]] = {}
        self._owners: dict[str, int] = {}
        self._owner = np.zeros(1024, np.int32)
        self.last_time_ms = np.full(1024, NEVER, np.int64)
        self.last_value = np.full(1024, np.nan)

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, key: SeriesKey) -> int | None:
        """The number of the series; None when the table does not have it."""
        return self._numbers.get(key)

    def entry(self, number: int) -> SeriesEntry:
        """The series that has the number. IndexError when none has."""
        return self._entries[number]

    def of_metric(self, measurement: str, field: str) -> Iterator[tuple[int, SeriesKey]]:
        """(number, key) of every series of the metric, in the order of first sight."""
        for number in tuple(self._of_metric.get((measurement, field), ())):
            yield number, self._entries[number].key

    def last_ms(self, number: int) -> int | None:
        """The time of the series' newest numeric sample; None when none has been observed."""
        last = int(self.last_time_ms[number])
        return None if last == NEVER else last

    def add(self, key: SeriesKey, type_: FieldType, first_ms: int, owner: str) -> int:
        """The number of a series that is new; ``owner`` is the publisher whose limits it counts for.

        ValueError when the table has the series.
        """
        if key in self._numbers:
            raise ValueError(f"series {key} is number {self._numbers[key]} already")
        number = len(self._entries)
        if number == len(self._owner):
            self._grow(2 * number)
        self._owner[number] = self._owners.setdefault(owner, len(self._owners))
        self._entries.append(SeriesEntry(key, type_, first_ms))
        self._of_metric.setdefault((key.measurement, key.field), []).append(number)
        self._numbers[key] = number
        return number

    def restore(self, number: int, key: SeriesKey, type_: FieldType, first_ms: int) -> None:
        """Takes over a series with the number that the store has for it; they must come in order, from 0.

        It counts for the limits of its ``host``. ValueError when the number is not the next one.
        """
        if number != len(self._entries):
            raise ValueError(f"series {key} is number {number} in the store, expected {len(self._entries)}")
        self.add(key, type_, first_ms, dict(key.tags).get("host", ""))

    def take_over(self, found: Iterable[NewestSample]) -> None:
        """Adds series that the store has and the table has not, and observes their newest values; for the
        limits they count for their ``host``.
        """
        numbers, times, values = [], [], []
        for key, first_ms, last_ms, value, text in found:
            number = self._numbers.get(key)
            if number is None:
                number = self.add(
                    key, "text" if text else "unknown", first_ms, dict(key.tags).get("host", "")
                )
            elif first_ms < self._entries[number].first_ms:
                self._entries[number] = self._entries[number]._replace(first_ms=first_ms)
            if not math.isnan(value):
                numbers.append(number)
                times.append(last_ms)
                values.append(value)
        if numbers:
            self.observe(np.array(numbers, np.int32), np.array(times, np.int64), np.array(values, np.float64))

    def settle_type(self, number: int, type_: FieldType) -> None:
        """Gives its type to a series whose type was unknown."""
        self._entries[number] = self._entries[number]._replace(type=type_)

    def live(self, owner: str, since_ms: int) -> int:
        """How many series of the publisher have a sample at or after the time, or no number at all yet."""
        index = self._owners.get(owner)
        if index is None:
            return 0
        last = self.last_time_ms[: len(self)]
        mine = self._owner[: len(self)] == index
        return int(np.count_nonzero(mine & ((last >= since_ms) | (last == NEVER))))

    def observe(
        self, series: npt.NDArray[np.int32], time_ms: npt.NDArray[np.int64], value: npt.NDArray[np.float64]
    ) -> None:
        """Takes over, for every series, the newest of these samples, unless it has a newer one already.

        Of samples with the same time the last one counts, as it does in a store that overwrites.
        """
        newer = time_ms >= self.last_time_ms[series]
        if not newer.all():
            series, time_ms, value = series[newer], time_ms[newer], value[newer]
        if np.any(time_ms[1:] < time_ms[:-1]):
            order = np.argsort(time_ms, kind="stable")
            series, time_ms, value = series[order], time_ms[order], value[order]
        # Of repeated indices numpy keeps the last assignment; in order of time that is the newest.
        self.last_value[series] = value
        self.last_time_ms[series] = time_ms

    def _grow(self, size: int) -> None:
        self._owner = _grown(self._owner, size, 0)
        self.last_time_ms = _grown(self.last_time_ms, size, NEVER)
        self.last_value = _grown(self.last_value, size, np.nan)


def _grown(old: npt.NDArray[_Number], size: int, empty: float) -> npt.NDArray[_Number]:
    new = np.full(size, empty, old.dtype)
    new[: len(old)] = old
    return new
