"""Alert rules as Grafana has them: in its provisioning files, and in the answer of its provisioning API.

https://grafana.com/docs/grafana/latest/alerting/set-up/provision-alerting-resources/file-provisioning/ and
https://grafana.com/docs/grafana/latest/developers/http_api/alerting_provisioning/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple

from agent.inputs.grafana_alerts.conditions import NotUnderstood, Step, condition_tree, number
from agent.inputs.prometheus_rules.comparisons import read_tree
from agent.inputs.thresholds.found import Found, NoThreshold
from agent.inputs.thresholds.parts import found_in
from agent.inputs.thresholds.tree import Unreadable
from agent.inputs.thresholds.written import load_documents, seconds


class NotRules(ValueError):
    """What was read holds no alert rules; the text says why."""


class GrafanaRule(NamedTuple):
    """``for_s`` is None where what is said is no duration. ``steps``: queries and expressions by their id."""

    title: str
    condition: str
    steps: Mapping[str, Step]
    for_s: float | None
    labels: Mapping[str, str]
    paused: bool


def decode_rules(answer: object) -> list[GrafanaRule]:
    """The rules in the answer of ``/api/v1/provisioning/alert-rules``. NotRules."""
    if not isinstance(answer, list):
        raise NotRules("the answer is not that of /api/v1/provisioning/alert-rules: expected a list")
    return [_rule(one, lambda text: text) for one in answer if isinstance(one, Mapping)]


def parse_file(content: bytes) -> list[GrafanaRule]:
    """The rules of a provisioning file. NotRules, NotYaml."""
    return [rule for document in load_documents(content) for rule in _rules_in(document)]


def _rules_in(document: object) -> Iterator[GrafanaRule]:
    if not isinstance(document, Mapping) or "apiVersion" not in document:
        raise NotRules('expected a provisioning file with the keys "apiVersion" and "groups"')
    groups = document.get("groups")
    # A file may also hold contact points or policies only.
    for group in groups if isinstance(groups, list) else ():
        rules = group.get("rules") if isinstance(group, Mapping) else None
        for rule in rules if isinstance(rules, list) else ():
            if isinstance(rule, Mapping):
                # $$ is a dollar in such a file, but for the queries' models.
                yield _rule(rule, lambda text: text.replace("$$", "$"))


def _rule(rule: Mapping[str, Any], plain: Any) -> GrafanaRule:
    labels = rule.get("labels")
    data = rule.get("data")
    steps = {}
    for one in data if isinstance(data, list) else ():
        model = one.get("model") if isinstance(one, Mapping) else None
        if isinstance(model, Mapping):
            steps[str(one.get("refId") or model.get("refId") or "")] = _step(one, model)
    return GrafanaRule(
        title=plain(str(rule.get("title") or "")),
        condition=str(rule.get("condition") or ""),
        steps=steps,
        for_s=seconds(rule.get("for")),
        labels={str(k): plain(str(v)) for k, v in labels.items()} if isinstance(labels, Mapping) else {},
        paused=rule.get("isPaused") is True,
    )


def _step(data: Mapping[str, Any], model: Mapping[str, Any]) -> Step:
    source = data.get("datasourceUid")
    span = data.get("relativeTimeRange")
    span_s = 0.0
    if isinstance(span, Mapping):
        length_s = number(span.get("from", 0)) - number(span.get("to", 0))
        span_s = length_s if length_s > 0 and isfinite(length_s) else 0.0
    return Step(model, is_expression=source in ("__expr__", "-100"), span_s=span_s)


def read_rule(rule: GrafanaRule, severity_label: str) -> list[Found]:
    """What the rule has of thresholds: at least one, or why it has none."""
    severity, enabled = rule.labels.get(severity_label, ""), not rule.paused
    try:
        if rule.for_s is None:
            raise NotUnderstood("its for is no duration")
        tree = condition_tree(rule.steps, rule.condition)
        parts = read_tree(tree)
    except (NotUnderstood, Unreadable) as error:
        return [NoThreshold(rule.title, "unreadable", str(error), severity, enabled)]
    except RecursionError:
        return [NoThreshold(rule.title, "unreadable", "it is nested too deeply", severity, enabled)]
    text = expression_text(rule.steps)
    return found_in(parts, rule.title, severity, text, for_s=rule.for_s, enabled=enabled)


def expression_text(steps: Mapping[str, Step]) -> str:
    """All queries and expressions of a rule, for people."""
    texts: Sequence[str] = [f"{name}: {step.text()}" for name, step in steps.items()]
    return "; ".join(text for text in texts if text)
