"""What dashboards say, in English and in Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Language = Literal["en", "zh"]

CHINESE: Mapping[str, str] = {}


def translate(english: str, language: Language) -> str:
    """The text in that language; what has no translation stays as it is."""
    return english if language == "en" else CHINESE.get(english, english)
