"""Remembers which batches were being worked on when the collector died, so that one which kills it each
time is not tried for ever.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Collection
from pathlib import Path

log = logging.getLogger(__name__)

GIVE_UP_AFTER = 2
"""So many deaths of the collector; the next attempt is a rejection."""


class Attempts:
    """A small file, written before a group of batches is decoded and emptied after its commit.

    It is not synced: it has to survive the death of the process, not of the machine.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._failing = False
        self._deaths: dict[str, int] = {}
        under_way: list[str] = []
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
            saved = json.loads(path.read_bytes())
            self._deaths = {str(k): int(v) for k, v in saved["deaths"].items()}
            under_way = [str(k) for k in saved["under_way"]]
        for key in under_way:
            self._deaths[key] = self._deaths.get(key, 0) + 1
        # Only the last crash's group can hold the culprit; what was suspected before and is not sent again
        # is forgotten, so the file cannot grow for ever.
        if len(self._deaths) > 10_000:
            self._deaths = {k: n for k, n in self._deaths.items() if k in set(under_way)}

    def deaths(self, key: str) -> int:
        """How often the collector died while this batch was under way. From 1 on it is to be tried alone."""
        return self._deaths.get(key, 0)

    def begin(self, keys: Collection[str]) -> None:
        """Records that these are now worked on."""
        self._write(keys)

    def end(self, keys: Collection[str]) -> None:
        """Records that these are done, and innocent."""
        for key in keys:
            self._deaths.pop(key, None)
        self._write(())

    def _write(self, under_way: Collection[str]) -> None:
        temporary = self._path.with_suffix(".new")
        try:
            temporary.write_text(json.dumps({"under_way": list(under_way), "deaths": self._deaths}))
            temporary.replace(self._path)
            self._failing = False
        except OSError as error:
            # On a full disk the collector goes on without the record. An old one must not stay: it would
            # accuse what was done long ago.
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
                self._path.unlink(missing_ok=True)
            if not self._failing:
                self._failing = True
                log.error("which batches are worked on cannot be recorded: %s", error)
