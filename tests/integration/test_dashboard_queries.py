"""Every query of every panel, and of every variable, asked of the server that it is meant for."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from grafana.alerts import parts, silence_query, value_query
from grafana.build import DASHBOARDS, dashboard_json
from grafana.context import Context
from grafana.queries import FLAVOURS, Flavour
from setpoint.line_protocol import encode_point
from setpoint.plan_load import parse_plan
from setpoint.reading import FieldValue
from tests.dashboard_servers import (
    Server,
    chosen_in,
    filled,
    filled_influxdb,
    filled_victoria_metrics,
    panels_of,
    query_of,
    with_choices,
)
from tests.simulated_fleet import HOSTS, SILENT
from tests.store_servers import Influxd

HOUR_MS = 3_600_000
CASES = [(flavour, name) for flavour in FLAVOURS for name in DASHBOARDS]


@pytest.fixture(scope="module")
def end_ms() -> int:
    # VictoriaMetrics does not show the newest 30 s (-search.latencyOffset).
    return (int(time.time()) - 60) * 1000


@pytest.fixture(scope="module")
def influxdb(tmp_path_factory: pytest.TempPathFactory, end_ms: int) -> Iterator[Server]:
    with filled_influxdb(tmp_path_factory.mktemp("influxd"), end_ms) as server:
        yield server


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory, end_ms: int) -> Iterator[Server]:
    with filled_victoria_metrics(tmp_path_factory.mktemp("victoria-metrics"), end_ms) as server:
        yield server


@pytest.fixture
def server(flavour: Flavour, request: pytest.FixtureRequest) -> Server:
    """The server that dashboards of the flavour are for."""
    found: Server = request.getfixturevalue(flavour)
    return found


def _expected_tags(target: Mapping[str, Any]) -> set[str]:
    """The tags that the lines of a graph are named by."""
    return {*re.findall(r"\$tag_(\w+)", target.get("alias", ""))} | {
        *re.findall(r"{{(\w+)}}", target.get("legendFormat", ""))
    }


@pytest.mark.parametrize(("flavour", "name"), CASES)
def test_every_query_of_every_panel_returns_rows(flavour: Flavour, name: str, server: Server) -> None:
    dashboard = dashboard_json(DASHBOARDS[name], Context(flavour))
    chosen = chosen_in(dashboard, server, flavour)
    wrong = []
    for panel in panels_of(dashboard):
        for target in panel["targets"]:
            text = filled(query_of(target), chosen, server.end_ms)
            rows = server.ask(target, text)
            print(f"{flavour} {name} | {panel['title']} {target['refId']}: {len(rows)} rows")
            missing = {tag for tag in _expected_tags(target) if not all(tag in row.tags for row in rows)}
            if not rows or missing or not all(row.values for row in rows):
                wrong.append(f"{panel['title']} {target['refId']}: {len(rows)} rows, lacks {missing}: {text}")
            if panel["type"] == "table" and not all(row.tags for row in rows):
                wrong.append(f"{panel['title']}: rows of the table are about nobody: {text}")
    assert not wrong, "\n".join(wrong)


def _shown(
    name: str, kinds: Sequence[str], server: Server, flavour: Flavour
) -> list[tuple[str, list[float]]]:
    """What each query of the panels of these kinds shows, smallest first."""
    dashboard = dashboard_json(DASHBOARDS[name], Context(flavour))
    chosen = chosen_in(dashboard, server, flavour)
    return [
        (
            f"{panel['title']} {target['refId']}",
            sorted(
                value
                for row in server.ask(target, filled(query_of(target), chosen, server.end_ms))
                for value in row.values.values()
            ),
        )
        for panel in panels_of(dashboard)
        if panel["type"] in kinds
        for target in panel["targets"]
    ]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_both_languages_give_the_same_present_values(name: str, influxdb: Server, prometheus: Server) -> None:
    kinds = ("stat", "table")
    one, other = _shown(name, kinds, influxdb, "influxdb"), _shown(name, kinds, prometheus, "prometheus")
    assert [title for title, _ in one] == [title for title, _ in other]
    for (title, values), (_, others) in zip(one, other, strict=True):
        assert values == pytest.approx(others, rel=1e-9), title


@pytest.mark.parametrize("name", [name for name in DASHBOARDS if name != "noc"])
def test_both_languages_draw_the_same_lines(name: str, influxdb: Server, prometheus: Server) -> None:
    """Groups begin at other times in each, and the last group is not full: so only about the same."""
    kinds = ("timeseries", "state-timeline")
    one, other = _shown(name, kinds, influxdb, "influxdb"), _shown(name, kinds, prometheus, "prometheus")
    assert one
    for (title, values), (_, others) in zip(one, other, strict=True):
        assert values == pytest.approx(others, rel=0.2, abs=0.01), title


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_traffic_is_in_bits_per_second(flavour: Flavour, server: Server) -> None:
    lines = dict(_shown("host", ("timeseries",), server, flavour))
    # A million octets every 30 s in, half of that out.
    assert lines["Traffic A"] == pytest.approx([266_667], rel=0.1)
    assert lines["Traffic B"] == pytest.approx([133_333], rel=0.1)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_the_overview_counts_who_is_there_and_who_is_not(flavour: Flavour, server: Server) -> None:
    dashboard = dashboard_json(DASHBOARDS["noc"], Context(flavour))
    chosen = chosen_in(dashboard, server, flavour)
    shown = {}
    for panel in panels_of(dashboard):
        if panel["type"] == "stat":
            rows = [
                server.ask(target, filled(query_of(target), chosen, server.end_ms))
                for target in panel["targets"]
            ]
            shown[panel["title"]] = [
                value for answer in rows for row in answer for value in row.values.values()
            ]
    assert shown == {
        "Agents up": [2],
        "Agents silent": [1],
        "Tools up": [2, 2],
        "Tools down": [2, 0],
        "Devices up": [1],
        "Devices down": [1],
        "Open findings: critical": [1],
        "Open findings: warning": [0],
        "Open findings: info": [1],
        "Episodes, last 24 hours": [18],
    }


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_chosen_site_narrows_the_hosts(flavour: Flavour, server: Server) -> None:
    dashboard = dashboard_json(DASHBOARDS["noc"], Context(flavour))
    of_hosts = next(v["query"] for v in dashboard["templating"]["list"] if v["name"] == "host")
    at_site = server.values(filled(of_hosts, {"site": "hq"}, server.end_ms))
    everywhere = server.values(filled(of_hosts, {"site": ".*"}, server.end_ms))
    assert sorted(at_site) == [HOSTS[0]]
    assert sorted(everywhere) == sorted([*HOSTS, SILENT])


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_the_host_dashboard_marks_the_hours_in_which_its_host_had_episodes(
    flavour: Flavour, server: Server
) -> None:
    dashboard = dashboard_json(DASHBOARDS["host"], Context(flavour))
    (mark,) = dashboard["annotations"]["list"]
    target = {"instant": False, **mark.get("target", mark)}
    rows = server.ask(target, filled(query_of(target), {"host": HOSTS[0]}, server.end_ms))
    assert {row.tags["subject"] for row in rows} == {"host=mon-01 cpu=cpu-total", "host=mon-01 path=/"}
    assert {row.tags["point"] for row in rows} == {"host-cpu", "host-disk"}


def test_a_mark_in_influxdb_begins_and_ends_with_its_hour(tmp_path: Path) -> None:
    end_ms = 1_700_002_800_000
    tags = {"host": "col-01", "point": "host-cpu", "subject": "host=mon-01 cpu=cpu-total"}
    told: list[tuple[int, dict[str, FieldValue]]] = [
        (end_ms - HOUR_MS, {"coverage": 1.0, "episodes": 2, "end_ms": end_ms - HOUR_MS}),
        (end_ms, {"coverage": 1.0, "episodes": 1, "end_ms": end_ms}),
        (end_ms + HOUR_MS, {"coverage": 1.0, "episodes": 0}),
    ]
    lines = b"\n".join(encode_point("setpoint_gap", tags, fields, time_ms) or b"" for time_ms, fields in told)
    (mark,) = dashboard_json(DASHBOARDS["host"], Context("influxdb"))["annotations"]["list"]
    target = mark["target"]
    shown = f"time >= {end_ms - 2 * HOUR_MS}ms and time <= {end_ms + HOUR_MS}ms"
    statement = with_choices(target["query"].replace("$timeFilter", shown), {"host": "mon-01"}, end_ms)
    with Influxd(tmp_path) as server:
        server.query("CREATE DATABASE setpoint")
        with urllib.request.urlopen(f"{server.url}/write?db=setpoint", lines, timeout=30):
            pass
        answer = server.query(statement, db="setpoint", epoch="ms")
    (series,) = json.loads(answer)["results"][0]["series"]
    rows = [dict(zip(series["columns"], row, strict=True)) for row in series["values"]]
    assert [(row["time"], row[target["timeEndColumn"]], row[target["textColumn"]]) for row in rows] == [
        (end_ms - 2 * HOUR_MS + 1, end_ms - HOUR_MS, tags["subject"]),
        (end_ms - HOUR_MS + 1, end_ms, tags["subject"]),
    ]


_PLAN = """
plan: Alerts
revision: 1
groups:
  sites: [web.01, "mon-*"]
  all-but-one: ["*", not: web.01]
