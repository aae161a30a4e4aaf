"""``setpoint dashboards push``: against a real Grafana where SETPOINT_TEST_GRAFANA_URL and _TOKEN name one,
and always against the part of its API that push uses.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from grafana.build import DASHBOARDS, dashboards
from grafana.context import Context
from grafana.push import DataSource, Grafana, push
from setpoint.__main__ import main
from tests.grafana_server import GrafanaServer

TOKEN = "glsa_test"
SOURCE = DataSource(flavour="influxdb", url="http://127.0.0.1:8086", user="reader", password="one")
WRITES_AT_FIRST = 2 + len(DASHBOARDS)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[GrafanaServer]:
    monkeypatch.setenv("SETPOINT_GRAFANA_TOKEN", TOKEN)
    with GrafanaServer(TOKEN) as running:
        yield running


def _push(
    server: GrafanaServer, source: DataSource | None = SOURCE, language: str = "en", **how: bool
) -> set[str]:
    context = Context("influxdb", language)  # type: ignore[arg-type]
    return {outcome for _, outcome in push(Grafana(server.url, TOKEN), dashboards(context), source, **how)}


def test_a_second_push_changes_nothing(server: GrafanaServer) -> None:
    assert _push(server) == {"created"}
    assert len(server.writes) == WRITES_AT_FIRST
    assert _push(server) == {"unchanged"}
    assert len(server.writes) == WRITES_AT_FIRST


def test_what_somebody_changed_is_put_back_and_nothing_else(server: GrafanaServer) -> None:
    _push(server)
    server.writes.clear()
    server.dashboards["setpoint-noc"]["dashboard"]["panels"][1]["title"] = "mine"
    server.dashboards["setpoint-host"]["meta"]["folderUid"] = "elsewhere"
    server.folders["setpoint"]["title"] = "Misc"
    server.data_sources["setpoint"]["jsonData"]["dbName"] = "telegraf"
    assert _push(server) == {"updated", "unchanged"}
    assert server.writes == [
        ("PUT", "/api/datasources/uid/setpoint"),
        ("PUT", "/api/folders/setpoint"),
        ("POST", "/api/dashboards/db"),
        ("POST", "/api/dashboards/db"),
    ]
    assert _push(server) == {"unchanged"}


def test_keys_that_grafana_adds_are_no_difference(server: GrafanaServer) -> None:
    _push(server)
    dashboard = server.dashboards["setpoint-noc"]["dashboard"]
    dashboard |= {"schemaVersion": 42, "fiscalYearStartMonth": 0, "weekStart": ""}
    dashboard["panels"][1]["pluginVersion"] = "12.0.0"
    assert _push(server) == {"unchanged"}


def test_another_language_is_an_update(server: GrafanaServer) -> None:
    _push(server)
    assert "updated" in _push(server, language="zh")


def test_secrets_are_written_once_unless_asked_to_renew(server: GrafanaServer) -> None:
    _push(server)
    changed = DataSource(flavour="influxdb", url=SOURCE.url, user=SOURCE.user, password="two")
    assert _push(server, changed) == {"unchanged"}
    assert server.secrets["setpoint"] == {"password": "one"}
    _push(server, changed, renew_secrets=True)
    assert server.secrets["setpoint"] == {"password": "two"}


def test_a_token_goes_into_a_header_that_nobody_can_read(server: GrafanaServer) -> None:
    _push(server, DataSource(flavour="influxdb", url=SOURCE.url, token="s3cret"))
    assert server.secrets["setpoint"] == {"httpHeaderValue1": "Token s3cret"}
    assert "s3cret" not in str(server.data_sources)


def test_without_a_store_the_data_source_is_left_alone(server: GrafanaServer) -> None:
    _push(server, None)
    assert server.data_sources == {}


def test_the_command_says_what_it_did(server: GrafanaServer, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["dashboards", "push", "--url", server.url, "--store-url", "http://127.0.0.1:8086"]
    assert main(arguments) == 0
    first = capsys.readouterr().out.splitlines()
    assert len(first) == WRITES_AT_FIRST
    assert all(line.startswith("created ") for line in first)
    assert main(arguments) == 0
    assert all(line.startswith("unchanged ") for line in capsys.readouterr().out.splitlines())


def test_a_wrong_token_is_told(server: GrafanaServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dashboards", "push", "--url", server.url, "--token", "wrong"]) == 1
    assert "Unauthorized" in capsys.readouterr().err


def test_no_grafana_is_told(server: GrafanaServer, capsys: pytest.CaptureFixture[str]) -> None:
    url = server.url
    server.__exit__()
    assert main(["dashboards", "push", "--url", url]) == 3
    assert capsys.readouterr().err


def test_no_token_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("SETPOINT_GRAFANA_TOKEN", raising=False)
    assert main(["dashboards", "push", "--url", "http://127.0.0.1:1"]) == 2
    assert "SETPOINT_GRAFANA_TOKEN" in capsys.readouterr().err


def test_a_real_grafana_is_unchanged_by_a_second_push() -> None:
    url, token = os.environ.get("SETPOINT_TEST_GRAFANA_URL"), os.environ.get("SETPOINT_TEST_GRAFANA_TOKEN")
    if not (url and token):
        pytest.skip("SETPOINT_TEST_GRAFANA_URL and SETPOINT_TEST_GRAFANA_TOKEN name no Grafana")
    grafana, all_of_them = Grafana(url, token), dashboards(Context("influxdb"))
    list(push(grafana, all_of_them, SOURCE))
    assert {outcome for _, outcome in push(grafana, all_of_them, SOURCE)} == {"unchanged"}
