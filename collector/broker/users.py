"""The users of a broker, wherever it keeps them: the embedded broker's file, or Mosquitto's."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from collector.broker import credentials
from collector.broker.access import RESERVED_NAMES, Role
from setpoint.topics import NAME_EXPECTED, is_name

# On Mosquitto these names have rights of their own in the shipped ACL; `setpoint up` makes the first.
RIGHTS_BY_NAME: Mapping[str, Role] = {"collector": "collector", "reader": "reader"}


class NoSuchUser(KeyError):
    """The broker knows nobody of that name."""


class Users(Protocol):
    """Who may connect. Passwords are told once, when they are made; ValueError says what cannot be done."""

    path: Path

    def names(self) -> Mapping[str, Role]:
        """Every user and its role."""
        ...

    def add(self, names: Iterable[str], role: Role) -> dict[str, str]:
        """The passwords of new users, all of them or, when one is refused, none."""
        ...

    def rotate(self, names: Iterable[str]) -> dict[str, str]:
        """New passwords; the old ones are void. NoSuchUser, and nothing changed, when one is unknown."""
        ...

    def remove(self, names: Iterable[str]) -> None:
        """Takes users away. NoSuchUser, and nothing changed, when one is unknown."""
        ...


def name_problem(name: str, role: Role = "agent") -> str:
    """Why a new user cannot have this name; empty when it can."""
    if not is_name(name):
        return f"{name!r} is no name: expected {NAME_EXPECTED}"
    if name in RESERVED_NAMES:
        return f'the name "{name}" is reserved; choose another one'
    if role in ("agent", "publisher") and name in RIGHTS_BY_NAME:
        return f'"{name}" is no name for an {role}: on Mosquitto that name alone gives further rights'
    return ""


class EmbeddedUsers:
    """The users in the embedded broker's file, which takes changes up by itself."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> Mapping[str, Role]:
        return credentials.names(self.path)

    def add(self, names: Iterable[str], role: Role) -> dict[str, str]:
        passwords: dict[str, str] = {}
        try:
            for name in names:
                passwords[name] = credentials.add(self.path, name, role)
        except BaseException:
            with contextlib.suppress(OSError, ValueError):
                self.remove(passwords)
            raise
        return passwords

    def rotate(self, names: Iterable[str]) -> dict[str, str]:
        return {name: credentials.rotate(self.path, name) for name in self._known(names)}

    def remove(self, names: Iterable[str]) -> None:
        for name in self._known(names):
            credentials.remove(self.path, name)

    def _known(self, names: Iterable[str]) -> list[str]:
        known, asked = self.names(), list(names)
        if unknown := [name for name in asked if name not in known]:
            raise NoSuchUser(unknown[0])
        return asked
