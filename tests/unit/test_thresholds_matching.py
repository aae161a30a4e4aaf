"""Configured thresholds beside the plan: what is matched, what is not, and why."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.inputs.thresholds.found import to_points
from collector.analysis.review import Review, SubjectReview
from collector.series import SeriesTable
from collector.thresholds.found import FoundThresholds
from collector.thresholds.labels import host_passes, value_passes
from collector.thresholds.match import match_thresholds
from collector.thresholds.matched import Matched
from collector.thresholds.names import load_names
from collector.thresholds.normal import normal_form
from collector.thresholds.read import read_thresholds
from setpoint.config import ConfigError
from setpoint.plan import Plan
from setpoint.reading import Point
from setpoint.threshold import Matcher
from tests.unit.review_factory import (
    CPU,
    CPU_TAGS,
    DISK,
    ERP,
    LOAD,
    MINUTE,
    PORT,
    RUNNING,
    plan,
    review,
    statistics,
    subject,
)
from tests.unit.threshold_factory import IDLE, NAMES, found, observe, read

SPEED = PORT.replace(
    "unit: percent", "unit: percent\n    as: rate\n    scale: 8\n    percent_of: snmp_port.speed_bps"
)
PLAN = plan(CPU, DISK, LOAD, SPEED, ERP)
AT = RUNNING.end_ms


def site() -> Review:
    """Two hosts with two file systems each, and a switch with a port."""
    hosts = ("mon-01", "jump-01")
    return review(
        PLAN,
        RUNNING,
        *(subject(PLAN, "host-cpu", {**CPU_TAGS, "host": host}, statistics(RUNNING)) for host in hosts),
        *(subject(PLAN, "host-load", {"host": host}, statistics(RUNNING)) for host in hosts),
        *(
            subject(PLAN, "host-disk", {"host": host, "path": path, "device": "sda1"}, statistics(RUNNING))
            for host in hosts
            for path in ("/", "/srv")
        ),
        subject(PLAN, "port-load", {"host": "mon-01", "device": "sw-1", "name": "Te1"}, statistics(RUNNING)),
        subject(
            PLAN,
            "erp-answers",
            {"host": "mon-01", "server": "http://erp/", "method": "GET"},
            statistics(RUNNING),
        ),
    )


def match(*args: object, **more: object) -> Matched:
    known = read(found(*args, **more), at_ms=AT)  # type: ignore[arg-type]
    (one,) = match_thresholds(known, NAMES, site().points).matched
    return one


def pairs(one: Matched) -> list[tuple[str, float, bool | None, str | None, str]]:
    return [
        (
            pair.reviewed.tags.get("path") or pair.reviewed.tags["host"],
            pair.level,
            pair.high,
            pair.severity,
            pair.outcome,
        )
        for pair in one.pairings
    ]


def test_idle_time_below_is_busy_time_above() -> None:
    one = match("Busy", IDLE, "below", 0.2, 'mode="idle"', severity="warning", for_s=300)
    assert one.place == "matched"
    assert pairs(one) == [
        ("mon-01", 80, True, "warning", "agrees"),
        ("jump-01", 80, True, "warning", "agrees"),
    ]


@pytest.mark.parametrize(
    ("level", "for_s", "severity", "expected"),
    [
        (0.2, 300, "warning", "agrees"),
        (0.1, 300, "warning", "differs"),
        (0.2, 600, "warning", "differs"),
        (0.05, 300, "disaster", "agrees"),
        (0.05, 300, "", "agrees"),
        (0.2, 300, "p2", "agrees"),
        (0.2, 300, "info", "no such level"),
    ],
)
def test_level_and_for_are_compared_with_those_of_the_severity(
    level: float, for_s: float, severity: str, expected: str
) -> None:
    one = match("Busy", IDLE, "below", level, 'mode="idle"', severity=severity, for_s=for_s)
    assert {pair.outcome for pair in one.pairings} == {expected}


def test_another_direction_is_no_such_level() -> None:
    one = match("Idle", IDLE, "above", 0.9, 'mode="idle"', severity="warning")
    assert {pair.outcome for pair in one.pairings} == {"no such level"}


@pytest.mark.parametrize(
    ("subject", "hosts"),
    [
        ('instance="mon-01:9100"', ["mon-01"]),
        ('instance="mon-01"', ["mon-01"]),
        ('instance="MON-01.example.org:9100"', ["mon-01"]),
        ('instance=~"mon.*"', ["mon-01"]),
        ('instance=~"mon-01:9100|x"', ["mon-01"]),
        ('instance!="mon-01:9100"', ["jump-01"]),
        ('instance!~"mon.*"', ["jump-01"]),
        ('host="jump-01"', ["jump-01"]),
        ('job="node"', ["mon-01", "jump-01"]),
    ],
)
def test_a_label_that_names_a_host_chooses_it(subject: str, hosts: list[str]) -> None:
    one = match("Load", "node_load5", "above", 5, subject)
    assert [pair.reviewed.tags["host"] for pair in one.pairings] == hosts


def test_a_label_is_the_tag_that_the_table_says() -> None:
    one = match(
        "Full",
        "node_filesystem_avail_bytes / node_filesystem_size_bytes",
        "below",
        0.2,
        'fstype!="tmpfs",instance="mon-01:9100",mountpoint="/srv"',
        severity="warning",
    )
    assert pairs(one) == [("/srv", 80, True, "warning", "agrees")]


def test_a_disk_has_a_device_and_is_no_device() -> None:
    one = match("Full", "vfs.fs.size[/,pused]", "above", 80, 'host="mon-01"', severity="average")
    assert pairs(one) == [("/", 80, True, "warning", "agrees")]


def test_a_port_in_per_cent_of_its_speed_is_found() -> None:
    one = match("Port", "rate(ifHCInOctets) / ifSpeed", "above", 0.1125, 'instance="sw-1",ifName="Te1"')
    assert [(pair.level, pair.outcome) for pair in one.pairings] == [(90, "agrees")]


@pytest.mark.parametrize(
    "metric",
    [
        "cpu.usage_active",
        "cpu_usage_active",
        "max by (cpu, host) (cpu_usage_active)",
        "avg_over_time(cpu_usage_active)",
        "last_over_time(cpu.usage_active)",
    ],
)
def test_names_of_our_own_need_no_table(metric: str) -> None:
    one = match("Busy", metric, "above", 95, 'cpu=~"cpu-total",host=~".+"', severity="critical", for_s=300)
    assert {pair.outcome for pair in one.pairings} == {"agrees"}
    assert len(one.pairings) == 2


def test_what_another_label_chooses_is_not_said_to_differ() -> None:
    one = match("Load", "node_load5", "above", 7, 'env="prod"')
    assert {pair.outcome for pair in one.pairings} == {"no such level"}
    one = match("Busy", IDLE, "below", 0.5, 'env="prod",mode="idle"', severity="warning")
    assert {(pair.outcome, pair.why) for pair in one.pairings} == {
        ("cannot tell", "whether it is meant depends on the label env")
    }


@pytest.mark.parametrize(
    ("metric", "subject", "place"),
    [
        ("some_metric", "*", "unknown name"),
        (IDLE, "*", "unknown name"),
        (IDLE, 'mode="user"', "unknown name"),
        ("avg(rate(node_cpu_seconds_total))", 'mode="idle"', "not comparable"),
        ("avg by (job) (rate(node_cpu_seconds_total))", 'mode="idle"', "not comparable"),
        ("sum by (host) (disk_used_percent)", "*", "not comparable"),
        ("avg without (instance) (rate(node_cpu_seconds_total))", 'mode="idle"', "not comparable"),
        ("node_load1", "*", "not planned"),
        ("mem.used_percent", "*", "not planned"),
        ("rate(ifHCInOctets)", "*", "not planned"),
        ("node_load5", 'instance="web-9:9100"', "no subject"),
        ("cpu_usage_active", 'cpu="cpu0"', "no subject"),
    ],
)
def test_what_is_not_matched_says_why(metric: str, subject: str, place: str) -> None:
    one = match("Rule", metric, "above", 1, subject)
    assert (one.place, bool(one.why)) == (place, True)
    assert not one.pairings


def test_a_device_that_writes_its_subject_in_words_is_understood() -> None:
    series = SeriesTable()
    tags = {
        "source": "snmp",
        "rule": "too hot",
        "metric": "snmp_sensor.value",
        "comparison": "above",
        "severity": "critical",
        "device": "sw-1",
        "subject": "class=temperature name=Inlet left",
    }
    observe(series, [Point("threshold", tags, {"level": 60.0})], AT)
    (one,) = read_thresholds(series).thresholds
    assert set(one.matchers or ()) == {
        Matcher("class", "=", "temperature"),
        Matcher("name", "=", "Inlet left"),
        Matcher("device", "=", "sw-1"),
    }
    assert (one.present, one.enabled, one.role) == (True, True, "raises")


def test_a_subject_that_cannot_be_read_is_told() -> None:
    series = SeriesTable()
    tags = {"source": "s", "rule": "r", "metric": "cpu.usage_active", "comparison": "above", "subject": "?!"}
    observe(series, [Point("threshold", tags, {"level": 60.0})], AT)
    (one,) = match_thresholds(read_thresholds(series), NAMES, site().points).matched
    assert one.place == "not comparable"


def test_what_a_source_has_had_in_neither_of_its_last_two_readings_is_gone() -> None:
    series = SeriesTable()
    both = found("A", "x", "above", 1), found("B", "x", "above", 1)
    read(*both, at_ms=AT - 10 * MINUTE, series=series)
    known = read(found("A", "x", "above", 2), at_ms=AT - 5 * MINUTE, series=series)
    assert [(one.rule, one.present) for one in known.thresholds] == [("A", True), ("B", True)]
    known = read(found("A", "x", "above", 2), at_ms=AT, series=series)
    assert [(one.rule, one.present, one.level) for one in known.thresholds] == [
        ("A", True, 2),
        ("B", False, 1),
    ]


def test_another_agent_takes_a_source_over() -> None:
    series = SeriesTable()
    old = to_points("prometheus", [found("A", "x", "above", 1)], every_s=300, rules=1)
    observe(series, old, AT - 60 * MINUTE, host="jump-01")
    known = read(found("A", "x", "above", 1), at_ms=AT, series=series)
    assert {one.agent: one.present for one in known.thresholds} == {"jump-01": False, "mon-01": True}
    assert [one.agent for one in known.sources] == ["mon-01"]


def test_what_a_device_no_longer_says_is_gone_and_another_device_is_not() -> None:
    series = SeriesTable()
    tags = {"source": "snmp", "metric": "snmp_sensor.value", "comparison": "above", "subject": "*"}
    for rule, device, at_ms in (("A", "a", AT), ("B", "a", AT - 100 * MINUTE), ("C", "c", AT - 100 * MINUTE)):
        point = Point("threshold", {**tags, "rule": rule, "device": device}, {"level": 1.0})
        observe(series, [point], at_ms)
    assert {one.rule: one.present for one in read_thresholds(series).thresholds} == {
        "A": True,
        "B": False,
        "C": True,
    }


def test_nothing_read_is_nothing_known() -> None:
    assert read_thresholds(SeriesTable()) == FoundThresholds([], [], [])


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("avg_over_time(rate(x))", "rate(x)"),
        ("max by (a) (irate(x))", "max(rate(x))"),
        ("max_over_time(a / b) - min_over_time(c)", "a / b - c"),
        ('x{a=")"}', 'x{a=")"}'),
    ],
)
def test_the_normal_form_leaves_out_what_does_not_matter(metric: str, expected: str) -> None:
    assert normal_form(metric).metric == expected


@given(st.text(alphabet='abmx_()[]{}",. over_timebywithout'))
def test_any_metric_has_a_normal_form(metric: str) -> None:
    normal_form(metric)
    normal_form("avg_over_time(" + metric)


def test_a_pattern_that_could_take_for_ever_is_not_tried() -> None:
    evil = Matcher("instance", "=~", "(a+)+$")
    assert value_passes(evil, "a" * 40) is None
    assert host_passes(evil, ["a" * 40]) is None
    assert value_passes(Matcher("x", "=~", "("), "a") is None


def test_an_address_is_no_short_name() -> None:
    assert host_passes(Matcher("instance", "=", "10.0.0.1:9100"), ["10"]) is False
    assert host_passes(Matcher("instance", "=", "10.0.0.1:9100"), ["10.0.0.1"]) is True
    assert host_passes(Matcher("instance", "=", "[2001:db8::1]:9100"), ["2001:db8::1"]) is True
    assert host_passes(Matcher("instance", "=", "a.example.org"), ["a.example.net"]) is False


def test_names_of_ones_own_go_before_those_that_come_along(tmp_path: Path) -> None:
    file = tmp_path / "names.yaml"
    file.write_text(
        "hosts: [machine]\nseverities: {critical: [schlimm]}\n"
        "names: [{metric: node_load5, ours: system.load1, scale: 2, offset: 1}]\n"
    )
    names = load_names([str(file)])
    assert next(names.meanings("node_load5")).name.ours == "system.load1"
    assert names.severity("Schlimm") == "critical"
    assert {"machine", "instance"} <= names.hosts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("names: [{metric: x, ours: cpu}]", "names[0].ours: expected measurement.field"),
        ("names: [{metric: x, ours: a.b, scale: 0}]", "names[0].scale: expected a number other than 0"),
        ("names: [{metric: '', ours: a.b}]", "names[0].metric: is empty"),
        ("severities: {bad: [x]}", "severities: expected warning, critical or info"),
        ("name: []", "unknown key"),
    ],
)
def test_a_mistake_in_a_table_is_named_with_its_line(tmp_path: Path, text: str, expected: str) -> None:
    file = tmp_path / "names.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_names([str(file)])
    assert expected in str(caught.value)
    assert str(file) in str(caught.value)


def test_every_name_that_comes_along_is_one_that_setpoint_has() -> None:
    from setpoint.reading import IDENTITY

    for name in NAMES.known():
        measurement, _, _ = name.ours.partition(".")
        assert measurement in IDENTITY, name.metric
        assert set(name.labels.values()) - {"alias"} <= {*IDENTITY[measurement]}, name.metric


NET = """
  - id: traffic
    metric: net.bytes_recv
    as: rate
    scale: 8
    expect: {host: hosts, every: 1m}
    critical: {above: 800, for: 5m}
