"""Quantities that people write with a unit: durations and sizes; and text that must not be shown."""

from __future__ import annotations

import re
from typing import ClassVar, Self

_DURATION = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?")
_DURATION_UNITS_MS = (604_800_000, 86_400_000, 3_600_000, 60_000, 1_000, 1)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)")
_SIZE_UNITS = {
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}


class Duration(int):
    """A length of time in whole milliseconds, written ``10s``, ``1h30m``, ``7d``."""

    expected: ClassVar[str] = 'a duration such as "10s", "5m" or "7d"'

    @classmethod
    def parse(cls, text: str) -> Self:
        """The duration that the text says. ValueError when it says none."""
        match = _DURATION.fullmatch(text.strip())
        if match is None or not any(match.groups()):
            raise ValueError(f"expected {cls.expected}")
        return cls(sum(int(n) * ms for n, ms in zip(match.groups(), _DURATION_UNITS_MS, strict=True) if n))

    @property
    def seconds(self) -> float:
        return self / 1000

    def __str__(self) -> str:
        rest, parts = int(self), []
        for size, unit in zip(_DURATION_UNITS_MS, ("w", "d", "h", "m", "s", "ms"), strict=True):
            count, rest = divmod(rest, size)
            if count:
                parts.append(f"{count}{unit}")
        return "".join(parts) or "0s"

    __repr__ = __str__


class Size(int):
    """A number of bytes, written ``512KB``, ``10MB``, ``1GiB``."""

    expected: ClassVar[str] = 'a size such as "512KB", "10MB" or "1GiB"'

    @classmethod
    def parse(cls, text: str) -> Self:
        """The size that the text says. ValueError when it says none."""
        match = _SIZE.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"expected {cls.expected}")
        # Whole numbers only: floats lose bytes from 2**53 on, and overflow.
        whole, _, part = match[1].partition(".")
        return cls(int(whole + part) * _SIZE_UNITS[match[2]] // 10 ** len(part))


class Secret(str):
    """Text that is never shown: printing and logging it give asterisks; ``reveal()`` gives the text."""

    def reveal(self) -> str:
        return str.__str__(self)

    def __repr__(self) -> str:
        return "********"

    def __str__(self) -> str:
        return "********"

    def __format__(self, spec: str) -> str:
        return "********"
