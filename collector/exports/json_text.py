"""Findings as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

from collector.exports.ordering import in_order
from setpoint.finding import Finding, round12, to_json


def findings_json(findings: Iterable[Finding]) -> bytes:
    """``{"findings": [...]}`` in UTF-8: keys sorted, numbers to 12 significant digits, one value a line.

    The same findings give the same bytes, in whatever order they come.
    """
    return _encode({"findings": [stable(to_json(finding)) for finding in in_order(findings)]})


def finding_json(finding: Finding) -> bytes:
    """One finding, in the same form."""
    return _encode(stable(to_json(finding)))


def stable(data: Any) -> Any:
    """The same data with rounded numbers; what is not a number, and so no JSON, is null."""
    if isinstance(data, dict):
        return {key: stable(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [stable(value) for value in data]
    if isinstance(data, float):
        return round12(data) if math.isfinite(data) else None
    return data


def _encode(data: Any) -> bytes:
    # A lone surrogate is no text, and no UTF-8.
    text = json.dumps(data, ensure_ascii=False, sort_keys=True, indent=2)
    return f"{text}\n".encode(errors="replace")
