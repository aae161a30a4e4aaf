"""Says what is wrong once, not at every gathering."""

from __future__ import annotations

import logging


class Complaints:
    """Remembers, per thing that can fail, whether its failure has been logged."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._said: set[str] = set()

    def failed(self, what: str, why: object) -> None:
        """Logs a warning, unless ``what`` has been failing since an earlier call."""
        if what not in self._said:
            self._said.add(what)
            self._log.warning("%s: %s", what, why)

    def works(self, what: str) -> None:
        """Logs that ``what`` has recovered, if it had failed."""
        if what in self._said:
            self._said.remove(what)
            self._log.info("%s: works again", what)
