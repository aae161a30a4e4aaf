"""A check, and what it has of thresholds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from agent.inputs.nagios_checks.arguments import Severity, find_levels, program, unwrap
from agent.inputs.nagios_checks.perfdata import Measured
from agent.inputs.nagios_checks.ranges import NoRange, bounds, parse_range
from agent.inputs.thresholds.found import Found, FoundThreshold, NoThreshold
from setpoint.threshold import Matcher


class Check(NamedTuple):
    """``subject``: the host, or what chooses hosts. ``command``: what the tool calls the command.
    ``line``: its words, where they are known. ``for_s``: from the first bad result to the alarm.
    """

    name: str
    subject: Sequence[Matcher] = ()
    command: str = ""
    measured: Sequence[Measured] = ()
    line: Sequence[str] = ()
    for_s: float = 0.0
    enabled: bool = True


class _Level(NamedTuple):
    severity: Severity
    metric: str
    range: str
    minimum: str = ""
    given: bool = False
    """It stands in a command line."""


def read_check(check: Check) -> list[Found]:
    """What the check has of thresholds: at least one, or why it has none.

    What it reported counts; its command line only where it reported no levels, or nothing yet.
    """
    inner = unwrap(check.line)
    if inner is not check.line:
        check = check._replace(command=program(inner), line=inner)
    levels = list(_reported(check)) or list(_given(check))
    found = [one for level in levels for one in _thresholds(check, level)]
    if not found:
        why = "neither its performance data nor its command line gives a level"
        return [NoThreshold(check.name, "no number", why, enabled=check.enabled)]
    return found


def _reported(check: Check) -> Iterator[_Level]:
    for one in check.measured:
        metric = f"{check.command}[{','.join(part for part in (one.label, one.unit) if part)}]"
        if one.warning:
            yield _Level("warning", metric, one.warning, one.minimum)
        if one.critical:
            yield _Level("critical", metric, one.critical, one.minimum)


def _given(check: Check) -> Iterator[_Level]:
    name = check.command or program(check.line)
    for one in find_levels(check.line):
        inner = ",".join(part for part in (one.label, one.unit) if part)
        yield _Level(one.severity, f"{name}[{inner}]" if inner else name, one.range, given=True)


def _thresholds(check: Check, level: _Level) -> list[Found]:
    if "$" in level.range:
        why = f"{level.range} has no value here"
        return [NoThreshold(check.name, "no number", why, level.severity, check.enabled)]
    # Performance data may have the comma of a language in its numbers. A plugin takes it for a list.
    if level.given and "," in level.range:
        why = f'of the levels "{level.range}" it is not known what each is of'
        return [NoThreshold(check.name, "no number", why, level.severity, check.enabled)]
    try:
        span = parse_range(level.range)
    except NoRange as error:
        return [NoThreshold(check.name, "unreadable", str(error), level.severity, check.enabled)]
    limits = bounds(span)
    if not limits:
        why = f'{level.metric}: "{level.range}" has no ends'
        return [NoThreshold(check.name, "always" if span.inside else "never", why, level.severity)]
    if not span.inside and len(limits) > 1 and (span.implied or _cannot_be_less(level.minimum, span.low)):
        # Hardly anything that is held against one number can be negative: nobody means this by writing it.
        limits = [one for one in limits if one.comparison != "below"]
    return [
        FoundThreshold(
            rule=check.name,
            metric=level.metric,
            comparison=one.comparison,
            level=one.level,
            subject=check.subject,
            severity=level.severity,
            for_s=check.for_s,
            enabled=check.enabled,
            role=one.role,
            conditions=sum(other.role == "requires" for other in limits),
            expression=level.range,
        )
        for one in limits
    ]


def _cannot_be_less(minimum: str, low: float) -> bool:
    try:
        return float(minimum.replace(",", ".")) >= low
    except ValueError:
        return False
