"""clock-skew and agent-dropping: agents that are not to be trusted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.agents import AgentState
from collector.analysis.gaps import agent_dropping, clock_skew
from collector.analysis.gaps.alike import MANY
from collector.analysis.review import AgentClock, AgentLosses, Window
from setpoint.finding import Verdict
from tests.unit.review_factory import (
    CPU,
    HOUR,
    MINUTE,
    MONTH,
    RUNNING,
    SECOND,
    alone,
    gaps,
    plan,
    review,
    verdict_of,
)

PLAN = plan(CPU)
NOW = RUNNING.end_ms


def clock(**known: int | None) -> Verdict:
    values: dict[str, int | None] = {"heard_ms": NOW - 5 * SECOND, "ahead_ms": 0, **known}
    found = review(PLAN, RUNNING, clocks={"mon-01": AgentClock(**values)})  # type: ignore[arg-type]
    (verdict,) = alone(clock_skew.check(found))
    return verdict


@pytest.mark.parametrize(
    ("ahead_ms", "answer"),
    [(0, "no gap"), (30_000, "no gap"), (30_001, "gap"), (-30_001, "gap"), (None, "cannot tell")],
)
def test_a_clock_may_be_off_by_half_a_minute(ahead_ms: int | None, answer: str) -> None:
    assert clock(ahead_ms=ahead_ms).answer == answer


def test_a_clock_that_is_behind_is_told_so() -> None:
    finding = clock(ahead_ms=-95_000).finding
    assert finding is not None
    assert (finding.severity, finding.measured, finding.target, finding.unit) == ("warning", 95, 30, "s")
    assert "1 min 35 s behind the collector's" in finding.text["en"]
    assert "慢 1 分 35 秒" in finding.text["zh"]


def test_refused_readings_are_critical_and_their_time_is_what_is_off() -> None:
    finding = clock(ahead_ms=400_000, refused=7, refused_ms=NOW - MINUTE, off_ms=412_000).finding
    assert finding is not None
    assert (finding.severity, finding.measured) == ("critical", 412)
    assert "7 readings were refused" in finding.text["en"]


def test_an_hour_without_a_refusal_and_the_clock_is_right_again() -> None:
    assert clock(refused=7, refused_ms=NOW - HOUR + 1, off_ms=1).answer == "gap"
    assert clock(refused=7, refused_ms=NOW - HOUR, off_ms=1).answer == "no gap"


def test_an_agent_not_heard_of_closes_nothing() -> None:
    assert clock(heard_ms=NOW - 11 * MINUTE).answer == "cannot tell"


@given(st.lists(st.integers(-10_000_000, 10_000_000), min_size=1))
def test_the_estimate_stays_among_what_was_said(ahead: list[int]) -> None:
    agent = AgentState("hq", "mon-01")
    for each in ahead:
        agent.sent(each)
        assert agent.clock_ahead_ms is not None
        assert min(ahead) <= agent.clock_ahead_ms <= max(ahead)
    assert agent.clock_ahead_ms >= ahead[-1]


def test_one_late_batch_is_no_clock_that_is_behind() -> None:
    agent = AgentState("hq", "mon-01")
    for ahead_ms in (-20, -30, -120_000):
        agent.sent(ahead_ms)
    assert agent.clock_ahead_ms is not None
    assert agent.clock_ahead_ms > -30_000
    agent.sent(-25)
    assert agent.clock_ahead_ms == -25
    # A clock that was put back is believed after some batches.
    for _ in range(60):
        agent.sent(-120_000)
    assert agent.clock_ahead_ms < -119_000


def losses(
    dropped: int = 0, refused: int = 0, window: Window = MONTH, *, last_ms: int | None = None
) -> Verdict:
    said = AgentLosses(dropped, refused, window.start_ms, last_ms or window.end_ms)
    (verdict,) = alone(agent_dropping.check(review(PLAN, window, losses={"mon-01": said})))
    return verdict


def test_what_was_dropped_is_a_warning_and_what_was_refused_is_told() -> None:
    dropped = losses(dropped=5, refused=2).finding
    assert dropped is not None
    assert (dropped.severity, dropped.measured, dropped.unit) == ("warning", 7, "readings")
    refused = losses(refused=2).finding
    assert refused is not None
    assert refused.severity == "info"
    assert "/api/rejected" in refused.action


def test_only_a_whole_period_shows_that_nothing_was_lost() -> None:
    assert losses().answer == "no gap"
    assert losses(window=RUNNING).answer == "cannot tell"
    assert losses(dropped=1, window=RUNNING).answer == "gap"
    half = (MONTH.start_ms + MONTH.end_ms) // 2
    assert losses(last_ms=half).answer == "cannot tell"


def test_many_agents_are_one_finding_and_few_are_their_own() -> None:
    def fleet(count: int) -> list[Verdict]:
        said = {f"web-{n:02}": AgentLosses(n, 0, MONTH.start_ms, MONTH.end_ms) for n in range(count + 1)}
        return agent_dropping.check(review(PLAN, MONTH, losses=said))

    few = fleet(MANY)
    assert len(gaps(few)) == MANY
    assert verdict_of(few, agent_dropping.KIND, "", ()).answer == "no gap"
    many = fleet(MANY + 1)
    (finding,) = gaps(many)
    assert finding.subject == {}
    assert finding.title == "11 agents lost readings"
    assert finding.evidence.members[0] == "host=web-11: 11 readings"
    assert verdict_of(many, agent_dropping.KIND, "", (("host", "web-01"),)).answer == "cannot tell"
    assert verdict_of(many, agent_dropping.KIND, "", (("host", "web-00"),)).answer == "no gap"


def test_without_agents_nothing_is_said() -> None:
    found = review(PLAN, MONTH)
    assert clock_skew.check(found) == agent_dropping.check(found) == []
