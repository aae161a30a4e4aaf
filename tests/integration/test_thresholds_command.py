"""``setpoint thresholds`` and its API against a server; and a collector that takes thresholds in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.inputs.thresholds.found import to_points
from collector.agents import Agents
from collector.analysis.review import Window
from collector.register import Register, Revision
from collector.reviewer import Reviewer
from collector.store.duckdb import DuckDBStore
from setpoint.__main__ import main
from setpoint.line_protocol import encode
from setpoint.plan_load import parse_plan
from tests.command import Outcome, ask_by_default, run_command
from tests.fake_view import FakeView
from tests.ports import free_port
from tests.store_site import Site
from tests.unit.threshold_factory import found
from tests.unit.threshold_report_factory import FOUND, report
from tests.web_server import WebServer, web_server


@pytest.fixture(scope="module")
def view() -> FakeView:
    return FakeView()


@pytest.fixture(scope="module")
def web(view: FakeView) -> Iterator[WebServer]:
    with web_server(view) as server:
        yield server


@pytest.fixture(autouse=True)
def _here(web: WebServer, view: FakeView, monkeypatch: pytest.MonkeyPatch) -> None:
    view.threshold_report = report()
    ask_by_default(monkeypatch, web.url)


def run(capfdbinary: pytest.CaptureFixture[bytes], *arguments: str) -> Outcome:
    return run_command(capfdbinary, "thresholds", *arguments)


def test_list_is_a_table_of_all(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    code, out, err = run(capfdbinary, "list")
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0].startswith("STATE ")
    assert lines[1].startswith("drifts ")
    assert lines[-1].startswith("9 thresholds and rules: 1 drifts, 1 orphaned")


def test_list_filters(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    _, out, _ = run(capfdbinary, "list", "--state", "no-such-level", "--state", "off", "--format", "json")
    assert [row["rule"] for row in json.loads(out)["rows"]] == ["Info", "Off"]
    _, out, _ = run(capfdbinary, "list", "--point", "host-load", "--format", "json")
    assert {row["rule"] for row in json.loads(out)["rows"]} == {"Condition", "Off"}
    _, out, _ = run(capfdbinary, "list", "--source", "zabbix")
    assert out == "no thresholds\n"


def test_stats_counts_points_and_sources(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    code, out, err = run(capfdbinary, "stats")
    assert (code, err) == (0, "")
    assert "WITH THRESHOLD" in out
    assert any(
        line.split() == ["prometheus", "8", "6", "1", "1", "1", "1", "1", "1", "0"]
        for line in out.splitlines()
    )
    assert out.splitlines()[-1] == "2026-10; no period before it is known"


@pytest.mark.parametrize("command", ["list", "stats"])
def test_csv_and_json_are_what_the_collector_says(
    capfdbinary: pytest.CaptureFixture[bytes], web: WebServer, command: str
) -> None:
    path = "/api/thresholds" + ("/stats" if command == "stats" else "")
    _, out, _ = run(capfdbinary, command, "--format", "csv")
    assert out.encode() == web.ask(f"{path}?format=csv").body
    _, out, _ = run(capfdbinary, command, "--format", "json")
    assert json.loads(out) == web.ask(path).json


def test_before_the_first_review_there_is_nothing(
    capfdbinary: pytest.CaptureFixture[bytes], view: FakeView
) -> None:
    view.threshold_report = None
    assert run(capfdbinary, "list") == (0, "no thresholds; no review has been made yet\n", "")
    assert run(capfdbinary, "stats") == (0, "nothing to count: no review has been made yet\n", "")


def test_a_parameter_that_does_not_exist_is_refused(web: WebServer) -> None:
    assert web.ask("/api/thresholds?sourc=x").status == 400
    assert web.ask("/api/thresholds?state=wrong").status == 400
    assert web.ask("/api/thresholds?limit=1").json["total"] == 9


def test_nobody_there_is_told(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    code, _, err = run(capfdbinary, "list", "--url", f"http://127.0.0.1:{free_port()}")
    assert code == 3
    assert "no collector answers" in err
    assert run(capfdbinary, "stats", "--url", "ftp://x")[0] == 2


PLAN = """
plan: Test
revision: 1
timezone: UTC
review: day
points:
  - id: cpu
    title: CPU busy
    metric: cpu.usage_active
    where: {cpu: cpu-total}
    expect: {host: mon-01, every: 1m}
    unit: percent
    warning: {above: 80, for: 5m}
    critical: {above: 95, for: 5m}
    raised_by: [prometheus]
"""
HOUR = 3_600_000
START = 1_790_000_000_000 - 1_790_000_000_000 % (24 * HOUR)


def test_thresholds_that_come_in_become_findings_and_close_when_they_are_mended(tmp_path: Path) -> None:
    site = Site(lambda series: DuckDBStore(tmp_path / "store.duckdb", series))
    register = Register(tmp_path / "register.db")
    plan = parse_plan(PLAN)
    register.activate(
        Revision(plan.hash, 1, "", "", plan.text, START), {p.id: p.definition_hash for p in plan.points}
    )
    reviewer = Reviewer(plan, site.store, site.series, Agents(), register)

    def take(minute: int, *thresholds: object) -> dict[str, str]:
        at_ms = START + minute * 60_000
        points = to_points("prometheus", thresholds, every_s=300, rules=len(thresholds))  # type: ignore[arg-type]
        lines = [encode(point._replace(time_ms=at_ms), {"host": "mon-01"}) for point in points]
        lines.append(f"cpu,cpu=cpu-total,host=mon-01 usage_active=5.0 {at_ms}000000".encode())
        body = b"\n".join(line for line in lines if line) + b"\n"
        batch = site.decode(body, sequence=minute, received_ms=at_ms)
        site.write(batch)
        site.series.observe(batch.series, batch.time_ms, batch.value)
        reviewer.review(Window(START, at_ms + 1000, complete=False, label="2026-09-21"), at_ms)
        return {one.kind: one.state for one in register.findings() if one.kind.startswith("threshold-")}

    try:
        assert take(10, *FOUND) == {
            "threshold-drift": "open",
            "threshold-orphan": "open",
        }
        good = FOUND[0]
        assert take(20, good)["threshold-missing"] == "open"
        critical = found("Crit", "cpu.usage_active", "above", 95, severity="critical", for_s=300)
        assert take(30, good, critical) == {
            "threshold-drift": "closed",
            "threshold-orphan": "closed",
            "threshold-missing": "closed",
        }
        assert reviewer.thresholds.report is not None
        assert [row.state for row in reviewer.thresholds.report.rows] == ["agrees", "agrees"]
    finally:
        register.close()
        site.close()


def test_a_table_of_names_beside_the_settings_is_checked_with_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "plan.yaml").write_text(PLAN)
    (tmp_path / "collector.yaml").write_text(
        "collector: {plan: plan.yaml}\nthresholds: {names: [names.yaml]}\n"
    )
    names = tmp_path / "names.yaml"
    names.write_text("names: [{metric: my_cpu, ours: cpu.usage_active}]\n")
    check = ["collector", "check", "--config", str(tmp_path / "collector.yaml")]
    assert main(check) == 0
    names.write_text("names:\n  - {metric: my_cpu, ours: cpu}\n")
    assert main(check) == 2
    assert f"{names}:2: names[0].ours: expected measurement.field" in capsys.readouterr().err
