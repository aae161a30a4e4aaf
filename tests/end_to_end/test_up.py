"""``setpoint up``: everything on one machine, from the configuration as it is shipped."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import duckdb
import psutil
import pytest

from tests.ports import free_port
from tests.servers import ROOT, ServerProcess, is_listening, wait_until

UP = [sys.executable, "-m", "setpoint", "up", "--config"]


class Up(ServerProcess):
    """``setpoint up`` on a copy of config/, in a session of its own as in a terminal."""

    name = "setpoint up"

    def __init__(self, folder: Path) -> None:
        self.config, self.data = folder / "config", folder / "data"
        self.broker_port = free_port()
        # Nobody answers there, whatever else runs on this machine.
        self.grafana = f"127.0.0.1:{free_port()}"
        if not self.config.exists():
            shutil.copytree(ROOT / "config", self.config)
            for name in ("agent.yaml", "plan.yaml"):
                file = self.config / name
                shipped = file.read_text()
                assert "127.0.0.1:3000" in shipped
                file.write_text(shipped.replace("127.0.0.1:3000", self.grafana))
        web_port = free_port()
        self.environment = {
            "SETPOINT_BROKER_PORT": str(self.broker_port),
            "SETPOINT_WEB_PORT": str(web_port),
            "SETPOINT_DATA": str(self.data),
        }
        super().__init__(
            [*UP, self.config],
            port=web_port,
            log=folder / "up.log",
            env=self.environment,
            ready=lambda: "Setpoint is up" in self.log_text(),
            ready_timeout_s=60,
        )

    def _spawn(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=ROOT,
            env={**os.environ, **(self.env or {})},
            start_new_session=True,
        )

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.address + path, timeout=30) as answer:
            content: bytes = answer.read()
        return content

    def get_json(self, path: str) -> Any:
        return json.loads(self.get(path))

    def family(self) -> list[psutil.Process]:
        """Everything that it has started."""
        return psutil.Process(self.pid).children(recursive=True)

    def ctrl_c(self) -> int:
        """What the terminal does: SIGINT to the whole process group. The exit code."""
        os.killpg(self.pid, signal.SIGINT)
        assert self._process is not None
        return self._process.wait(30)

    def end(self) -> int:
        """Waits until it ends by itself; the exit code."""
        assert self._process is not None
        return self._process.wait(60)


def is_gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


# It runs beside the others here, and the test that waits for its findings comes last.
@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One that runs."""
    with Up(tmp_path_factory.mktemp("up")) as running:
        yield running


def test_it_says_where_to_look_and_where_its_data_is(up: Up) -> None:
    said = f"\nSetpoint is up: {up.address}\nEverything it keeps is in {up.data}/. Ctrl-C stops it.\n\n"
    assert said in up.log_text()


def test_page_and_api_answer(up: Up) -> None:
    assert b"<title>" in up.get("/")
    assert up.get_json("/healthz")["ok"]
    wanted = {"host-cpu", "host-memory", "host-disk", "grafana-answers"}

    def points() -> set[str]:
        return {row["point"] for row in up.get_json("/api/now")["rows"]}

    wait_until(lambda: points() >= wanted, timeout_s=30, what="what the plan wants has a state")


def test_no_password_is_left_in_a_file_or_a_command_line(up: Up) -> None:
    kept = (up.data / "broker/credentials").read_text()
    for name in ("agent", "collector"):
        [process] = [p for p in up.family() if p.cmdline()[3:4] == [name]]
        password = process.environ()[f"SETPOINT_{name.upper()}_PASSWORD"]
        assert len(password) >= 40
        assert password not in kept
        assert password not in up.log_text()
        assert not any(password in word for p in up.family() for word in p.cmdline())


