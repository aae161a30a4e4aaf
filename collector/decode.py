"""Payload to batch: what an agent or another publisher sent, as columns for the store; or why not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from collector.admission import Admission, Limits, LineFault, LineRefused
from collector.columns import Columns, LineCache, split_body, split_simple_lines
from collector.lines import Line, LineError, parse_line, split_lines
from collector.payload import PayloadError, PayloadFault, unpack
from collector.series import SeriesTable
from collector.store.base import Batch, BatchId
from setpoint.batch_header import BatchHeader
from setpoint.line_protocol import NS_PER_MS, encode_point

__all__ = ["Decoded", "Decoder", "Limits", "Rejection"]

_KEPT_LINES = 100
_KEPT_LINE_BYTES = 4_096
# Far more than there are agents; topics of other publishers may be many.
_MAX_PUBLISHERS = 20_000


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
    rejected_by_fault: Counter[LineFault] = field(default_factory=Counter)
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
        self.rejected_by_fault[why.fault] += 1
        self.rejected_readings += why.readings
        if len(self.rejected_lines) < _KEPT_LINES:
            self.rejected_lines.append((line[:_KEPT_LINE_BYTES], str(why)))
        if why.fault == "clock-skew":
            self.clock_skew += why.readings
            self.clock_offset_ms = max(self.clock_offset_ms, why.offset_ms, key=abs)

    def reject_all(self) -> None:
        """Rejects the payload, because every line of it was refused."""
        fault = self.rejected_by_fault.most_common(1)[0][0]
        self.rejected = Rejection(fault, self._reason_of_lines("every line was"))

    def _reason_of_lines(self, subject: str) -> str:
        counts = ", ".join(f"{count} for {fault}" for fault, count in self.rejected_by_fault.most_common())
        return f"{subject} refused ({counts}): {self.rejected_lines[0][1]}"


class _Publisher(NamedTuple):
    """What is kept of a publisher from payload to payload."""

    admission: Admission
    cache: LineCache


class Decoder:
    """Decodes the payloads of all publishers, one at a time."""

    def __init__(self, series: SeriesTable, limits: Limits | None = None, agents: Iterable[str] = ()) -> None:
        """``agents``: names of agents that were heard before; no other publisher may claim their hosts."""
        self._series = series
        self._limits = limits or Limits()
        self._agents = set(agents)
        self._publishers: dict[tuple[str, str, bool], _Publisher] = {}

    def decode(
        self, site: str, agent: str, payload: bytes, received_ms: int, *, enrolled: bool = True
    ) -> Decoded:
        """The batch that the payload holds, and what was refused. Never raises, whatever was sent.

        ``enrolled``: it came on an agent's own topic. Then every line must carry the agent's name as its
        tag ``host``. A line without a time gets the time of receipt, but not in a batch with a header:
        sent once more, it would be another reading.
        """
        try:
            header, body = unpack(
                payload,
                enrolled=enrolled,
                max_payload_bytes=self._limits.payload_bytes,
                max_body_bytes=self._limits.body_bytes,
            )
        except PayloadError as error:
            return Decoded(rejected=Rejection(error.fault, str(error)))
        lines = body.count(b"\n")
        if lines > self._limits.lines:
            text = f"{lines} lines, at most {self._limits.lines} allowed"
            return Decoded(rejected=Rejection("too-many-lines", text))
        publisher = self._publisher(site, agent, enrolled)
        content = _Content(publisher, self._limits, received_ms, needs_time=header is not None)
        content.read(body)
        decoded = content.decoded
        if decoded.rejected_lines and not content.accepted_lines:
            decoded.reject_all()
        else:
            decoded.batch = content.batch(site, agent, header)
        return decoded

    def _publisher(self, site: str, agent: str, enrolled: bool) -> _Publisher:
        key = (site, agent, enrolled)
        known = self._publishers.get(key)
        if known is not None:
            return known
        if enrolled and agent not in self._agents:
            self._agents.add(agent)
            for (_, _, is_agent), other in self._publishers.items():
                if not is_agent:
                    # It may have learned lines that claim the host of this agent, unknown until now.
                    other.cache.clear()
        if len(self._publishers) >= _MAX_PUBLISHERS:
            del self._publishers[next(iter(self._publishers))]
        admission = Admission(agent, agent if enrolled else None, self._agents, self._series, self._limits)
        self._publishers[key] = _Publisher(admission, LineCache())
        return self._publishers[key]


class _Content:
    """The body of one payload on its way from lines to columns."""

    def __init__(self, publisher: _Publisher, limits: Limits, received_ms: int, *, needs_time: bool) -> None:
        self._admission, self._cache = publisher
        self._limits = limits
        self._received_ms = received_ms
        self._needs_time = needs_time
        self._body = b""
        self._lines: list[bytes] = []
        self._positions: Sequence[int] = ()
        self._fast: list[Columns] = []
        self._strict: list[tuple[int, int, int, float]] = []
        self._texts: list[tuple[int, int, str]] = []
        self._changed: dict[int, bytes] = {}
        self.decoded = Decoded()
        self.accepted_lines = 0

    def read(self, body: bytes) -> None:
        """Takes in all lines: those that the cache recognises together, the others one by one."""
        self._body = body
        others: list[int] = []
        tokens = split_body(body)
        if tokens is not None:
            self._positions = range(len(tokens.prefixes))
        else:
            self._lines = split_lines(body, self._limits.line_bytes)
            simple = [line.count(b" ") == 2 and b'"' not in line for line in self._lines]
            self._positions = [i for i, is_simple in enumerate(simple) if is_simple]
            others = [i for i, is_simple in enumerate(simple) if not is_simple]
            tokens = split_simple_lines([self._lines[i] for i in self._positions])
        self._fast, unknown = self._cache.columns(
            tokens,
            earliest_ns=(self._received_ms - self._limits.retention_ms) * NS_PER_MS,
            latest_ns=(self._received_ms + self._limits.future_ms + 1) * NS_PER_MS - 1,
            max_line_bytes=self._limits.line_bytes,
        )
        self.accepted_lines = sum(len(columns.lines) for columns in self._fast)
        if unknown and not self._lines:
            self._lines = body.rstrip(b"\n").split(b"\n")
        for position in sorted([self._positions[i] for i in unknown] + others):
            self._read_strictly(position, self._lines[position])

    def _read_strictly(self, position: int, line: bytes) -> None:
        try:
            parsed = self._parse(line)
            if parsed is None:
                return
            admitted = self._admission.admit(parsed, self._received_ms, needs_time=self._needs_time)
        except LineRefused as why:
            self._changed[position] = b""
            self.decoded.refuse(line, why)
            return
        self.accepted_lines += 1
        time_ms, numbers, surplus = admitted
        if surplus is not None:
            taken = {name: parsed.fields[name] for name in numbers}
            rest = encode_point(parsed.measurement, dict(parsed.tags), taken, time_ms)
            self._changed[position] = rest or b""
            self.decoded.refuse(line, surplus)
        elif parsed.time_ns is None:
            self._changed[position] = b"%s %d" % (line.rstrip(b" \r"), time_ms * NS_PER_MS)
        else:
            self._cache.remember(line, numbers)
        for name, number in numbers.items():
            value = parsed.fields[name]
            if isinstance(value, str):
                self._texts.append((number, time_ms, value))
            else:
                self._strict.append((position, number, time_ms, float(value)))

    def _parse(self, line: bytes) -> Line | None:
        size, limit = len(line), self._limits.line_bytes
        if size > limit:
            raise LineRefused("size", f"line of {size} bytes, at most {limit} allowed")
        try:
            return parse_line(line)
        except LineError as error:
            raise LineRefused("syntax", f"not line protocol: {error}") from None

    def batch(self, site: str, agent: str, header: BatchHeader | None) -> Batch:
        """What was taken."""
        series, time_ms, value = self._columns()
        return Batch(
            site=site,
            agent=agent,
            id=BatchId(header.epoch, header.sequence, header.body_hash) if header else None,
            low=header.low if header else None,
            series=series,
            time_ms=time_ms,
            value=value,
            texts=self._texts,
            lines=self._accepted_body(),
            received_ms=self._received_ms,
        )

    def _columns(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        if len(self._fast) == 1 and not self._strict:
            columns = self._fast[0]
            return columns.series, columns.time_ms, columns.value
        strict = np.array(
            self._strict,
            [("line", np.int64), ("series", np.int32), ("time", np.int64), ("value", np.float64)],
        )
        positions = np.array(self._positions, np.int64)
        line = [np.repeat(positions[np.array(c.lines, np.int64)], c.counts) for c in self._fast]
        # Of two samples of the same series and time the later one in the payload counts: keep that order.
        order = np.argsort(np.concatenate([*line, strict["line"]]), kind="stable")
        return (
            np.concatenate([*(c.series for c in self._fast), strict["series"]])[order],
            np.concatenate([*(c.time_ms for c in self._fast), strict["time"]])[order],
            np.concatenate([*(c.value for c in self._fast), strict["value"]])[order],
        )

    def _accepted_body(self) -> bytes:
        if not self._changed:
            return self._body
        lines = [self._changed.get(i, line) for i, line in enumerate(self._lines)]
        return b"\n".join(filter(None, lines)) + b"\n"
