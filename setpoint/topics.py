"""The MQTT topics between agents and collectors: ``setpoint/v1/<site>/<agent>/<channel>``."""

from __future__ import annotations

import functools
import re
from typing import Literal, NamedTuple

Channel = Literal["readings", "ack", "status"]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_LONGEST = len("setpoint/v1///readings") + 2 * 128
NAME_EXPECTED = "1 to 128 letters, digits, dots, hyphens or underscores, beginning with a letter or digit"


class Topic(NamedTuple):
    site: str
    agent: str
    channel: Channel

    def __str__(self) -> str:
        return f"setpoint/v1/{self.site}/{self.agent}/{self.channel}"


def is_name(text: str) -> bool:
    """Whether the text may stand as a site or agent name in a topic (no wildcard, slash or space)."""
    return _NAME.fullmatch(text) is not None


def parse_topic(topic: str) -> Topic | None:
    """The parts of one of our topics; None when it is not one."""
    return _parse_topic(topic) if len(topic) <= _LONGEST else None


@functools.lru_cache(maxsize=16_384)
def _parse_topic(topic: str) -> Topic | None:
    parts = topic.split("/")
    if len(parts) != 5 or parts[:2] != ["setpoint", "v1"] or parts[4] not in ("readings", "ack", "status"):
        return None
    if not (is_name(parts[2]) and is_name(parts[3])):
        return None
    return Topic(parts[2], parts[3], parts[4])  # type: ignore[arg-type]


def subscription(channel: Channel, site: str = "+", agent: str = "+", share: str | None = None) -> str:
    """The topic filter for a channel; ``share`` makes it a shared subscription."""
    topic = f"setpoint/v1/{site}/{agent}/{channel}"
    return f"$share/{share}/{topic}" if share else topic
