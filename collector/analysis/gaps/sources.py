"""What checks of configured thresholds have in common: when nothing can be told of a source, and how texts
write what comes from one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from collector.analysis.review import Review

SEVERITIES: Final[Mapping[str, Mapping[str, str]]] = {
    "warning": {"en": "warning", "zh": "警告"},
    "critical": {"en": "critical", "zh": "严重"},
}


def not_read(review: Review, source: str) -> str:
    """Why nothing can be said of what a source has, or ""."""
    if source not in review.thresholds.source_names():
        return f"nothing was read from {source}"
    if not review.thresholds.is_fresh(source, review.window.end_ms):
        return f"{source} has not been read lately"
    return ""


def read_in_part(review: Review, source: str) -> str:
    """Why nothing can be said of what a source lacks, or ""."""
    if reason := not_read(review, source):
        return reason
    return "" if review.thresholds.is_complete(source) else f"a part of {source} could not be read"


def code(text: str) -> str:
    """A name from outside, in which Markdown means nothing."""
    return f"`{text.replace('`', chr(39))}`"
