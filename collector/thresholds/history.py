"""The numbers of past periods, in a file, so that a report can say what has changed."""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path

import msgspec

from collector.thresholds.report import Counts

log = logging.getLogger(__name__)

_KEPT_PERIODS = 60


class _Period(msgspec.Struct):
    label: str
    start_ms: int
    counts: dict[str, dict[str, int]]


class History:
    """One JSON file. A period's numbers are those that were seen last while it ran."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._periods: list[_Period] = []
        try:
            self._periods = msgspec.json.decode(path.read_bytes(), type=list[_Period])
        except FileNotFoundError:
            pass
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            log.error(
                "%s cannot be read, so that changes since the last period are not told: %s", path, error
            )

    def keep(self, label: str, start_ms: int, counts: Counts) -> None:
        """Takes over what the running period shows now."""
        plain = {name: dict(numbers) for name, numbers in counts.items()}
        others = [period for period in self._periods if period.start_ms != start_ms]
        period = _Period(label, start_ms, plain)
        if period in self._periods:
            return
        self._periods = sorted([*others, period], key=lambda one: one.start_ms)[-_KEPT_PERIODS:]
        self._write()

    def before(self, start_ms: int) -> tuple[str, Counts]:
        """Label and numbers of the newest period before this one; ("", {}) when none is known."""
        earlier = [period for period in self._periods if period.start_ms < start_ms]
        return (earlier[-1].label, earlier[-1].counts) if earlier else ("", {})

    def _write(self) -> None:
        new = self._path.with_suffix(".new")
        try:
            with new.open("wb") as file:
                file.write(msgspec.json.encode(self._periods))
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path)
        except OSError as error:
            log.error("%s cannot be written: %s", self._path, error)
            with contextlib.suppress(OSError):
                new.unlink()
