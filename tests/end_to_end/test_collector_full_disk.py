"""A collector whose disk is really full: it waits for room, and nothing is lost."""

from __future__ import annotations

import contextlib
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.end_to_end.site import CollectorProcess, NumberedAgent, numbers_by_count
from tests.servers import Login, Mosquitto, wait_until
from tests.small_disk import mounted_disk

NOBODY = Login(None, None)


def unwell(collector: CollectorProcess) -> set[str]:
    """The parts that are not well."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{collector.web_port}/healthz", timeout=10) as answer:
            health: Any = json.load(answer)
    except urllib.error.HTTPError as error:
        health = json.load(error)
    return {name for name, part in health["parts"].items() if not part["ok"]}


def test_a_collector_on_a_full_disk_waits_for_room_and_loses_nothing(tmp_path: Path) -> None:
    with (
        mounted_disk(tmp_path / "disk", "60m") as disk,
        Mosquitto(tmp_path / "mosquitto") as broker,
        CollectorProcess(disk, NOBODY, broker.port) as collector,
        NumberedAgent(tmp_path / "agent", NOBODY, broker.port) as agent,
    ):
        wait_until(lambda: collector.metric("setpoint_collector_commits_total") > 3, what="commits")
        filler = disk / "filler"
        for size in (65_536, 512):
            with filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * size)
        # Each needs the disk in its own way: the store, and the register of findings.
        wait_until(lambda: {"store", "review"} <= unwell(collector), timeout_s=40, what="it says so")
        filler.unlink()
        wait_until(lambda: not unwell(collector), timeout_s=60, what="it goes on")
        agent.say_enough()
        wait_until(lambda: agent.finished, timeout_s=60, what="everything acked")
        assert collector.stop() == 0
        numbers = numbers_by_count(collector)
        assert sorted(numbers) == list(range(agent.numbers))
        assert set(numbers.values()) == {1}
        assert "Traceback" not in collector.log_text()
