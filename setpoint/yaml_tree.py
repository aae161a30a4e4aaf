"""A YAML text as a tree in which every value knows its line, and problems that name file, line and path."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

_STEP = re.compile(r'\.?([^.\[\]"]+)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]')
_PLAIN_KEY = re.compile(r'[^.\[\]"\s]+')


class Problem(NamedTuple):
    """One thing that is wrong in a file. ``line`` counts from 1; 0 means the file as a whole."""

    file: str
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(part for part in (where, self.path, self.message) if part)


class ConfigError(Exception):
    """All that is wrong in a file, in the order of its lines; ``str()`` gives one problem per line."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(problems, key=lambda problem: problem.line)
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(slots=True)
class ScalarNode:
    """One value. ``text`` is as written, after ``${NAME}`` and ``!file``; ``value`` is what YAML makes of it.

    ``origin`` says where the text came from when it must not be shown, as ``the value of "${PASSWORD}"``.
    """

    line: int
    text: str
    value: object
    origin: str = ""
    size: int = 1


@dataclass(slots=True)
class ListNode:
    """A list. ``size`` counts the values in and under it, with aliases counted at each use."""

    line: int
    items: list[Node] = field(default_factory=list)
    size: int = 1


class Entry(NamedTuple):
    line: int
    node: Node


@dataclass(slots=True)
class MappingNode:
    """A mapping; its entries know the line of their key."""

    line: int
    entries: dict[str, Entry] = field(default_factory=dict)
    size: int = 1


@dataclass(slots=True)
class BrokenNode:
    """What was reported already and should not be reported again."""

    line: int
    size: int = 1


Node = ScalarNode | ListNode | MappingNode | BrokenNode


def child(path: str, key: str) -> str:
    """The path of a key below ``path``: ``agent.name``; ``groups["a.b"]`` for a key that needs quotes."""
    if not _PLAIN_KEY.fullmatch(key):
        return f"{path}[{json.dumps(key, ensure_ascii=False)}]"
    return f"{path}.{key}" if path else key


def item(path: str, index: int) -> str:
    """The path of a list's item below ``path``."""
    return f"{path}[{index}]"


class Source:
    """A file that was read: its name, its tree, and the lines of its paths."""

    def __init__(self, name: str, root: Node, hidden: Mapping[str, str]) -> None:
        self.name = name
        self.root = root
        self._hidden = hidden

    def line(self, path: str) -> int:
        """The line, from 1, of the path or of its nearest ancestor that is in the file."""
        line, node, end = self.root.line, self.root, 0
        while match := _STEP.match(path, end):
            key, index, quoted = match.groups()
            end = match.end()
            if isinstance(node, MappingNode):
                entry = node.entries.get(json.loads(quoted) if quoted else key or "")
                if entry is None:
                    break
                line, node = entry
            elif isinstance(node, ListNode) and index and int(index) < len(node.items):
                node = node.items[int(index)]
                line = node.line
            else:
                break
        return line

    def problem(self, path: str, message: str) -> Problem:
        """A problem at the path. What came from the environment or a file is not shown in the message."""
        for text, shown in self._hidden.items():
            message = message.replace(text, shown)
        return Problem(self.name, self.line(path), path, message)
