"""The log: one line an event, UTC, to standard error."""

from __future__ import annotations

import logging
import time


def start_logging(level: str, part: str = "") -> None:
    """Sets the root logger up. ``part`` goes before each message where several processes share a terminal."""
    formatter = logging.Formatter(
        f"%(asctime)s.%(msecs)03dZ %(levelname)-7s {part + ': ' if part else ''}%(message)s",
        "%Y-%m-%dT%H:%M:%S",
    )
    formatter.converter = time.gmtime
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # The MQTT client's own log repeats what ours says, and names neither broker nor reason.
    logging.getLogger("mqtt").setLevel(logging.CRITICAL)
