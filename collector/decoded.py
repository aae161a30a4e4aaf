"""What decoding a payload comes to: the batch, and what was refused of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from collector.admission import LineFault, LineRefused
from collector.payload import PayloadFault
from collector.store.base import Batch

_KEPT_LINES = 100
_KEPT_LINE_BYTES = 4_096


class Rejection(NamedTuple):
    """Why nothing of a payload is taken. With a line fault every line was refused, most of them for that."""

    code: PayloadFault | LineFault
    text: str


@dataclass(slots=True)
class Decoded:
    """Either ``batch`` or ``rejected`` is None. Beside a batch, single lines may have been refused.

    ``rejected_lines`` holds (line, reason) of the first 100, each cut to 4 KiB; ``rejected_by_fault`` counts
    all. ``rejected_readings`` counts their fields; what cannot be read counts as one. ``clock_skew`` counts
    the readings among them whose time is out of bounds; ``clock_offset_ms`` is the largest distance of such
    a time from the time of receipt, positive in the future, and 0 when all times are within bounds.
    """

    batch: Batch | None = None
    rejected: Rejection | None = None
    rejected_lines: list[tuple[bytes, str]] = field(default_factory=list)
    rejected_by_fault: dict[LineFault, int] = field(default_factory=dict)
    rejected_readings: int = 0
    clock_skew: int = 0
    clock_offset_ms: int = 0

    @property
    def reason(self) -> str:
        """What was refused and why, in one sentence; empty when nothing was."""
        if self.rejected is not None:
            return self.rejected.text
        return self._reason_of_lines("some lines were") if self.rejected_lines else ""

    def refuse(self, line: bytes, why: LineRefused) -> None:
        """Counts a line, or a part of one, that is not taken."""
        self.rejected_by_fault[why.fault] = self.rejected_by_fault.get(why.fault, 0) + 1
        self.rejected_readings += why.readings
        if len(self.rejected_lines) < _KEPT_LINES:
            self.rejected_lines.append((line[:_KEPT_LINE_BYTES], str(why)))
        if why.fault == "clock-skew":
            self.clock_skew += why.readings
            self.clock_offset_ms = max(self.clock_offset_ms, why.offset_ms, key=abs)

    def reject_all(self) -> None:
        """Rejects the payload, because every line of it was refused."""
        fault, _ = self._most_common()[0]
        self.rejected = Rejection(fault, self._reason_of_lines("every line was"))

    def _most_common(self) -> list[tuple[LineFault, int]]:
        return sorted(self.rejected_by_fault.items(), key=lambda fault: -fault[1])

    def _reason_of_lines(self, subject: str) -> str:
        counts = ", ".join(f"{count} for {fault}" for fault, count in self._most_common())
        return f"{subject} refused ({counts}): {self.rejected_lines[0][1]}"
