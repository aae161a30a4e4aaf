"""Checks over the API of Icinga 2.

https://icinga.com/docs/icinga-2/latest/doc/12-icinga2-api/#querying-objects
"""

from __future__ import annotations

from math import isfinite
from typing import Any, Final

import msgspec

from agent.inputs.nagios_checks.checks import Check
from agent.inputs.nagios_checks.perfdata import Measured, parse_perfdata
from setpoint.threshold import Matcher

ATTRIBUTES: Final = (
    "name",
    "host_name",
    "check_command",
    "max_check_attempts",
    "retry_interval",
    "enable_notifications",
    "last_check_result",
)
_UNITS: Final = {"percent": "%", "bytes": "B", "seconds": "s"}


class NotIcinga(ValueError):
    """What came is no answer of Icinga 2's API; the text says why."""


class _Result(msgspec.Struct):
    performance_data: list[Any] | None = None
    command: list[Any] | str | None = None


class _Attributes(msgspec.Struct):
    name: str = ""
    host_name: str = ""
    check_command: str = ""
    max_check_attempts: float = 1
    retry_interval: float = 0
    enable_notifications: bool = True
    last_check_result: _Result | None = None


class _Object(msgspec.Struct):
    attrs: _Attributes


class _Answer(msgspec.Struct):
    results: list[_Object]


def path(kind: str) -> str:
    """What is asked for: all objects of the kind, services or hosts."""
    names = [one for one in ATTRIBUTES if kind == "services" or one != "host_name"]
    return f"/v1/objects/{kind}?" + "&".join(f"attrs={name}" for name in names)


def decode_checks(body: bytes) -> list[Check]:
    """The checks in the answer of ``/v1/objects/services`` or ``/v1/objects/hosts``. NotIcinga."""
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotIcinga(f"the answer is not that of /v1/objects: {error}") from None
    return [_check(one.attrs) for one in answer.results]


def _check(one: _Attributes) -> Check:
    result = one.last_check_result or _Result()
    line = [str(word) for word in result.command] if isinstance(result.command, list) else []
    wait_s = (one.max_check_attempts - 1) * one.retry_interval
    return Check(
        name=one.name if one.host_name else "host check",
        subject=[Matcher("host", "=", one.host_name or one.name)],
        command=one.check_command,
        measured=[value for data in result.performance_data or () for value in _measured(data)],
        line=line,
        for_s=wait_s if isfinite(wait_s) and wait_s > 0 else 0.0,
        enabled=one.enable_notifications,
    )


def _measured(data: Any) -> list[Measured]:
    """Icinga gives what the plugin wrote, or objects where a check is built in."""
    if isinstance(data, str):
        return parse_perfdata(data)
    if not isinstance(data, dict):
        return []
    unit = str(data.get("unit") or "")
    texts = ["" if data.get(key) is None else str(data[key]) for key in ("warn", "crit", "min")]
    return [Measured(str(data.get("label") or ""), _UNITS.get(unit, unit), *texts)]
