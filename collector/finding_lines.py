"""What the store is told of findings: measurement ``setpoint_finding``, for Grafana."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from setpoint.finding import Finding
from setpoint.line_protocol import encode_point
from setpoint.reading import FieldValue

_HOUR_MS = 3_600_000
# Dashboards look back a day for the newest state of a finding.
_DAY_MS = 24 * _HOUR_MS
_MINUTE_MS = 60_000

_Name = tuple[str, str]
"""Id and severity: a finding that gets worse is another series."""


class FindingLines:
    """Remembers what was told: who opened or ended is told at once, and what stays open once an hour."""

    def __init__(self, collector: str) -> None:
        self._collector = collector
        self._told: dict[_Name, tuple[dict[str, str], int]] = {}
        self._began = False

    def lines(self, findings: Iterable[Finding], now_ms: int) -> Sequence[bytes]:
        """What is new of these findings. Those that are not open any more may be left out after the first
        call, which tells of those that ended in the last day: they may have been told of as open.
        """
        hour_ms, minute_ms = now_ms - now_ms % _HOUR_MS, now_ms - now_ms % _MINUTE_MS
        found: list[bytes] = []
        open_ones: set[_Name] = set()
        for finding in findings:
            name: _Name = finding.id, finding.severity
            if finding.state != "open":
                if not self._began and (finding.closed_ms or 0) >= now_ms - _DAY_MS:
                    found += self._line(self._tags(finding), {"open": 0}, minute_ms)
                continue
            open_ones.add(name)
            tags, told_ms = self._tags(finding), self._told.get(name, (None, None))[1]
            if told_ms is None or told_ms < hour_ms:
                found += self._line(tags, _fields(finding), minute_ms if told_ms is None else hour_ms)
                self._told[name] = tags, hour_ms
        for name in self._told.keys() - open_ones:
            found += self._line(self._told.pop(name)[0], {"open": 0}, minute_ms)
        self._began = True
        return found

    def _tags(self, finding: Finding) -> dict[str, str]:
        tags = {"id": finding.id, "severity": finding.severity, "kind": finding.kind, "host": self._collector}
        return {**tags, "point": finding.point} if finding.point else tags

    def _line(self, tags: dict[str, str], fields: dict[str, FieldValue], time_ms: int) -> list[bytes]:
        line = encode_point("setpoint_finding", tags, fields, time_ms)
        return [line] if line else []


def _fields(finding: Finding) -> dict[str, FieldValue]:
    numbers = {"measured": finding.measured, "target": finding.target, "gap": finding.gap}
    return {"open": 1, **{key: float(number) for key, number in numbers.items() if number is not None}}