def test_an_agent_of_another_host_joins_with_the_credential_that_it_was_given(up: Up, tmp_path: Path) -> None:
    added = subprocess.run(
        [
            *(sys.executable, "-m", "setpoint", "agents", "add", "far-01"),
            *("--address", f"127.0.0.1:{up.broker_port}", "--config", up.config / "collector.yaml"),
        ],
        env={**os.environ, **up.environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    # What it prints stands in an agent.yaml.
    config = tmp_path / "agent.yaml"
    config.write_text(
        added.stdout.replace("{name: far-01,", f"{{name: far-01, data: {tmp_path}/outbox,")
        + "inputs: [{input: host, interval: 1s, collect: [mem]}]\n"
    )

    def presence() -> list[str]:
        rows = up.get_json("/api/agents")["agents"]
        return [row["presence"] for row in rows if row["agent"]["name"] == "far-01"]

    far = ServerProcess(
        [sys.executable, "-m", "setpoint", "agent", "run", "--config", config],
        port=0,
        log=tmp_path / "far.log",
        ready=lambda: "connected to the broker" in far.log_text(),
    )
    with far:
        wait_until(lambda: presence() == ["up"], timeout_s=30, what="far-01 is up")
        series = "/api/series?metric=mem.used_percent&host=far-01"
        wait_until(lambda: up.get_json(series)["total"] == 1, timeout_s=30, what="it is measured")
    wait_until(lambda: presence() == ["offline"], what="it has said goodbye")


def refusal(up: Up, **environment: str) -> str:
    """The last words of another one, with the same configuration and data and another environment."""
    other = subprocess.run(
        up.argv,
        env={**os.environ, **up.environment, "SETPOINT_FOR": "30s", **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert other.returncode == 1, other.stderr
    assert "Setpoint is up" not in other.stdout
    return other.stderr.splitlines()[-1]


def test_a_second_one_on_the_same_ports_is_refused_and_disturbs_nobody(up: Up) -> None:
    users = (up.data / "broker/credentials").read_text()
    web_taken = f"setpoint up: 127.0.0.1:{up.port} is in use; set web.port in collector.yaml"
    assert refusal(up) == web_taken
    assert refusal(up, SETPOINT_BROKER_PORT=str(free_port())) == web_taken
    assert refusal(up, SETPOINT_WEB_PORT=str(free_port())) == (
        f"setpoint up: 127.0.0.1:{up.broker_port} is in use; set embedded_broker.listen in collector.yaml"
    )
    # Its own passwords still hold.
    assert (up.data / "broker/credentials").read_text() == users
    assert up.running
    assert up.get_json("/healthz")["ok"]


def stored_readings(data: Path) -> int:
    with duckdb.connect(str(data / "collector/store.duckdb"), read_only=True) as plain:
        row = plain.execute("SELECT count(*) FROM points").fetchone()
    assert row is not None
    return int(row[0])


def test_ctrl_c_ends_it_all_and_the_next_start_goes_on_from_there(tmp_path: Path) -> None:
    with Up(tmp_path) as first:
        series = "/api/series?metric=setpoint_agent.outbox_batches"
        wait_until(lambda: first.get_json(series)["total"], timeout_s=30, what="the agent has delivered")
        family = first.family()
        assert len(family) == 3
        assert first.ctrl_c() == 0
        said = first.log_text()
        # What the agent measured last is on its way before the collector leaves.
        assert said.index("agent: stopped; ") < said.index("collector: stopped; ")
        assert said.endswith("Stopped.\n")
        assert all(is_gone(process) for process in family)
        assert not is_listening("127.0.0.1", first.port)
        assert not is_listening("127.0.0.1", first.broker_port)
    before = stored_readings(first.data)
    assert before > 0
    second = Up(tmp_path)
    second.environment["SETPOINT_FOR"] = "4s"
    second.log.unlink()
    with second:
        known = [row["agent"]["first_ms"] for row in second.get_json("/api/agents")["agents"]]
        assert known
        assert min(known) < second.get_json("/api/collector")["started_ms"]
        assert second.end() == 0
    assert second.log_text().endswith("Stopped.\n")
    assert stored_readings(first.data) > before


def test_ctrl_c_while_it_starts_ends_it_too(tmp_path: Path) -> None:
    up = Up(tmp_path)
    up._ready = lambda: "broker listening" in up.log_text()
    with up:
        assert up.ctrl_c() == 0
        assert "Setpoint is up" not in up.log_text()
        assert up.log_text().endswith("Stopping ...\nStopped.\n")
        assert not is_listening("127.0.0.1", up.broker_port)


def test_killed_it_leaves_no_process_behind(tmp_path: Path) -> None:
    with Up(tmp_path) as up:
        family = up.family()
        assert len(family) == 3
        up.kill()
        wait_until(lambda: all(is_gone(process) for process in family), timeout_s=10, what="all are gone")


def test_when_a_part_dies_the_others_are_stopped_and_it_says_which(tmp_path: Path) -> None:
    with Up(tmp_path) as up:
        family = up.family()
        [collector] = [p for p in family if p.cmdline()[3:4] == ["collector"]]
        collector.kill()
        assert up.end() == 1
        last = up.log_text().splitlines()[-1]
        assert last == "setpoint up: the collector ended by itself; its last words are above"
        assert all(is_gone(process) for process in family)


def test_live_counts_and_the_first_findings_are_printed_within_a_minute(up: Up) -> None:
    title = rf"Grafana answers on \S+ server http://{up.grafana}/api/health GET not equal to 0 \(success\)"
    finding = re.compile(rf"^  critical  ([0-9a-f]{{12}})  {title} for \d+ s$", re.MULTILINE)
    wait_until(lambda: finding.search(up.log_text()), timeout_s=75, what="Grafana does not answer")
    found = finding.search(up.log_text())
    assert found is not None
    assert re.search(r"^\d+ new findings?:$", up.log_text(), re.MULTILINE)
    assert f"  Each in full: {up.address}/ or `setpoint findings show ID`" in up.log_text()
    counts = r"^agents [12], readings stored [1-9][\d,]*, rejected 0, open findings \d+$"
    assert re.search(counts, up.log_text(), re.MULTILINE)
    shown = up.get_json(f"/api/findings/{found[1]}")
    assert (shown["point"], shown["state"]) == ("grafana-answers", "open")
    assert found[1].encode() in up.get("/")
