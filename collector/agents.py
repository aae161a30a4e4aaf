"""Which agents there are, and how they do: from their status messages and their batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from setpoint.status import Status

_SLOWLY = 8


@dataclass(slots=True)
class AgentState:
    """``last_ms``: the newest reading's arrival; ``state`` is what the agent (or its last will) said."""

    site: str
    name: str
    state: str = "unknown"
    since_ms: int | None = None
    reason: str = ""
    version: str = ""
    platform: str = ""
    inputs: dict[str, int] = field(default_factory=dict)
    first_ms: int | None = None
    last_ms: int | None = None
    batches: int = 0
    readings: int = 0
    rejected_readings: int = 0
    clock_offset_ms: int = 0
    """How far the newest refused time was off, 0 when none was refused."""
    clock_skew_readings: int = 0
    """Refused because of their time, since the start of the collector."""
    clock_skew_ms: int | None = None
    """When such a one came last."""
    clock_off_ms: int = 0
    """How far its time was off."""
    clock_ahead_ms: int | None = None
    """How far its clock is ahead of the collector's, by what its batches say of their sending; negative when
    it is behind. None before the first batch.
    """

    def sent(self, ahead_ms: int) -> None:
        """Takes how far ahead of its arrival a batch says that it was sent. A batch that was long on its way
        looks like a clock that is behind, so a lower figure counts little, and a higher one at once.
        """
        known = self.clock_ahead_ms
        if known is None or ahead_ms >= known:
            self.clock_ahead_ms = ahead_ms
        else:
            self.clock_ahead_ms = known + (ahead_ms - known) // _SLOWLY


class Agents:
    """Every agent that was heard of."""

    def __init__(self) -> None:
        self._agents: dict[tuple[str, str], AgentState] = {}
        self._removed: set[str] = set()

    def get(self, site: str, name: str) -> AgentState:
        """The agent; made known if it was not. One known from the store only gets its site now."""
        if (site, name) not in self._agents:
            agent = self._agents.pop(("", name), None) or AgentState(site, name)
            agent.site = site
            self._agents[site, name] = agent
            self._removed.discard(name)
        return self._agents[site, name]

    def heard(self, site: str, name: str, status: Status | None) -> None:
        """Takes a status message; None is a cleared one, and removes the agent."""
        if status is None:
            self._agents.pop((site, name), None)
            self._agents.pop(("", name), None)
            self._removed.add(name)
            return
        agent = self.get(site, name)
        agent.state = status.state
        agent.since_ms = status.since_ms
        agent.reason = status.reason
        if status.state == "online":
            agent.version = status.version
            agent.platform = status.platform
            agent.inputs = dict(status.inputs)

    def restore(self, names: Iterable[tuple[str, int, int]]) -> None:
        """Makes agents known by (name, first, last) of readings that are in the store already; but not those
        that were removed and not heard of since.
        """
        known: dict[str, list[AgentState]] = {}
        for agent in self.all():
            known.setdefault(agent.name, []).append(agent)
        for name, first_ms, last_ms in names:
            if name in self._removed:
                continue
            for agent in known.get(name) or [self.get("", name)]:
                agent.first_ms = min(first_ms, agent.first_ms or first_ms)
                agent.last_ms = max(last_ms, agent.last_ms or last_ms)

    def all(self) -> Sequence[AgentState]:
        """All agents, by site and name. May be called from any thread."""
        # One call takes them all: a key that is looked up later may be gone by then.
        return [agent for _, agent in sorted(self._agents.items(), key=itemgetter(0))]
