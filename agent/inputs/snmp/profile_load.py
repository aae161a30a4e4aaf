"""The profiles that there are: those that come with the agent, and those of the user's own folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from agent.inputs.snmp.profile import Profile
from setpoint.config import ConfigError, Problem, Source, load, suggest

_SHIPPED = Path(__file__).parent / "profiles"


class LoadedProfile(NamedTuple):
    """A profile with its name, and whether it is the user's."""

    name: str
    profile: Profile
    own: bool


Profiles = Mapping[str, LoadedProfile]
"""Profiles by name."""


def load_profiles(user_folder: Path | None = None) -> Profiles:
    """All profiles. One in the user's folder replaces a shipped one of the same name.

    ConfigError with everything that is wrong in any of them, with file and line.
    """
    found: dict[str, LoadedProfile] = {}
    sources: dict[str, Source] = {}
    problems: list[Problem] = []
    for path, own in _files(user_folder, problems):
        try:
            loaded = load(path, Profile, environment={})
        except ConfigError as error:
            problems += error.problems
            continue
        found[path.stem] = LoadedProfile(path.stem, loaded.value, own)
        sources[path.stem] = loaded.source
    for name, entry in found.items():
        for position, parent in enumerate(entry.profile.inherit):
            if parent not in found:
                message = f'no profile is called "{parent}"{suggest(parent, found)}'
                problems.append(sources[name].problem(f"inherit[{position}]", message))
            elif name in ancestry(parent, found):
                message = f'"{parent}" inherits from this profile already'
                problems.append(sources[name].problem(f"inherit[{position}]", message))
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
            waiting = [*profiles[here].profile.inherit, *waiting]
    return order


def _files(user_folder: Path | None, problems: list[Problem]) -> Iterator[tuple[Path, bool]]:
    for path in sorted(_SHIPPED.glob("*.yaml")):
        yield path, False
    if user_folder is None:
        return
    if not user_folder.is_dir():
        problems.append(Problem(str(user_folder), 0, "", "expected a folder with profiles, found none"))
        return
    for path in sorted([*user_folder.glob("*.yaml"), *user_folder.glob("*.yml")]):
        yield path, True
