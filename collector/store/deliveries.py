"""Which batches are in the store already: the memory that makes writing them again harmless."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from collector.store.base import Batch, BatchId


class Sender(NamedTuple):
    """Sequences count within one epoch of one agent."""

    site: str
    agent: str
    epoch: str


class DeliveryRow(NamedTuple):
    """A row of the table ``batches``. A sequence of -1 only carries ``low``."""

    site: str
    agent: str
    epoch: str
    sequence: int
    hash: str
    low: int
    stored_ms: int


@dataclass(slots=True)
class _Known:
    low: int = 0
    last_ms: int = 0
    stored: dict[int, set[str]] = field(default_factory=dict)


class Deliveries:
    """Per sender: the stored batches from its ``low`` on. What is below was acked and is not sent again,
    except by a restored copy of an outbox; that is recognised by being below.
    """

    def __init__(self, rows: Iterable[DeliveryRow] = ()) -> None:
        self._senders: dict[Sender, _Known] = {}
        for row in rows:
            self._add(row)
        for known in self._senders.values():
            _forget_below(known)

    def is_stored(self, site: str, agent: str, batch: BatchId) -> bool:
        """Whether this very batch is in the store. The same sequence with another hash is new data."""
        known = self._senders.get(Sender(site, agent, batch.epoch))
        if known is None:
            return False
        return batch.sequence < known.low or batch.hash in known.stored.get(batch.sequence, ())

    def new_of(self, batches: Sequence[Batch]) -> list[Batch]:
        """The batches that are not in the store, each once."""
        fresh: list[Batch] = []
        known: set[tuple[str, str, BatchId]] = set()
        for batch in batches:
            if batch.id is not None:
                name = (batch.site, batch.agent, batch.id)
                if name in known or self.is_stored(*name):
                    continue
                known.add(name)
            fresh.append(batch)
        return fresh

    def row(self, batch: Batch) -> DeliveryRow | None:
        """What the table has to remember of a batch; None for one without an id."""
        if batch.id is None:
            return None
        return DeliveryRow(
            batch.site,
            batch.agent,
            batch.id.epoch,
            batch.id.sequence,
            batch.id.hash,
            batch.low or 0,
            batch.received_ms,
        )

    def add(self, rows: Iterable[DeliveryRow]) -> None:
        """Remembers rows that are now committed."""
        for row in rows:
            _forget_below(self._add(row))

    def _add(self, row: DeliveryRow) -> _Known:
        known = self._senders.setdefault(Sender(row.site, row.agent, row.epoch), _Known())
        known.low = max(known.low, row.low)
        known.last_ms = max(known.last_ms, row.stored_ms)
        if row.sequence >= 0:
            known.stored.setdefault(row.sequence, set()).add(row.hash)
        return known

    def rows(self, since_ms: int) -> list[DeliveryRow]:
        """The whole memory as rows, without senders that were silent since before ``since_ms``: what they
        could still send is older than the retention, and refused for that.
        """
        found = []
        for sender, known in self._senders.items():
            if known.last_ms < since_ms:
                continue
            found.append(DeliveryRow(*sender, -1, "", known.low, known.last_ms))
            for sequence, hashes in known.stored.items():
                found += [DeliveryRow(*sender, sequence, h, known.low, known.last_ms) for h in hashes]
        return found


def _forget_below(known: _Known) -> None:
    for sequence in [s for s in known.stored if s < known.low]:
        del known.stored[sequence]
