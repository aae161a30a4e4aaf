"""What a profile says: which devices it is for, and where they keep what matters.

An OID is numeric. One that begins with ``1.3.6.1.``, ``1.0.8802.`` or ``1.2.840.`` stands as it is; any
other is below the group's ``under``. One that ends in ``.0`` is a single value, any other a column of a
table, whose rows are found by walking it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from agent.inputs.snmp.condition import Wanted
from agent.inputs.snmp.oid import is_absolute, is_oid, is_place
from agent.inputs.snmp.profile_problems import (
    Problems,
    conditions_problems,
    formula_problems,
    names_problems,
    oid_problems,
    pattern_problems,
    skip_problems,
    template_problems,
    unknown_names,
)
from agent.inputs.snmp.sensor_classes import SENSOR_CLASSES
from agent.inputs.snmp.template import template_names
from agent.inputs.snmp.unit import UNITS
from setpoint.config import suggest

Meaning = Literal["good", "warning", "critical", "unknown"]
Kind = Literal["cpu", "memory", "storage", "sensors"]

_LIMITS = ("low", "low_warning", "high_warning", "high")


class _Part(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What all parts of a profile have in common."""


class Match(_Part, kw_only=True, forbid_unknown_fields=True):
    """A device is meant when all that is given holds.

    ``sys_object_id``: the beginning, in whole numbers, of its sysObjectID. ``sys_descr``: a regular
    expression found in its sysDescr. ``has``: an OID below which it answers.
    """

    sys_object_id: str = ""
    sys_descr: str = ""
    has: str = ""

    def problems(self) -> Problems:
        found = [
            (key, f'expected a numeric OID such as "1.3.6.1.4.1.9", got "{oid}"')
            for key, oid in (("sys_object_id", self.sys_object_id), ("has", self.has))
            if oid and not is_oid(oid)
        ]
        if self.sys_descr:
            found += pattern_problems("sys_descr", self.sys_descr)
        elif not self.sys_object_id:
            found.append(("", "expected sys_object_id, sys_descr or both"))
        return found


class Lookup(_Part, kw_only=True, forbid_unknown_fields=True):
    """A value of the same row, or of another table's.

    ``index``: a template that says which row of the other table. ``pattern``: a regular expression whose
    first group is taken. ``names``: what values are called. ``numbers``: what numbers values stand for.
    ``fixed``: read once, when the device is discovered, and not with every reading.
    """

    oid: str
    index: str = "{index}"
    pattern: str = ""
    names: dict[str, str] = {}
    numbers: dict[str, float] = {}
    fixed: bool = False

    def problems(self) -> Problems:
        found = oid_problems("oid", self.oid) + template_problems("index", self.index)
        return found + pattern_problems("pattern", self.pattern)


class _Rows(_Part, kw_only=True, forbid_unknown_fields=True, rename={"with_": "with"}):
    """Which rows are meant, and what goes with them: for a group of readings, or for one."""

    name: str = ""
    with_: dict[str, str | Lookup] = {}
    where: dict[str, Wanted] = {}
    unless: dict[str, Wanted] = {}
    otherwise: bool = False

    def templates(self) -> Mapping[str, str]:
        """Key and template of all texts that are filled in for each row."""
        return {"name": self.name}


