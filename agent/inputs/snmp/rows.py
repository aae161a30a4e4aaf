"""The rows of a group of readings: which there are, what they are called, which of them count."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.inputs.snmp.columns import Columns
from agent.inputs.snmp.condition import fits
from agent.inputs.snmp.oid import absolute
from agent.inputs.snmp.profile import Group, Lookup
from agent.inputs.snmp.profile import Value as Reading
from agent.inputs.snmp.session import Missing, Value
from agent.inputs.snmp.template import fill, template_names
from agent.inputs.snmp.value import number_of, text_of


@dataclass(slots=True)
class Row:
    """One row: its index, and the values that were looked up for it (None where there is none)."""

    index: str
    lookups: Mapping[str, Lookup]
    oids: dict[str, str] = field(default_factory=dict)
    raw: dict[str, Value | Missing | None] = field(default_factory=dict)

    def text(self, name: str) -> str | None:
        """What a template writes for the name; None when the row has no such value."""
        value = self.raw.get(name)
        if value is None or isinstance(value, Missing):
            return None
        lookup = self.lookups.get(name)
        return text_of(value) if lookup is None else lookup_text(lookup, value)

    def number(self, name: str) -> float | None:
        lookup, value = self.lookups.get(name), self.raw.get(name)
        return number_of(value) if lookup is None else lookup_number(lookup, value)

    def fill(self, template: str) -> str | None:
        return fill(template, self.index, self.text)

    def counts(self, part: Group | Reading) -> bool:
        """Whether the row is wanted by the part's conditions."""
        return all(fits(wanted, self._condition(name)) for name, wanted in part.where.items()) and not any(
            fits(wanted, self._condition(name)) for name, wanted in part.unless.items()
        )

    def _condition(self, name: str) -> Value | Missing | None:
        if name == "index":
            return self.index
        value, lookup = self.raw.get(name), self.lookups.get(name)
        if lookup and lookup.names and value is not None and not isinstance(value, Missing):
            named = lookup.names.get(text_of(value))
            return value if named is None else named
        return value


def lookup_text(lookup: Lookup, value: Value) -> str:
    """The text of a value that was looked up: by its name, or what the pattern finds in it."""
    text = text_of(value)
    if lookup.names:
        return lookup.names.get(text, "" if lookup.pattern else text)
    if lookup.pattern:
        match = re.search(lookup.pattern, text)
        return "" if match is None else match[match.re.groups and 1]
    return text


def lookup_number(lookup: Lookup, value: Value | Missing | None) -> float | None:
    """The number of a value that was looked up."""
    if lookup.numbers:
        return lookup.numbers.get(text_of(value))
    return number_of(value, lookup.pattern)


def lookups_of(under: str, *parts: Group | Reading) -> dict[str, Lookup]:
    """The lookups of a group and of one of its readings, with absolute OIDs."""
    found: dict[str, Lookup] = {}
    for part in parts:
        for name, given in part.with_.items():
            lookup = Lookup(oid=given) if isinstance(given, str) else given
            found[name] = Lookup(
                oid=absolute(lookup.oid, under),
                index=lookup.index,
                pattern=lookup.pattern,
                names=lookup.names,
                numbers=lookup.numbers,
                fixed=lookup.fixed,
            )
    return found


async def look_up(row: Row, columns: Columns) -> None:
    """Fills in the row's values; a lookup whose index needs another waits for that one. SessionError."""
    waiting = dict(row.lookups)
    while waiting:
        ready = [
            name
            for name, lookup in waiting.items()
            if not (template_names(lookup.index) - {"index"}) & (waiting.keys() - {name})
        ]
        # Two that wait for each other will never come.
        for name in ready or list(waiting):
            lookup = waiting.pop(name)
            if lookup.oid.endswith(".0"):
                row.oids[name] = lookup.oid
                row.raw[name] = await columns.value(lookup.oid)
                continue
            index = row.fill(lookup.index)
            if not index:
                row.raw[name] = None
                continue
            row.oids[name] = f"{lookup.oid}.{index}"
            row.raw[name] = (await columns.rows(lookup.oid)).get(index)