"""


@pytest.mark.parametrize(
    ("metric", "subject", "place"),
    [
        ("rate(node_network_receive_bytes_total)", 'device="eth0"', "matched"),
        ("rate(net_bytes_recv)", 'interface="eth0"', "matched"),
        ("sum by (host, interface) (rate(net_bytes_recv))", "*", "matched"),
        ("non_negative_derivative(net.bytes_recv, 1s)", "*", "matched"),
        ("net.bytes_recv", "*", "not planned"),
        ("net.if.in[eth0]", "*", "matched"),
    ],
)
def test_a_rate_is_compared_with_a_rate_only(metric: str, subject: str, place: str) -> None:
    one = plan(NET)
    known = read(found("Traffic", metric, "above", 100, subject, severity="critical", for_s=300), at_ms=AT)
    reviewed = review(one, RUNNING, tagged(one, {"host": "mon-01", "interface": "eth0"}))
    (matched,) = match_thresholds(known, NAMES, reviewed.points).matched
    assert matched.place == place
    assert [(pair.level, pair.outcome) for pair in matched.pairings] == [(800, "agrees")] * (
        place == "matched"
    )


def tagged(one: Plan, tags: dict[str, str]) -> tuple[str, SubjectReview]:
    return subject(one, "traffic", tags, statistics(RUNNING))
