"""Outboxes that come back, move, change their name, or meet a batch that nobody survives."""

import json
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.outbox import Outbox
from agent.outbox_owner import Owner
from setpoint.line_protocol import encode_point
from tests.end_to_end.site import CollectorProcess, NumberedAgent, numbers_by_count, setpoint
from tests.servers import ROOT, Login, Mosquitto, wait_until

NOBODY = Login(None, None)


@pytest.fixture
def collector(mosquitto: Mosquitto, tmp_path: Path) -> Iterator[CollectorProcess]:
    with CollectorProcess(tmp_path / "site", NOBODY, mosquitto.port) as process:
        yield process


def get(collector: CollectorProcess, path: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{collector.port}{path}", timeout=10) as answer:
        return json.load(answer)


def emit_only(agent: NumberedAgent) -> None:
    """Runs until all its numbers are in the outbox, and kills it there."""
    with agent:
        wait_until(lambda: (agent.data / "emitted").exists(), timeout_s=30, what="all is in the outbox")
        agent.kill()


def run_to_the_end(agent: NumberedAgent) -> None:
    (agent.data / "finished").unlink(missing_ok=True)
    with agent:
        wait_until(lambda: agent.finished, timeout_s=90, what="the outbox is empty")


def test_an_outbox_restored_from_an_older_copy_counts_nothing_twice(
    mosquitto: Mosquitto, collector: CollectorProcess, tmp_path: Path
) -> None:
    folder = tmp_path / "agent"
    mosquitto.stop()
    emit_only(NumberedAgent(folder, NOBODY, mosquitto.port, until=1_500, rate=5_000))
    shutil.copytree(folder, tmp_path / "copy")
    mosquitto.start()
    run_to_the_end(NumberedAgent(folder, NOBODY, mosquitto.port, until=3_000, rate=5_000))
    # The copy comes back, full of batches that were all stored, and goes on from there.
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "copy", folder)
    run_to_the_end(NumberedAgent(folder, NOBODY, mosquitto.port, until=1_500))
    collector.stop()
    assert set(numbers_by_count(collector).items()) == {(n, 1) for n in range(3_000)}


def test_a_clone_with_the_same_name_loses_nothing_and_doubles_nothing(
    mosquitto: Mosquitto, collector: CollectorProcess, tmp_path: Path
) -> None:
    original = NumberedAgent(tmp_path / "one", NOBODY, mosquitto.port, until=1_000, rate=5_000)
    mosquitto.stop()
    emit_only(original)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    mosquitto.start()
    # Both have the same unsent batches; each then emits numbers that the other has not.
    journal = (tmp_path / "two/journal").read_text().splitlines()
    (tmp_path / "two/journal").write_text("\n".join([*journal, "[1000, 1999, 0]"]) + "\n")
    clone = NumberedAgent(tmp_path / "two", NOBODY, mosquitto.port, until=3_000, rate=3_000)
    with original:
        run_to_the_end(clone)
        wait_until(lambda: original.finished, timeout_s=90, what="the original's outbox is empty")
    collector.stop()
    expected = {(n, 1) for n in (*range(1_000), *range(2_000, 3_000))}
    assert set(numbers_by_count(collector).items()) == expected


def write_agent(folder: Path, name: str, port: int) -> Path:
    config = folder / f"{name}.yaml"
    config.write_text(
        f"agent: {{name: {name}, data: {folder}/outbox}}\nbroker: {{port: {port}}}\n"
        "publish: {resend: 3s}\ninputs: [{input: host, interval: 1s, collect: [mem]}]\n"
    )
    return config


def test_a_renamed_agent_does_not_start_until_the_old_batches_are_delivered(
    mosquitto: Mosquitto, collector: CollectorProcess, tmp_path: Path
) -> None:
    outbox = Outbox(tmp_path / "outbox", max_bytes=10**6, max_age_ms=0, ballast_bytes=0)
    outbox.open()
    outbox.bind(Owner("hq", "old-name", ""))
    line = encode_point("numbered", {"host": "old-name"}, {"n": 7}, time.time_ns() // 1_000_000)
    assert line
    outbox.append(line, 1)
    outbox.close()
    config = write_agent(tmp_path, "new-name", mosquitto.port)
    refused = setpoint("agent", "run", "--config", config)
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1] == (
        f'setpoint agent: {tmp_path}/outbox/outbox.db holds 1 unsent batches of agent "old-name" '
        f'of site "hq", and this is agent "new-name" of site "hq" on machine {_machine()}. '
        "Deliver them with `setpoint agent drain`, or throw them away with `setpoint agent discard`"
    )
    drained = setpoint("agent", "drain", "--config", config)
    assert drained.returncode == 0, drained.stderr
    assert drained.stdout == "the outbox is empty\n"
    collector.stop()
    assert numbers_by_count(collector, "old-name") == {7: 1}


