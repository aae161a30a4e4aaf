"""Who may publish and read what. ``config/mosquitto/acl`` says the same for Mosquitto."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

Role = Literal["agent", "collector", "publisher", "reader"]
ROLES: tuple[Role, ...] = get_args(Role)

# {name} is the user's name and {site} the broker's site; + and # as in MQTT.
_PUBLISH: Mapping[Role, tuple[str, ...]] = {
    "agent": ("setpoint/v1/{site}/{name}/readings", "setpoint/v1/{site}/{name}/status"),
    # A collector publishes a status only to clear it: the empty retained message after an agent's removal.
    "collector": ("setpoint/v1/{site}/+/ack", "setpoint/v1/{site}/+/status", "setpoint/v1/{site}/findings/#"),
    "publisher": ("telegraf/{name}/#",),
    "reader": (),
}
_READ: Mapping[Role, tuple[str, ...]] = {
    "agent": ("setpoint/v1/{site}/{name}/ack",),
    "collector": ("setpoint/v1/{site}/+/readings", "setpoint/v1/{site}/+/status", "telegraf/#"),
    "publisher": (),
    "reader": (
        "setpoint/v1/{site}/+/readings",
        "setpoint/v1/{site}/+/status",
        "setpoint/v1/{site}/findings/#",
        "telegraf/#",
    ),
}
# Its topics are below a collector's `setpoint/v1/<site>/findings/#`.
RESERVED_NAMES = frozenset({"findings"})


def may_publish(role: Role, name: str, topic: str, site: str | None = None) -> bool:
    """Whether this user may publish there, or leave a will there; without a ``site``, at every site."""
    return not _has_wildcard(topic) and _allows(_PUBLISH[role], name, topic, site)


def may_read(role: Role, name: str, topic_filter: str, site: str | None = None) -> bool:
    """Whether this user may read everything that the topic, or topic filter, matches."""
    return _allows(_READ[role], name, topic_filter, site)


def covers(allowed: str, topic_filter: str) -> bool:
    """Whether every topic that ``topic_filter`` matches is matched by ``allowed``, too (MQTT 3.1.1, 4.7)."""
    allowed_levels, levels = allowed.split("/"), topic_filter.split("/")
    for position, level in enumerate(allowed_levels):
        if level == "#":
            return True
        if position >= len(levels) or levels[position] == "#":
            return False
        if level not in ("+", levels[position]):
            return False
    return len(levels) == len(allowed_levels)


def _has_wildcard(topic: str) -> bool:
    return "+" in topic or "#" in topic


def _allows(patterns: tuple[str, ...], name: str, topic: str, site: str | None) -> bool:
    return any(covers(pattern.format(name=name, site=site or "+"), topic) for pattern in patterns)
