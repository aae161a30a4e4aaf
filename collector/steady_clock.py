"""Whether the clock can be trusted with deleting."""

from __future__ import annotations

import time
from collections.abc import Callable

# A wall clock that moved this much against the monotonic one was stepped; slewing is far slower.
_STEP_S = 2.0
# A machine that boots with a dead real-time clock is set right by NTP within minutes.
_STEADY_S = 3000.0


class SteadyClock:
    """Watches the wall clock against the monotonic one; both in seconds."""

    def __init__(
        self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._since = monotonic()
        self._offset = wall() - self._since

    def is_steady(self) -> bool:
        """Whether it has not been stepped for fifty minutes. What is deleted for its age on a clock that was
        years ahead is gone, and what stays for an hour longer costs nothing.
        """
        now = self._monotonic()
        offset = self._wall() - now
        if abs(offset - self._offset) > _STEP_S:
            self._since, self._offset = now, offset
        return now - self._since >= _STEADY_S
