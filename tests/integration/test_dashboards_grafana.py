"""A real Grafana asks every query of every panel itself: where SETPOINT_TEST_GRAFANA_URL and _TOKEN name one
on this machine, whose data source "setpoint" and dashboards may be overwritten.
"""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from grafana.alerts import alert_rules
from grafana.build import DASHBOARDS, dashboard_json, dashboards
from grafana.context import Context
from grafana.push import UID, Grafana, push
from grafana.queries import FLAVOURS, Flavour
from setpoint.plan_load import load_plan
from tests.dashboard_servers import (
    Server,
    chosen_in,
    filled_influxdb,
    filled_victoria_metrics,
    panels_of,
    query_of,
    with_choices,
)
from tests.servers import ROOT
from tests.simulated_fleet import LENGTH_MS

URL, TOKEN = (
    os.environ.get("SETPOINT_TEST_GRAFANA_URL", ""),
    os.environ.get("SETPOINT_TEST_GRAFANA_TOKEN", ""),
)
pytestmark = pytest.mark.skipif(
    not (URL and TOKEN), reason="SETPOINT_TEST_GRAFANA_URL and SETPOINT_TEST_GRAFANA_TOKEN name no Grafana"
)


def ask(path: str, body: object) -> Any:
    """The answer, also where it is an error."""
    request = urllib.request.Request(
        f"{URL.rstrip('/')}{path}",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return {"results": {}, "error": f"{error.code}: {error.read().decode()}"}


@pytest.fixture(params=FLAVOURS, scope="module")
def flavour(request: pytest.FixtureRequest) -> Flavour:
    found: Flavour = request.param
    return found


@pytest.fixture(scope="module")
def server(flavour: Flavour, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A store with the fleet in it, which Grafana has as its data source."""
    end_ms = (int(time.time()) - 60) * 1000
    start = filled_influxdb if flavour == "influxdb" else filled_victoria_metrics
    with start(tmp_path_factory.mktemp("store"), end_ms) as store:
        grafana = Grafana(URL, TOKEN)
        list(push(grafana, dashboards(Context(flavour)), store.source, renew_secrets=True))
        yield store


def results(queries: list[dict[str, Any]], from_ms: int, to_ms: int) -> Mapping[str, Any]:
    """By refId, what ``/api/ds/query`` answers."""
    answer = ask("/api/ds/query", {"queries": queries, "from": str(from_ms), "to": str(to_ms)})
    assert answer["results"], answer
    found: Mapping[str, Any] = answer["results"]
    return found


def rows(result: Mapping[str, Any]) -> int:
    return sum(
        len(frame["data"]["values"][0]) for frame in result.get("frames", []) if frame["data"]["values"]
    )


@pytest.mark.parametrize("name", DASHBOARDS)
def test_grafana_has_rows_for_every_query(flavour: Flavour, name: str, server: Server) -> None:
    dashboard = dashboard_json(DASHBOARDS[name], Context(flavour))
    chosen = chosen_in(dashboard, server, flavour)
    wrong = []
    for panel in panels_of(dashboard):
        key = "query" if flavour == "influxdb" else "expr"
        queries = [
            {
                **target,
                "datasource": {"uid": UID},
                key: with_choices(query_of(target), chosen, server.end_ms),
                "intervalMs": 60_000,
                "maxDataPoints": panel["maxDataPoints"],
            }
            for target in panel["targets"]
        ]
        found = results(queries, server.end_ms - LENGTH_MS, server.end_ms)
        for ref_id, result in found.items():
            print(f"{flavour} {name} | {panel['title']} {ref_id}: {rows(result)} rows")
            if "error" in result or not rows(result):
                wrong.append(f"{panel['title']} {ref_id}: {result.get('error', 'no rows')}")
    assert not wrong, "\n".join(wrong)


def test_grafana_takes_the_alert_rules_and_evaluates_them(flavour: Flavour, server: Server) -> None:
    """Each query and each step of each rule of the shipped plan, as one evaluation does it."""
    data, left_out = alert_rules(load_plan(ROOT / "config" / "plan.yaml"), flavour)
    assert not left_out
    wrong = []
    for rule in data["groups"][0]["rules"]:
        asked = [{**one["model"], "datasource": {"uid": one["datasourceUid"]}} for one in rule["data"]]
        answer = ask(
            "/api/ds/query",
            {"queries": asked, "from": str(server.end_ms - LENGTH_MS), "to": str(server.end_ms)},
        )
        found = answer["results"]
        errors = [one["error"] for one in found.values() if "error" in one]
        if "C" not in found or errors:
            wrong.append(f"{rule['title']}: {errors or answer}")
    assert not wrong, "\n".join(wrong)
