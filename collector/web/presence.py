"""Whether an agent is there, from what it said and when it was last heard."""

from __future__ import annotations

from typing import Final, Literal

from collector.agents import AgentState

Presence = Literal["up", "silent", "offline", "never"]
PRESENCES: Final[tuple[Presence, ...]] = ("up", "silent", "offline", "never")

# An agent measures itself every 10 s, whatever its inputs are; others (Telegraf, scripts) do as they like.
_PATIENCE_MS: Final = 60_000
_PATIENCE_WITH_OTHERS_MS: Final = 300_000


def presence(agent: AgentState, now_ms: int) -> Presence:
    """``offline``: it, or its last will, said so. ``silent``: it did not, and nothing comes from it."""
    if agent.state == "offline":
        return "offline"
    if agent.last_ms is None:
        return "never"
    patience_ms = _PATIENCE_MS if agent.state == "online" else _PATIENCE_WITH_OTHERS_MS
    return "silent" if now_ms - agent.last_ms > patience_ms else "up"
