"""Alert rules of Prometheus: what their expressions compare."""

from __future__ import annotations

import asyncio
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.inputs.prometheus_rules.comparisons import read_expression
from agent.inputs.prometheus_rules.input import PrometheusRulesInput
from agent.inputs.prometheus_rules.promql import parse
from agent.inputs.prometheus_rules.rules import AlertRule, NotRules, decode_answer, parse_file, read_rule
from agent.inputs.prometheus_rules.settings import PrometheusRulesSettings
from agent.inputs.thresholds.arithmetic import fold, take_out
from agent.inputs.thresholds.client import CannotRead
from agent.inputs.thresholds.found import FoundThreshold, NoThreshold
from agent.inputs.thresholds.parts import Level, Without
from agent.inputs.thresholds.tree import Binary, Negated, Node, Number, Selector, Unreadable
from setpoint.finding import round12
from setpoint.threshold import write_subject


def described(expression: str) -> list[str]:
    """The parts in short: ``metric {subject} comparison level [window] role``."""
    texts = []
    for part in read_expression(expression):
        if isinstance(part, Without):
            texts.append(f"none: {part.reason}")
            continue
        subject = f" {{{write_subject(part.subject)}}}" if part.subject else ""
        window = f" [{part.window_s:g}s]" if part.window_s is not None else ""
        role = "" if part.role == "raises" else f" {part.role}"
        texts.append(f"{part.metric}{subject} {part.comparison} {round12(part.level):g}{window}{role}")
    return texts


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("load > 5", "load above 5"),
        ("load >= 5", "load at_least 5"),
        ("5 > load", "load below 5"),
        ("load < -5", "load below -5"),
        ("load == 0", "load equals 0"),
        ("load != 0", "load not_equals 0"),
        ("load > 0.9 * 100", "load above 90"),
        ("load > 10 * 1024", "load above 10240"),
        ("load > 2 ^ 3 % 5", "load above 3"),
        ("load / 1024 > 5", "load above 5120"),
        ("load * -2 > 10", "load below -5"),
        ("-load > 5", "load below -5"),
        ("100 - load > 80", "load below 20"),
        ("1 - a / b > 0.9", "a / b below 0.1"),
        ("(a * 100) / b < 10", "a / b below 0.1"),
        ("a / (b * 1024) < 10", "a / b below 10240"),
        ("100 * (a / b) < 10", "a / b below 0.1"),
        ("load + 3 > 5", "load above 2"),
        ("5 / load > 2", "5 / load above 2"),
        ("load * 0 > 5", "load * 0 above 5"),
        ("load % 2 == 0", "load % 2 equals 0"),
        ('up{job="a",x!="b"} == 0', 'up {job="a",x!="b"} equals 0'),
        ("rate(c[5m]) > 1", "rate(c) above 1 [300s]"),
        ("rate(c[1m]) / rate(c[1h]) > 2", "rate(c[60s]) / rate(c[3600s]) above 2"),
        ("max_over_time(c[1h:5m]) > 1", "max_over_time(c) above 1 [3600s]"),
        ("c - c offset 1d > 1", "c - c offset 1d above 1"),
        ("sum by (b, a) (c) > 1", "sum by (a, b) (c) above 1"),
        ("sum(c) by (a) > 1", "sum by (a) (c) above 1"),
        ("avg(c * 100) > 80", "avg(c) above 0.8"),
        ("avg(100 - c) > 80", "avg(100 - c) above 80"),
        ("sum(c + 1) > 80", "sum(c + 1) above 80"),
        ("count(up == 0) > 2", "count(up == 0) above 2"),
        ("topk(5, c) > 2", "topk(5, c) above 2"),
        ("time() - c > 3600", "time() - c above 3600"),
        ("c < time() - 3600", "c - time() below -3600"),
        ("time() - 3600 > c", "c - time() below -3600"),
        ("predict_linear(c[6h], 4 * 3600) < 0", "predict_linear(c, 14400) below 0 [21600s]"),
        ('100 - avg by (instance) (rate(cpu{mode="idle"}[5m])) * 100 > 80',
         'avg by (instance) (rate(cpu)) {mode="idle"} below 0.2 [300s]'),
        ('free{fstype!="tmpfs"} / size < .1', 'free / size {fstype!="tmpfs"} below 0.1'),
        ('a{x="1"} / on (x) b < 2', 'a / b {x="1"} below 2'),
        ('a{x="1"} / ignoring (x) b < 2', 'a{x="1"} / b below 2'),
        ('hit{s="a"} / (hit{s="a"} + hit{s="b"}) < 2', 'hit{s="a"} / (hit{s="a"} + hit{s="b"}) below 2'),
        ('sum(r{code="5",job="x"}) / sum(r{job="x"}) > 1', 'sum(r{code="5"}) / sum(r) {job="x"} above 1'),
        ('{__name__="a.b",c="d"} > 1', 'a.b {c="d"} above 1'),
        ('{__name__=~"a|b",c="d"} > 1', '{__name__=~"a|b"} {c="d"} above 1'),
        ("max by (job) ((a - time()) and (a > 0)) > 3600", "max by (job) (a - time()) above 3600"),
        ("max by (x) (c == 1)", "c equals 1"),
        ("abs(c) > 1", "abs(c) above 1"),
    ],
)  # fmt: skip
def test_one_comparison_is_one_threshold(expression: str, expected: str) -> None:
    assert described(expression) == [expected]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a > 1 or b < 2", ["a above 1", "b below 2"]),
        ("a > 1 and b < 2", ["a above 1", "b below 2 requires"]),
        ("a > 1 and on (x) b", ["a above 1"]),
        ("a and b < 2", ["b below 2"]),
        ("a > 1 unless b < 2", ["a above 1", "b below 2 suppresses"]),
        ("a unless b < 2", ["none: no comparison", "b below 2 suppresses"]),
        ("3 <= a < 20", ["a below 20", "a at_least 3 requires"]),
        ("(a > 1) * on (x) group_left (y) b", ["a above 1"]),
        ("(a and b > 3) > 5", ["a above 5", "b above 3 requires"]),
        ("a > b and c == 0", ["none: two series", "c equals 0 requires"]),
        ("a != b > 0", ["none: two series", "a above 0 requires"]),
        ("(a > 1 and b > 2) or c > 3", ["a above 1", "b above 2 requires", "c above 3"]),
        ("a == 0 or absent(a)", ["a equals 0", "none: absence"]),
    ],
)
def test_joined_comparisons_have_their_roles(expression: str, expected: list[str]) -> None:
    assert described(expression) == expected


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("absent(up)", "absence"),
        ("absent(up == 1)", "absence"),
        ("absent_over_time(up[5m]) == 1", "absence"),
        ("used > limit * 0.9", "two series"),
        ("a < time() - b", "two series"),
        ("a * 2 < time() - 3600", "two series"),
        ("vector(1)", "always"),
        ("a > bool 5", "always"),
        ("a", "no comparison"),
        ("changes(a[5m])", "no comparison"),
        ("hour() > 18", "no data"),
    ],
)
def test_what_has_no_threshold_says_why(expression: str, reason: str) -> None:
    assert described(expression) == [f"none: {reason}"]


