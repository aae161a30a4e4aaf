"""The units that devices count in, and the way from each to the unit in which a reading is published."""

from __future__ import annotations

# Name: (factor, offset); the published value is raw * factor + offset.
UNITS: dict[str, tuple[float, float]] = {
    "B": (1, 0),
    "kB": (10**3, 0),
    "KiB": (2**10, 0),
    "MB": (10**6, 0),
    "MiB": (2**20, 0),
    "GB": (10**9, 0),
    "GiB": (2**30, 0),
    "TB": (10**12, 0),
    "TiB": (2**40, 0),
    "F": (5 / 9, -160 / 9),
    "dF": (0.1 * 5 / 9, -160 / 9),
    "K": (1, -273.15),
    "dK": (0.1, -273.15),
    "m": (1e-3, 0),
    "u": (1e-6, 0),
    "d": (0.1, 0),
    "c": (0.01, 0),
    "k": (1e3, 0),
    "M": (1e6, 0),
    "G": (1e9, 0),
    "ticks": (0.01, 0),
    "min": (60, 0),
    "h": (3600, 0),
    "days": (86400, 0),
}


def to_si(value: float, unit: str) -> float:
    """The value in the unit of its class. KeyError for a unit that is not in the table."""
    if not unit:
        return value
    factor, offset = UNITS[unit]
    return value * factor + offset
