"""The columns and single values of a device, each asked for once while it is discovered."""

from __future__ import annotations

from collections.abc import Mapping

from agent.inputs.snmp.session import Missing, Session, Value


class Columns:
    """Remembers what was walked and got, since many readings share the columns that name their rows."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._columns: dict[str, dict[str, Value]] = {}
        self._values: dict[str, Value | Missing | None] = {}

    async def rows(self, oid: str) -> Mapping[str, Value]:
        """The column's values by index; a single value (``….0``) is the row ``0``. SessionError."""
        if oid.endswith(".0"):
            value = await self.value(oid)
            return {} if value is None or isinstance(value, Missing) else {"0": value}
        if oid not in self._columns:
            skip = len(oid) + 1
            self._columns[oid] = {found[skip:]: value for found, value in await self._session.walk(oid)}
        return self._columns[oid]

    async def value(self, oid: str) -> Value | Missing | None:
        """A single value. SessionError."""
        if oid not in self._values:
            self._values[oid] = (await self._session.get([oid])).get(oid)
        return self._values[oid]

    async def expect(self, oids: list[str]) -> None:
        """Gets single values together, which takes fewer requests. SessionError."""
        missing = [oid for oid in dict.fromkeys(oids) if oid not in self._values]
        if missing:
            found = await self._session.get(missing)
            self._values |= {oid: found.get(oid) for oid in missing}
