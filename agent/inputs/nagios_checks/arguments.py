"""Levels in the command line of a check: what stands after -w and -c.

What such a level means is the plugin's matter. The usual plugins' manuals say it:
https://www.monitoring-plugins.org/doc/man/index.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

Severity = Literal["warning", "critical"]

_OPTIONS: Final[dict[str, Severity]] = {
    "-w": "warning",
    "--warning": "warning",
    "-c": "critical",
    "--critical": "critical",
}
_LISTED: Final[dict[str, tuple[str, ...]]] = {
    "check_load": ("load1", "load5", "load15"),
    "check_ping": ("rta", "pl"),
    "check_icmp": ("rta", "pl"),
    "check_fping": ("rta", "pl"),
    "check_mrtgtraf": ("in", "out"),
}
_ITEM_UNITS: Final = {"rta": "ms"}
# These warn when less than this is free.
_FREE: Final = frozenset({"check_disk", "check_swap"})
_LEVEL = re.compile(r"(.*?)(%|ms|s|[KMGT]?B)?")


class Argument(NamedTuple):
    """A range from a command line. ``label`` is "" where the plugin has but one value."""

    severity: Severity
    label: str
    unit: str
    range: str


def program(command: Sequence[str]) -> str:
    """The plugin's name, without its folder."""
    return command[0].rstrip("/").rpartition("/")[2] if command else ""


def unwrap(command: Sequence[str]) -> Sequence[str]:
    """The command line that this one runs on another host; itself where it runs none.

    For them -c names what is run there, and is no level.
    """
    name, words = program(command), list(command[1:])
    if name == "check_nrpe":
        plugin = _after(words, ("-c", "--command"))
        if plugin is None:
            return [name]
        start = next((at for at, word in enumerate(words) if word in ("-a", "--args")), len(words))
        return [plugin, *" ".join(words[start + 1 :]).split()]
    if name == "check_by_ssh":
        return (_after(words, ("-C", "--command")) or name).split()
    return command


def _after(words: Sequence[str], options: Sequence[str]) -> str | None:
    for word, following in zip(words, [*words[1:], ""], strict=True):
        option, joined, value = word.partition("=")
        if option in options:
            return value if joined else following
    return None


def find_levels(command: Sequence[str]) -> list[Argument]:
    """The levels that the command line gives; of an option that is given twice, each."""
    name = program(command)
    found: list[Argument] = []
    path = ""
    words = iter(command[1:])
    for word in words:
        option, joined, value = word.partition("=")
        if option not in _OPTIONS and word[:2] in _OPTIONS and not word.startswith("--"):
            option, joined, value = word[:2], "=", word[2:]
        if option in ("-p", "--path") and name == "check_disk":
            path = value if joined else next(words, "")
            found = [one._replace(label=path) if one.label == "" else one for one in found]
        elif option in _OPTIONS:
            text = value if joined else next(words, "")
            found += _split(name, _OPTIONS[option], text, path)
    return found


def _split(name: str, severity: Severity, text: str, path: str) -> list[Argument]:
    labels = _LISTED.get(name)
    if labels is None:
        range_text, unit = _without_unit(text)
        if name in _FREE and ":" not in range_text:
            return [Argument(severity, path, f"{unit or 'MB'} free", f"{range_text}:")]
        return [Argument(severity, path, unit, range_text)]
    parts = text.split(",")
    # check_load takes one level for all three.
    if name == "check_load" and len(parts) == 1:
        parts *= len(labels)
    found = []
    for label, part in zip(labels, parts, strict=False):
        range_text, unit = _without_unit(part)
        found.append(Argument(severity, label, unit or _ITEM_UNITS.get(label, ""), range_text))
    return found


def _without_unit(text: str) -> tuple[str, str]:
    match = _LEVEL.fullmatch(text.strip())
    return (match[1], match[2] or "") if match else (text, "")
