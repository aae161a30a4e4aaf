"""Collectors that share the readings of one broker and write to one store."""

from __future__ import annotations

import contextlib
import json
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from collector.settings import load_settings
from setpoint.config import ConfigError
from tests.end_to_end.engines import InfluxEngine, samples_read
from tests.end_to_end.site import CollectorProcess, NumberedAgent, setpoint, write_collector
from tests.servers import Login, Mosquitto, wait_until

NOBODY = Login(None, None)
STORED = "setpoint_collector_readings_stored_total"
CONNECTED = "setpoint_collector_connected"
LATE = [f"late-{n}" for n in range(4)]
"""Agents with one batch each, of which both collectors get some: the broker goes by turns."""
NAMES = [f"numbers-{n}" for n in range(3)]


def member(
    name: str, folder: Path, broker: Mosquitto, engine: InfluxEngine, *, reviews: bool
) -> CollectorProcess:
    """Both have one account at the broker: the shipped rules know a collector by it, not by its name."""
    return CollectorProcess(
        folder / name,
        broker.login("collector", "collector"),
        broker.port,
        settings={
            "collector": {"name": name, "share": "setpoint"},
            "store": engine.settings,
            "review": {"enabled": reviews},
        },
    )


def api(collector: CollectorProcess, path: str) -> Any:
    try:
        answer = urllib.request.urlopen(f"http://127.0.0.1:{collector.port}{path}", timeout=10)
    except urllib.error.HTTPError as error:  # what is not well says so with a 503
        answer = error
    with answer:
        return json.load(answer)


def newest_numbers(collector: CollectorProcess) -> dict[str, float]:
    return {row["subject"]["host"]: row["value"] for row in api(collector, "/api/now")["rows"]}


def test_two_collectors_share_the_load_and_one_that_is_killed_loses_nothing(
    secured_mosquitto: Mosquitto, tmp_path: Path
) -> None:
    engine = InfluxEngine(tmp_path / "influxd")
    began_ms = time.time_ns() // 1_000_000
    with contextlib.ExitStack() as stack:
        stack.enter_context(engine.server)
        one = stack.enter_context(member("one", tmp_path, secured_mosquitto, engine, reviews=True))
        two = stack.enter_context(member("two", tmp_path, secured_mosquitto, engine, reviews=False))

        def agent(name: str, **settings: int) -> NumberedAgent:
            login = secured_mosquitto.login(name)
            one = NumberedAgent(
                tmp_path / name, login, secured_mosquitto.port, name=name, per_batch=100, **settings
            )
            return stack.enter_context(one)

        agents = [agent(name) for name in NAMES]
        # Each carries some of the load, and which one is killed makes no difference.
        for victim, other in ((two, one), (one, two), (two, one)):
            wait_until(lambda: one.metric(STORED) > 1_000, timeout_s=60, what="a part of the load on one")
            wait_until(lambda: two.metric(STORED) > 1_000, timeout_s=60, what="a part of the load on two")
            victim.kill()
            alone = other.metric(STORED)
            wait_until(lambda: other.metric(STORED) > alone + 1_000, timeout_s=60, what="all of the load")  # noqa: B023
            victim.start()
        for each in agents:
            each.say_enough()
        wait_until(lambda: all(each.finished for each in agents), timeout_s=120, what="empty outboxes")
        numbers = {each.host_tag: each.numbers for each in agents}
        for collector in (one, two):
            wait_until(lambda: collector.metric(CONNECTED) == 1, timeout_s=60, what="both connected")  # noqa: B023
        written = two.metric(STORED)
        agents += [agent(name, until=1) for name in LATE]
        wait_until(lambda: all(each.finished for each in agents), timeout_s=120, what="empty outboxes")
        assert two.metric(STORED) > written
        # The one that reviews shows the newest of each agent, whoever has written it.
        newest = {name: float(count - 1) for name, count in numbers.items()} | dict.fromkeys(LATE, 0.0)
        wait_until(lambda: newest_numbers(one) == newest, timeout_s=60, what="the present state")
        wait_until(lambda: api(one, "/api/findings")["findings"], timeout_s=60, what="a review")
        assert api(two, "/api/findings")["findings"] == []
        assert "off" in str(api(two, "/healthz")["parts"]["review"])
        for each in agents:
            each.stop()
        one.stop()
        two.stop()
        ended_ms = time.time_ns() // 1_000_000 + max(numbers.values())
        for name, count in numbers.items():
            rows = engine.rows(name)
            assert rows.keys() == set(range(count))
            assert rows.total() == count
        read = samples_read(tmp_path / "one" / "collector.yaml", ended_ms, ended_ms - began_ms)
        assert read == numbers | dict.fromkeys(LATE, 1)


def test_two_that_review_tell_so(secured_mosquitto: Mosquitto, tmp_path: Path) -> None:
    engine = InfluxEngine(tmp_path / "influxd")
    with (
        engine.server,
        member("one", tmp_path, secured_mosquitto, engine, reviews=True) as one,
        member("two", tmp_path, secured_mosquitto, engine, reviews=True),
    ):
        wait_until(
            lambda: "reviewed as well by two" in str(api(one, "/healthz")["parts"]["review"]),
            timeout_s=60,
            what="a word about the other one",
        )


def test_an_embedded_store_is_not_shared(tmp_path: Path) -> None:
    settings = {"collector": {"share": "setpoint"}}
    config = write_collector(tmp_path, NOBODY, 1, web_port=1, settings=settings)
    done = setpoint("collector", "check", "--config", config)
    assert done.returncode == 2
    assert "collector.share: expected the engine influxdb or victoriametrics" in done.stderr + done.stdout
    assert "one owner" in done.stderr + done.stdout


def test_the_embedded_broker_is_not_started_for_collectors_that_share(tmp_path: Path) -> None:
    """It would grant the subscription and deliver nothing."""
    settings = {"collector": {"share": "setpoint"}, "store": {"engine": "influxdb"}}
    write_collector(tmp_path, NOBODY, 1, web_port=1, settings=settings)
    (tmp_path / "agent.yaml").write_text("inputs: [{input: host}]\n")
    done = setpoint("up", "--config", tmp_path)
    assert done.returncode == 2
    assert "no shared subscriptions" in done.stderr


@pytest.mark.parametrize("share", ["a/b", "+", "a b"])
def test_a_share_whose_name_is_none_is_refused(share: str, tmp_path: Path) -> None:
    config = write_collector(
        tmp_path,
        NOBODY,
        1,
        web_port=1,
        settings={"collector": {"share": share}, "store": {"engine": "influxdb"}},
    )
    with pytest.raises(ConfigError, match=r"collector\.share: expected letters"):
        load_settings(config)
