"""The body of one payload, from lines to columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from collector.admission import Admission, Limits, LineRefused
from collector.bodies import Columns
from collector.columns import LineCache
from collector.decoded import Decoded
from collector.lines import Line, LineError, parse_line, split_lines
from collector.store.base import Batch, BatchId
from collector.tokens import split_body, split_simple_lines
from setpoint.batch_header import BatchHeader
from setpoint.line_protocol import NS_PER_MS, encode_point


class Content:
    """The body of one payload on its way from lines to columns: read it, then take the batch."""

    def __init__(
        self, admission: Admission, cache: LineCache, limits: Limits, received_ms: int, *, needs_time: bool
    ) -> None:
        self._admission = admission
        self._cache = cache
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
