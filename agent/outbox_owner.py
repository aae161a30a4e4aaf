"""Whose readings an outbox holds: they are delivered under the name that they were measured under."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import NamedTuple


class Owner(NamedTuple):
    """Whose readings an outbox holds. An empty ``machine`` is one that could not be told."""

    site: str
    agent: str
    machine: str


def read_owner(db: sqlite3.Connection) -> Owner | None:
    """Whose the outbox is; None: nobody's yet."""
    values = dict(db.execute("SELECT key, value FROM meta").fetchall())
    if "agent" not in values:
        return None
    return Owner(values["site"], values["agent"], values["machine"])


def write_owner(db: sqlite3.Connection, owner: Owner) -> None:
    """Makes the outbox this one's."""
    db.executemany(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        [("site", owner.site), ("agent", owner.agent), ("machine", owner.machine)],
    )


def delete_owner(db: sqlite3.Connection) -> None:
    """Makes the outbox nobody's."""
    db.execute("DELETE FROM meta WHERE key IN ('site', 'agent', 'machine')")


def is_same_agent(held: Owner, owner: Owner) -> bool:
    """Whether both are one agent on one machine, as far as the machines could be told."""
    same_machine = not held.machine or not owner.machine or held.machine == owner.machine
    return held[:2] == owner[:2] and same_machine


def foreign_text(path: Path, batches: int, held: Owner, owner: Owner) -> str:
    """What the operator is told of an outbox that holds another's batches."""

    def tell(o: Owner) -> str:
        return f'agent "{o.agent}" of site "{o.site}"' + (f" on machine {o.machine[:8]}" if o.machine else "")

    return (
        f"{path} holds {batches} unsent batches of {tell(held)}, and this is {tell(owner)}. "
        "Deliver them with `setpoint agent drain`, or throw them away with `setpoint agent discard`"
    )
