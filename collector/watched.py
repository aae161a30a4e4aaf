"""The present state of one planned subject: normal, warning, critical or silent, by its newest samples."""

from __future__ import annotations

import math
from typing import Final, Literal, get_args

from setpoint.limits import Comparison, Limits

State = Literal["critical", "warning", "silent", "never", "masked", "maintenance", "normal", "unjudged"]
STATES: Final[tuple[State, ...]] = get_args(State)
"""Worst first. ``never``: the plan names it and nothing ever reported it. ``masked``: it is behind something
that is down. ``unjudged``: no threshold, no value yet to hold against it, or outside its calendar."""

# How long a sample is waited for before its subject is silent: three times its spacing, but not less than
# 30 s, because a batch, a reconnect and a commit take their seconds; and this long where the plan does not
# say how often.
_LEAST_PATIENCE_MS = 30_000
_PATIENCE_WITHOUT_EVERY_MS = 300_000


class Level:
    """Whether one threshold counts as breached, with its ``for`` and its ``clear``."""

    __slots__ = ("_begins_ms", "_comparison", "_negated", "raised")

    def __init__(self, comparison: Comparison, *, negated: bool = False) -> None:
        self._comparison = comparison
        self._negated = negated
        self._begins_ms: int | None = None
        self.raised = False

    @property
    def pending(self) -> bool:
        """Whether a breach has begun and has not lasted for long enough yet."""
        return self._begins_ms is not None and not self.raised

    def interrupt(self) -> None:
        """A hole: a pending breach begins anew. What is raised stays so until a value clears it."""
        self._begins_ms = None

    def take(self, value: float, begins_ms: int) -> None:
        """The value stands from ``begins_ms`` on."""
        if self._comparison.breached(value) != self._negated:
            if self._begins_ms is None:
                self._begins_ms = begins_ms
        elif not self.raised or self._is_clear(value):
            self._begins_ms = None
            self.raised = False

    def hold(self, until_ms: int) -> None:
        """What was taken last stands until then at least."""
        if self._begins_ms is not None and until_ms - self._begins_ms >= self._comparison.for_ms:
            self.raised = True

    def _is_clear(self, value: float) -> bool:
        clear = self._comparison.clear
        if clear is None:
            return True
        return value <= clear if self._comparison.high is not None else value >= clear


class Watched:
    """One planned subject, shown its newest sample at every tick.

    All of it lives in memory: after a restart of the collector ``for`` is waited for again, and ``since_ms``
    is not before the first sample that was seen.
    """

    __slots__ = (
        "_critical",
        "_every_ms",
        "_patience_ms",
        "_pending",
        "_raw",
        "_scale",
        "_warning",
        "since_ms",
        "state",
        "time_ms",
        "value",
    )

    def __init__(self, limits: Limits, *, rate: bool, scale: float) -> None:
        self.state: State = "never"
        self.since_ms: int | None = None
        self.value: float | None = None
        self.time_ms: int | None = None
        self._scale = scale
        self._raw: float | None = math.nan if rate else None
        """The newest value of the counter; None where the value is no rate."""
        self._every_ms = limits.every_ms or _PATIENCE_WITHOUT_EVERY_MS
        self._patience_ms = (
            max(3 * limits.every_ms, _LEAST_PATIENCE_MS) if limits.every_ms else _PATIENCE_WITHOUT_EVERY_MS
        )
        self._warning = Level(limits.warning) if limits.warning else None
        self._critical = Level(limits.critical) if limits.critical else None
        if limits.critical is None and limits.good is not None:
            self._critical = Level(limits.good, negated=True)
        self._pending = False

    def tick_unseen(self, now_ms: int) -> None:
        """It has reported, but nothing of that is known: no sample has come since the collector started."""
        if self.since_ms is None:
            self.state, self.since_ms = "unjudged", now_ms
        elif self.state == "unjudged" and now_ms - self.since_ms > self._patience_ms:
            self.state = "silent"

    def tick(self, time_ms: int, raw: float, now_ms: int, spacing_ms: int, factor: float = 1.0) -> None:
        """Takes the newest sample, which may be that of the last tick, ``spacing_ms`` ago. ``factor`` is what
        another metric makes of its value; NaN where that is not known.
        """
        fresh = time_ms != self.time_ms
        if fresh or self._pending:
            if fresh:
                # What lies between ticks is not seen: samples that are further apart only because a tick
                # came late are no hole.
                self._take(time_ms, raw, max(2 * self._every_ms, self._every_ms + spacing_ms), factor)
            # A sample stands for twice its spacing. The agent's clock may be ahead of the collector's.
            self._hold(max(time_ms, min(now_ms, time_ms + 2 * self._every_ms)))
        elif now_ms - time_ms <= self._patience_ms and self.state != "silent":
            return
        state = self._judge(now_ms)
        if state != self.state:
            self.state = state
            self.since_ms = time_ms if fresh or state == "silent" else now_ms

    def _take(self, time_ms: int, raw: float, reach_ms: int, factor: float) -> None:
        hole = self.time_ms is None or time_ms - self.time_ms > reach_ms
        begins_ms = time_ms
        value = raw
        if self._raw is not None:
            # A rate belongs to the interval before its sample. A counter that decreased was reset, and one
            # that was not seen for too long may have been.
            value = math.nan
            if self.time_ms is not None and not hole and raw >= self._raw:
                value = (raw - self._raw) / ((time_ms - self.time_ms) / 1000)
                begins_ms = self.time_ms
            self._raw = raw
        value *= self._scale * factor
        self.time_ms = time_ms
        self.value = value if math.isfinite(value) else None
        for level in (self._warning, self._critical):
            if level is not None:
                if hole or self.value is None:
                    level.interrupt()
                if self.value is not None:
                    level.take(self.value, begins_ms)

    def _hold(self, until_ms: int) -> None:
        self._pending = False
        for level in (self._warning, self._critical):
            if level is not None and level.pending:
                level.hold(until_ms)
                self._pending |= level.pending

    def _judge(self, now_ms: int) -> State:
        if self.time_ms is None:
            return "never"
        if now_ms - self.time_ms > self._patience_ms:
            return "silent"
        if self._critical is not None and self._critical.raised:
            return "critical"
        if self._warning is not None and self._warning.raised:
            return "warning"
        if self.value is None or (self._critical is None and self._warning is None):
            return "unjudged"
        return "normal"
