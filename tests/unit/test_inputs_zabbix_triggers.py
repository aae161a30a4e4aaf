"""Trigger expressions, macros and exports of Zabbix."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.inputs.thresholds.arithmetic import fold
from agent.inputs.thresholds.found import FoundThreshold, NoThreshold
from agent.inputs.thresholds.operators import compare
from agent.inputs.thresholds.tree import Binary, Call, Node, Number, Unreadable
from agent.inputs.zabbix_triggers.conditions import (
    Both,
    Compared,
    Condition,
    Constant,
    Either,
    condition,
)
from agent.inputs.zabbix_triggers.export import parse_file
from agent.inputs.zabbix_triggers.language import parse
from agent.inputs.zabbix_triggers.macros import Macros, resolve
from agent.inputs.zabbix_triggers.triggers import NotZabbix, Trigger, read_trigger
from collector.thresholds.names import load_names

MACROS = Macros(
    [
        ("{$MAX}", "90"),
        ("{$MAX:/srv}", "80"),
        ('{$MAX:regex:"^/var/.+"}', "70"),
        ("{$TIME}", "10m"),
        ("{$OFF}", "0"),
        ("{$WORD}", "true"),
        ("{$EMPTY}", ""),
        ("{$FOUND}", "{#LEVEL}"),
    ]
)


def read(expression: str) -> list[str]:
    """What is read of the expression, one line for each part."""
    lines = []
    for one in read_trigger(Trigger("t", expression, macros=[MACROS])):
        if isinstance(one, NoThreshold):
            lines.append(f"none: {one.reason}")
            continue
        words = [one.metric, one.comparison, f"{one.level:.12g}"]
        words += [f"for {one.for_s:g}"] * bool(one.for_s)
        words += [f"over {one.window_s or 0:g}"] * (one.window_s is not None)
        words += [one.role] * (one.role != "raises") + ["off"] * (not one.enabled)
        lines.append(" ".join(words))
    return lines


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("last(/h/k)>90", ["k above 90"]),
        ("last(/a b.c/k[a,\"x)]\",[1,2]],#1)>=1.5K", ['k[a,"x)]",[1,2]] at_least 1536']),
        ("90<last(/h/k)", ["k above 90"]),
        ("last(/h/k)<>-1", ["k not_equals -1"]),
        ("-last(/h/k)>5", ["k below -5"]),
        ("last(/h/k)", ["k not_equals 0"]),
        ("avg(/h/k,5m)>{$MAX}", ["avg_over_time(k) above 90 over 300"]),
        ("min(/h/k,5m)>1", ["k above 1 for 300"]),
        ("min(/h/k,{$TIME})>1", ["k above 1 for 600"]),
        ("min(/h/k,5m)<1", ["min_over_time(k) below 1 over 300"]),
        ("max(/h/k,1h)<=1G", ["k at_most 1073741824 for 3600"]),
        ("max(/h/k,#3)=0", ["max_over_time(k) equals 0"]),
        ("100-max(/h/k,5m)>20", ["k below 80 for 300"]),
        ("avg(/h/k,1h:now-1d)>5", ["avg_over_time(k offset now-1d) above 5 over 3600"]),
        ("last(/h/k,#2)>5", ['last(k, "#2") above 5']),
        ("last(/h/a)/last(/h/b)*100>90", ["a / b above 0.9"]),
        ("last(/h/a)>90 and avg(/h/b,5m)>{$MAX}",
         ["a above 90", "avg_over_time(b) above 90 over 300 requires"]),
        ("last(/h/a)>1 or last(/h/b)<2", ["a above 1", "b below 2"]),
        ("not (last(/h/a)>1 or last(/h/b)<2)", ["a at_most 1", "b at_least 2 requires"]),
        ("(last(/h/a)>1)=0", ["a at_most 1"]),
        ("(last(/h/a)>1 and last(/h/b)>1)<>1", ["a at_most 1", "b at_most 1"]),
        ("between(last(/h/k),1,5)", ["k at_least 1", "k at_most 5 requires"]),
        ("in(last(/h/k),1,2)=1", ["k equals 1", "k equals 2"]),
        ("abs(last(/h/k))>3", ["abs(k) above 3"]),
        ("max(last(/h/a),last(/h/b))>3", ["max(a, b) above 3"]),
        ("rate(/h/k,5m)>3", ["rate(k) above 3 over 300"]),
        ('count(/h/k,10m,"gt","5")>3', ['count_over_time(k, "gt", 5) above 3 over 600']),
        ("fuzzytime(/h/k,60s)=0", ["fuzzytime(k) above 60"]),
        ("now()-last(/h/k)>1d", ["now() - k above 86400"]),
        ("last(/h/k)<now()-1d", ["k - now() below -86400"]),
        ('last(/h/k)>{$MAX:"/srv"}', ["k above 80"]),
        ('last(/h/k)>{$MAX:"/var/log"}', ["k above 70"]),
        ('last(/h/k)>{$MAX:"{#FSNAME}"}', ["k above 90"]),
        ('last(/h/k)>"{$MAX}"', ["k above 90"]),
        ("last(/h/k)>5 and {$OFF}=1", ["k above 5 off"]),
        ("last(/h/k)>5 and {$OFF}=0", ["k above 5"]),
        ('last(/h/k)>5 and "{$WORD}"="true"', ["k above 5"]),
        ("last(/h/k)>5 and length({$EMPTY})>0", ["k above 5 off"]),
        ("last(/h/k)>5 or {$OFF}=1", ["k above 5"]),
        ("last(/h/k)>5 and time()<180000", ["k above 5"]),
        ("last(/h/k)>5 and nodata(/h/k,5m)=0", ["k above 5"]),
        ("last(/h/k)=0 or nodata(/h/k,5m)=1", ["k equals 0", "none: absence"]),
        ("nodata(/h/k,5m)", ["none: absence"]),
        ("nodata(/h/k,5m)=0", ["none: no comparison"]),
        ("change(/h/k)<>0", ["none: two series"]),
        ("abs(change(/h/k))>5", ["none: two series"]),
        ("last(/h/k,#1)<>last(/h/k,#2)", ["none: two series"]),
        ("last(/h/a)>last(/h/b)*0.9", ["none: two series"]),
        ('find(/h/k,,"like","a\\"b")=1', ["none: no comparison"]),
        ("not  logeventid(/h/k,,\"1\")=0", ["none: no comparison"]),
        ('last(/h/k)="on"', ["none: no number"]),
        ('last(/h/k)="{"', ["none: no number"]),
        ('last(/h/k)="{$"', ["none: no number"]),
        ('last(/h/k["a{1,2}",{$X:"]"}])>1', ['k["a{1,2}",{$X:"]"}] above 1']),
        ('count(/h/k,{$TIME},"regexp","^{[{$")>1',
         ['count_over_time(k, "regexp", "^{[{$") above 1 over 600']),
        ("last(/h/k)>{$NOBODY}", ["none: no number"]),
        ("last(/h/k)>{$FOUND}", ["none: no number"]),
        ("last(/h/k)>{#LEVEL}", ["none: no number"]),
        ("dayofweek()>5", ["none: no data"]),
        ("1=1", ["none: always"]),
        ("{$OFF}", ["none: never"]),
        ("last(/h/k)>", ["none: unreadable"]),
        ("last(/h/k", ["none: unreadable"]),
        ("last(/h/k)>5 xor 1", ["none: unreadable"]),
        ("", ["none: unreadable"]),
        ("(" * 60 + "1" + ")" * 60, ["none: unreadable"]),
        ("+".join(["1"] * 400), ["none: unreadable"]),
        # As Zabbix before 5.4 wrote them.
        ("{h:k.last()}>90", ["k above 90"]),
        ("{h:k.last(0)}>90", ["k above 90"]),
        ("{{HOST.HOST}:k.last()}>90", ["k above 90"]),
        ("{h:vfs.fs.size[/,pfree].last(#1)}<10", ["vfs.fs.size[/,pfree] below 10"]),
        ("{h:system.cpu.load[all,avg1].min(5m)}>5", ["system.cpu.load[all,avg1] above 5 for 300"]),
        ("{h:k.avg(300)}>5 and {h:k.time(0)}>080000", ["avg_over_time(k) above 5 over 300"]),
        ("{h:k.delta(1h)}=0", ["max_over_time(k) - min_over_time(k) equals 0 over 3600"]),
        ("{h:k.count(10m,5,gt)}>1", ['count_over_time(k, 5, "gt") above 1 over 600']),
        ("{h:k.nodata(5m)}=1", ["none: absence"]),
        ("{h:k.str(error)}=1", ["none: no comparison"]),
        ("{h:k.diff()}=1", ["none: two series"]),
        ("{h:k.abschange()}>1", ["none: two series"]),
        ("{TRIGGER.VALUE}=0 and {h:k.last()}>5", ["k above 5"]),
    ],
)  # fmt: skip
def test_an_expression_becomes_thresholds(expression: str, expected: list[str]) -> None:
    assert read(expression) == expected


def test_the_host_is_the_subject_and_a_prototypes_macros_are_recorded() -> None:
    [one] = read_trigger(Trigger("Full", "last(/web 1/vfs.fs.size[{#FSNAME},pused])>90", severity="high"))
    assert isinstance(one, FoundThreshold)
    assert one.metric == "vfs.fs.size[{#FSNAME},pused]"
    assert [tuple(part) for part in one.subject] == [("host", "=", "web 1"), ("lld", "=", "{#FSNAME}")]
    assert one.severity == "high"


def test_macros_in_keys_are_not_published() -> None:
    secret = Macros([("{$PASSWORD}", "s3cret")])
    trigger = Trigger("t", 'last(/h/db[{$PASSWORD}])>1 and count(/h/k,5m,"eq","{$N}")>1', macros=[secret])
    assert "s3cret" not in repr(read_trigger(trigger))


def test_the_nearest_level_gives_a_macros_value() -> None:
    near, far = Macros([("{$A}", "1")]), Macros([("{$A}", "2"), ("{$A:x}", "3"), ("{$B}", "4")])
    assert resolve("{$A}", [near, far]) == "1"
    assert resolve("{$A:x}", [near, far]) == "3"
    assert resolve('{$A:"y"}', [near, far]) == "1"
    assert resolve("{$B:x}", [near, far]) == "4"
    assert resolve("{$C}", [near, far]) is None
    assert resolve("{HOST.NAME}", [near, far]) is None


EXPORT: dict[str, Any] = {
    "zabbix_export": {
        "version": "6.0",
        "templates": [
            {
                "template": "Disks",
                "name": "Disks, for people",
                "macros": [{"macro": "{$MAX}", "value": "90"}, {"macro": "{$KEY}", "type": "SECRET_TEXT"}],
                "items": [
                    {
                        "key": "load",
                        "triggers": [
                            {"name": "Busy", "expression": "min(/Disks/load,5m)>5", "priority": "AVERAGE"},
                            {
                                "name": "Old",
                                "expression": "{max(5m)}<5",
                                "status": "DISABLED",
                                "recovery_expression": "{last()}>6",
                            },
                        ],
                    }
                ],
                "discovery_rules": [
                    {
                        "item_prototypes": [
                            {
                                "key": "used[{#FSNAME}]",
                                "trigger_prototypes": [
                                    {"name": "Full", "expression": "last(/Disks/used[{#FSNAME}])>{$MAX}"}
                                ],
                            }
                        ],
                        "trigger_prototypes": [
                            {
                                "name": "Both",
                                "expression": "last(/Disks/used[{#FSNAME}])>last(/Disks/max[{#FSNAME}])",
                            }
                        ],
                    }
                ],
            }
        ],
        "hosts": [{"host": "web1", "macros": [{"macro": "{$MAX}", "value": "70"}]}],
        "triggers": [{"name": "Wide", "expression": "last(/web1/used)>{$MAX}", "priority": "DISASTER"}],
    }
}


def as_xml(value: object, tag: str) -> str:
    if isinstance(value, dict):
        return f"<{tag}>{''.join(as_xml(one, key) for key, one in value.items())}</{tag}>"
    if isinstance(value, list):
        return f"<{tag}>{''.join(as_xml(one, tag.removesuffix('s')) for one in value)}</{tag}>"
    return f"<{tag}>{str(value).replace('&', '&amp;').replace('<', '&lt;')}</{tag}>"


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(EXPORT),
        f'<?xml version="1.0" encoding="UTF-8"?>{as_xml(EXPORT["zabbix_export"], "zabbix_export")}',
    ],
)
def test_an_export_is_read_with_its_prototypes_and_macros(content: str) -> None:
    found = [one for trigger in parse_file(content.encode()) for one in read_trigger(trigger)]
    lines = []
    for one in found:
        if isinstance(one, FoundThreshold):
            subject = ",".join(part.label for part in one.subject)
            lines.append((one.rule, one.metric, one.level, one.for_s, one.severity, one.enabled, subject))
        else:
            lines.append((one.rule, one.reason))
    assert lines == [
        ("Busy", "load", 5, 300, "average", True, "template"),
        ("Old", "load", 5, 300, "not classified", False, "template"),
        ("Both", "two series"),
        ("Full", "used[{#FSNAME}]", 90, 0, "not classified", True, "lld,template"),
        ("Wide", "used", 70, 0, "disaster", True, "host"),
    ]
    assert isinstance(found[1], FoundThreshold)
    assert found[1].expression == "{max(5m)}<5; recovery: {last()}>6"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"groups: []", "zabbix_export"),
        (b"a: [", "while parsing"),
        (b"<zabbix_export>", "no XML"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><zabbix_export/>', "document type"),
        (b"<a>" * 100 + b"</a>" * 100, "levels deep"),
    ],
)
def test_what_is_no_export_is_named(content: bytes, expected: str) -> None:
    with pytest.raises(NotZabbix, match=expected):
        parse_file(content)


@given(st.text(alphabet="last(/h/k)<>=and or not{}$#:\"'[],.5m+-*\\ ", max_size=60) | st.text(max_size=40))
def test_any_text_gives_a_threshold_or_a_reason(text: str) -> None:
    assert read_trigger(Trigger("t", text, macros=[MACROS]))


@pytest.mark.parametrize(
    "text",
    ["count(/h/k,5m," + "{$" * 9_000 + ")", "1" * 19_000 + "x", "last(/h/k" + "[" * 19_000, "{{" * 9_000],
    ids=["macros", "digits", "brackets", "braces"],
)
def test_what_is_repeated_thousands_of_times_takes_no_minutes(text: str) -> None:
    assert read_trigger(Trigger("t", text))


OPERATORS = ("or", "and", "=", "<>", "<", "<=", ">", ">=", "+", "-", "*")
expressions = st.recursive(
    st.integers(0, 5).map(str) | st.sampled_from(["last(/h/a)", "last(/h/b)"]),
    lambda inner: (
        st.tuples(inner, st.sampled_from(OPERATORS), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})")
        | inner.map(lambda one: f"not ({one})")
        | inner.map(lambda one: f"-({one})")
    ),
    max_leaves=8,
)


def number_of(node: Node, items: dict[str, float]) -> float:
    """What the tree comes to, as Zabbix calculates: the meaning that the conditions are held against."""
    match node:
        case Number():
            return node.value
        case Call(name="not"):
            return float(not number_of(node.arguments[0], items))
        case Binary():
            left, right = number_of(node.left, items), number_of(node.right, items)
            match node.operator:
                case "and":
                    return float(bool(left and right))
                case "or":
                    return float(bool(left or right))
                case "+":
                    return left + right
                case "-":
                    return left - right
                case "*":
                    return left * right
            return float(compare(node.operator, left, right))
    name = getattr(node, "name", None)
    return items[name] if name in items else -number_of(node.inner, items)  # type: ignore[union-attr]


def holds(one: Condition, items: dict[str, float]) -> bool:
    match one:
        case Both():
            return holds(one.left, items) and holds(one.right, items)
        case Either():
            return holds(one.left, items) or holds(one.right, items)
        case Compared():
            return compare(one.operator, number_of(one.left, items), number_of(one.right, items))
        case Constant():
            return one.holds
    raise AssertionError(one)


@given(expressions, st.integers(-3, 6), st.integers(-3, 6))
def test_the_conditions_hold_exactly_when_the_expression_is_true(expression: str, a: int, b: int) -> None:
    tree = parse(expression, lambda _: None, lambda _: None)
    items = {"a": float(a), "b": float(b)}
    assert holds(condition(fold(tree)), items) == bool(number_of(tree, items))


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1+2*3", 7), ("(1+2)*3", 9), ("10-2-3", 5), ("not 0+1", 2), ("not 5=0", 1), ("2<3=1", 1),
        ("1 or 0 and 0", 1), ("-2+5", 3), ("--2", 2), ("1=1<>0", 1), ("1m+1", 61), (".5+1.", 1.5),
        ("1e2", 100),
    ],
)  # fmt: skip
def test_operators_bind_as_zabbix_says(expression: str, value: float) -> None:
    assert number_of(parse(expression, lambda _: None, lambda _: None), {}) == value


def test_the_table_of_names_knows_what_prototypes_are_about() -> None:
    names = load_names()
    for key in ("vfs.fs.size[{#FSNAME},pused]", "vfs.fs.size[/srv,pused]"):
        assert "disk.used_percent" in {meaning.name.ours for meaning in names.meanings(key)}
    assert {"lld", "template"} <= names.ignored


def test_what_is_wrong_is_shown_where_it_stands() -> None:
    with pytest.raises(Unreadable, match="where there is % 5"):
        parse("last(/h/k)>1 % 5", lambda _: None, lambda _: None)