points:
  - id: glob
    metric: disk.used_percent
    where: {host: "*", path: {not: /}}
    critical: {above: 90}
  - id: group
    metric: mem.used_percent
    expect: {host: sites, every: 30s}
    warning: {above: 85}
  - id: group-with-exclusion
    metric: mem.used_percent
    where: {host: all-but-one}
    warning: {above: 85}
  - id: overrides
    metric: disk.used_percent
    warning: {above: 80}
    overrides:
      - {where: {host: mon-01, path: /var}, warning: {above: 95}}
      - {where: {path: "/v[a-z]r"}, warning: {above: 97}}
  - id: rate
    metric: net.bytes_recv
    as: rate
    scale: 8
    critical: {above: 1000000}
  - id: state
    metric: http_response.result_code
    where: {host: mon-01, server: "http://127.0.0.1:*"}
    critical: {not_equals: 0}
  - id: recovered
    metric: http_response.result_code
    where: {host: web.01, server: "https://tickets/"}
    critical: {not_equals: 0}
"""


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_alert_rules_judge_the_subjects_that_the_plan_means(flavour: Flavour, server: Server) -> None:
    """A subject is in the part whose limits the plan gives it, and in no other."""
    target = {"instant": True}
    window = f"time > {server.end_ms - 120_000}ms and time <= {server.end_ms}ms"
    judged = {}
    for point in parse_plan(_PLAN).points:
        for part in parts(point):
            rows = server.ask(target, value_query(part, flavour).replace("$timeFilter", window))
            name = f"{point.id} {part.number}"
            judged[name] = {(row.tags["host"], row.tags.get("path", "")) for row in rows}
            for row in rows:
                assert point.wants(row.tags), name
                assert point.settings(row.tags) == part.limits, name
    assert judged == {
        "glob 0": {("mon-01", "/var"), ("web.01", "/var")},
        "group 0": {("mon-01", ""), ("web.01", "")},
        "group-with-exclusion 0": {("mon-01", "")},
        "overrides 1": {("mon-01", "/var")},
        "overrides 2": {("web.01", "/var")},
        "overrides 0": {("mon-01", "/"), ("web.01", "/")},
        "rate 0": {("mon-01", ""), ("web.01", "")},
        "state 0": {("mon-01", "")},
        "recovered 0": {("web.01", "")},
    }


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_alert_rules_see_the_value_that_the_plan_judges(flavour: Flavour, server: Server) -> None:
    window = f"time > {server.end_ms - 120_000}ms and time <= {server.end_ms}ms"
    points = {point.id: point for point in parse_plan(_PLAN).points}
    values = {}
    for name in ("rate", "state", "recovered"):
        part = next(parts(points[name]))
        rows = server.ask({"instant": True}, value_query(part, flavour).replace("$timeFilter", window))
        values[name] = {row.tags["host"]: round(value) for row in rows for value in row.values.values()}
    # A million octets every 30 s. Newest results: "connection failed" after success, and success after
    # "timeout".
    assert values == {
        "rate": {"mon-01": 266_667, "web.01": 266_667},
        "state": {"mon-01": 3},
        "recovered": {"web.01": 0},
    }


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_alert_rules_call_a_subject_silent_that_reported_before(flavour: Flavour, server: Server) -> None:
    part = next(parts(next(p for p in parse_plan(_PLAN).points if p.id == "glob")))
    rows = server.ask({"instant": True}, silence_query(part, flavour))
    silent = {row.tags["host"] for row in rows if max(row.values.values()) > 0}
    assert silent == {SILENT}