class Group(_Rows, kw_only=True, forbid_unknown_fields=True, rename={"with_": "with"}):
    """What the readings of a group share: see each key in docs/inputs/snmp-profiles.md."""

    under: str = ""

    def group_problems(self, readings: Sequence[Value]) -> Problems:
        """What is wrong with the group and with its readings, whose names it may use."""
        found: Problems = []
        if self.under and not is_place(self.under):
            found.append(("under", f'expected an OID such as "1.3.6.1.4.1.9.9.13", got "{self.under}"'))
        known = {"index", *self.with_}
        for key, value in self.with_.items():
            if isinstance(value, str):
                found += oid_problems(f"with.{key}", value)
            elif unknown := set(template_names(value.index)) - known:
                found.append((f"with.{key}.index", unknown_names(unknown, known)))
        found += _row_problems(self, known)
        if not readings:
            found.append(("read", "expected at least one reading"))
        for position, reading in enumerate(readings):
            where = f"read[{position}]"
            below = known | set(reading.with_)
            for key, lookup in reading.with_.items():
                if isinstance(lookup, str):
                    found += oid_problems(f"{where}.with.{key}", lookup)
            found += [
                (f"{where}.{path}", message) for path, message in _row_problems(reading, below | {"value"})
            ]
            for path, text, own_value in reading.formulas():
                allowed = below | ({"value"} if own_value else set())
                found += formula_problems(f"{where}.{path}", text, allowed)
            if not self.under:
                found += [
                    (f"{where}.{path}", f'"{oid}" is relative, and the group has no "under"')
                    for path, oid in reading.oids()
                    if not is_absolute(oid)
                ]
        return found


class Value(_Rows, kw_only=True, forbid_unknown_fields=True, rename={"with_": "with"}):
    """What every kind of reading can say of its row."""

    def oids(self) -> Iterator[tuple[str, str]]:
        """(key, OID) of all OIDs that it names."""
        raise NotImplementedError

    def formulas(self) -> Iterator[tuple[str, str, bool]]:
        """(key, expression, whether ``value`` is a name in it) of all expressions that it has."""
        raise NotImplementedError


class Measure(Value, kw_only=True, forbid_unknown_fields=True, rename={"with_": "with"}):
    """One number: ``value`` is an OID, or an expression over names of ``with``.

    ``pattern``: a regular expression whose first group is the number in a text. ``numbers``: what numbers
    texts stand for. ``bit``: the number of one bit in it. ``skip``: raw values that mean "no value".
    ``calc``: an expression over ``value`` and names of ``with``. ``scale``, ``unit``: to SI units.
    """

    value: str
    pattern: str = ""
    numbers: dict[str, float] = {}
    bit: int | None = None
    skip: Wanted = []
    calc: str = ""
    scale: float = 1.0
    unit: str = ""

    def problems(self) -> Problems:
        found = pattern_problems("pattern", self.pattern)
        if self.unit and self.unit not in UNITS:
            found.append(("unit", f'expected one of {", ".join(UNITS)}, got "{self.unit}"'))
        if self.bit is not None and not 0 <= self.bit < 1024:
            found.append(("bit", f"expected a number from 0 to 1023, got {self.bit}"))
        return found + skip_problems(self.skip)

    def oids(self) -> Iterator[tuple[str, str]]:
        if is_oid(self.value):
            yield "value", self.value

    def formulas(self) -> Iterator[tuple[str, str, bool]]:
        if not is_oid(self.value):
            yield "value", self.value, False
        if self.calc:
            yield "calc", self.calc, True


class Limits(_Part, kw_only=True, forbid_unknown_fields=True):
    """Where the device keeps its own limits of a sensor; they are scaled as its value is."""

    low: str = ""
    low_warning: str = ""
    high_warning: str = ""
    high: str = ""
    skip: Wanted = []

    def given(self) -> Mapping[str, str]:
        return {key: oid for key in _LIMITS if (oid := getattr(self, key))}

    def problems(self) -> Problems:
        found = [problem for key, oid in self.given().items() for problem in oid_problems(key, oid)]
        return found + skip_problems(self.skip)


class States(_Part, kw_only=True, forbid_unknown_fields=True):
    """What the numbers (or texts) of a state mean."""

    good: list[int | str] = []
    warning: list[int | str] = []
    critical: list[int | str] = []
    unknown: list[int | str] = []

    def meanings(self) -> Mapping[str, Meaning]:
        """Value, as text in lower case, to meaning."""
        meanings: tuple[Meaning, ...] = ("good", "warning", "critical", "unknown")
        return {str(value).lower(): meaning for meaning in meanings for value in getattr(self, meaning)}

    def problems(self) -> Problems:
        meanings = (self.good, self.warning, self.critical, self.unknown)
        values = [str(value).lower() for of_meaning in meanings for value in of_meaning]
        twice = sorted({value for value in values if values.count(value) > 1})
        return [("", f'"{value}" has two meanings') for value in twice]


