"""The dashboards: what is committed, and what every panel has to have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from grafana.alerts import alert_rules, alert_yaml
from grafana.build import DASHBOARDS, FOLDER, dashboard_json, files, places
from grafana.conditions import NotExpressible, prom_selector
from grafana.context import Context
from grafana.links import PLACES, finding_path, place_of
from grafana.push import DataSource
from grafana.queries import FLAVOURS, Flavour
from grafana.texts import CHINESE
from grafana.thresholds import GREEN, ORANGE, RED, steps
from setpoint.finding import Evidence, Finding
from setpoint.limits import Comparison, Limits
from setpoint.plan_load import parse_plan

CASES = [(flavour, name) for flavour in FLAVOURS for name in DASHBOARDS]
_DAYS = {"s": 1 / 86_400, "m": 1 / 1_440, "h": 1 / 24, "d": 1.0, "w": 7.0}


def _panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def _data_sources(node: Any) -> Iterator[str]:
    """Every UID of a data source, wherever in the dashboard."""
    if isinstance(node, dict):
        if isinstance(node.get("datasource"), dict):
            yield node["datasource"]["uid"]
        for value in node.values():
            yield from _data_sources(value)
    elif isinstance(node, list):
        for value in node:
            yield from _data_sources(value)


def test_the_committed_dashboards_are_those_of_the_code() -> None:
    made = {path.as_posix(): text for path, text in files()}
    committed = {
        path.relative_to(FOLDER).as_posix(): path.read_text(encoding="utf-8")
        for path in FOLDER.glob("*/*.json")
    }
    assert committed.keys() == made.keys(), "make them anew with: setpoint dashboards build"
    stale = [name for name, text in made.items() if committed[name] != text]
    assert not stale, f"stale: {stale}; make them anew with: setpoint dashboards build"


def test_the_committed_places_of_metrics_are_those_of_the_dashboards() -> None:
    assert PLACES.read_text(encoding="utf-8") == places(), "make them anew with: setpoint dashboards build"


@pytest.mark.parametrize(("flavour", "name"), CASES)
def test_no_data_source_is_hard_coded(flavour: Flavour, name: str) -> None:
    found = set(_data_sources(dashboard_json(DASHBOARDS[name], Context(flavour))))
    assert found == {"${datasource}"}


@pytest.mark.parametrize(("flavour", "name"), CASES)
def test_every_panel_has_a_unit_and_a_text_for_no_data(flavour: Flavour, name: str) -> None:
    for panel in _panels(dashboard_json(DASHBOARDS[name], Context(flavour))):
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults.get("unit"), panel["title"]
        assert defaults.get("noValue"), panel["title"]


@pytest.mark.parametrize(("flavour", "name"), CASES)
def test_no_query_reads_more_than_30_days_of_samples_one_by_one(flavour: Flavour, name: str) -> None:
    for panel in _panels(dashboard_json(DASHBOARDS[name], Context(flavour))):
        assert panel["interval"], panel["title"]
        assert panel["maxDataPoints"] <= 1000, panel["title"]
        for target in panel["targets"]:
            text = target["query"] if flavour == "influxdb" else target["expr"]
            windows = re.findall(r"\[([^\]]+)\]|\}ms - (\w+)", text)
            for length in {a or b for a, b in windows} - {"$__interval", "$__rate_interval"}:
                number, unit = re.fullmatch(r"(\d+)(\w)", length).groups()  # type: ignore[union-attr]
                assert int(number) * _DAYS[unit] <= 30, f"{panel['title']}: {length}"
            if flavour == "influxdb" and "$timeFilter" in text:
                assert "GROUP BY time($__interval)" in text, panel["title"]
                # Reviews write once an hour.
                assert "}ms - 30d" in text or 'FROM "setpoint_gap"' in text, panel["title"]
            elif flavour == "influxdb":
                # Each SELECT that reads a measurement has a window of its own.
                assert len(re.findall(r'FROM "', text)) == text.count("time > ${__to}ms - "), panel["title"]


@pytest.mark.parametrize(("flavour", "name"), CASES)
def test_panels_do_not_overlap_and_have_numbers_of_their_own(flavour: Flavour, name: str) -> None:
    dashboard = dashboard_json(DASHBOARDS[name], Context(flavour))
    numbers = [panel["id"] for panel in dashboard["panels"]]
    assert len(numbers) == len(set(numbers))
    taken: dict[tuple[int, int], str] = {}
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, f"{panel['title']} lies on {taken[x, y]}"
                taken[x, y] = panel["title"]


def test_states_are_named_and_not_the_ranges_between_thresholds() -> None:
    """In the colour mode "thresholds" a state-timeline says "< 1" where the state has a name."""
    for frame in DASHBOARDS.values():
        for panel in _panels(dashboard_json(frame, Context("influxdb"))):
            if panel["type"] == "state-timeline":
                assert panel["fieldConfig"]["defaults"]["color"]["mode"] != "thresholds", panel["title"]
                assert panel["fieldConfig"]["defaults"]["mappings"], panel["title"]


def test_a_tile_without_data_is_neither_good_nor_bad() -> None:
    for frame in DASHBOARDS.values():
        for panel in _panels(dashboard_json(frame, Context("influxdb"))):
            if panel["type"] == "stat":
                mapping = panel["fieldConfig"]["defaults"]["mappings"][-1]
                assert (mapping["type"], mapping["options"]["match"]) == ("special", "null+nan")
                assert mapping["options"]["result"]["text"] == "no data"
                assert mapping["options"]["result"]["color"] not in (GREEN, ORANGE, RED)


def test_only_the_values_of_a_table_are_in_its_unit() -> None:
    panels = _panels(dashboard_json(DASHBOARDS["tools"], Context("influxdb")))
    (panel,) = [panel for panel in panels if panel["title"] == "TCP: available, last 7 days"]
    assert panel["fieldConfig"]["defaults"]["unit"] == "none", "the column of TCP ports is a number, too"
    (values,) = [
        {one["id"]: one["value"] for one in override["properties"]}
        for override in panel["fieldConfig"]["overrides"]
        if override["matcher"] == {"id": "byName", "options": "Available"}
    ]
    assert values["unit"] == "percent"
    assert values["color"] == {"mode": "thresholds"}


def test_addresses_of_dashboards_differ() -> None:
    uids = [frame.uid for frame in DASHBOARDS.values()]
    assert len(uids) == len(set(uids))


_PLAN = """
plan: Lines and alerts
revision: 3
groups:
  all: ["*"]
