"""The one order in which findings are given out, so that the same findings make the same file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from setpoint.finding import Finding

_STATES: Final = {"open": 0, "superseded": 1, "closed": 2}
_SEVERITIES: Final = {"critical": 0, "warning": 1, "info": 2}


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Open ones first, then by severity, kind, point and subject."""
    return sorted(
        findings,
        key=lambda f: (
            _STATES[f.state],
            _SEVERITIES[f.severity],
            f.kind,
            f.point or "",
            sorted(f.subject.items()),
            f.id,
        ),
    )
