"""Which values of a tag a plan means: literals, globs, groups, lists of them, and what they leave out."""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from setpoint.yaml_tree import child, item

Report = Callable[[str, str], None]
"""Takes a path in the plan and what is wrong there."""


class Special(msgspec.Struct):
    """``{not: ...}`` or ``{group: name}``, where a value may stand."""

    not_: str | Special | list[str | Special] | None = msgspec.field(default=None, name="not")
    group: str | None = None

    def problems(self) -> Sequence[tuple[str, str]]:
        if (self.not_ is None) == (self.group is None):
            return [("", "expected exactly one of not, group")]
        return []


Pattern = str | Special | list[str | Special]


class Matcher:
    """The compiled form of a pattern.

    A value matches when it is one of those listed (any value, when only exclusions are listed) and none
    of those excluded. A tag that a series does not have is None: it matches no literal and no glob, not
    even ``*``, and so it matches what consists of exclusions only.
    """

    __slots__ = ("_any", "_excluded", "_globs", "_groups", "_listed", "_literals", "_regex")

    def __init__(
        self, listed: Sequence[str], groups: Sequence[Matcher] = (), excluded: Sequence[Matcher] = ()
    ) -> None:
        self._listed = tuple(text for text in listed if not is_glob(text))
        self._literals = frozenset(self._listed)
        self._globs = tuple(sorted({text for text in listed if is_glob(text)}))
        self._regex = re.compile("|".join(map(fnmatch.translate, self._globs))) if self._globs else None
        self._groups = tuple(groups)
        self._excluded = tuple(excluded)
        self._any = not (listed or groups)

    def __repr__(self) -> str:
        return f"Matcher({self.definition()})"

    def matches(self, value: str | None) -> bool:
        """Whether a tag with this value (None: without this tag) is meant. Case matters."""
        if any(excluded.matches(value) for excluded in self._excluded):
            return False
        return self._any or self._lists(value) or any(group.matches(value) for group in self._groups)

    def _lists(self, value: str | None) -> bool:
        if value is None:
            return False
        return value in self._literals or (self._regex is not None and self._regex.match(value) is not None)

    def literals(self) -> list[str]:
        """The values that it names one by one and does not exclude, in the order of the plan."""
        named = dict.fromkeys(self._listed)
        for group in self._groups:
            named.update(dict.fromkeys(group.literals()))
        return [value for value in named if self.matches(value)]

    def definition(self) -> Any:
        """Plain data that is the same for two matchers that are written alike, whatever their order."""
        return {
            "listed": sorted(self._literals) + list(self._globs),
            "groups": sorted((group.definition() for group in self._groups), key=repr),
            "not": sorted((excluded.definition() for excluded in self._excluded), key=repr),
        }


Where = tuple[tuple[str, Matcher], ...]
"""Tags with what each must match, sorted by tag; all must."""


def wants(where: Iterable[tuple[str, Matcher]], tags: Mapping[str, str]) -> bool:
    """Whether the tags match every entry of the where."""
    return all(matcher.matches(tags.get(tag)) for tag, matcher in where)


def is_glob(text: str) -> bool:
    """Whether the text holds ``*``, ``?`` or ``[``, and so is matched as fnmatch.fnmatchcase does."""
    return any(character in "*?[" for character in text)


class Groups:
    """The plan's groups. ``report`` is told of unknown names and of groups that contain themselves."""

    def __init__(self, patterns: Mapping[str, Pattern], report: Report) -> None:
        self._patterns = patterns
        self._report = report
        self._compiled: dict[str, Matcher] = {}
        self._open: list[str] = []
        for name in patterns:
            self._group(name, child("groups", name))

    def members(self) -> set[str]:
        """Everything that the groups name one by one."""
        return {name for matcher in self._compiled.values() for name in matcher.literals()}

    def where(self, patterns: Mapping[str, Pattern], path: str) -> Where:
        """The compiled form of a ``where`` or ``expect``, which stands at the path."""
        return tuple((tag, self.matcher(patterns[tag], child(path, tag))) for tag in sorted(patterns))

    def matcher(self, pattern: Pattern, path: str) -> Matcher:
        """The compiled form of a pattern. A bare word that is a group's name means the group."""
        if pattern == []:
            self._report(path, "expected at least one value, got an empty list")
        listed: list[str] = []
        groups: list[Matcher] = []
        excluded: list[Matcher] = []
        parts = [(path, pattern)]
        if isinstance(pattern, list):
            parts = [(item(path, index), part) for index, part in enumerate(pattern)]
        for here, part in parts:
            if isinstance(part, Special) and part.not_ is not None:
                excluded.append(self.matcher(part.not_, child(here, "not")))
            elif isinstance(part, Special):
                groups.append(self._group(part.group or "", child(here, "group")))
            elif isinstance(part, str) and part in self._patterns:
                groups.append(self._group(part, here))
            elif isinstance(part, str):
                listed.append(part)
        return Matcher(listed, groups, excluded)

    def _group(self, name: str, path: str) -> Matcher:
        if name in self._compiled:
            return self._compiled[name]
        if name not in self._patterns:
            self._report(path, _unknown_group(name, self._patterns))
            return Matcher([])
        if name in self._open:
            cycle = " -> ".join([*self._open[self._open.index(name) :], name])
            self._report(path, f"a group cannot contain itself: {cycle}")
            return Matcher([])
        self._open.append(name)
        matcher = self.matcher(self._patterns[name], child("groups", name))
        self._open.pop()
        self._compiled[name] = matcher
        return matcher


def _unknown_group(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f', did you mean "{near[0]}"?' if near else ";"
    listed = f"known groups: {', '.join(sorted(known))}" if known else "the plan has no groups"
    return f'unknown group "{name}"{hint} {listed}'