class Sensor(Measure, kw_only=True, forbid_unknown_fields=True, rename={"class_": "class", "with_": "with"}):
    """A reading of ``snmp_sensor``."""

    class_: str
    states: States | None = None
    limits: Limits | None = None

    def templates(self) -> Mapping[str, str]:
        return {"name": self.name, "class": self.class_}

    def problems(self) -> Problems:
        found = Measure.problems(self)
        if "{" not in self.class_ and self.class_ not in SENSOR_CLASSES:
            found.append(("class", f'unknown class "{self.class_}"{suggest(self.class_, SENSOR_CLASSES)}'))
        if (self.class_ == "state") != (self.states is not None):
            found.append(("states", 'expected exactly with "class: state"'))
        return found

    def oids(self) -> Iterator[tuple[str, str]]:
        yield from Measure.oids(self)
        if self.limits:
            yield from ((f"limits.{key}", oid) for key, oid in self.limits.given().items())


class Amount(Value, kw_only=True, forbid_unknown_fields=True, rename={"with_": "with"}):
    """Memory or storage: any two of ``used``, ``free`` and ``total``, or a percentage, give the rest.

    Each is an OID, or an expression over names of ``with``. ``unit``: what they count (B, KiB, MiB, …).
    ``units``: an OID whose value is the bytes of one unit.
    """

    used: str = ""
    free: str = ""
    total: str = ""
    used_percent: str = ""
    free_percent: str = ""
    unit: str = "B"
    units: str = ""

    def sources(self) -> Mapping[str, str]:
        """Which of its five numbers it has, with the OID or expression of each."""
        keys = ("total", "used", "free", "used_percent", "free_percent")
        return {key: text for key in keys if (text := getattr(self, key))}

    def problems(self) -> Problems:
        given = set(self.sources())
        found: Problems = []
        if not given & {"used_percent", "free_percent"} and len(given & {"used", "free", "total"}) < 2:
            found.append(("", "expected two of used, free and total, or used_percent or free_percent"))
        if self.unit not in UNITS:
            found.append(("unit", f'expected one of {", ".join(UNITS)}, got "{self.unit}"'))
        return found + (oid_problems("units", self.units) if self.units else [])

    def oids(self) -> Iterator[tuple[str, str]]:
        yield from ((key, text) for key, text in self.sources().items() if is_oid(text))
        if self.units:
            yield "units", self.units

    def formulas(self) -> Iterator[tuple[str, str, bool]]:
        yield from ((key, text, False) for key, text in self.sources().items() if not is_oid(text))


class MeasureGroup(Group, kw_only=True, forbid_unknown_fields=True, rename={"with_": "with"}):
    read: list[Measure]

    def problems(self) -> Problems:
        return self.group_problems(self.read)


class AmountGroup(Group, kw_only=True, forbid_unknown_fields=True, rename={"with_": "with"}):
    read: list[Amount]

    def problems(self) -> Problems:
        return self.group_problems(self.read)


class SensorGroup(Group, kw_only=True, forbid_unknown_fields=True, rename={"with_": "with"}):
    read: list[Sensor]

    def problems(self) -> Problems:
        return self.group_problems(self.read)


class Profile(_Part, kw_only=True, forbid_unknown_fields=True):
    """One family of devices. Its name is that of its file.

    ``title``: what people call it. ``inherit``: profiles that hold for it too; of ``cpu``, ``memory`` and
    ``storage`` they count only where this one finds nothing, unless ``together`` names the kind.
    """

    title: str
    match: list[Match] = []
    inherit: list[str] = []
    together: list[Kind] = []
    cpu: list[MeasureGroup] = []
    memory: list[AmountGroup] = []
    storage: list[AmountGroup] = []
    sensors: list[SensorGroup] = []


def _row_problems(part: _Rows, known: set[str]) -> Problems:
    return [
        *names_problems(part.templates(), known),
        *conditions_problems("where", part.where, known),
        *conditions_problems("unless", part.unless, known),
    ]
