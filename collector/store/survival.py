"""Whether a server that acknowledges before it is safe has lived on long enough since."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence

from collector.store.base import StoreUnavailable
from collector.store.http_read import HttpReader

_STARTED = re.compile(rb"^vm_app_start_timestamp (\S+)$", re.MULTILINE)
_UPTIME = re.compile(rb"^vm_app_uptime_seconds (\S+)$", re.MULTILINE)
# The start time has whole seconds: within them a second start could not be told from the first.
_YOUNG_S = 2.0

Starts = tuple[str, ...]


class Survival:
    """Watches the start times of VictoriaMetrics processes.

    Killed with SIGKILL, VictoriaMetrics 1.79.5 had lost all of 2,000 points that it had acknowledged up to
    6 s before, also after /internal/force_flush, and none after 10 s: what it was sent last is in memory
    only, for up to 5 s. So a write is safe when the process has run on for a while since.
    """

    def __init__(self, storages: Sequence[HttpReader], safe_after_s: float) -> None:
        self._storages = storages
        self._safe_after_s = safe_after_s
        self._turn = asyncio.Lock()
        self._seen_at_s = 0.0
        self._starts: Starts = ()

    async def begin(self) -> Starts:
        """What to give to ``confirm`` after the write. StoreUnavailable when a server does not answer, or has
        only just started.
        """
        # An old observation is good enough: at worst a start between is taken for a loss.
        return await self._observe(time.monotonic() - 5.0)

    async def confirm(self, starts: Starts) -> None:
        """Returns when what was written between ``begin`` and this call is safe. StoreUnavailable when a
        server ended meanwhile, or may have.
        """
        safe_s = time.monotonic() + self._safe_after_s
        await asyncio.sleep(self._safe_after_s)
        if await self._observe(safe_s) != starts:
            self._seen_at_s = 0.0
            raise StoreUnavailable(
                "the server was started anew within "
                f"{self._safe_after_s:g} s of a write; what may be lost is written again"
            )

    async def _observe(self, not_before_s: float) -> Starts:
        """The start times, seen at or after a time of the monotonic clock."""
        async with self._turn:
            if not self._starts or self._seen_at_s < not_before_s:
                now_s = time.monotonic()
                self._starts = await asyncio.to_thread(self._ask)
                self._seen_at_s = now_s
            return self._starts

    def _ask(self) -> Starts:
        return tuple(_start_of(storage) for storage in self._storages)


def _start_of(storage: HttpReader) -> str:
    answer = storage.ask("GET", "/metrics")
    started, uptime = _STARTED.search(answer.body), _UPTIME.search(answer.body)
    if answer.status != 200 or started is None or uptime is None:
        raise StoreUnavailable(
            f"{storage.base_url}/metrics: {answer.status} without vm_app_start_timestamp; for a cluster, "
            "storage_urls names every vmstorage (port 8482)"
        )
    if float(uptime[1]) < _YOUNG_S:
        raise StoreUnavailable(f"{storage.base_url}: started less than {_YOUNG_S:g} s ago")
    return started[1].decode()