def test_two_series_are_told_as_they_were_compared() -> None:
    assert read_expression("time() * 2 > a") == [Without("two series", "time() * 2 above a")]


@pytest.mark.parametrize(
    "expression",
    ["", "a >", "rate(a) > 1", "1 > 2", "(" * 400 + "a" + ")" * 400, "+".join(["a"] * 5_000), "a" * 30_000],
)
def test_what_cannot_be_read_is_refused(expression: str) -> None:
    with pytest.raises(Unreadable):
        read_expression(expression)


def test_brackets_in_text_are_no_levels() -> None:
    assert described(f'a{{b="{"(" * 1_000}"}} > 1')[0].endswith("above 1")


X = Selector("x", frozenset())
CONSTANTS = st.integers(-20, 20).map(lambda n: Number(n / 4))


def trees(depth: int = 4) -> st.SearchStrategy[Node]:
    """Expressions on x that adding, multiplying, dividing and negating numbers gives."""
    if not depth:
        return st.just(X)
    below = trees(depth - 1)
    return st.one_of(
        below,
        st.builds(Negated, below),
        st.builds(Binary, st.sampled_from("+-*"), below, CONSTANTS),
        st.builds(Binary, st.sampled_from("+-*"), CONSTANTS, below),
        st.builds(Binary, st.just("/"), below, CONSTANTS.filter(lambda one: one.value != 0)),
    )


def value_of(node: Node, x: float) -> float:
    match node:
        case Number():
            return node.value
        case Negated():
            return -value_of(node.inner, x)
        case Binary():
            left, right = value_of(node.left, x), value_of(node.right, x)
            return {"+": left + right, "-": left - right, "*": left * right}.get(node.operator) or (
                left / right if node.operator == "/" else 0.0
            )
    return x


