"""One number of a device, from what it answers to the field of a point: processors and sensors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from agent.inputs.snmp.condition import fits
from agent.inputs.snmp.device_plan import PlannedLimit, PlannedPoint, Raw
from agent.inputs.snmp.expression import evaluate, expression_names
from agent.inputs.snmp.oid import is_oid
from agent.inputs.snmp.profile import Limits, Lookup, Measure, Sensor
from agent.inputs.snmp.rows import Row, lookup_number
from agent.inputs.snmp.sensor_classes import SENSOR_CLASSES
from agent.inputs.snmp.session import Missing, Value
from agent.inputs.snmp.unit import to_si
from agent.inputs.snmp.value import bit_of, number_of, text_of
from setpoint.reading import FieldValue

Number = Callable[[Raw], float | None]

# Name of the limit: what a value does that is beyond it, and how bad that is.
_LIMITS = {
    "low": ("below", "critical"),
    "low_warning": ("below", "warning"),
    "high_warning": ("above", "warning"),
    "high": ("above", "critical"),
}


def plan_cpu(measure: Measure, row: Row, name: str) -> list[PlannedPoint]:
    """How to read one processor; empty when it has no value now."""
    oids, number = plan_number(measure, row)
    now = number(row.raw)
    if now is None:
        return []

    def fields(raw: Raw) -> Mapping[str, FieldValue]:
        value = number(raw)
        return {} if value is None else {"usage_percent": float(value)}

    tags = {"index": row.index, "name": name or f"Processor {row.index}"}
    return [PlannedPoint("snmp_cpu", tags, oids, fields)]


def plan_sensor(sensor: Sensor, row: Row, name: str) -> list[PlannedPoint]:
    """How to read one sensor; empty when it has no value now, or is of no class that there is."""
    class_ = row.fill(sensor.class_)
    oids, number = plan_number(sensor, row)
    if class_ not in SENSOR_CLASSES or number(row.raw) is None:
        return []
    meanings = sensor.states.meanings() if sensor.states else {}

    def fields(raw: Raw) -> Mapping[str, FieldValue]:
        value = number(raw)
        if value is None:
            return {}
        if class_ != "state":
            return {"value": float(value)}
        state = meanings.get(text_of(value)) or meanings.get(text_of(raw.get("value")).lower()) or "unknown"
        return {"value": float(value), "state": state}

    tags = {"class": class_, "index": row.index, "name": name or f"{class_} {row.index}"}
    limits = _plan_limits(sensor, sensor.limits, row) if sensor.limits else ()
    return [PlannedPoint("snmp_sensor", tags, oids, fields, limits)]


def plan_number(measure: Measure, row: Row) -> tuple[Mapping[str, str], Number]:
    """The OIDs that a number needs with every reading, by name, and how it is made of their values."""
    direct = is_oid(measure.value)
    formula = measure.calc if direct else measure.value
    needed = (expression_names(formula) - {"value"}) if formula else frozenset()
    fixed = {name: row.number(name) for name in needed if _is_fixed(row.lookups.get(name), row, name)}
    if "index" in needed:
        fixed["index"] = number_of(row.index)
    moving = {name: row.lookups[name] for name in needed if name not in fixed}
    oids = {name: row.oids[name] for name in moving if name in row.oids}
    if direct:
        oids["value"] = row.oids["value"]

    def number(raw: Raw) -> float | None:
        value = _decoded(measure, raw.get("value")) if direct else None
        if direct and (value is None or fits(measure.skip, raw.get("value"))):
            return None
        if formula:
            asked = {name: lookup_number(lookup, raw.get(name)) for name, lookup in moving.items()}
            names = fixed | asked
            if direct:
                names["value"] = value
            given = {name: known for name, known in names.items() if known is not None}
            if len(given) < len(names):
                return None
            value = evaluate(formula, given)
            if not direct and value is not None and measure.skip and fits(measure.skip, value):
                return None
        return None if value is None else _scaled(measure, value)

    return oids, number


def _is_fixed(lookup: Lookup | None, row: Row, name: str) -> bool:
    return lookup is None or lookup.fixed or name not in row.oids


def _decoded(measure: Measure, value: Value | Missing | None) -> float | None:
    if measure.numbers:
        return measure.numbers.get(text_of(value))
    if measure.bit is not None:
        return bit_of(value, measure.bit)
    return number_of(value, measure.pattern)


def _scaled(measure: Measure, value: float) -> float | None:
    # Scaled numbers are rounded where binary fractions would show: 235 * 0.1 is 23.500000000000004.
    scaled = to_si(value * measure.scale, measure.unit)
    return float(f"{scaled:.12g}") if math.isfinite(scaled) else None


def _plan_limits(sensor: Measure, limits: Limits, row: Row) -> tuple[PlannedLimit, ...]:
    """The device's limits of a sensor: those that have a level now."""
    planned = []
    for key in limits.given():
        oid = row.oids[f"limits.{key}"]
        shown = Measure(
            value=oid,
            pattern=sensor.pattern,
            calc=sensor.calc,
            scale=sensor.scale,
            unit=sensor.unit,
            skip=limits.skip,
        )
        of_limit = Row(row.index, row.lookups, {**row.oids, "value": oid}, row.raw)
        oids, number = plan_number(shown, of_limit)
        if number({**row.raw, "value": row.raw.get(f"limits.{key}")}) is None:
            continue
        comparison, severity = _LIMITS[key]
        planned.append(PlannedLimit(key.replace("_", " "), comparison, severity, oids, _level(number)))
    return tuple(planned)


def _level(number: Number) -> Callable[[Raw], Mapping[str, FieldValue]]:
    def fields(raw: Raw) -> Mapping[str, FieldValue]:
        level = number(raw)
        return {} if level is None else {"level": float(level), "for_s": 0.0, "enabled": 1}

    return fields
