"""Asks every input at its own interval; a slow or hanging one delays no other."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from agent.inputs.base import Input
from setpoint.reading import FieldValue, Point

log = logging.getLogger(__name__)

# The outcome of a gathering as a number, so that it can be judged.
OUTCOME_OK, OUTCOME_ERROR, OUTCOME_TIMEOUT, OUTCOME_HANGING = range(4)
# A clock that goes back by less is being corrected, or is coarse; one that goes back further was set.
_CORRECTED_BY_MS = 1_000
_CLOSE_WITHIN_S = 2.0


class Sink(Protocol):
    """Takes the points of one gathering; returns how many readings they hold."""

    def __call__(self, points: Sequence[Point], time_ms: int, tags: dict[str, str]) -> int: ...


@dataclass(slots=True)
class Scheduled:
    """One input and its timing, in seconds. ``jitter_s`` is the most by which a gathering is delayed.

    ``tick_s``: an input whose parts have schedules of their own is asked this often, for what has come.
    """

    label: str
    source: Input
    interval_s: float
    deadline_s: float
    jitter_s: float = 0.0
    tick_s: float | None = None
    tags: dict[str, str] = field(default_factory=dict)


class Scheduler:
    """Runs inputs until it is cancelled. ``now_ms`` is the wall clock."""

    def __init__(
        self,
        inputs: Sequence[Scheduled],
        sink: Sink,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._inputs = inputs
        self._sink = sink
        self._now_ms = now_ms

    async def run(self) -> None:
        """Never returns; cancelling it cancels what is gathering, and closes the inputs."""
        try:
            async with asyncio.TaskGroup() as group:
                for scheduled in self._inputs:
                    group.create_task(self._repeat(scheduled))
        finally:
            await asyncio.gather(*(_close(scheduled) for scheduled in self._inputs))

    async def _repeat(self, scheduled: Scheduled) -> None:
        loop = asyncio.get_running_loop()
        every_s = scheduled.tick_s or scheduled.interval_s
        due = loop.time()
        last_ms = 0
        hanging: asyncio.Task[Sequence[Point]] | None = None
        was_failing = False
        while True:
            if scheduled.jitter_s:
                await asyncio.sleep(random.uniform(0, scheduled.jitter_s))
            time_ms = last_ms = _later_than(last_ms, self._now_ms())
            began = loop.time()
            points: Sequence[Point] = ()
            error = ""
            if hanging is not None and not hanging.done():
                outcome, error = OUTCOME_HANGING, "the last gathering still hangs"
            else:
                task = asyncio.ensure_future(scheduled.source.gather())
                outcome, points, error = await _finish(task, scheduled.deadline_s)
                hanging = None if task.done() else task
            readings = 0
            if points:
                try:
                    readings = self._sink(points, time_ms, scheduled.tags)
                except Exception as why:  # what a plug-in answers is not to be trusted either
                    outcome, error = OUTCOME_ERROR, f"its points cannot be taken: {why}"
            if outcome != OUTCOME_OK and not was_failing:
                log.warning("input %s: %s", scheduled.label, error)
            elif outcome == OUTCOME_OK and was_failing:
                log.info("input %s: answers again", scheduled.label)
            was_failing = outcome != OUTCOME_OK
            about: dict[str, FieldValue] = {
                "gather_ms": round((loop.time() - began) * 1000, 3),
                "outcome": outcome,
                "readings": readings,
            }
            self._sink([Point("setpoint_agent", {"input": scheduled.label}, about)], time_ms, {})
            due += every_s
            if due < loop.time():
                # Missed turns are not made up for: the next one is the next on the grid.
                due += every_s * ((loop.time() - due) // every_s + 1)
            await asyncio.sleep(due - loop.time())


def _later_than(last_ms: int, now_ms: int) -> int:
    """The time now, strictly increasing, unless the clock was set back: then the times before were wrong."""
    return last_ms + 1 if 0 <= last_ms - now_ms < _CORRECTED_BY_MS else now_ms


async def _close(scheduled: Scheduled) -> None:
    try:
        async with asyncio.timeout(_CLOSE_WITHIN_S):
            await scheduled.source.close()
    except Exception as error:  # the others are to be closed as well
        log.warning("input %s was not closed: %s: %s", scheduled.label, type(error).__name__, error)


async def _finish(task: asyncio.Task[Sequence[Point]], deadline_s: float) -> tuple[int, Sequence[Point], str]:
    """Outcome, points and error text of a gathering, at its deadline at the latest.

    A task that does not even end when it is cancelled is left to itself: the caller finds it not done.
    """
    try:
        done, _ = await asyncio.wait({task}, timeout=deadline_s)
        if not done:
            task.cancel()
            await asyncio.wait({task}, timeout=0.1)
            return OUTCOME_TIMEOUT, (), f"no answer within {deadline_s:g} s"
    except asyncio.CancelledError:
        task.cancel()
        raise
    if task.cancelled():
        return OUTCOME_ERROR, (), "it was cancelled from within"
    try:
        return OUTCOME_OK, task.result(), ""
    except Exception as error:  # an input is a plug-in: whatever it raises costs only this gathering
        log.debug("gathering failed", exc_info=error)
        return OUTCOME_ERROR, (), f"{type(error).__name__}: {error}"