@given(trees(), st.integers(-1000, 1000))
def test_taking_constants_out_changes_no_value(tree: Node, x: int) -> None:
    affine = take_out(fold(tree))
    there = affine.offset + affine.scale * value_of(affine.core, x)
    assert math.isclose(there, value_of(tree, x), rel_tol=1e-9, abs_tol=1e-6)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parts = read_expression(text)
    except Unreadable:
        return
    assert parts


RULES = b"""
groups:
  - name: host
    rules:
      - record: job:load:avg
        expr: avg by (job) (load)
      - alert: Busy
        expr: load > 5
        for: 1h30m
        labels: {severity: warning, team: a}
      - alert: Odd
        expr: load >
      - alert: Late
        expr: load > 5
        for: soon
---
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
spec:
  groups: [{name: k, rules: [{alert: Down, expr: up == 0}]}]
"""


def test_a_rule_file_is_read_with_what_is_wrong_in_it() -> None:
    rules = parse_file(RULES)
    assert [rule.name for rule in rules] == ["Busy", "Odd", "Late", "Down"]
    found = [one for rule in rules for one in read_rule(rule, "severity")]
    busy, odd, late, down = found
    assert isinstance(busy, FoundThreshold)
    assert (busy.level, busy.for_s, busy.severity) == (5, 5400, "warning")
    assert isinstance(odd, NoThreshold)
    assert odd.reason == "unreadable"
    assert "load >" in odd.detail
    assert late == NoThreshold("Late", "unreadable", "its for is no duration")
    assert isinstance(down, FoundThreshold)
    assert down.comparison == "equals"


@pytest.mark.parametrize(
    "content",
    [b"", b"a: b", b"- 1", b"groups: 5", b"{", b"\xff\xfe\x00", b"a: {{ template }}", b"spec: {groups: {}}"],
)
def test_what_is_no_rule_file_is_refused_or_empty(content: bytes) -> None:
    try:
        rules = parse_file(content)
    except NotRules:
        return
    assert rules == []


def test_the_answer_of_the_api_is_read() -> None:
    rule = {
        "type": "alerting",
        "name": "Busy",
        "query": "load > 5",
        "duration": 120,
        "labels": {"severity": "x"},
    }
    recording = {"type": "recording", "name": "r", "query": "load"}
    answer = {"status": "success", "data": {"groups": [{"name": "g", "rules": [rule, recording]}]}}
    assert decode_answer(json.dumps(answer).encode()) == [
        AlertRule("Busy", "load > 5", 120, {"severity": "x"})
    ]


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"status":"error","error":"no"}', b'{"data":{}}', b'"\xff"']
)
def test_another_answer_is_refused(body: bytes) -> None:
    with pytest.raises(NotRules):
        decode_answer(body)


def test_one_broken_file_costs_only_itself(tmp_path: Path) -> None:
    (tmp_path / "good.yml").write_bytes(RULES)
    (tmp_path / "bad.yml").write_text("groups: [")
    settings = PrometheusRulesSettings(files=[f"{tmp_path}/*.yml", f"{tmp_path}/*.rules"])
    points = asyncio.run(PrometheusRulesInput(settings).gather())
    assert points[-1].fields["rules"] == 4
    assert points[-1].fields["failed_parts"] == 2


def test_files_that_are_all_broken_are_an_error_and_not_an_empty_answer(tmp_path: Path) -> None:
    (tmp_path / "bad.yml").write_text("groups: [")
    with pytest.raises(CannotRead, match="none of"):
        asyncio.run(PrometheusRulesInput(PrometheusRulesSettings(files=[f"{tmp_path}/bad.yml"])).gather())


def test_every_level_of_a_rule_knows_how_many_others_there_are() -> None:
    found = read_rule(AlertRule("r", "a > 1 and b > 2 and c > 3", 0, {}), "severity")
    assert [one.conditions for one in found if isinstance(one, FoundThreshold)] == [2, 2, 2]


def test_a_tree_says_what_parentheses_said() -> None:
    assert parse("(a + b) * c") == Binary(
        "*",
        Binary("+", Selector("a", frozenset()), Selector("b", frozenset())),
        Selector("c", frozenset()),
    )
    assert isinstance(read_expression("((a)) > (5)")[0], Level)
