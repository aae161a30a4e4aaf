"""Finds out what a device has of all that its profiles know, and plans how to read it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from agent.inputs.snmp.columns import Columns
from agent.inputs.snmp.device_plan import DevicePlan, PlannedPoint
from agent.inputs.snmp.expression import expression_names
from agent.inputs.snmp.oid import absolute, placed
from agent.inputs.snmp.plan_amount import plan_amount
from agent.inputs.snmp.plan_measure import plan_cpu, plan_sensor
from agent.inputs.snmp.ports import PortFilter, plan_ports
from agent.inputs.snmp.profile import (
    Amount,
    AmountGroup,
    Group,
    Kind,
    Measure,
    MeasureGroup,
    Sensor,
    SensorGroup,
    Value,
)
from agent.inputs.snmp.recognise import Identity
from agent.inputs.snmp.rmon import plan_alarms
from agent.inputs.snmp.rows import Row, look_up, lookups_of
from agent.inputs.snmp.session import Session

_AnyGroup = MeasureGroup | AmountGroup | SensorGroup
_Groups = list[MeasureGroup] | list[AmountGroup] | list[SensorGroup]


async def discover(session: Session, identity: Identity, ports: PortFilter | None = None) -> DevicePlan:
    """What there is to read from the device. SessionError when it stops answering."""
    columns = Columns(session)
    plan = DevicePlan()
    plan.fast += await plan_ports(columns, ports or PortFilter())
    plan.fast += _distinct(await _of_kind(columns, identity, "cpu"))
    plan.fast += _distinct(await _of_kind(columns, identity, "memory"))
    plan.slow += _distinct(await _of_kind(columns, identity, "storage"))
    sensors = _distinct(await _of_kind(columns, identity, "sensors"))
    plan.slow += [*sensors, *(threshold for sensor in sensors for threshold in sensor.thresholds())]
    plan.slow += await plan_alarms(columns, [*plan.fast, *plan.slow])
    return plan


async def _of_kind(columns: Columns, identity: Identity, kind: Kind) -> list[PlannedPoint]:
    """The points of one kind: sensors of all profiles, other kinds of the first that has some."""
    points: list[PlannedPoint] = []
    together = kind == "sensors"
    for entry in identity.profiles:
        if points and not together:
            break
        together = together or kind in entry.profile.together
        # What a nearer profile calls the same is the same: ENTITY-SENSOR-MIB repeats many a vendor's own.
        nearer = {_subject(point) for point in points}
        found = await _of_groups(columns, getattr(entry.profile, kind), kind, identity.sys_object_id)
        points += [point for point in found if _subject(point) not in nearer]
    return points


async def _of_groups(columns: Columns, groups: _Groups, kind: Kind, sys_object_id: str) -> list[PlannedPoint]:
    points: list[PlannedPoint] = []
    found = False
    for group in groups:
        if group.otherwise and found:
            continue
        of_group = await _of_group(columns, group, kind, placed(group.under, sys_object_id))
        found = bool(of_group) or (group.otherwise and found)
        points += of_group
    return points


async def _of_group(columns: Columns, group: _AnyGroup, kind: Kind, under: str) -> list[PlannedPoint]:
    points: list[PlannedPoint] = []
    taken: set[str] = set()
    await columns.expect(list(_single_values(group, under)))
    for reading in group.read:
        if not reading.otherwise:
            taken = set()
        for row in await _rows(columns, group, reading, under):
            if reading.otherwise and row.index in taken:
                continue
            planned = _planned(group, reading, row, kind)
            if planned:
                taken.add(row.index)
                points += planned
    return points


def _single_values(group: _AnyGroup, under: str) -> Iterator[str]:
    """The OIDs of all single values that the group names: asked for together, they take fewer requests."""
    for reading in group.read:
        named = [absolute(oid, under) for _, oid in reading.oids()]
        named += [lookup.oid for lookup in lookups_of(under, group, reading).values()]
        yield from (oid for oid in named if oid.endswith(".0"))


async def _rows(columns: Columns, group: Group, reading: Value, under: str) -> list[Row]:
    """The rows of a reading that its conditions and those of the group want, with all their values."""
    lookups = lookups_of(under, group, reading)
    own = {key: absolute(oid, under) for key, oid in reading.oids()}
    driver = next(iter(own.values()), None) if any(not k.startswith("limits.") for k in own) else None
    if driver is None:
        driver = _first_in_formula(reading, {name: lookup.oid for name, lookup in lookups.items()})
    if driver is None:
        return []
    rows = []
    for index in await columns.rows(driver):
        row = Row(index, lookups)
        await look_up(row, columns)
        for key, oid in own.items():
            row.oids[key] = oid if oid.endswith(".0") else f"{oid}.{index}"
            row.raw[key] = (
                await columns.value(oid) if oid.endswith(".0") else (await columns.rows(oid)).get(index)
            )
        if row.counts(group) and row.counts(reading):
            rows.append(row)
    return rows


def _first_in_formula(reading: Value, oids: dict[str, str]) -> str | None:
    """The OID that says which rows there are, of a reading that has expressions alone: a column if any."""
    names = [name for _, text, _ in reading.formulas() for name in sorted(expression_names(text))]
    found = [oids[name] for name in names if name in oids]
    return next((oid for oid in found if not oid.endswith(".0")), next(iter(found), None))


def _planned(group: Group, reading: Value, row: Row, kind: Kind) -> list[PlannedPoint]:
    name = row.fill(reading.name or group.name) or ""
    if isinstance(reading, Sensor):
        return plan_sensor(reading, row, name)
    if isinstance(reading, Amount):
        return plan_amount(reading, row, name, "snmp_memory" if kind == "memory" else "snmp_storage")
    return plan_cpu(reading, row, name) if isinstance(reading, Measure) else []


def _distinct(points: list[PlannedPoint]) -> list[PlannedPoint]:
    """The points with names that no two share, since the tag ``index`` is not part of a subject."""
    uses = Counter(_subject(point) for point in points)
    again: Counter[tuple[str | None, ...]] = Counter()
    named = []
    for point in points:
        if uses[_subject(point)] > 1:
            point = point.renamed(f"{point.tags['name']} {point.tags['index']}")
            again[_subject(point)] += 1
            if again[_subject(point)] > 1:
                point = point.renamed(f"{point.tags['name']} ({again[_subject(point)]})")
        named.append(point)
    return named


def _subject(point: PlannedPoint) -> tuple[str | None, ...]:
    return point.measurement, point.tags.get("class"), point.tags.get("name")
