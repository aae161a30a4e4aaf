"""Which series VictoriaMetrics has, and when each began and ended, without reading all of its samples."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from collector.store.base import Metric, SeriesKey
from collector.store.http_read import HttpReader
from collector.store.metric_names import REGISTER, MetricNames
from collector.store.metricsql import over_window, seconds, selector, series_labels, vector

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_ALL = '{__name__!=""}'

Ends = tuple[int, int, float]
"""First and newest time, UTC milliseconds; newest value, or NaN where it was not asked for."""


class SeriesEnds:
    """The index says for each day which series have samples in it; only in the days in which a series
    begins or ends are samples looked at, and first only in an hour of them.
    """

    def __init__(self, reader: HttpReader, names: MetricNames) -> None:
        self._reader = reader
        self._names = names

    def names(self, since_ms: int) -> list[dict[str, str]]:
        """The labels of the series that say what the names of metrics stand for."""
        parameters = {"match[]": REGISTER, "start": seconds(since_ms - _DAY_MS), "end": seconds(_end_ms())}
        answer = self._reader.ask("POST", "/api/v1/series", parameters)
        return series_labels(answer, self._reader.base_url)

    def since(self, since_ms: int, *, values: bool = False) -> dict[SeriesKey, Ends]:
        """Every series with a sample at or after ``since_ms``; ``values``: with its newest value."""
        days = self._days(since_ms, _end_ms())
        first = self._search("tfirst_over_time", days, since_ms, backwards=False)
        last = self._search("tlast_over_time", days, since_ms, backwards=True)
        value = self._search("last_over_time", days, since_ms, backwards=True) if values else {}
        return {
            key: (round(first[key] * 1000), round(last[key] * 1000), value.get(key, float("nan")))
            for key in sorted(first.keys() & last.keys())
        }

    def _days(self, since_ms: int, end_ms: int) -> dict[int, set[SeriesKey]]:
        """The series of each UTC day, by the time at which it begins."""
        found: dict[int, set[SeriesKey]] = {}
        for day in range(since_ms // _DAY_MS * _DAY_MS, end_ms, _DAY_MS):
            window = {"match[]": _ALL, "start": seconds(day), "end": seconds(day + _DAY_MS - 1)}
            answer = self._reader.ask("POST", "/api/v1/series", window)
            labels = series_labels(answer, self._reader.base_url)
            found[day] = {key for one in labels if (key := self._names.key(one)) is not None}
        return found

    def _search(
        self, function: str, days: Mapping[int, set[SeriesKey]], since_ms: int, *, backwards: bool
    ) -> dict[SeriesKey, float]:
        """The function's value for each series in the first (or last) window in which it has samples."""
        found: dict[SeriesKey, float] = {}
        for day in sorted(days, reverse=backwards):
            missing = days[day] - found.keys()
            for start_ms, end_ms in _windows(max(day, since_ms), day + _DAY_MS, backwards=backwards):
                if not missing:
                    break
                found |= self._ask(function, start_ms, end_ms, missing)
                missing -= found.keys()
        return found

    def _ask(
        self, function: str, start_ms: int, end_ms: int, wanted: set[SeriesKey]
    ) -> dict[SeriesKey, float]:
        names = {self._names.joined(Metric(key.measurement, key.field)) for key in wanted}
        answer = self._reader.ask(
            "POST", "/api/v1/query", over_window(function, _matcher(names), start_ms, end_ms)
        )
        return {
            key: value
            for labels, value in vector(answer, self._reader.base_url)
            if (key := self._names.key(labels)) in wanted and key is not None
        }


def _windows(start_ms: int, end_ms: int, *, backwards: bool) -> list[tuple[int, int]]:
    """An hour at the end that is looked at first, and the rest."""
    if backwards:
        end_ms = min(end_ms, _end_ms())
        middle = max(start_ms, min(end_ms, time.time_ns() // 1_000_000) - _HOUR_MS)
        windows = [(middle, end_ms), (start_ms, middle)]
    else:
        middle = min(start_ms + _HOUR_MS, end_ms)
        windows = [(start_ms, middle), (middle, end_ms)]
    return [(start, end) for start, end in windows if start < end]


def _matcher(names: Iterable[str]) -> str:
    some = list(names)
    if len(some) == 1:
        return selector(some[0], {})
    return _ALL


def _end_ms() -> int:
    """Beyond the newest time that the collector takes."""
    return time.time_ns() // 1_000_000 + _HOUR_MS
