"""The log: one line an event, UTC, to standard error."""

from __future__ import annotations

import logging
import re
import time

# Names and reasons come from the network: none is to move a terminal's cursor, or to look like a line of
# ours.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class _OneEventFormatter(logging.Formatter):
    """What a message holds beyond its first line is indented; control characters are shown, not sent."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        text = super().formatMessage(record).replace("\n", "\n    ")
        return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def start_logging(level: str, part: str = "") -> None:
    """Sets the root logger up. ``part`` goes before each message where several processes share a terminal."""
    formatter = _OneEventFormatter(
        f"%(asctime)s.%(msecs)03dZ %(levelname)-7s {part + ': ' if part else ''}%(message)s",
        "%Y-%m-%dT%H:%M:%S",
    )
    formatter.converter = time.gmtime
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # The MQTT client's own log repeats what ours says, and names neither broker nor reason.
    logging.getLogger("mqtt").setLevel(logging.CRITICAL)
