"""Values that come from several metrics: shares of another field, ratios, counters that may have wrapped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from collector.analysis.windows import load_table
from collector.store.base import Asked, Metric
from setpoint.plan import PlanPoint

if TYPE_CHECKING:
    from collector.store.base import Train

REACH_MS: Final = 3_600_000
"""How old a divisor may be at least, and how late an uptime: both may be asked for less often than the value.
Twice the value's spacing is allowed where that is longer.
"""

OTHER: Final = "setpoint_other"
"""The temporary table of the second metric: subject (that of the first), t, other."""

UPTIME: Final = "setpoint_uptime"
"""The temporary table of what tells a wrap from a reset: source, t, uptime_s."""

UPTIME_OF: Final = "setpoint_uptime_of"
"""The temporary table subject → source."""

_MAP: Final = "setpoint_map"


@dataclass(frozen=True, slots=True)
class Derivation:
    """What the trains beside a train are for, in this order: first the second metric, which the value is set
    against in per cent (``percent``) or divided by, sum by sum (``ratio``); then, with ``wraps``, the uptime
    of what counts with 32 bits.
    """

    second: Literal["percent", "ratio"] | None = None
    wraps: bool = False

    @property
    def tables(self) -> tuple[str, ...]:
        """The temporary tables that are needed."""
        return (_MAP, *((OTHER,) if self.second else ()), *((UPTIME, UPTIME_OF) if self.wraps else ()))


PLAIN: Final = Derivation()


def derivation_of(point: PlanPoint) -> Derivation:
    """How the point's value comes about."""
    second: Literal["percent", "ratio"] | None = "percent" if point.percent_of else None
    return Derivation("ratio" if point.ratio_to else second, point.counter_bits is not None)


def beside(point: PlanPoint) -> list[Asked]:
    """What a store has to read beside the point's metric."""
    asked = []
    second = point.percent_of or point.ratio_to
    if second:
        asked.append(Asked(Metric(*second), point.wants, point.by))
    if point.counter_bits is not None:
        metric = uptime_metric(point)
        named = _uptime_tags(point)

        def concerns(tags: Mapping[str, str]) -> bool:
            # One without the tags would be everybody's.
            return all(tag in tags for tag in named)

        asked.append(Asked(metric, concerns, named))
    return asked


def uptime_metric(point: PlanPoint) -> Metric:
    """What tells that something was restarted: seconds since its start."""
    if point.measurement.startswith("snmp_"):
        return Metric("snmp_device", "uptime_s")
    return Metric("system", "uptime")


def _uptime_tags(point: PlanPoint) -> tuple[str, ...]:
    tags = ("host", "device") if point.measurement.startswith("snmp_") else ("host",)
    if point.by is None:
        return tags
    return tuple(tag for tag in tags if tag in point.by) or tags


def reach_before_ms(point: PlanPoint, every_reach_ms: int) -> int:
    """How much earlier than its own samples those beside it are needed; ``every_reach_ms`` is twice the
    longest spacing.
    """
    return max(REACH_MS, every_reach_ms) if point.percent_of else 0


def reach_after_ms(point: PlanPoint, every_reach_ms: int) -> int:
    """How much later than its own samples those beside it are needed."""
    return max(REACH_MS, every_reach_ms) if point.counter_bits is not None else 0


def load_derived(train: Train, derivation: Derivation) -> None:
    """Fills the tables that the derivation needs from the trains beside the train. ValueError when these are
    not there.
    """
    wanted = (derivation.second is not None) + derivation.wraps
    if len(train.beside) < wanted:
        raise ValueError(f"expected {wanted} trains beside the train, got {len(train.beside)}")
    if derivation.second:
        other = train.beside[0]
        position = {subject: number for number, subject in enumerate(other.subjects)}
        pairs = [
            (number, position[subject])
            for number, subject in enumerate(train.subjects)
            if subject in position
        ]
        _load_map(train, pairs)
        other.relation.query(
            "setpoint_beside",
            f"CREATE OR REPLACE TEMP TABLE {OTHER} AS"
            f" SELECT {_MAP}.subject, t, max(value) AS other"
            f" FROM setpoint_beside JOIN {_MAP} ON source = setpoint_beside.subject"
            f" WHERE isfinite(value) GROUP BY {_MAP}.subject, t",
        )
    if derivation.wraps:
        uptime = train.beside[-1]
        position = {subject: number for number, subject in enumerate(uptime.subjects)}
        tags = [key for key, _ in uptime.subjects[0]] if uptime.subjects else []
        # What is counted lies on what has been up for so long: its tags are among those of the subject.
        pairs = [
            (number, position[source])
            for number, subject in enumerate(train.subjects)
            if (source := tuple((key, value) for tag in tags for key, value in subject if key == tag))
            in position
        ]
        _load_map(train, pairs)
        train.connection.execute(f"CREATE OR REPLACE TEMP TABLE {UPTIME_OF} AS SELECT * FROM {_MAP}")
        uptime.relation.query(
            "setpoint_beside",
            f"CREATE OR REPLACE TEMP TABLE {UPTIME} AS"
            " SELECT subject AS source, t, min(value) AS uptime_s FROM setpoint_beside"
            " WHERE isfinite(value) GROUP BY subject, t",
        )


def _load_map(train: Train, pairs: list[tuple[int, int]]) -> None:
    columns = {
        "subject": np.array([subject for subject, _ in pairs], dtype=np.int32),
        "source": np.array([source for _, source in pairs], dtype=np.int32),
    }
    load_table(train.connection, _MAP, columns)
