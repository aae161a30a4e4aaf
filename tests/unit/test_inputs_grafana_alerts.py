"""Grafana's alert rules: what their conditions compare, whichever way they are put."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.inputs.grafana_alerts.math import parse_math
from agent.inputs.grafana_alerts.rules import NotRules, decode_rules, parse_file, read_rule
from agent.inputs.thresholds.found import Found, FoundThreshold
from agent.inputs.thresholds.tree import Selector, Unreadable
from grafana.alerts import alert_rules, alert_yaml
from setpoint.plan_load import load_plan
from setpoint.threshold import write_subject
from tests.unit.grafana_rule_factory import LAST, PROMETHEUS, A, judge, query, rule, step

ROOT = Path(__file__).resolve().parents[2]


def found_in(*data: dict[str, Any], **more: Any) -> list[Found]:
    [one] = decode_rules([rule(*data, **more)])
    return read_rule(one, "severity")


def described(*data: dict[str, Any], **more: Any) -> list[str]:
    texts = []
    for one in found_in(*data, **more):
        if not isinstance(one, FoundThreshold):
            texts.append(f"none: {one.reason}")
            continue
        subject = f" {{{write_subject(one.subject)}}}" if one.subject else ""
        window = f" [{one.window_s:g}s]" if one.window_s is not None else ""
        role = "" if one.role == "raises" else f" {one.role}"
        texts.append(f"{one.metric}{subject} {one.comparison} {one.level:g}{window}{role}")
    return texts


@pytest.mark.parametrize(
    ("kind", "params", "expected"),
    [
        ("gt", [5], ["above 5"]),
        ("lt", [5], ["below 5"]),
        ("gte", [5], ["at_least 5"]),
        ("lte", [5], ["at_most 5"]),
        ("eq", [5], ["equals 5"]),
        ("ne", [5], ["not_equals 5"]),
        ("outside_range", [5, 20], ["below 5", "above 20"]),
        ("within_range", [5, 20], ["above 5", "below 20 requires"]),
        ("outside_range_included", [5, 20], ["at_most 5", "at_least 20"]),
    ],
)
def test_a_threshold_expression_is_read(kind: str, params: list[float], expected: list[str]) -> None:
    assert described(A, LAST, step("C", "threshold", expression="B", conditions=judge(kind, *params))) == [
        f'load5 {{instance="a"}} {one}' for one in expected
    ]


def test_a_mean_is_the_metric_over_its_time() -> None:
    mean = step("B", "reduce", expression="$A", reducer="mean")
    assert described(
        query("A", "x"), mean, step("C", "threshold", expression="B", conditions=judge("gt", 1))
    ) == ["avg_over_time(x) above 1 [600s]"]


def test_the_range_of_a_rate_is_told_and_not_that_of_its_mean() -> None:
    mean = step("B", "reduce", expression="A", reducer="mean")
    threshold = step("C", "threshold", expression="B", conditions=judge("gt", 1))
    assert described(query("A", "rate(x[5m])"), mean, threshold) == ["avg_over_time(rate(x)) above 1 [300s]"]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("$A > 5", ["a above 5"]),
        ("${A} * 100 > 50", ["a above 0.5"]),
        ("5 < $A", ["a above 5"]),
        ("$A > 5 && $D < 3", ["a above 5", "d below 3 requires"]),
        ("$A > 5 || $D < 3", ["a above 5", "d below 3"]),
        ("!($A > 5)", ["a at_most 5"]),
        ("!($A > 5 || $D < 3)", ["a at_most 5", "d at_least 3 requires"]),
        ("$A / $D > 0.9", ["a / d above 0.9"]),
        ("$A ** 2 > 4", ["a ^ 2 above 4"]),
        ("$A", ["a not_equals 0"]),
        ("$A - 5", ["a not_equals 5"]),
        ("($A > 5) == 1", ["a above 5"]),
        ("($A > 5) < 1", ["a at_most 5"]),
        ("abs($A) > 0x10", ["abs(a) above 16"]),
        ("is_null($A)", ["none: absence"]),
        ("$A > $D", ["none: two series"]),
        ("$A > inf()", ["a above inf"]),
        ("$A >", ["none: unreadable"]),
        ("$A > 5 5", ["none: unreadable"]),
        ("$Z > 5", ["none: unreadable"]),
        ("$C > 5", ["none: unreadable"]),
        ("", ["none: unreadable"]),
    ],
)
def test_math_is_read(expression: str, expected: list[str]) -> None:
    assert described(query("A", "a"), query("D", "d"), step("C", "math", expression=expression)) == expected


def test_a_math_of_thresholds_is_what_they_are() -> None:
    high = step("H", "threshold", expression="A", conditions=judge("gt", 5))
    low = step("L", "threshold", expression="A", conditions=judge("lt", 1))
    both = step("C", "math", expression="$H == 1 || $L")
    assert described(query("A", "a"), high, low, both) == ["a above 5", "a below 1"]


def test_classic_conditions_are_joined_as_they_say() -> None:
    def condition(name: str, kind: str, level: float, joined: str) -> dict[str, Any]:
        return {
            "evaluator": {"type": kind, "params": [level]},
            "operator": {"type": joined},
            "query": {"params": [name]},
            "reducer": {"type": "avg"},
        }

    conditions = [
        condition("A", "gt", 5, "and"),
        condition("D", "lt", 3, "and"),
        condition("A", "gt", 9, "or"),
    ]
    classic = step("C", "classic_conditions", conditions=conditions)
    assert described(query("A", "a"), query("D", "d"), classic) == [
        "avg_over_time(a) above 5 [600s]",
        "avg_over_time(d) below 3 [600s] requires",
        "avg_over_time(a) above 9 [600s]",
    ]


def test_no_value_is_absence() -> None:
    conditions = [{"evaluator": {"type": "no_value", "params": []}, "query": {"params": ["A"]}}]
    assert described(A, step("C", "classic_conditions", conditions=conditions)) == ["none: absence"]


def test_a_query_that_compares_is_a_condition_itself() -> None:
    assert described(query("C", "load5 > 3")) == ["load5 above 3"]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ({"query": 'SELECT last("used") FROM "disk" WHERE $timeFilter AND "host" = \'a\' GROUP BY "host"'},
         'disk.used {host="a"}'),
        ({"query": 'SELECT mean("used") * 8 FROM "disk"'}, 'SELECT mean("used") * 8 FROM "disk"'),
        ({"query": "SELECT mean(used) FROM autogen.disk WHERE host =~ /^(a|b)$/ AND path !~ /tmp/"},
         'disk.used {host=~"(a|b)",path!~".*tmp.*"}'),
        ({"query": 'SELECT non_negative_derivative("x", 1s) FROM "net"'},
         'SELECT non_negative_derivative("x", 1s) FROM "net"'),
        ({"measurement": "disk", "select": [[{"type": "field", "params": ["used"]}, {"type": "mean"}]],
          "tags": [{"key": "host", "operator": "=~", "value": "/^a.*$/"}]}, 'disk.used {host=~"a.*"}'),
        ({"rawSql": "SELECT  1"}, "SELECT 1"),
        ({"datasource": {"type": "loki"}, "expr": '{app="a"} |= "x"'}, '{app="a"} |= "x"'),
        ({"datasource": PROMETHEUS, "expr": "rate(a[$__rate_interval])"}, "rate(a[$__rate_interval])"),
    ],
)  # fmt: skip
def test_other_queries_are_named(model: dict[str, Any], expected: str) -> None:
    asked = {"refId": "A", "datasourceUid": "i", "model": {"refId": "A", **model}}
    threshold = step("C", "threshold", expression="A", conditions=judge("gt", 5))
    assert described(asked, threshold) == [f"{expected} above 5"]


@pytest.mark.parametrize(
    "data",
    [
        [],
        [step("C", "threshold", expression="C", conditions=judge("gt", 1))],
        [step("C", "threshold", expression="A", conditions=judge("gt", 1))],
        [A, step("C", "threshold", expression="A", conditions=[])],
        [A, step("C", "threshold", expression="A", conditions=judge("odd", 1))],
        [A, step("C", "threshold", expression="A", conditions=judge("gt"))],
        [A, step("C", "classic_conditions", conditions=[])],
        [A, step("C", "sql", expression="SELECT 1")],
        [A, step("C", "reduce", reducer="last")],
        [A, step("C", "threshold", expression=5, conditions="x")],
    ],
)
def test_what_cannot_be_followed_says_why(data: list[dict[str, Any]]) -> None:
    [one] = found_in(*data)
    assert not isinstance(one, FoundThreshold)
    assert one.reason == "unreadable"
    assert one.detail


def test_a_paused_rule_is_switched_off_and_keeps_its_severity() -> None:
    threshold = step("C", "threshold", expression="B", conditions=judge("gt", 5))
    [one] = found_in(A, LAST, threshold, isPaused=True, labels={"severity": "critical"})
    assert isinstance(one, FoundThreshold)
    assert (one.enabled, one.severity, one.for_s) == (False, "critical", 300)
    assert "load5" in one.expression


def test_the_rules_that_setpoint_writes_are_read_as_the_plan_has_them() -> None:
    plan = load_plan(ROOT / "config" / "plan.yaml")
    written, _ = alert_rules(plan, "influxdb")
    expected = {
        (f"{point.metric}", severity, limit.high)
        for point in plan.points
        for severity, limit in (("warning", point.limits.warning), ("critical", point.limits.critical))
        if limit is not None and limit.high is not None
    }
    found = [one for rule in parse_file(alert_yaml(written).encode()) for one in read_rule(rule, "severity")]
    read = {(one.metric, one.severity, one.level) for one in found if isinstance(one, FoundThreshold)}
    assert expected
    assert expected <= read


def test_dollars_of_a_provisioning_file_are_single_ones_but_in_models() -> None:
    content = (
        "apiVersion: 1\ngroups:\n- rules:\n  - {title: 'a $$x', condition: A, for: 5m, data: "
        "[{refId: A, datasourceUid: p, model: {expr: 'x{a=\"$$\"} > 1'}}]}\n"
    )
    [one] = parse_file(content.encode())
    [found] = read_rule(one, "severity")
    assert found.rule == "a $x"
    assert isinstance(found, FoundThreshold)
    assert found.subject[0].value == "$$"


@pytest.mark.parametrize("content", [b"a: b", b"[]", b"groups: []"])
def test_what_is_no_provisioning_file_is_refused(content: bytes) -> None:
    with pytest.raises(NotRules):
        parse_file(content)


def test_a_file_with_contact_points_only_has_no_rules() -> None:
    assert parse_file(b"apiVersion: 1\ncontactPoints: []\n") == []


def test_another_answer_is_refused() -> None:
    with pytest.raises(NotRules):
        decode_rules({"message": "not found"})


@given(st.text(max_size=40))
def test_any_math_is_read_or_refused(text: str) -> None:
    try:
        parse_math(text, lambda name: Selector(name, frozenset()))
    except Unreadable:
        return


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=3),
)


@given(
    st.lists(
        st.fixed_dictionaries(
            {"condition": st.just("A")},
            optional={
                "data": st.lists(
                    st.fixed_dictionaries(
                        {"refId": st.just("A"), "datasourceUid": st.sampled_from(["__expr__", "p"])},
                        optional={
                            "model": st.fixed_dictionaries(
                                {
                                    "type": st.sampled_from(
                                        ["threshold", "math", "reduce", "classic_conditions"]
                                    )
                                },
                                optional={"expression": JSON, "conditions": JSON, "reducer": JSON},
                            ),
                            "relativeTimeRange": JSON,
                        },
                    ),
                    max_size=2,
                ),
                "labels": JSON,
                "for": JSON,
                "title": JSON,
            },
        ),
        max_size=2,
    )
)
def test_any_answer_gives_thresholds_or_reasons(answer: list[Any]) -> None:
    for one in decode_rules(answer):
        assert read_rule(one, "severity")
