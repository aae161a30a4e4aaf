"""A trigger, and what it has of thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from agent.inputs.thresholds.found import Found, NoThreshold
from agent.inputs.thresholds.parts import found_in
from agent.inputs.thresholds.tree import Unreadable
from agent.inputs.zabbix_triggers.comparisons import read_tree
from agent.inputs.zabbix_triggers.keys import without_passwords
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

    expression = without_passwords(trigger.expression)
    try:
        parts = read_tree(parse(expression, value, label, trigger.item))
    except Unreadable as error:
        return [_unreadable(trigger, f"{error}: {expression}")]
    except RecursionError:
        return [_unreadable(trigger, "it is nested too deeply")]
    text = " ".join(expression.split())
    if trigger.recovery:
        text += f"; recovery: {' '.join(without_passwords(trigger.recovery).split())}"
    return found_in(parts, trigger.name, trigger.severity, text, enabled=trigger.enabled)


def _unreadable(trigger: Trigger, why: str) -> NoThreshold:
    return NoThreshold(trigger.name, "unreadable", why, trigger.severity, trigger.enabled)
