"""Memory and storage: bytes used and there are, and the percentage, from whatever the device counts."""

from __future__ import annotations

from collections.abc import Mapping

from agent.inputs.snmp.device_plan import PlannedPoint, Raw
from agent.inputs.snmp.expression import evaluate, expression_names
from agent.inputs.snmp.oid import is_oid
from agent.inputs.snmp.profile import Amount
from agent.inputs.snmp.rows import Row, lookup_number
from agent.inputs.snmp.unit import to_si
from agent.inputs.snmp.value import number_of
from setpoint.reading import FieldValue


def plan_amount(amount: Amount, row: Row, name: str, measurement: str) -> list[PlannedPoint]:
    """How to read one memory or storage; empty when it has no size now, or no percentage."""
    sources = amount.sources()
    moving = {
        variable: row.lookups[variable]
        for text in sources.values()
        if not is_oid(text)
        for variable in expression_names(text)
        if variable in row.lookups
    }
    keys = [*(key for key, text in sources.items() if is_oid(text)), *(["units"] if amount.units else [])]
    oids = {key: row.oids[key] for key in (*keys, *moving) if key in row.oids}

    def fields(raw: Raw) -> Mapping[str, FieldValue]:
        names = {variable: lookup_number(lookup, raw.get(variable)) for variable, lookup in moving.items()}
        given = {variable: known for variable, known in names.items() if known is not None}
        numbers: dict[str, float] = {}
        for key, text in sources.items():
            if is_oid(text):
                found = number_of(raw.get(key))
            else:
                found = evaluate(text, given) if expression_names(text) <= given.keys() else None
            if found is not None:
                numbers[key] = float(found)
        units = number_of(raw.get("units")) if amount.units else 1
        return amount_fields(numbers, to_si(units, amount.unit) if units else 0.0)

    if not fields(row.raw):
        return []
    tags = {"index": row.index, "name": name or f"{measurement.removeprefix('snmp_')} {row.index}"}
    return [PlannedPoint(measurement, tags, oids, fields)]


def amount_fields(numbers: Mapping[str, float], unit_bytes: float) -> Mapping[str, FieldValue]:
    """``used_bytes``, ``total_bytes`` and ``used_percent`` as far as the numbers say.

    ``numbers`` holds some of used, free and total in units, used_percent and free_percent. Empty when there
    is nothing of that size (a total of 0), or what was said cannot be (more used than there is).
    """
    used, free, total = (numbers.get(key) for key in ("used", "free", "total"))
    percent = numbers.get("used_percent")
    if percent is None and "free_percent" in numbers:
        percent = 100 - numbers["free_percent"]
    if total is None and used is not None and free is not None:
        total = used + free
    if used is None and total is not None and free is not None:
        used = total - free
    if total is None and used is not None and percent:
        total = used / percent * 100
    if total is None and free is not None and percent is not None and percent < 100:
        total = free / (100 - percent) * 100
    if used is None and total is not None and percent is not None:
        used = total * percent / 100
    if total is None or used is None:
        return {} if percent is None or not 0 <= percent <= 100 else {"used_percent": float(percent)}
    if total <= 0 or used < 0 or unit_bytes <= 0:
        return {}
    return {
        "used_bytes": round(used * unit_bytes),
        "total_bytes": round(total * unit_bytes),
        "used_percent": float(f"{used / total * 100:.6g}"),
    }
