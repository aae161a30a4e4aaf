"""The ports of a device: IF-MIB (RFC 2863), with 64-bit counters wherever they count."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.inputs.snmp.columns import Columns
from agent.inputs.snmp.device_plan import PlannedPoint, Raw
from agent.inputs.snmp.value import number_of, text_of
from setpoint.line_protocol import INT64_MAX
from setpoint.reading import FieldValue

_IF = "1.3.6.1.2.1.2.2.1"
_IFX = "1.3.6.1.2.1.31.1.1.1"
# From here on ifSpeed says nothing (RFC 2863, section 3.1.7): ifHighSpeed counts in Mbit/s.
_SPEED_FULL = 4_294_967_295
# ifOperStatus of a port whose hardware is missing: an empty slot, an unused aggregate.
_NOT_PRESENT = 6

# Field: column of the 64-bit counter or "", column of the 32-bit one.
_COUNTERS = {
    "in_octets": (f"{_IFX}.6", f"{_IF}.10"),
    "out_octets": (f"{_IFX}.10", f"{_IF}.16"),
    "in_ucast_packets": (f"{_IFX}.7", f"{_IF}.11"),
    "out_ucast_packets": (f"{_IFX}.11", f"{_IF}.17"),
    "in_errors": ("", f"{_IF}.14"),
    "out_errors": ("", f"{_IF}.20"),
    "in_discards": ("", f"{_IF}.13"),
    "out_discards": ("", f"{_IF}.19"),
}
_NUMBERS = {"oper_status": f"{_IF}.8", "admin_status": f"{_IF}.7", "mtu": f"{_IF}.4"}
_DESCR, _TYPE, _SPEED, _ADMIN, _OPER = (f"{_IF}.{column}" for column in (2, 3, 5, 7, 8))
_NAME, _ALIAS, _HIGH_SPEED = (f"{_IFX}.{column}" for column in (1, 18, 15))


@dataclass(frozen=True, slots=True)
class PortFilter:
    """Which ports are wanted; what is empty asks for nothing.

    ``names``, ``not_names``: regular expressions of which one is found (none is found) in ifName, ifDescr
    or ifAlias. ``types``, ``not_types``: IANA ifType numbers. ``admin_up``, ``oper_up``: only ports in
    that state when the device is discovered.
    """

    names: tuple[str, ...] = ()
    not_names: tuple[str, ...] = ()
    types: frozenset[int] = field(default_factory=frozenset)
    not_types: frozenset[int] = field(default_factory=frozenset)
    admin_up: bool = False
    oper_up: bool = False

    def wants(self, texts: tuple[str, ...], type_: int | None, admin: int | None, oper: int | None) -> bool:
        """Whether a port of these names (ifName, ifDescr, ifAlias), type and states is wanted."""
        if self.names and not any(re.search(name, text) for name in self.names for text in texts):
            return False
        if any(re.search(name, text) for name in self.not_names for text in texts):
            return False
        if (self.types and type_ not in self.types) or type_ in self.not_types:
            return False
        return not (self.admin_up and admin != 1) and not (self.oper_up and oper != 1)


async def plan_ports(columns: Columns, wanted: PortFilter) -> list[PlannedPoint]:
    """How to read every wanted port. SessionError when the device stops answering."""
    types = await columns.rows(_TYPE)
    descrs = await columns.rows(_DESCR)
    names = await columns.rows(_NAME)
    statuses = await columns.rows(_OPER)
    indexes = [*dict.fromkeys((*descrs, *types, *statuses, *names))]
    if not indexes:
        return []
    aliases = await columns.rows(_ALIAS)
    admin = await columns.rows(_ADMIN)
    points, taken = [], set()
    for index in sorted(indexes, key=_order):
        texts = tuple(text_of(column.get(index)) for column in (names, descrs, aliases))
        number = [_whole(column.get(index)) for column in (types, admin, statuses)]
        if number[2] == _NOT_PRESENT or not wanted.wants(texts, *number):
            continue
        name = texts[0] or texts[1] or f"port {index}"
        if name in taken:
            name = f"{name} {index}"
        taken.add(name)
        tags = {"index": index, "name": name, "alias": texts[2], "type": text_of(types.get(index))}
        oids = await _port_oids(columns, index)
        if oids:
            points.append(PlannedPoint("snmp_port", tags, oids, port_fields))
    return points


async def _port_oids(columns: Columns, index: str) -> Mapping[str, str]:
    """What to ask for a port: the columns that it has, the wide counter or else the narrow one."""
    oids: dict[str, str] = {}
    for name, (wide, narrow) in _COUNTERS.items():
        of_wide = _whole((await columns.rows(wide)).get(index)) if wide else None
        of_narrow = _whole((await columns.rows(narrow)).get(index))
        # Some devices have the 64-bit column and never count in it.
        if of_wide is not None and (of_wide > 0 or not of_narrow):
            oids[name] = f"{wide}.{index}"
        elif of_narrow is not None:
            oids[name] = f"{narrow}.{index}"
    others = {**_NUMBERS, "speed": _SPEED, "high_speed": _HIGH_SPEED}
    return oids | {
        name: f"{column}.{index}"
        for name, column in others.items()
        if _whole((await columns.rows(column)).get(index)) is not None
    }


def port_field(column: str) -> str | None:
    """The field of ``snmp_port`` that this column of IF-MIB is read into, of whatever width."""
    for name, (wide, narrow) in _COUNTERS.items():
        if column and column in (wide, narrow):
            return name
    return next((name for name, oid in _NUMBERS.items() if oid == column), None)


def port_fields(raw: Raw) -> Mapping[str, FieldValue]:
    """The fields of ``snmp_port``; a counter beyond 2⁶³−1 is left out, since no field holds it."""
    fields: dict[str, FieldValue] = {}
    for name in (*_COUNTERS, *_NUMBERS):
        number = _whole(raw.get(name))
        if number is not None and 0 <= number <= INT64_MAX:
            fields[name] = number
    speed = _speed_bps(_whole(raw.get("speed")), _whole(raw.get("high_speed")))
    if fields and speed is not None:
        fields["speed_bps"] = speed
    return fields


def _speed_bps(speed: int | None, high_speed: int | None) -> int | None:
    """ifHighSpeed counts in Mbit/s: it is right where the two differ, ifSpeed says more where they agree."""
    if high_speed and (speed is None or speed >= _SPEED_FULL or abs(speed - high_speed * 10**6) > 10**6):
        return high_speed * 10**6
    return speed


def _whole(value: object) -> int | None:
    number = number_of(value)  # type: ignore[arg-type]
    return None if number is None else int(number)


def _order(index: str) -> tuple[int, str]:
    return (int(index), "") if index.isdecimal() else (1 << 40, index)
