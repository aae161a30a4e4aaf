"""Alert rules as Prometheus has them: in its rule files, and in the answer of its ``/api/v1/rules``.

https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/ and .../querying/api/#rules
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec

from agent.inputs.prometheus_rules.comparisons import read_expression
from agent.inputs.thresholds.found import Found, NoThreshold
from agent.inputs.thresholds.parts import found_in
from agent.inputs.thresholds.tree import Unreadable
from agent.inputs.thresholds.written import NotYaml, load_documents, seconds


class AlertRule(NamedTuple):
    """``for_s`` is None where what the file says is no duration."""

    name: str
    expression: str
    for_s: float | None
    labels: Mapping[str, str]


class NotRules(ValueError):
    """What was read holds no rules; the text says why."""


class _ApiRule(msgspec.Struct):
    type: str = ""
    name: str = ""
    query: str = ""
    duration: float = 0.0
    labels: dict[str, str] = {}


class _ApiGroup(msgspec.Struct):
    name: str = ""
    rules: list[_ApiRule] = []


class _ApiData(msgspec.Struct):
    groups: list[_ApiGroup] | None = None


class _ApiAnswer(msgspec.Struct):
    status: str
    data: _ApiData = msgspec.field(default_factory=_ApiData)
    error: str = ""


def decode_answer(body: bytes) -> list[AlertRule]:
    """The alert rules in the answer of ``/api/v1/rules``. NotRules."""
    try:
        answer = msgspec.json.decode(body, type=_ApiAnswer)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotRules(f"the answer is not that of /api/v1/rules: {error}") from None
    if answer.status != "success":
        raise NotRules(f"the answer says {answer.status}: {answer.error[:200]}")
    return [
        AlertRule(rule.name, rule.query, rule.duration, rule.labels)
        for group in answer.data.groups or ()
        for rule in group.rules
        if rule.type == "alerting"
    ]


def parse_file(content: bytes) -> list[AlertRule]:
    """The alert rules of a rule file, or of Kubernetes resources that hold such. NotRules."""
    try:
        documents = load_documents(content)
    except NotYaml as error:
        raise NotRules(str(error)) from None
    return [rule for document in documents for rule in _rules_in(document)]


def _rules_in(document: object) -> Iterator[AlertRule]:
    if isinstance(document, dict) and isinstance(document.get("items"), list):
        for one in document["items"]:
            yield from _rules_in(one)
        return
    if isinstance(document, dict) and isinstance(document.get("spec"), dict):
        document = document["spec"]
    groups = document.get("groups") if isinstance(document, dict) else None
    if not isinstance(groups, list):
        raise NotRules('expected the key "groups" with a list of groups of rules')
    for group in groups:
        rules = group.get("rules") if isinstance(group, dict) else None
        for rule in rules if isinstance(rules, list) else ():
            if isinstance(rule, dict) and "alert" in rule:
                yield _rule(rule)


def _rule(rule: Mapping[str, object]) -> AlertRule:
    labels = rule.get("labels")
    return AlertRule(
        str(rule["alert"]),
        str(rule.get("expr") or ""),
        seconds(rule.get("for")),
        {str(key): str(value) for key, value in labels.items()} if isinstance(labels, dict) else {},
    )


def read_rule(rule: AlertRule, severity_label: str) -> list[Found]:
    """What the rule has of thresholds: at least one, or why it has none."""
    severity = rule.labels.get(severity_label, "")
    if rule.for_s is None:
        return [NoThreshold(rule.name, "unreadable", "its for is no duration", severity)]
    try:
        parts = read_expression(rule.expression)
    except Unreadable as error:
        return [NoThreshold(rule.name, "unreadable", f"{error}: {rule.expression}", severity)]
    return found_in(parts, rule.name, severity, rule.expression, for_s=rule.for_s)
