"""Configured thresholds as a collector finds them, and reviews that know of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from agent.inputs.thresholds.found import Found, FoundThreshold, to_points
from collector.analysis.review import Review
from collector.series import SeriesTable, field_type
from collector.store.base import SeriesKey
from collector.thresholds.found import FoundThresholds
from collector.thresholds.match import match_thresholds
from collector.thresholds.names import Names, load_names
from collector.thresholds.read import read_thresholds
from setpoint.reading import Point
from setpoint.threshold import Matcher, read_subject

NAMES: Names = load_names()
IDLE = "avg by (instance) (rate(node_cpu_seconds_total))"


def found(
    rule: str, metric: str, comparison: Any, level: float, subject: str = "*", **more: Any
) -> FoundThreshold:
    """A threshold as an input finds it; ``subject`` as its tag is written."""
    matchers: Sequence[Matcher] = read_subject(subject)
    return FoundThreshold(rule, metric, comparison, level, matchers, **more)


def observe(series: SeriesTable, points: Sequence[Point], time_ms: int, host: str = "mon-01") -> None:
    """Takes the points over as the collector does."""
    for point in points:
        tags = tuple(sorted({**point.tags, "host": host}.items()))
        for name, value in point.fields.items():
            key = SeriesKey(point.measurement, tags, name)
            number = series.find(key)
            if number is None:
                number = series.add(key, field_type(value), time_ms, host)
            if not isinstance(value, str):
                series.observe(
                    np.array([number], np.int32), np.array([time_ms]), np.array([value], np.float64)
                )


def read(
    *thresholds: Found,
    at_ms: int,
    source: str = "prometheus",
    every_s: float = 300,
    failed_parts: int = 0,
    series: SeriesTable | None = None,
) -> FoundThresholds:
    """What the collector knows after one gathering of the source."""
    series = SeriesTable() if series is None else series
    points = to_points(source, thresholds, every_s=every_s, rules=len(thresholds), failed_parts=failed_parts)
    observe(series, points, at_ms)
    return read_thresholds(series)


def knowing(review: Review, known: FoundThresholds, names: Names = NAMES) -> Review:
    """The review, with these thresholds matched."""
    return replace(review, thresholds=match_thresholds(known, names, review.points))
