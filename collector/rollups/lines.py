"""What the store is told of an hour: measurement ``setpoint_gap``, for whoever reads the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from collector.analysis.rollup import Rollup, merge, statistics_of
from collector.planned_subjects import PlannedSubject
from setpoint.finding import round12
from setpoint.line_protocol import encode_point
from setpoint.plan import PlanPoint
from setpoint.reading import FieldValue, subject_text

_PERCENTS: Final[Mapping[str, tuple[int, ...]]] = {"p50": (50,), "p95": (95,), "p99": (99,)}


def gap_line(
    collector: str, point: PlanPoint, planned: PlannedSubject, hour: Rollup, before: Rollup | None
) -> bytes:
    """The line of one hour, at its end; empty when none of the hour is judged. ``before``: the time up to
    it, at least as long as ``for``.
    """
    if hour.expected_ms == 0:
        return b""
    fields = gap_fields(point, planned, hour, before)
    tags = {"host": collector, "point": point.id, "subject": subject_text(planned.subject)}
    return encode_point("setpoint_gap", tags, fields, hour.end_ms) or b""


def gap_fields(
    point: PlanPoint, planned: PlannedSubject, hour: Rollup, before: Rollup | None
) -> dict[str, FieldValue]:
    """Coverage; the share of the measured time beyond critical (warning, where there is none), however
    briefly; how many episodes there began to be and, where there are some, the hour's end; the statistic of
    the first target, and its bound.
    """
    targets = planned.limits.targets[:1]
    statistics = statistics_of(
        hour,
        0,
        bounds=point.bounds,
        missing_bad=point.missing_bad,
        scale=point.scale,
        percents=[percent for target in targets for percent in _PERCENTS.get(target.statistic, ())],
    )
    fields: dict[str, FieldValue] = {"coverage": statistics.coverage}
    breaches = hour.critical or hour.warning
    if breaches is not None:
        fields["episodes"] = _episodes(hour) if before is None else _new_episodes(before, hour)
        if fields["episodes"]:
            # InfluxQL cannot show the time of a line as a value, and Grafana wants the end of a mark as one.
            fields["end_ms"] = hour.end_ms
        if hour.measured_ms:
            fields["breach_share"] = round12(breaches.breach_ms / hour.measured_ms)
    for target in targets:
        measured = statistics.value(target.statistic)
        if measured is not None:
            fields["measured"] = float(measured)
        fields["target"] = float(target.bound)
    return fields


def _episodes(rollup: Rollup) -> int:
    breaches = rollup.critical or rollup.warning
    return breaches.episodes if breaches is not None else 0


def _new_episodes(before: Rollup, hour: Rollup) -> int:
    # A run counts in the hour in which it comes to last as long as `for`, so the hours add up to all.
    return _episodes(merge([before, hour])) - _episodes(before)
