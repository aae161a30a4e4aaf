"""Which agents the collector knows, and what it knows of them."""

from __future__ import annotations

import sys
import threading

from collector.agents import Agents, AgentState
from setpoint.status import Status


def names(agents: Agents) -> list[tuple[str, str]]:
    return [(agent.site, agent.name) for agent in agents.all()]


def test_an_agent_is_known_once_it_is_asked_for() -> None:
    agents = Agents()
    agent = agents.get("hq", "mon-01")
    assert agent == AgentState("hq", "mon-01", state="unknown")
    assert agents.get("hq", "mon-01") is agent
    assert agents.get("branch", "mon-01") is not agent


def test_they_are_listed_by_site_and_name() -> None:
    agents = Agents()
    for site, name in (("hq", "b"), ("branch", "z"), ("hq", "a"), ("hq", "B")):
        agents.get(site, name)
    assert names(agents) == [("branch", "z"), ("hq", "B"), ("hq", "a"), ("hq", "b")]


def test_what_an_agent_says_of_itself_is_kept() -> None:
    agents = Agents()
    online = Status(state="online", since_ms=5, version="1.2", platform="Linux-6.1", inputs={"host": 10_000})
    agents.heard("hq", "mon-01", online)
    assert agents.get("hq", "mon-01") == AgentState(
        "hq",
        "mon-01",
        state="online",
        since_ms=5,
        version="1.2",
        platform="Linux-6.1",
        inputs={"host": 10_000},
    )


def test_a_last_will_tells_that_it_is_gone_and_not_what_it_was() -> None:
    agents = Agents()
    agents.heard("hq", "mon-01", Status(state="online", since_ms=5, version="1.2", inputs={"host": 10_000}))
    agents.heard("hq", "mon-01", Status(state="offline", since_ms=9, reason="connection lost"))
    agent = agents.get("hq", "mon-01")
    assert (agent.state, agent.since_ms, agent.reason) == ("offline", 9, "connection lost")
    assert (agent.version, agent.inputs) == ("1.2", {"host": 10_000})
    agents.heard("hq", "mon-01", Status(state="online", since_ms=12))
    assert (agent.state, agent.reason, agent.version) == ("online", "", "")


def test_a_status_changes_nothing_that_was_counted() -> None:
    agents = Agents()
    agent = agents.get("hq", "mon-01")
    agent.batches, agent.readings, agent.first_ms, agent.last_ms = 3, 40, 100, 200
    agents.heard("hq", "mon-01", Status(state="online", since_ms=5))
    assert (agent.batches, agent.readings, agent.first_ms, agent.last_ms) == (3, 40, 100, 200)


def test_a_cleared_status_removes_the_agent() -> None:
    agents = Agents()
    agents.heard("hq", "mon-01", Status(state="online", since_ms=5))
    agents.heard("hq", "mon-02", Status(state="online", since_ms=5))
    agents.heard("hq", "mon-01", None)
    agents.heard("hq", "never-seen", None)
    assert names(agents) == [("hq", "mon-02")]


def test_agents_of_the_store_are_known_after_a_restart() -> None:
    agents = Agents()
    agents.restore([("mon-01", 100, 200), ("mon-02", 150, 250)])
    assert [(a.name, a.first_ms, a.last_ms) for a in agents.all()] == [
        ("mon-01", 100, 200),
        ("mon-02", 150, 250),
    ]


def test_a_restored_agent_that_is_heard_again_is_not_two() -> None:
    agents = Agents()
    agents.restore([("mon-01", 100, 200)])
    agents.heard("hq", "mon-01", Status(state="online", since_ms=5))
    assert names(agents) == [("hq", "mon-01")]
    agent = agents.get("hq", "mon-01")
    assert (agent.first_ms, agent.last_ms, agent.state) == (100, 200, "online")


def test_a_restored_agent_that_is_removed_before_it_was_heard_is_gone() -> None:
    agents = Agents()
    agents.restore([("mon-01", 100, 200), ("mon-02", 100, 200)])
    agents.heard("hq", "mon-01", None)
    assert names(agents) == [("", "mon-02")]


def test_what_another_collector_stored_counts_for_an_agent_that_is_known() -> None:
    agents = Agents()
    agents.heard("hq", "mon-01", Status(state="online", since_ms=5))
    agent = agents.get("hq", "mon-01")
    agent.first_ms, agent.last_ms = 150, 200
    agents.restore([("mon-01", 100, 180)])
    assert (agent.first_ms, agent.last_ms) == (100, 200)
    agents.restore([("mon-01", 120, 300)])
    assert (agent.first_ms, agent.last_ms) == (100, 300)
    assert names(agents) == [("hq", "mon-01")]


def test_an_agent_that_was_removed_does_not_come_back_from_the_store() -> None:
    agents = Agents()
    agents.heard("hq", "mon-01", Status(state="online", since_ms=5))
    agents.heard("hq", "mon-01", None)
    agents.restore([("mon-01", 100, 200)])
    assert names(agents) == []
    # It comes back by itself.
    agents.heard("hq", "mon-01", Status(state="online", since_ms=9))
    agents.restore([("mon-01", 100, 200)])
    assert [(a.name, a.last_ms) for a in agents.all()] == [("mon-01", 200)]


def test_they_can_be_listed_while_others_come_and_go() -> None:
    """The review lists them in its own thread."""
    agents = Agents()
    for n in range(200):
        agents.get("hq", f"stays-{n}")
    stop = threading.Event()
    failures: list[BaseException] = []

    def list_them() -> None:
        try:
            while not stop.is_set():
                assert len(agents.all()) >= 200
        except BaseException as error:
            failures.append(error)

    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread = threading.Thread(target=list_them)
    thread.start()
    try:
        for n in range(20_000):
            agents.heard("hq", f"a-guest-{n % 7}", Status(state="online", since_ms=n))
            agents.heard("hq", f"a-guest-{n % 7}", None)
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(usual)
    assert failures == []
