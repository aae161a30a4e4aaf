"""How agents do: their clocks, and what they say that they lost, which is read sample by sample once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from collector.agents import AgentState
from collector.analysis.review import AgentClock, AgentLosses, Window
from collector.store.base import Metric, Store

_DROPPED = Metric("setpoint_agent", "dropped_readings")
_REFUSED = Metric("setpoint_agent", "rejected_readings")
# What a counter stood at when the window began is told by the sample before.
_BEFORE_MS = 600_000
_WINDOWS_KEPT = 2

# A counter that falls has begun anew (a new outbox), so all that it counts since is growth.
_GROWTH = """
SELECT subject, min(t), max(t), arg_max(value, t),
       sum(CASE WHEN former IS NULL THEN 0 WHEN value < former THEN value ELSE value - former END)
           FILTER (t >= {start_ms})
FROM (SELECT subject, t, value, lag(value) OVER (PARTITION BY subject ORDER BY t) AS former FROM counts)
GROUP BY subject
"""


@dataclass(slots=True)
class _Counter:
    first_ms: int
    last_ms: int
    value: float
    growth: float


@dataclass(slots=True)
class _Counters:
    """One counter of every host, as far as it was read."""

    until_ms: int
    hosts: dict[str, _Counter] = field(default_factory=dict)


class Losses:
    """Keeps where it stopped reading, for the two windows that were asked for last."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._windows: dict[int, Mapping[Metric, _Counters]] = {}

    def of(self, window: Window) -> dict[str, AgentLosses]:
        """By host. May raise what the store does."""
        known = self._windows.pop(window.start_ms, None)
        if known is None or any(each.until_ms > window.end_ms for each in known.values()):
            known = {metric: _Counters(window.start_ms - _BEFORE_MS) for metric in (_DROPPED, _REFUSED)}
        for metric, counters in known.items():
            self._read(metric, counters, window)
        self._windows[window.start_ms] = known
        for start_ms in list(self._windows)[:-_WINDOWS_KEPT]:
            del self._windows[start_ms]
        refused = known[_REFUSED].hosts
        return {
            host: AgentLosses(
                dropped=round(one.growth),
                refused=round(refused[host].growth) if host in refused else 0,
                first_ms=max(one.first_ms, window.start_ms),
                last_ms=one.last_ms,
            )
            for host, one in known[_DROPPED].hosts.items()
            if one.last_ms >= window.start_ms
        }

    def _read(self, metric: Metric, counters: _Counters, window: Window) -> None:
        if counters.until_ms >= window.end_ms:
            return
        with self._store.train(metric, _everybody, counters.until_ms, window.end_ms) as train:
            grown = train.relation.query("counts", _GROWTH.format(start_ms=window.start_ms))
            rows = grown.fetchall() if grown is not None else []
            firsts = dict(train.relation.aggregate("subject, arg_min(value, t)", "subject").fetchall())
            hosts = [dict(subject).get("host", "") for subject in train.subjects]
        for subject, first_ms, last_ms, value, growth in rows:
            host, first = hosts[subject], firsts[subject]
            one = counters.hosts.setdefault(host, _Counter(first_ms, last_ms, first, 0.0))
            if first_ms >= window.start_ms:
                one.growth += first if first < one.value else first - one.value
            one.growth += growth or 0
            one.value, one.last_ms = value, last_ms
        counters.until_ms = window.end_ms


def clocks_of(agents: Iterable[AgentState]) -> dict[str, AgentClock]:
    """What is known of the clocks of the agents that were heard of since the start of the collector."""
    return {
        agent.name: AgentClock(
            heard_ms=agent.last_ms,
            ahead_ms=agent.clock_ahead_ms,
            refused=agent.clock_skew_readings,
            refused_ms=agent.clock_skew_ms,
            off_ms=agent.clock_off_ms,
        )
        for agent in agents
        if agent.last_ms is not None and (agent.clock_ahead_ms is not None or agent.clock_skew_ms is not None)
    }


def _everybody(tags: Mapping[str, str]) -> bool:  # noqa: ARG001
    return True
