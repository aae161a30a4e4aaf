"""What other collectors of the same share have written: the one that reviews takes it over from the store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable

from collector.agents import Agents
from collector.intake import Intake
from collector.series import SeriesTable
from collector.store.base import Store

# Collectors measure themselves every 10 s.
_ALIVE_MS = 60_000
_OWN_MEASUREMENT = "setpoint_collector"


class Sharing:
    """A collector sees every reading that it stores itself, and of the others' only what this asks for."""

    def __init__(self, name: str, store: Store, series: SeriesTable, agents: Agents, intake: Intake) -> None:
        self._name = name
        self._store = store
        self._series = series
        self._agents = agents
        self._intake = intake

    async def look(self, since_ms: int, hosts: Callable[[], Iterable[tuple[str, int, int]]]) -> float:
        """Takes over the series with samples since then, their newest values, and ``hosts``, which are agents
        by (name, first, last) when they are asked for after that; returns how many seconds it took.
        StoreUnavailable when the store is away.
        """
        began = time.monotonic()
        await self._intake.take_over(await asyncio.to_thread(self._store.newest, since_ms))
        self._agents.restore(await asyncio.to_thread(lambda: list(hosts())))
        return time.monotonic() - began

    def other_reviewers(self, now_ms: int) -> list[str]:
        """The other collectors that wrote within the last minute that they review too."""
        return sorted(
            dict(key.tags).get("host", "")
            for number, key in self._series.of_metric(_OWN_MEASUREMENT, "reviews")
            if dict(key.tags).get("host") != self._name
            and (self._series.last_ms(number) or 0) > now_ms - _ALIVE_MS
            and self._series.last_value[number] == 1
        )
