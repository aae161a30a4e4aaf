"""Nagios' files: object definitions, and the status file with what the checks reported.

https://assets.nagios.com/downloads/nagioscore/docs/nagioscore/4/en/objectdefinitions.html; Icinga 1 and
Naemon have the same.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from agent.inputs.nagios_checks.checks import Check
from agent.inputs.nagios_checks.perfdata import parse_perfdata
from setpoint.threshold import Matcher

_DEFINED = re.compile(r"define\s+(\w+)\s*\{?\s*")
_STATUS = re.compile(r"(\w+)\s*\{")
_MACRO = re.compile(r"\$(\w+)\$")
_STATES: Final = {"servicestatus": "service", "hoststatus": "host"}
_MOST_TEMPLATES: Final = 20
_RUNNERS: Final = frozenset({"check_nrpe", "check_nrpe_1arg", "nrpe", "check_by_ssh"})
# Unless the main configuration says otherwise, intervals are given in minutes.
_INTERVAL_S: Final = 60.0


class NotNagios(ValueError):
    """What was read is no file of Nagios; the text says why."""


class Block(NamedTuple):
    """``kind``: service, command, host... ``state``: it is from the status file."""

    kind: str
    values: Mapping[str, str]
    state: bool = False


def parse_file(content: bytes) -> list[Block]:
    """The blocks of an object file or of a status file. NotNagios."""
    blocks: list[Block] = []
    kind, state = "", False
    values: dict[str, str] = {}
    for line in content.decode("utf-8", "replace").splitlines():
        text = line.strip()
        if not text or text[0] in "#;":
            continue
        if text.startswith("}"):
            if kind:
                blocks.append(Block(_STATES.get(kind, kind), values, state))
            kind, values = "", {}
        elif kind:
            key, value = _pair(text, state)
            values[key] = value
        elif found := _DEFINED.match(text):
            kind, state = found[1], False
            rest = text[found.end() :]
            if rest.strip(" {"):
                key, value = _pair(rest.rstrip("} "), state)
                values[key] = value
                if rest.endswith("}"):
                    blocks.append(Block(kind, values))
                    kind, values = "", {}
        elif found := _STATUS.fullmatch(text):
            kind, state = found[1], True
    if not blocks:
        raise NotNagios("expected definitions such as define service { ... }, or a status file")
    return blocks


def _pair(text: str, state: bool) -> tuple[str, str]:
    if state:
        key, _, value = text.partition("=")
        return key, value
    key, *rest = text.split(None, 1)
    # A semicolon begins a comment, unless a backslash stands before it.
    value = re.split(r"(?<!\\);", rest[0])[0].strip() if rest else ""
    return key, value.replace("\\;", ";")


def checks_in(blocks: Sequence[Block]) -> list[Check]:
    """The checks of hosts and services. What the status file has of one counts, not its definition."""
    reported = [check for block in blocks if block.state for check in _reported(block)]
    known = {(check.name, *check.subject) for check in reported}
    templates = {(b.kind, b.values["name"]): b.values for b in blocks if not b.state and "name" in b.values}
    commands = {
        b.values.get("command_name", ""): b.values.get("command_line", "")
        for b in blocks
        if b.kind == "command"
    }
    defined = (
        check
        for block in blocks
        if block.kind == "service" and not block.state and block.values.get("register") != "0"
        for check in _defined(_inherited(block, templates), commands)
    )
    return [*reported, *(check for check in defined if (check.name, *check.subject) not in known)]


def _reported(block: Block) -> Iterator[Check]:
    values = block.values
    if block.kind not in _STATES.values():
        return
    yield Check(
        name=values.get("service_description") or "host check",
        subject=[Matcher("host", "=", values.get("host_name", ""))],
        command=_command_name(values.get("check_command", "").split("!")),
        measured=parse_perfdata(values.get("performance_data", "")),
        for_s=_for_s(values.get("max_attempts"), values.get("retry_interval")),
        enabled=values.get("notifications_enabled", "1") == "1",
    )


def _inherited(block: Block, templates: Mapping[tuple[str, str], Mapping[str, str]]) -> Mapping[str, str]:
    """The values with those of the templates that it uses; what is nearer counts."""
    values = dict(block.values)
    waiting = _names(values.get("use", ""))
    for _ in range(_MOST_TEMPLATES):
        if not waiting:
            break
        template = templates.get((block.kind, waiting.pop(0)), {})
        for key, value in template.items():
            if key not in ("name", "register", "use"):
                values.setdefault(key, value)
        waiting = _names(template.get("use", "")) + waiting
    return values


def _defined(values: Mapping[str, str], commands: Mapping[str, str]) -> Iterator[Check]:
    parts = values.get("check_command", "").split("!")
    line = _words(commands.get(parts[0], ""), parts[1:], values)
    hosts = [name for name in _names(values.get("host_name", "")) if not name.startswith("!")]
    groups = [name for name in _names(values.get("hostgroup_name", "")) if not name.startswith("!")]
    subjects = [[] if name == "*" else [Matcher("host", "=", name)] for name in hosts]
    subjects += [[Matcher("hostgroup", "=", name)] for name in groups]
    for subject in subjects:
        yield Check(
            name=values.get("service_description") or "",
            subject=subject,
            command=_command_name(parts),
            line=line,
            for_s=_for_s(values.get("max_check_attempts"), values.get("retry_interval")),
            enabled=values.get("notifications_enabled", "1") == "1",
        )


def _words(line: str, arguments: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """The command line's words, with the macros of which the definition has the value."""
    known = {f"ARG{number}": value for number, value in enumerate(arguments, 1)}
    known |= {f"_SERVICE{key[1:].upper()}": value for key, value in values.items() if key.startswith("_")}
    filled = _MACRO.sub(lambda macro: known.get(macro[1], macro[0]), line)
    try:
        return shlex.split(filled)
    except ValueError:
        return filled.split()


def _command_name(parts: Sequence[str]) -> str:
    """The command's name; of one that runs another elsewhere, that one's."""
    if len(parts) > 1 and parts[0] in _RUNNERS and re.fullmatch(r"\w+", parts[1]):
        return parts[1]
    return parts[0].strip()


def _for_s(attempts: str | None, interval: str | None) -> float:
    """How long it takes from the first bad result to the one that is believed."""
    try:
        return max(0.0, (int(attempts or 1) - 1) * float(interval or 1) * _INTERVAL_S)
    except ValueError:
        return 0.0


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
