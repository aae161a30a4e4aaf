"""Polls every device at its own interval, spread over it; what comes waits here until it is fetched."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from agent.inputs.snmp.poll_device import DevicePoller
from setpoint.reading import Point

log = logging.getLogger(__name__)

# Points of a switch of 400 ports: 400. More than this only gathers when nobody fetches.
_MAX_WAITING = 500_000


class PollSchedule:
    """Runs pollers, each in a task of its own: a slow or dead device delays no other."""

    def __init__(self, pollers: Sequence[DevicePoller]) -> None:
        self._pollers = pollers
        self._waiting: list[Point] = []
        self._lost = 0
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begins to poll, unless that has begun. Inside a running event loop."""
        if not self._tasks:
            count = len(self._pollers)
            self._tasks = [
                asyncio.create_task(self._repeat(poller, position / count))
                for position, poller in enumerate(self._pollers)
            ]

    def fetch(self) -> Sequence[Point]:
        """What has come since the last call."""
        points, self._waiting = self._waiting, []
        if self._lost:
            log.error("%d points were lost, for they were not fetched in time", self._lost)
            self._lost = 0
        return points

    async def poll_all(self) -> Sequence[Point]:
        """The points of one poll of every device, all at once."""
        polls = await asyncio.gather(*(poller.poll() for poller in self._pollers))
        return [point for points in polls for point in points]

    async def close(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for poller in self._pollers:
            await poller.close()

    async def _repeat(self, poller: DevicePoller, phase: float) -> None:
        """Polls until cancelled; the first time after the given part of the interval."""
        loop = asyncio.get_running_loop()
        interval_s = poller.device.interval_s
        due_s = loop.time() + phase * interval_s
        while True:
            await asyncio.sleep(due_s - loop.time())
            try:
                self._keep(await poller.poll())
            except Exception:  # a fault of the agent's own; the device's schedule outlives it
                log.exception("polling %s failed", poller.device.name)
            due_s += interval_s * (1 + poller.turns_left_out)
            if due_s < loop.time():
                # Missed turns are not made up for: the next one is the next on the grid.
                due_s += interval_s * ((loop.time() - due_s) // interval_s + 1)

    def _keep(self, points: Sequence[Point]) -> None:
        if len(self._waiting) + len(points) > _MAX_WAITING:
            self._lost += len(points)
        else:
            self._waiting += points
