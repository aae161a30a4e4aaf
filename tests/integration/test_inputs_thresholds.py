"""Configured thresholds over the programming interfaces of real servers, and of broken ones."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from agent.inputs.grafana_alerts.input import GrafanaAlertsInput
from agent.inputs.grafana_alerts.settings import GrafanaAlertsSettings
from agent.inputs.nagios_checks.input import NagiosChecksInput
from agent.inputs.nagios_checks.settings import NagiosChecksSettings
from agent.inputs.prometheus_rules.input import PrometheusRulesInput
from agent.inputs.prometheus_rules.settings import PrometheusRulesSettings
from agent.inputs.thresholds.client import CannotRead
from agent.inputs.zabbix_triggers.input import ZabbixTriggersInput
from agent.inputs.zabbix_triggers.settings import ZabbixTriggersSettings
from setpoint.reading import Point
from setpoint.units import Duration, Secret, Size
from tests.ports import free_port
from tests.servers import ROOT, ServerProcess, require
from tests.store_servers import answers_200
from tests.unit.grafana_rule_factory import LAST, A, judge, rule, step

RULES = """
groups:
  - name: host
    rules:
      - {record: "job:load:avg", expr: avg by (job) (node_load5)}
      - alert: Busy
        expr: 100 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[5m])) * 100 > 10 * 8
        for: 10m
        labels: {severity: warning}
      - alert: Full
        expr: >-
          node_filesystem_avail_bytes{mountpoint="/srv"} / node_filesystem_size_bytes < 0.1 and node_load5 > 1
        labels: {severity: critical}
      - {alert: Gone, expr: absent(up)}
"""


class Prometheus(ServerProcess):
    """Prometheus of the Debian package, with one file of rules and nothing to scrape."""

    name = "prometheus"

    def __init__(self, folder: Path, rules: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "rules.yml").write_text(rules)
        (folder / "prometheus.yml").write_text(f"rule_files: [{folder}/rules.yml]\n")
        port = free_port()
        super().__init__(
            [
                require("prometheus"),
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            port=port,
            log=folder / "prometheus.log",
            ready=lambda: answers_200(port, "/-/ready"),
        )


class Vmalert(ServerProcess):
    """vmalert of the Debian package victoria-metrics, which evaluates nothing: nobody answers it."""

    name = "vmalert"

    def __init__(self, folder: Path, rules: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "rules.yml").write_text(rules)
        port, nobody = free_port(), f"http://127.0.0.1:{free_port()}"
        super().__init__(
            [
                require("vmalert"),
                f"-rule={folder}/rules.yml",
                f"-datasource.url={nobody}",
                f"-remoteWrite.url={nobody}",
                f"-notifier.url={nobody}",
                f"-httpListenAddr=127.0.0.1:{port}",
            ],
            port=port,
            log=folder / "vmalert.log",
            ready=lambda: answers_200(port, "/health"),
        )


def gather(source: PrometheusRulesInput | GrafanaAlertsInput) -> list[Point]:
    async def once() -> list[Point]:
        try:
            return list(await source.gather())
        finally:
            await source.close()

    return asyncio.run(once())


def short(points: list[Point]) -> list[tuple[str, Mapping[str, str], object]]:
    return [(p.measurement, p.tags, p.fields.get("level")) for p in points]


def test_the_rules_of_a_running_prometheus_are_read(tmp_path: Path) -> None:
    with Prometheus(tmp_path / "prometheus", RULES) as server:
        settings = PrometheusRulesSettings(url=f"http://127.0.0.1:{server.port}", source="prom")
        points = gather(PrometheusRulesInput(settings))
    busy, full, condition, gone, source = points
    assert busy.tags == {
        "source": "prom",
        "rule": "Busy",
        "metric": "avg by (instance) (rate(node_cpu_seconds_total))",
        "subject": 'mode="idle"',
        "comparison": "below",
        "severity": "warning",
    }
    assert {key: busy.fields[key] for key in ("level", "for_s", "window_s", "enabled")} == {
        "level": 0.2,
        "for_s": 600,
        "window_s": 300,
        "enabled": 1,
    }
    assert (full.tags["metric"], full.tags["subject"], full.fields["level"]) == (
        "node_filesystem_avail_bytes / node_filesystem_size_bytes",
        'mountpoint="/srv"',
        0.1,
    )
    assert (condition.tags["metric"], condition.tags["role"]) == ("node_load5", "requires")
    assert (gone.measurement, gone.tags["reason"]) == ("threshold_none", "absence")
    assert (source.fields["rules"], source.fields["thresholds"], source.fields["without"]) == (3, 3, 1)


@pytest.mark.parametrize("kind", [Prometheus, Vmalert])
def test_a_server_and_its_files_give_the_same(
    tmp_path: Path, kind: Callable[[Path, str], ServerProcess]
) -> None:
    with kind(tmp_path / "prometheus", RULES) as server:
        asked = gather(PrometheusRulesInput(PrometheusRulesSettings(url=f"http://127.0.0.1:{server.port}/")))
    files = [str(tmp_path / "prometheus" / "rules.yml")]
    read = gather(PrometheusRulesInput(PrometheusRulesSettings(files=files)))
    assert short(asked) == short(read)


@contextmanager
def answering(
    status: int, body: bytes, seen: list[dict[str, str]] | None = None, **headers: str
) -> Iterator[str]:
    """A server that gives everybody the same answer; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if seen is not None:
                seen.append({"path": self.path, **{k.lower(): v for k, v in self.headers.items()}})
            self.send_response(status)
            self.send_header("content-type", "application/json")
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


