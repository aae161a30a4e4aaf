"""The profiles that there are: those that come with the agent, and those of the user's own folder."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from agent.inputs.snmp.profile import Match, Profile
from setpoint.config import ConfigError, Problem, parse, read_text, suggest

SHIPPED = Path(__file__).parent / "profiles"

# What a device is recognised by stands before this; only a profile that is used is decoded beyond it.
_BODY = re.compile(r"^(?:together|cpu|memory|storage|sensors):", re.MULTILINE)


class LoadedProfile:
    """A profile with its name, and whether it is the user's. Its readings are decoded when they are used."""

    def __init__(self, path: Path, *, own: bool) -> None:
        self.name = path.stem
        self.own = own
        self._path = path
        self._text = read_text(path)
        body = _BODY.search(self._text)
        self._head = self._decode(self._text[: body.start()] if body else self._text)

    @property
    def title(self) -> str:
        return self._head.title

    @property
    def match(self) -> Sequence[Match]:
        return self.profile.match if self.own else self._head.match

    @property
    def inherit(self) -> Sequence[str]:
        return self.profile.inherit if self.own else self._head.inherit

    @cached_property
    def profile(self) -> Profile:
        """All of it. ConfigError when something is wrong in it."""
        return self._decode(self._text)

    def problem(self, path: str, message: str) -> Problem:
        """A problem at the path in its file."""
        return parse(self._text, str(self._path), Profile, environment={}).source.problem(path, message)

    def _decode(self, text: str) -> Profile:
        return parse(text, str(self._path), Profile, environment={}).value


Profiles = Mapping[str, LoadedProfile]
"""Profiles by name."""


def load_profiles(user_folder: Path | None = None) -> Profiles:
    """All profiles. One in the user's folder replaces a shipped one of the same name.

    ConfigError with everything that is wrong in the user's, with file and line.
    """
    found: dict[str, LoadedProfile] = {}
    problems: list[Problem] = []
    for path, own in _files(user_folder, problems):
        try:
            loaded = LoadedProfile(path, own=own)
            if own:
                loaded.profile  # noqa: B018  decoded now, so that what is wrong is said now
        except ConfigError as error:
            problems += error.problems
        else:
            found[loaded.name] = loaded
    for name, entry in found.items():
        if not entry.own and user_folder is not None:
            continue
        for position, parent in enumerate(entry.inherit):
            if parent not in found:
                message = f'no profile is called "{parent}"{suggest(parent, found)}'
                problems.append(entry.problem(f"inherit[{position}]", message))
            elif name in ancestry(parent, found):
                message = f'"{parent}" inherits from this profile already'
                problems.append(entry.problem(f"inherit[{position}]", message))
    if problems:
        raise ConfigError(problems)
    return found


def ancestry(name: str, profiles: Profiles) -> list[str]:
    """The profile's own name, then all that it inherits from, nearest first, each once."""
    order: list[str] = []
    waiting = [name]
    while waiting:
        here = waiting.pop(0)
        if here not in order and here in profiles:
            order.append(here)
            waiting = [*profiles[here].inherit, *waiting]
    return order


def _files(user_folder: Path | None, problems: list[Problem]) -> Iterator[tuple[Path, bool]]:
    for path in sorted(SHIPPED.glob("*.yaml")):
        yield path, False
    if user_folder is None:
        return
    if not user_folder.is_dir():
        problems.append(Problem(str(user_folder), 0, "", "expected a folder with profiles, found none"))
        return
    for path in sorted([*user_folder.glob("*.yaml"), *user_folder.glob("*.yml")]):
        yield path, True