def _machine() -> str:
    from agent.machine import machine_id

    return machine_id()[:8]


def test_discard_asks_before_it_throws_away(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox", max_bytes=10**6, max_age_ms=0, ballast_bytes=0)
    outbox.open()
    outbox.bind(Owner("hq", "old-name", ""))
    outbox.append(b"x", 1)
    outbox.close()
    config = write_agent(tmp_path, "new-name", 1)
    asked = setpoint("agent", "discard", "--config", config)
    assert (asked.returncode, asked.stderr) == (
        2,
        '1 batches of agent "old-name" would be lost; say --yes to do it\n',
    )
    done = setpoint("agent", "discard", "--yes", "--config", config)
    assert (done.returncode, done.stdout) == (0, 'threw away 1 batches of agent "old-name"\n')


def append(folder: Path, agent: str, lines: list[bytes]) -> None:
    outbox = Outbox(folder, max_bytes=10**6, max_age_ms=0, ballast_bytes=0)
    outbox.open()
    outbox.bind(Owner("hq", agent, ""))
    for line in lines:
        outbox.append(line, 1)
    outbox.close()


def numbered(agent: str, n: int, time_ms: int) -> bytes:
    line = encode_point("numbered", {"host": agent}, {"n": n}, time_ms)
    assert line
    return line


def test_a_clock_that_is_stepped_loses_nothing_true_and_says_what_is_refused(
    mosquitto: Mosquitto, collector: CollectorProcess, tmp_path: Path
) -> None:
    now_ms = time.time_ns() // 1_000_000
    hour = 3_600_000
    # An hour back and right again: true readings with a wrong time, which is within the retention. A day
    # ahead: a time that cannot be, so it is refused, and its neighbours of the same batch are not.
    append(
        tmp_path / "outbox",
        "stepped",
        [
            numbered("stepped", 0, now_ms - hour),
            numbered("stepped", 1, now_ms)
            + b"\n"
            + numbered("stepped", 2, now_ms + 24 * hour)
            + b"\n"
            + numbered("stepped", 3, now_ms + 1),
        ],
    )
    config = write_agent(tmp_path, "stepped", mosquitto.port)
    assert setpoint("agent", "drain", "--config", config).returncode == 0
    reasons = [entry["reason"] for entry in get(collector, "/api/rejected")["rejected"]]
    assert len(reasons) == 1
    assert "clock-skew" in reasons[0]
    assert "s ahead of the collector's clock" in reasons[0]
    agents = get(collector, "/api/agents")["agents"]
    assert [a["agent"]["rejected_readings"] for a in agents if a["agent"]["name"] == "stepped"] == [1]
    collector.stop()
    assert numbers_by_count(collector, "stepped") == {0: 1, 1: 1, 3: 1}


def test_a_batch_that_kills_the_collector_each_time_is_refused_on_the_third(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    now_ms = time.time_ns() // 1_000_000
    bad = numbered("unlucky", 5, now_ms).replace(b"numbered", b"CRASH")
    good = [numbered("unlucky", n, now_ms + n) for n in range(5)]
    append(tmp_path / "outbox", "unlucky", [*good[:3], bad, *good[3:]])
    config = write_agent(tmp_path, "unlucky", mosquitto.port)
    collector = CollectorProcess(
        tmp_path / "site",
        NOBODY,
        mosquitto.port,
        command=("-m", "tests.end_to_end.crashing_collector", "collector", "run"),
    )
    deaths = 0
    with collector:
        drain = subprocess.Popen(
            [sys.executable, "-m", "setpoint", "agent", "drain", "--config", str(config)], cwd=ROOT
        )
        try:
            deadline = time.monotonic() + 150
            while drain.poll() is None and time.monotonic() < deadline:
                if not collector.running:
                    deaths += 1
                    collector.start()
                time.sleep(0.05)
            assert drain.poll() == 0, collector.log_text()
        finally:
            drain.kill()
            drain.wait()
        assert deaths == 2
        rejected = get(collector, "/api/rejected")["rejected"]
        assert [r["reason"] for r in rejected] == ["the collector died 2 times while it worked on this batch"]
    assert numbers_by_count(collector, "unlucky") == dict.fromkeys(range(5), 1)