GRAFANA = json.dumps(
    [
        rule(
            A,
            LAST,
            step("C", "threshold", expression="B", conditions=judge("gt", 5)),
            labels={"severity": "critical"},
        )
    ]
).encode()
PROMETHEUS = b'{"status":"success","data":{"groups":[]}}'


def test_a_grafana_is_asked_with_its_token_below_its_path() -> None:
    seen: list[dict[str, str]] = []
    with answering(200, GRAFANA, seen) as url:
        settings = GrafanaAlertsSettings(url=f"{url}/tools/grafana/", token=Secret("glsa_x"), organization=3)
        threshold, source = gather(GrafanaAlertsInput(settings))
    [request] = seen
    assert request["path"] == "/tools/grafana/api/v1/provisioning/alert-rules"
    assert request["authorization"] == "Bearer glsa_x"
    assert request["x-grafana-org-id"] == "3"
    assert threshold.tags == {
        "source": "grafana",
        "rule": "Busy",
        "metric": "load5",
        "subject": 'instance="a"',
        "comparison": "above",
        "severity": "critical",
    }
    assert source.fields["rules"] == 1


def test_a_prometheus_is_asked_with_what_is_set() -> None:
    seen: list[dict[str, str]] = []
    with answering(200, PROMETHEUS, seen) as url:
        more = {"username": "u", "password": Secret("p"), "headers": {"X-Scope-OrgID": Secret("team")}}
        gather(PrometheusRulesInput(PrometheusRulesSettings(url=f"{url}/prom", **more)))  # type: ignore[arg-type]
    [request] = seen
    assert request["path"] == "/prom/api/v1/rules?type=alert&exclude_alerts=true"
    assert request["authorization"] == "Basic dTpw"
    assert request["x-scope-orgid"] == "team"


KINDS = [
    pytest.param(GrafanaAlertsInput, GrafanaAlertsSettings, id="grafana"),
    pytest.param(NagiosChecksInput, NagiosChecksSettings, id="icinga"),
    pytest.param(PrometheusRulesInput, PrometheusRulesSettings, id="prometheus"),
    pytest.param(ZabbixTriggersInput, ZabbixTriggersSettings, id="zabbix"),
]


def failure(kind: Any, settings: Any, url: str, **more: Any) -> str:
    with pytest.raises(CannotRead) as caught:
        gather(kind(settings(url=url, token=Secret("t0ken"), **more)))
    assert "t0ken" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("kind", "settings"), KINDS)
def test_what_a_server_refuses_is_an_error(kind: Any, settings: Any) -> None:
    with answering(401, b'{"message":"who are you"}') as url:
        assert "401" in failure(kind, settings, url) or "Unauthorized" in failure(kind, settings, url)


@pytest.mark.parametrize(("kind", "settings"), KINDS)
@pytest.mark.parametrize("body", [b"", b"<html>", b'{"status":"error"}', b"\xff"])
def test_an_answer_that_is_none_is_an_error(kind: Any, settings: Any, body: bytes) -> None:
    with answering(200, body) as url:
        assert failure(kind, settings, url)


@pytest.mark.parametrize(("kind", "settings"), KINDS)
def test_an_answer_that_is_too_long_is_an_error(kind: Any, settings: Any) -> None:
    with answering(200, b" " * 300_000) as url:
        assert "longer than 100000 bytes" in failure(kind, settings, url, max_size=Size(100_000))


@pytest.mark.parametrize(("kind", "settings"), KINDS)
def test_a_token_is_not_taken_elsewhere(kind: Any, settings: Any) -> None:
    seen: list[dict[str, str]] = []
    with answering(200, GRAFANA, seen) as other, answering(302, b"", Location=other + "/x") as url:
        failure(kind, settings, url)
    assert seen == []


@pytest.mark.parametrize(("kind", "settings"), KINDS)
def test_nobody_there_is_an_error(kind: Any, settings: Any) -> None:
    assert failure(kind, settings, f"http://127.0.0.1:{free_port()}")


@pytest.mark.parametrize(("kind", "settings"), KINDS)
def test_a_server_that_drips_is_given_up(kind: Any, settings: Any) -> None:
    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n")
        try:
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.05)
        except OSError:
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(drip, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        source = kind(settings(url=url, timeout=Duration(500)))
        with pytest.raises(CannotRead, match="no complete answer within"):
            await asyncio.wait_for(source.gather(), 20)
        await source.close()
        server.close()

    asyncio.run(main())


def test_without_the_package_grafana_says_what_to_install() -> None:
    code = (
        "import asyncio, sys; sys.modules['grafana_client'] = None\n"
        "from agent.inputs.grafana_alerts.input import GrafanaAlertsInput as Input\n"
        "from agent.inputs.grafana_alerts.settings import GrafanaAlertsSettings as Settings\n"
        "asyncio.run(Input(Settings(url='http://127.0.0.1:1')).gather())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert 'pip install "grafana-client' in done.stderr.splitlines()[-1]
