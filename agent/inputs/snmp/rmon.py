"""The alarms that a device raises itself: alarmTable of RMON-MIB (RFC 2819, section 2.3), as thresholds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from agent.inputs.snmp.columns import Columns
from agent.inputs.snmp.device_plan import PlannedPoint, Raw
from agent.inputs.snmp.ports import port_field
from agent.inputs.snmp.session import Missing, Value
from agent.inputs.snmp.value import number_of, text_of
from setpoint.finding import round12
from setpoint.reading import FieldValue
from setpoint.threshold import THRESHOLD, Comparison, Matcher, write_subject

_ALARM = "1.3.6.1.2.1.16.3.1.1"
_INTERVAL, _VARIABLE, _SAMPLE_TYPE, _STATUS = (f"{_ALARM}.{column}" for column in (2, 3, 4, 12))
_EVENT_TYPE, _EVENT_STATUS = "1.3.6.1.2.1.16.9.1.1.3", "1.3.6.1.2.1.16.9.1.1.7"
_ABSOLUTE, _DELTA = 1, 2
_VALID, _INVALID = 1, 4
_EVENT_DOES_NOTHING = 1

_IF, _IFX, _STATS = "1.3.6.1.2.1.2.2.1", "1.3.6.1.2.1.31.1.1.1", "1.3.6.1.2.1.16.1.1.1"
_IF_NAME, _IF_DESCR, _IF_INDEX = f"{_IFX}.1", f"{_IF}.2", f"{_IF}.1"
_STATS_SOURCE = f"{_STATS}.2"
# Columns by interface that are not among the readings of a port, and are often watched.
_NAMES = {
    f"{_IF}.12": "ifInNUcastPkts",
    f"{_IF}.15": "ifInUnknownProtos",
    f"{_IF}.18": "ifOutNUcastPkts",
    f"{_IFX}.2": "ifInMulticastPkts",
    f"{_IFX}.3": "ifInBroadcastPkts",
    f"{_IFX}.4": "ifOutMulticastPkts",
    f"{_IFX}.5": "ifOutBroadcastPkts",
    f"{_IFX}.8": "ifHCInMulticastPkts",
    f"{_IFX}.9": "ifHCInBroadcastPkts",
    f"{_IFX}.12": "ifHCOutMulticastPkts",
    f"{_IFX}.13": "ifHCOutBroadcastPkts",
    f"{_STATS}.3": "etherStatsDropEvents",
    f"{_STATS}.4": "etherStatsOctets",
    f"{_STATS}.5": "etherStatsPkts",
    f"{_STATS}.6": "etherStatsBroadcastPkts",
    f"{_STATS}.7": "etherStatsMulticastPkts",
    f"{_STATS}.8": "etherStatsCRCAlignErrors",
    f"{_STATS}.9": "etherStatsUndersizePkts",
    f"{_STATS}.10": "etherStatsOversizePkts",
    f"{_STATS}.11": "etherStatsFragments",
    f"{_STATS}.12": "etherStatsJabbers",
    f"{_STATS}.13": "etherStatsCollisions",
}


class _Side(NamedTuple):
    """One of the two thresholds of an alarm: its columns, and what a value does that raises it."""

    name: str
    level: str
    event: str
    comparison: Comparison


_SIDES = (
    _Side("rising", f"{_ALARM}.7", f"{_ALARM}.9", "at_least"),
    _Side("falling", f"{_ALARM}.8", f"{_ALARM}.10", "at_most"),
)


class _Watched(NamedTuple):
    """What an alarm is about. ``show`` makes a level of the variable one of ``metric``."""

    metric: str
    subject: Sequence[Matcher]
    show: Callable[[float], float | None]


async def plan_alarms(columns: Columns, measured: Sequence[PlannedPoint]) -> list[PlannedPoint]:
    """How to read the thresholds of every alarm, two each, as points of ``threshold``.

    ``measured`` are the points of the device: an alarm on what one of them reads has its name. SessionError
    when the device stops answering.
    """
    variables = await columns.rows(_VARIABLE)
    if not variables:
        return []
    values = [
        one for one in measured if one.measurement in ("snmp_cpu", "snmp_sensor") and len(one.oids) == 1
    ]
    by_oid = {oid: (point, key) for point in values for key, oid in point.oids.items()}
    ports = {one.tags["index"]: one.tags["name"] for one in measured if one.measurement == "snmp_port"}
    points = []
    for index, value in variables.items():
        variable = text_of(value)
        if await _whole(columns, _STATUS, index) == _INVALID or not variable.strip("0."):
            continue
        sample = await _whole(columns, _SAMPLE_TYPE, index)
        interval_s = await _whole(columns, _INTERVAL, index)
        if sample == _ABSOLUTE:
            of_reading = by_oid.get(variable)
            watched = _of_reading(*of_reading) if of_reading else await _of_column(columns, variable, ports)
        elif sample == _DELTA and interval_s:
            watched = _as_rate(await _of_column(columns, variable, ports), interval_s)
        else:
            continue
        for side in _SIDES:
            event = await _whole(columns, side.event, index)
            points.append(_plan_side(side, index, watched, (variable, sample, interval_s), event))
    return points


def _plan_side(
    side: _Side, index: str, watched: _Watched, planned: tuple[str, int, int | None], event: int | None
) -> PlannedPoint:
    oids = {
        "level": f"{side.level}.{index}",
        "event": f"{side.event}.{index}",
        "variable": f"{_VARIABLE}.{index}",
        "sample": f"{_SAMPLE_TYPE}.{index}",
        "interval": f"{_INTERVAL}.{index}",
        "status": f"{_STATUS}.{index}",
    }
    if event:
        oids |= {"event_type": f"{_EVENT_TYPE}.{event}", "event_status": f"{_EVENT_STATUS}.{event}"}
    tags = {
        "source": "snmp",
        "rule": f"alarm {index} {side.name}",
        "subject": write_subject(watched.subject),
        "metric": watched.metric,
        "comparison": side.comparison,
    }
    variable, sample, interval_s = planned

    def fields(raw: Raw) -> Mapping[str, FieldValue]:
        now = text_of(raw.get("variable")), _integer(raw.get("sample")), _integer(raw.get("interval"))
        event_now = _integer(raw.get("event"))
        threshold, status = _integer(raw.get("level")), _integer(raw.get("status"))
        # What was made another alarm since gets its own name when the device is looked at again.
        if now != planned or event_now not in (event, 0) or threshold is None or status in (None, _INVALID):
            return {}
        level = watched.show(threshold)
        if level is None:
            return {}
        does_something = (
            bool(event_now)
            and _integer(raw.get("event_status")) == _VALID
            and _integer(raw.get("event_type")) != _EVENT_DOES_NOTHING
        )
        taken = "value" if sample == _ABSOLUTE else "change"
        made: dict[str, FieldValue] = {
            "level": round12(level),
            "for_s": 0.0,
            "enabled": int(status == _VALID and does_something),
            "expression": f"{taken} of {variable} in {interval_s} s, {side.name} threshold {threshold}",
        }
        if sample == _DELTA and interval_s:
            made["window_s"] = float(interval_s)
        return made

    return PlannedPoint(THRESHOLD, tags, oids, fields)


def _of_reading(point: PlannedPoint, key: str) -> _Watched:
    """What a processor or sensor is called, whose value the device watches; else the OID alone."""
    names = list(_numbers(point, key, 1))
    if len(names) != 1:
        return _Watched(point.oids[key], (), float)

    def show(level: float) -> float | None:
        return next(iter(_numbers(point, key, level).values()), None)

    subject = [Matcher(tag, "=", value) for tag in ("class", "name") if (value := point.tags.get(tag))]
    return _Watched(f"{point.measurement}.{names[0]}", subject, show)


def _numbers(point: PlannedPoint, key: str, level: float) -> dict[str, float]:
    """The fields that the point would have if the device answered this, and nothing else."""
    made = point.fields({key: int(level)})
    return {name: value for name, value in made.items() if isinstance(value, int | float)}


async def _of_column(columns: Columns, variable: str, ports: Mapping[str, str]) -> _Watched:
    """What is counted at which port; the OID where that is not known."""
    column, _, index = variable.rpartition(".")
    field = port_field(column)
    metric = f"snmp_port.{field}" if field else _NAMES.get(column)
    if metric is None:
        return _Watched(variable, (), float)
    if column.startswith(f"{_STATS}."):
        source = text_of((await columns.rows(_STATS_SOURCE)).get(index))
        above, _, index = source.rpartition(".")
        if above != _IF_INDEX:
            return _Watched(variable, (), float)
    name = ports.get(index)
    if name is None:
        # The port is not measured, and is called what it would be.
        known = [text_of((await columns.rows(column)).get(index)) for column in (_IF_NAME, _IF_DESCR)]
        name = known[0] or known[1] or f"port {index}"
    return _Watched(metric, (Matcher("name", "=", name),), float)


def _as_rate(watched: _Watched, interval_s: int) -> _Watched:
    """A change within the interval is a rate, which is how readings of counters are judged."""
    return _Watched(f"rate({watched.metric})", watched.subject, lambda level: level / interval_s)


async def _whole(columns: Columns, column: str, index: str) -> int | None:
    return _integer((await columns.rows(column)).get(index))


def _integer(value: Value | Missing | None) -> int | None:
    number = None if isinstance(value, Missing) else number_of(value)
    return None if number is None else int(number)
