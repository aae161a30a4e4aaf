"""A trigger, and what it has of thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from agent.inputs.prometheus_rules.tree import Unreadable
from agent.inputs.thresholds.found import Found, FoundThreshold, NoThreshold
from agent.inputs.zabbix_triggers.comparisons import Level, Part, Without, read_tree
from agent.inputs.zabbix_triggers.language import parse
from agent.inputs.zabbix_triggers.macros import Macros, resolve
from setpoint.threshold import Matcher

SEVERITIES: Final = ("not classified", "information", "warning", "average", "high", "disaster")
"""By the number that the API gives."""


class NotZabbix(ValueError):
    """What was read is not what Zabbix writes; the text says why."""


class Trigger(NamedTuple):
    """``macros``: the levels on which a macro is looked up, the nearest first. ``hosts``: the names that are
    hosts, and no templates; None where all are. ``item``: host and key that a function without an item is
    about, in old exports.
    """

    name: str
    expression: str
    recovery: str = ""
    severity: str = ""
    enabled: bool = True
    macros: Sequence[Macros] = ()
    hosts: frozenset[str] | None = None
    item: tuple[str, str] = ("", "")


def read_trigger(trigger: Trigger) -> list[Found]:
    """What the trigger has of thresholds: at least one, or why it has none."""

    def label(host: str) -> Matcher | None:
        if host == "*":
            return None
        is_host = trigger.hosts is None or host in trigger.hosts
        return Matcher("host" if is_host else "template", "=", host)

    def value(macro: str) -> str | None:
        return resolve(macro, trigger.macros)

    try:
        parts = read_tree(parse(trigger.expression, value, label, trigger.item))
    except Unreadable as error:
        return [_without(trigger, Without("unreadable", f"{error}: {trigger.expression}"))]
    except RecursionError:
        return [_without(trigger, Without("unreadable", "it is nested too deeply"))]
    conditions = sum(isinstance(part, Level) for part in parts) - 1
    return [_found(trigger, part, conditions) for part in parts]


def _found(trigger: Trigger, part: Part, conditions: int) -> Found:
    if isinstance(part, Without):
        return _without(trigger, part)
    expression = " ".join(trigger.expression.split())
    if trigger.recovery:
        expression += f"; recovery: {' '.join(trigger.recovery.split())}"
    return FoundThreshold(
        rule=trigger.name,
        metric=part.metric,
        comparison=part.comparison,
        level=part.level,
        subject=sorted(part.subject),
        severity=trigger.severity,
        for_s=part.for_s,
        enabled=trigger.enabled and part.possible,
        role=part.role,
        window_s=part.window_s,
        conditions=conditions,
        expression=expression,
    )


def _without(trigger: Trigger, part: Without) -> NoThreshold:
    return NoThreshold(trigger.name, part.reason, part.detail, trigger.severity, trigger.enabled)
