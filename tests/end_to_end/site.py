"""A collector and agents as processes, between which tests stand with a knife."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from tests.ports import free_port
from tests.servers import ROOT, Broker, Login, ServerProcess

PLAN = """\
plan: Test
revision: 1
site: hq
timezone: UTC
review: month
points:
  - {id: numbers, title: Numbers, metric: numbered.n}
"""


Settings = Mapping[str, Mapping[str, Any] | list[Any]]
"""By section of ``collector.yaml``."""


def write_collector(
    folder: Path,
    login: Login,
    broker_port: int,
    *,
    web_port: int,
    plan: str = PLAN,
    settings: Settings | None = None,
) -> Path:
    """A collector.yaml with its plan, in the folder; the file's path. ``settings`` come on top of what a
    test needs anyway.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plan.yaml").write_text(plan)
    broker: dict[str, Any] = {"port": broker_port, "keepalive": "5s"}
    if login.username:
        broker |= {"username": login.username, "password": login.password}
    sections: dict[str, Any] = {
        "collector": {"data": f"{folder}/collector", "plan": "plan.yaml"},
        "broker": broker,
        "web": {"port": web_port},
        "review": {"every": "5s"},
    }
    for name, section in (settings or {}).items():
        sections[name] = section if isinstance(section, list) else {**sections.get(name, {}), **section}
    config = folder / "collector.yaml"
    config.write_text(json.dumps(sections, indent=2))  # which is YAML too
    return config


def setpoint(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The command, once it has ended."""
    return subprocess.run(
        [sys.executable, "-m", "setpoint", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )


class CollectorProcess(ServerProcess):
    """``setpoint collector run``, or another module that takes the same arguments."""

    name = "collector"

    def __init__(
        self,
        folder: Path,
        login: Login,
        broker_port: int,
        *,
        plan: str = PLAN,
        settings: Settings | None = None,
        command: tuple[str, ...] = ("-m", "setpoint", "collector", "run"),
    ) -> None:
        self.web_port = free_port()
        self.data = folder / "collector"
        config = write_collector(
            folder, login, broker_port, web_port=self.web_port, plan=plan, settings=settings
        )
        super().__init__(
            [sys.executable, *command, "--config", config], port=self.web_port, log=folder / "collector.log"
        )

    def metric(self, name: str) -> float:
        """One of its own numbers, as Prometheus would read it. OSError when it does not answer."""
        address = f"http://127.0.0.1:{self.web_port}/metrics"
        with urllib.request.urlopen(address, timeout=10) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith(f"{name} "):
                    return float(line.split()[1])
        raise AssertionError(f"the collector does not tell {name}")

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """The rows of a query on the store of a collector that is stopped."""
        assert not self.running
        with duckdb.connect(str(self.data / "store.duckdb"), read_only=True) as connection:
            rows: list[tuple[object, ...]] = connection.execute(sql).fetchall()
        return rows


class NumberedAgent(ServerProcess):
    """``numbered_agent.py``"""

    name = "numbered agent"

    def __init__(
        self,
        folder: Path,
        login: Login,
        port: int,
        *,
        until: int = 2**53,
        rate: float = 1000,
        name: str = "numbers",
        per_batch: int = 250,
        resend_s: float = 5,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.data = folder
        self.host_tag = name
        argv = [
            sys.executable,
            "-m",
            "tests.end_to_end.numbered_agent",
            "--data",
            str(folder),
            "--name",
            name,
        ]
        argv += ["--port", str(port), "--until", str(until), "--rate", str(rate)]
        argv += ["--per-batch", str(per_batch), "--resend", str(resend_s)]
        if login.username and login.password:
            argv += ["--username", login.username, f"--password={login.password}"]
        super().__init__(
            argv, port=0, log=folder / "agent.log", cwd=ROOT, ready=lambda: (folder / "outbox.db").exists()
        )

    def say_enough(self) -> None:
        """It emits no more than it has."""
        (self.data / "enough").touch()

    @property
    def at_rest(self) -> bool:
        """It emits no more."""
        return (self.data / "emitted").exists()

    @property
    def finished(self) -> bool:
        """It is at rest and everything was acked."""
        return (self.data / "finished").exists()

    @property
    def emitted(self) -> int:
        """How many batches it has put into its outbox, or is about to."""
        return self._last_intent()[2]

    @property
    def numbers(self) -> int:
        """How many numbers these hold."""
        return self._last_intent()[1] + 1

    def _last_intent(self) -> tuple[int, int, int]:
        intents = [line for line in (self.data / "journal").read_text().splitlines() if line.endswith("]")]
        if not intents:
            return (-1, -1, 0)
        first, last, row = json.loads(intents[-1])
        return (first, last, row)


def numbers_by_count(collector: CollectorProcess, host: str = "numbers") -> dict[int, int]:
    """How often each number is in the store of a stopped collector."""
    rows = collector.query(
        "SELECT value::BIGINT, count(*) FROM points JOIN series ON series.id = series_id "
        f"WHERE measurement = 'numbered' AND tags LIKE '%\"{host}\"%' GROUP BY 1"
    )
    return {int(str(n)): int(str(count)) for n, count in rows}


__all__ = ["Broker", "CollectorProcess", "NumberedAgent", "numbers_by_count", "write_collector"]
