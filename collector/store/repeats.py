"""Leaves out batches that were written before, for engines that do not remember them."""

from __future__ import annotations

from collections.abc import Sequence

from collector.store.base import Batch, WriteResult
from collector.store.deliveries import Deliveries

_FORGET_AFTER_MS = 86_400_000


class Repeats:
    """Only in memory: writing a batch again changes nothing in these engines, it only costs them work."""

    def __init__(self) -> None:
        self._deliveries = Deliveries()
        self._forgotten_ms = 0

    def leave_out(self, batches: Sequence[Batch]) -> tuple[list[Batch], WriteResult]:
        """The batches that are new, and a result that counts the others."""
        fresh = self._deliveries.new_of(batches)
        return fresh, WriteResult(repeated=len(batches) - len(fresh))

    def add(self, batches: Sequence[Batch]) -> None:
        """Remembers what is stored now; forgets senders that were silent for a day."""
        rows = [row for batch in batches if (row := self._deliveries.row(batch)) is not None]
        self._deliveries.add(rows)
        now_ms = max((batch.received_ms for batch in batches), default=0)
        if now_ms - self._forgotten_ms > _FORGET_AFTER_MS:
            self._deliveries = Deliveries(self._deliveries.rows(now_ms - _FORGET_AFTER_MS))
            self._forgotten_ms = now_ms
