"""Which profiles are for a device: by its sysObjectID, its sysDescr, and what it answers."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agent.inputs.snmp.profile import Match
from agent.inputs.snmp.profile_load import LoadedProfile, Profiles, ancestry
from agent.inputs.snmp.session import Session
from agent.inputs.snmp.value import text_of

_SYS_DESCR = "1.3.6.1.2.1.1.1.0"
_SYS_OBJECT_ID = "1.3.6.1.2.1.1.2.0"
_SYS_NAME = "1.3.6.1.2.1.1.5.0"
_SYS_LOCATION = "1.3.6.1.2.1.1.6.0"

GENERIC = "generic"
"""The profile of a device that no other is for."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a device says it is, and the profiles that hold for it, the one that was recognised first."""

    sys_object_id: str
    sys_descr: str
    sys_name: str
    sys_location: str
    profiles: tuple[LoadedProfile, ...]

    @property
    def title(self) -> str:
        """The family that was recognised."""
        return self.profiles[0].title if self.profiles else "nothing known"


async def identify(session: Session, profiles: Profiles) -> Identity:
    """Asks the device what it is. SessionError when it does not answer."""
    said = await session.get([_SYS_DESCR, _SYS_OBJECT_ID, _SYS_NAME, _SYS_LOCATION])
    sys_object_id = text_of(said.get(_SYS_OBJECT_ID)).lstrip(".")
    sys_descr = text_of(said.get(_SYS_DESCR))
    best = await _best(session, profiles, sys_object_id, sys_descr)
    return Identity(
        sys_object_id,
        sys_descr,
        text_of(said.get(_SYS_NAME)),
        text_of(said.get(_SYS_LOCATION)),
        tuple(profiles[name] for name in ancestry(best, profiles)),
    )


async def _best(session: Session, profiles: Profiles, sys_object_id: str, sys_descr: str) -> str:
    """The name of the profile with the most particular match that holds."""
    candidates = sorted(
        (
            (_rank(match, entry.own), name, match)
            for name, entry in profiles.items()
            for match in entry.match
            if _may_be(match, sys_object_id, sys_descr)
        ),
        key=lambda candidate: candidate[:2],
        reverse=True,
    )
    asked: dict[str, bool] = {}
    for _, name, match in candidates:
        if match.has and match.has not in asked:
            asked[match.has] = await _answers(session, match.has)
        if not match.has or asked[match.has]:
            return name
    return GENERIC


def _may_be(match: Match, sys_object_id: str, sys_descr: str) -> bool:
    prefix = match.sys_object_id
    if prefix and f"{sys_object_id}.".find(f"{prefix}.") != 0:
        return False
    return not match.sys_descr or re.search(match.sys_descr, sys_descr) is not None


def _rank(match: Match, own: bool) -> tuple[int, int, bool]:
    """What is more particular is more: a longer sysObjectID, then more conditions, then the user's own."""
    numbers = match.sys_object_id.count(".") + 1 if match.sys_object_id else 0
    return numbers, bool(match.sys_descr) + bool(match.has), own


async def _answers(session: Session, oid: str) -> bool:
    if oid.endswith(".0"):
        value = (await session.get([oid])).get(oid)
        return isinstance(value, int | float | bytes | str)
    return bool(await session.walk(oid))
