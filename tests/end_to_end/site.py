"""A collector and agents as processes, between which tests stand with a knife."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

from tests.servers import ROOT, Broker, Login, ServerProcess, free_port

PLAN = """\
plan: Test
revision: 1
site: hq
timezone: UTC
review: month
points:
  - {id: numbers, title: Numbers, metric: numbered.n}
"""


def write_collector(folder: Path, login: Login, broker_port: int, *, web_port: int, plan: str = PLAN) -> Path:
    """A collector.yaml with its plan, in the folder; the file's path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plan.yaml").write_text(plan)
    config = folder / "collector.yaml"
    credential = f"username: {login.username}\n  password: {login.password}" if login.username else ""
    config.write_text(
        f"collector: {{data: {folder}/collector, plan: plan.yaml}}\n"
        f"broker:\n  port: {broker_port}\n  keepalive: 5s\n  {credential}\n"
        f"web: {{port: {web_port}}}\n"
        "review: {every: 5s}\n"
    )
    return config


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
        command: tuple[str, ...] = ("-m", "setpoint", "collector", "run"),
    ) -> None:
        self.web_port = free_port()
        self.data = folder / "collector"
        config = write_collector(folder, login, broker_port, web_port=self.web_port, plan=plan)
        super().__init__(
            [sys.executable, *command, "--config", config], port=self.web_port, log=folder / "collector.log"
        )

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
        self, folder: Path, login: Login, port: int, *, until: int, rate: float = 1000, name: str = "numbers"
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.data = folder
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
        if login.username and login.password:
            argv += ["--username", login.username, f"--password={login.password}"]
        super().__init__(
            argv, port=0, log=folder / "agent.log", cwd=ROOT, ready=lambda: (folder / "outbox.db").exists()
        )

    @property
    def finished(self) -> bool:
        return (self.data / "finished").exists()


def numbers_by_count(collector: CollectorProcess, host: str = "numbers") -> dict[int, int]:
    """How often each number is in the store of a stopped collector."""
    rows = collector.query(
        "SELECT value::BIGINT, count(*) FROM points JOIN series ON series.id = series_id "
        f"WHERE measurement = 'numbered' AND tags LIKE '%\"{host}\"%' GROUP BY 1"
    )
    return {int(str(n)): int(str(count)) for n, count in rows}


__all__ = ["Broker", "CollectorProcess", "NumberedAgent", "numbers_by_count", "write_collector"]
