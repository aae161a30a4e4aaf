"""The register: findings and their life, and every plan revision that was ever run."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import msgspec

from collector.sqlite_file import CannotOpen, open_sqlite
from setpoint.finding import Finding, State, Verdict
from setpoint.maintenance import Announced

_MIGRATIONS: Sequence[str] = (
    """
    CREATE TABLE revisions (
        hash TEXT PRIMARY KEY, revision INTEGER NOT NULL, approved_by TEXT NOT NULL,
        approved_on TEXT NOT NULL, text TEXT NOT NULL, first_ms INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE points (
        id TEXT NOT NULL, definition TEXT NOT NULL, first_ms INTEGER NOT NULL, PRIMARY KEY (id, definition)
    ) WITHOUT ROWID;
    CREATE TABLE findings (
        id TEXT PRIMARY KEY, state TEXT NOT NULL, point TEXT, definition TEXT NOT NULL,
        first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, data BLOB NOT NULL
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE maintenance (
        id INTEGER PRIMARY KEY AUTOINCREMENT, hosts TEXT NOT NULL, reason TEXT NOT NULL,
        from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL, added_ms INTEGER NOT NULL
    );
    """,
)


# What says that the plan lacks something, or has a level that does not fit: changing the plan mends it, and
# loosens nothing.
_MENDED_IN_THE_PLAN = frozenset(
    {"no-threshold", "unplanned-series", "never-near", "too-tight", "flapping", "threshold-drift"}
)


class RegisterError(Exception):
    """The register cannot be used; the text says why."""


class Revision(NamedTuple):
    """A plan as it was run. ``approved_on`` is an ISO date, empty when the plan names none."""

    hash: str
    revision: int
    approved_by: str
    approved_on: str
    text: str
    first_ms: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What one review changed."""

    opened: list[Finding] = field(default_factory=list)
    closed: list[Finding] = field(default_factory=list)
    superseded: list[Finding] = field(default_factory=list)


class Register:
    """A SQLite file. Opening it may raise RegisterError; its methods may be called from any thread."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        try:
            self._db = open_sqlite(path, _MIGRATIONS)
        except CannotOpen as error:
            raise RegisterError(str(error)) from None

    # -- plan revisions ----------------------------------------------------------------------------

    def activate(self, revision: Revision, definitions: Mapping[str, str]) -> None:
        """Records that this revision is run from ``revision.first_ms`` on, if it was not before, and since
        when each point (id → hash of its definition) is planned as it is.
        """
        with self._lock, self._db:
            self._db.execute("BEGIN")
            self._db.execute("INSERT OR IGNORE INTO revisions VALUES (?, ?, ?, ?, ?, ?)", revision)
            self._db.executemany(
                "INSERT OR IGNORE INTO points VALUES (?, ?, ?)",
                [(point, definition, revision.first_ms) for point, definition in definitions.items()],
            )

    def revisions(self) -> list[Revision]:
        """Every revision that was run, oldest first."""
        with self._lock:
            rows = self._db.execute("SELECT * FROM revisions ORDER BY first_ms").fetchall()
        return [Revision(*row) for row in rows]

    def planned_since(self) -> dict[str, int]:
        """For each point id, since when it has been planned in any form (UTC milliseconds)."""
        with self._lock:
            rows = self._db.execute("SELECT id, min(first_ms) FROM points GROUP BY id").fetchall()
        return dict(rows)

    # -- findings ----------------------------------------------------------------------------------

    def apply(
        self, verdicts: Iterable[Verdict], definitions: Mapping[str, str], revision: int, now_ms: int
    ) -> Changes:
        """Takes a review's verdicts, judged by plan revision ``revision``, in one transaction.

        A gap opens its finding, or keeps it open. Only "no gap" ends one: it closes it, or, where the point
        was defined otherwise when the gap was seen, supersedes it (unless a change of the plan is just what
        mends it). So does taking the point, or the subject, out of the plan; of a finding without a point,
        that is a new revision under which nobody judges it any more. "Cannot tell" changes nothing.
        """
        changes = Changes()
        with self._lock, self._db:
            self._db.execute("BEGIN")
            open_ones = {
                row[0]: (row[1], msgspec.json.decode(row[2], type=Finding))
                for row in self._db.execute("SELECT id, definition, data FROM findings WHERE state = 'open'")
            }
            judged = set()
            for verdict in verdicts:
                judged.add(verdict.id)
                if verdict.answer == "gap" and verdict.finding is not None:
                    self._keep_open(verdict.finding, definitions, now_ms, changes)
                elif verdict.answer == "no gap" and verdict.id in open_ones:
                    definition, finding = open_ones[verdict.id]
                    redefined = definition != definitions.get(finding.point or "", "")
                    loosened = redefined and finding.kind not in _MENDED_IN_THE_PLAN
                    self._end(finding, definition, revision if loosened else None, now_ms, changes)
            for number, (definition, finding) in open_ones.items():
                if number in judged:
                    continue
                if finding.point:
                    gone = definitions.get(finding.point) != definition
                else:
                    gone = finding.plan_revision != revision
                if gone:
                    self._end(finding, definition, revision, now_ms, changes)
        return changes

    def _keep_open(
        self, finding: Finding, definitions: Mapping[str, str], now_ms: int, changes: Changes
    ) -> None:
        row = self._db.execute("SELECT state, data FROM findings WHERE id = ?", (finding.id,)).fetchone()
        known = msgspec.json.decode(row[1], type=Finding) if row else None
        current = msgspec.structs.replace(
            finding,
            state="open",
            first_seen_ms=known.first_seen_ms if known else now_ms,
            last_seen_ms=now_ms,
            closed_ms=None,
            superseded_by=None,
        )
        self._save(current, definitions.get(finding.point or "", ""))
        if known is None or known.state != "open":
            changes.opened.append(current)

    def _end(
        self, finding: Finding, definition: str, superseded_by: int | None, now_ms: int, changes: Changes
    ) -> None:
        ended = msgspec.structs.replace(
            finding,
            state="closed" if superseded_by is None else "superseded",
            closed_ms=now_ms,
            superseded_by=superseded_by,
        )
        self._save(ended, definition)
        (changes.closed if superseded_by is None else changes.superseded).append(ended)

    def _save(self, finding: Finding, definition: str) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO findings VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                finding.id,
                finding.state,
                finding.point,
                definition,
                finding.first_seen_ms,
                finding.last_seen_ms,
                msgspec.json.encode(finding),
            ),
        )

    def findings(self, state: State | None = None) -> list[Finding]:
        """The findings in a state (all, without one): critical first, then by age."""
        query = "SELECT data FROM findings" + (" WHERE state = ?" if state else "")
        with self._lock:
            rows = self._db.execute(query, (state,) if state else ()).fetchall()
        order = {"critical": 0, "warning": 1, "info": 2}
        found = [msgspec.json.decode(row[0], type=Finding) for row in rows]
        return sorted(found, key=lambda f: (order[f.severity], f.first_seen_ms, f.id))

    def finding(self, finding_id: str) -> Finding | None:
        """The finding with this id."""
        with self._lock:
            row = self._db.execute("SELECT data FROM findings WHERE id = ?", (finding_id,)).fetchone()
        return msgspec.json.decode(row[0], type=Finding) if row else None

    # -- maintenance -------------------------------------------------------------------------------

    def add_maintenance(self, hosts: str, reason: str, from_ms: int, to_ms: int, now_ms: int) -> Announced:
        """Enters maintenance of a host, a device, or all that a glob matches, in [from_ms, to_ms)."""
        with self._lock:
            number = self._db.execute(
                "INSERT INTO maintenance (hosts, reason, from_ms, to_ms, added_ms) VALUES (?, ?, ?, ?, ?)",
                (hosts, reason, from_ms, to_ms, now_ms),
            ).lastrowid
        return Announced(
            id=number or 0, hosts=hosts, reason=reason, from_ms=from_ms, to_ms=to_ms, added_ms=now_ms
        )

    def end_maintenance(self, number: int, now_ms: int) -> Announced | None:
        """Lets maintenance end now, or not be at all if it has not begun; of one that is over, nothing
        changes. Returns it as it is then; None when there is none of that number.
        """
        with self._lock:
            self._db.execute(
                "UPDATE maintenance SET to_ms = max(from_ms, ?) WHERE id = ? AND to_ms > ?",
                (now_ms, number, now_ms),
            )
        return next((one for one in self.maintenance() if one.id == number), None)

    def maintenance(self) -> list[Announced]:
        """All maintenance that was ever entered, in order of its start."""
        with self._lock:
            rows = self._db.execute(
                "SELECT id, hosts, reason, from_ms, to_ms, added_ms FROM maintenance ORDER BY from_ms, id"
            ).fetchall()
        names = Announced.__struct_fields__
        return [Announced(**dict(zip(names, row, strict=True))) for row in rows]

    # -- keeping -----------------------------------------------------------------------------------

    def backup(self, path: Path) -> None:
        """Writes a copy as of now to a new file."""
        with self._lock:
            copy = sqlite3.connect(path)
            try:
                self._db.backup(copy)
            finally:
                copy.close()

    def close(self) -> None:
        with self._lock:
            self._db.close()