objectives: [{id: room, title: Room to work}]
points:
  - id: cpu
    title: CPU busy
    for: [room]
    metric: cpu.usage_active
    where: {cpu: cpu-total}
    expect: {host: all, every: 10s}
    unit: percent
    warning: {above: 80, for: 5m, clear: 75}
    critical: {above: 95, for: 5m}
    owner: platform
    action: Add capacity.
  - id: var
    metric: disk.used_percent
    where: {path: /var}
    critical: {above: 60}
  - id: traffic
    metric: net.bytes_recv
    as: rate
    scale: 8
    warning: {above: 1000}
  - id: state
    metric: setpoint_agent.connected
    critical: {equals: 0, for: 20s}
  - id: humidity
    metric: snmp_sensor.value
    where: {class: humidity}
    warning: {outside: [30, 60]}
"""


def _host_panels(plan: str) -> dict[str, dict[str, Any]]:
    context = Context("influxdb", plan=parse_plan(plan))
    return {panel["title"]: panel for panel in _panels(dashboard_json(DASHBOARDS["host"], context))}


def _lines(panel: dict[str, Any]) -> list[tuple[float | None, str]]:
    defaults = panel["fieldConfig"]["defaults"]
    drawn = defaults["custom"]["thresholdsStyle"]["mode"] == "line+area"
    return [(step["value"], step["color"]) for step in defaults["thresholds"]["steps"]] if drawn else []


def test_the_thresholds_of_the_plan_are_lines() -> None:
    panels = _host_panels(_PLAN)
    assert _lines(panels["CPU busy"]) == [(None, GREEN), (80, ORANGE), (95, RED)]
    assert _lines(panels["Traffic"]) == [(None, GREEN), (1000, ORANGE)]
    assert _lines(panels["Memory used"]) == []


def test_a_threshold_of_some_of_the_lines_only_is_not_drawn_for_all() -> None:
    assert _lines(_host_panels(_PLAN)["File systems used"]) == []


@pytest.mark.parametrize(
    ("warning", "critical", "expected"),
    [
        (Comparison(low=10), Comparison(low=5), [(None, RED), (5, ORANGE), (10, GREEN)]),
        (Comparison(high=60, low=30), None, [(None, ORANGE), (30, GREEN), (60, ORANGE)]),
        (None, Comparison(high=90), [(None, GREEN), (90, RED)]),
        (None, Comparison(unequal=0), []),
    ],
)
def test_colours_change_where_the_judgement_does(
    warning: Comparison | None, critical: Comparison | None, expected: list[tuple[float | None, str]]
) -> None:
    assert [tuple(step) for step in steps(Limits(warning=warning, critical=critical))] == expected


def test_chinese_dashboards_ask_the_same_and_say_it_in_chinese() -> None:
    english, chinese = dict(files()), dict(files(language="zh"))
    for path, text in chinese.items():
        ours = re.sub(r'"(query|expr)": ', "", english[path])
        for query in re.findall(r'"(?:query|expr)": (".*")', text):
            assert query in ours, path
    titles = re.findall(r'"title": "(.*)"', "".join(chinese.values()))
    assert not [title for title in titles if title in CHINESE and CHINESE[title] != title]


def test_no_translation_is_left_over() -> None:
    said = "".join(text for _, text in files())
    assert not [english for english in CHINESE if english not in said]


def _rules(flavour: Flavour = "influxdb") -> dict[str, dict[str, Any]]:
    data, left_out = alert_rules(parse_plan(_PLAN), flavour)
    assert left_out == []
    read = yaml.safe_load(alert_yaml(data))
    return {rule["title"]: rule for rule in read["groups"][0]["rules"]}


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_every_threshold_and_every_point_has_an_alert_rule(flavour: Flavour) -> None:
    rules = _rules(flavour)
    assert list(rules) == [
        "CPU busy (cpu): warning",
        "CPU busy (cpu): critical",
        "CPU busy (cpu): silent",
        "var (var): critical",
        "var (var): silent",
        "traffic (traffic): warning",
        "traffic (traffic): silent",
        "state (state): critical",
        "state (state): silent",
        "humidity (humidity): warning",
        "humidity (humidity): silent",
    ]
    assert len({rule["uid"] for rule in rules.values()}) == len(rules)
    assert all(len(rule["uid"]) <= 40 for rule in rules.values()), "Grafana takes 40 characters"


def test_an_alert_rule_says_what_the_plan_says() -> None:
    warning = _rules()["CPU busy (cpu): warning"]
    assert warning["for"] == "5m"
    assert warning["labels"] == {
        "severity": "warning",
        "point": "cpu",
        "kind": "threshold",
        "owner": "platform",
    }
    assert warning["annotations"] == {
        "summary": "CPU busy: above 80 percent for 5m",
        "action": "Add capacity.",
        "serves": "room",
    }
    assert warning["data"][2]["model"]["conditions"] == [
        {"evaluator": {"type": "gt", "params": [80]}, "unloadEvaluator": {"type": "lt", "params": [75]}}
    ]


def test_alert_rules_know_all_comparisons() -> None:
    rules = _rules()
    assert rules["state (state): critical"]["data"][2]["model"]["expression"] == "$B == 0"
    outside = rules["humidity (humidity): warning"]["data"][2]["model"]["conditions"][0]["evaluator"]
    assert outside == {"type": "outside_range", "params": [30, 60]}


def test_a_changed_threshold_keeps_the_uid_of_its_rule() -> None:
    changed, _ = alert_rules(parse_plan(_PLAN.replace("above: 80", "above: 85")), "influxdb")
    before, after = _rules()["CPU busy (cpu): warning"], changed["groups"][0]["rules"][0]
    assert before["uid"] == after["uid"]
    assert before["data"] != after["data"]


def test_grafana_expands_no_dollar_of_ours() -> None:
    plan = parse_plan(_PLAN.replace("title: CPU busy", "title: CPU $HOME").replace("cpu-total", "a$b"))
    rule = yaml.safe_load(alert_yaml(alert_rules(plan, "influxdb")[0]))["groups"][0]["rules"][0]
    assert rule["title"].startswith("CPU $$HOME")
    # A query's model is the one thing in the file that Grafana takes as it is written.
    query = rule["data"][0]["model"]["query"]
    assert "$timeFilter" in query
    assert "$$" not in query


def test_a_condition_that_promql_has_no_words_for_is_told_and_not_guessed() -> None:
    plan = parse_plan(
        "plan: p\nrevision: 1\ngroups: {some: ['*', not: a]}\n"
        "points: [{id: x, metric: mem.used, where: {host: [some, a]}, warning: {above: 1}}]\n"
    )
    with pytest.raises(NotExpressible):
        prom_selector("mem_used", plan.points[0].where)
    data, left_out = alert_rules(plan, "prometheus")
    assert data["groups"] == []
    assert len(left_out) == 1
    assert '"x"' in left_out[0]
    assert alert_rules(plan, "influxdb")[1] == []


def test_a_value_of_two_fields_has_no_alert_rule_and_that_is_told() -> None:
    plan = parse_plan(
        "plan: p\nrevision: 1\n"
        "points: [{id: x, metric: m.used, percent_of: m.total, unit: percent, warning: {above: 1}}]\n"
    )
    for flavour in ("influxdb", "prometheus"):
        data, left_out = alert_rules(plan, flavour)  # type: ignore[arg-type]
        assert data["groups"] == []
        assert left_out == ['point "x" has no alert rules: its value is made of two fields']


@pytest.mark.parametrize("name", ["influxdb1", "influxdb2", "victoriametrics"])
def test_the_provisioned_data_source_is_the_pushed_one(name: str) -> None:
    path = FOLDER.parent / "provisioning" / "datasources" / f"{name}.yaml"
    values = {
        "SETPOINT_STORE_URL": "http://store:1",
        "SETPOINT_STORE_DATABASE": "setpoint",
        "SETPOINT_STORE_USER": "u" if name == "influxdb1" else "",
        "SETPOINT_STORE_PASSWORD": "p",
        "SETPOINT_STORE_TOKEN": "t",
    }
    text = re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], path.read_text(encoding="utf-8"))
    (provisioned,) = yaml.safe_load(text)["datasources"]
    pushed = DataSource(
        flavour="prometheus" if name == "victoriametrics" else "influxdb",
        url="http://store:1",
        user=values["SETPOINT_STORE_USER"],
        password="p" if name == "influxdb1" else "",
        token="t" if name == "influxdb2" else "",
    )
    secrets = provisioned.pop("secureJsonData", {})
    assert {"user": "", **provisioned} == pushed.settings()
    assert secrets == pushed.secrets()


def test_the_provisioned_folder_is_the_pushed_one() -> None:
    path = FOLDER.parent / "provisioning" / "dashboards" / "setpoint.yaml"
    (provider,) = yaml.safe_load(path.read_text(encoding="utf-8"))["providers"]
    assert (provider["folder"], provider["folderUid"]) == ("Setpoint", "setpoint")
    assert provider["options"]["path"] == "${SETPOINT_DASHBOARDS}"


def _finding(metric: str, **subject: str) -> Finding:
    return Finding(
        id="3fa1c09b22de",
        kind="threshold-breached",
        severity="critical",
        reasons=[],
        title="",
        text={},
        point="a-point",
        metric=metric,
        subject=subject,
        evidence=Evidence(start_ms=1_000, end_ms=2_000),
        plan_revision=1,
        plan_hash="",
    )


@pytest.mark.parametrize(
    ("finding", "expected"),
    [
        (_finding("cpu.usage_active", host="mon 01", cpu="cpu-total"), "/d/setpoint-host?var-host=mon+01&"),
        (
            _finding("snmp_port.in_errors", host="mon-01", device="sw-1", name="Te1/1"),
            "/d/setpoint-device?var-host=mon-01&var-device=sw-1&var-name=Te1%2F1&",
        ),
        (
            _finding("http_response.result_code", host="mon-01", server="x"),
            "/d/setpoint-tools?var-host=mon-01&",
        ),
        (_finding("parts.hits", store="a"), "/d/setpoint-gaps?var-point=a-point&"),
    ],
)
def test_a_finding_leads_to_its_dashboard_and_window(finding: Finding, expected: str) -> None:
    path = finding_path(finding)
    assert path.startswith(expected)
    assert "from=1000&to=2000" in path


def test_a_finding_leads_to_the_panel_that_shows_its_metric() -> None:
    place = place_of("mem.used_percent")
    (frame,) = [frame for frame in DASHBOARDS.values() if frame.uid == place.uid]
    panels = dashboard_json(frame, Context("influxdb"))["panels"]
    (panel,) = [panel for panel in panels if panel["id"] == place.panel]
    assert panel["title"] == "Memory used"
    assert 'last("used_percent")' not in panel["targets"][0]["query"], "the graph, and not the present value"
