"""Numbers and texts from what a device answered."""

from __future__ import annotations

import math
import re

from agent.inputs.snmp.session import Missing, Value

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_DOTTED = re.compile(r"\s*\d+(?:\.\d+){2,}\s*")
_CONTROL = re.compile(r"[\x00-\x20\x7f-\x9f\s]+")


def text_of(value: Value | float | str | Missing | None) -> str:
    """The value as one line of text, without control characters; "" for what is missing.

    Octets are UTF-8 where they can be, else Latin-1. Whole floats are written without a fraction.
    """
    if value is None or isinstance(value, Missing):
        return ""
    if isinstance(value, bytes):
        try:
            text = value.decode()
        except UnicodeDecodeError:
            text = value.decode("latin-1")
    elif isinstance(value, float) and value.is_integer():
        return str(int(value))
    else:
        text = str(value)
    return _CONTROL.sub(" ", text).strip()


def number_of(value: Value | float | str | Missing | None, pattern: str = "") -> float | int | None:
    """The value as a finite number, None when it is none.

    Of a text the first number in it counts, or with ``pattern`` what the expression's first group found. A
    text of nothing but numbers between dots, such as an IP address, an OID or a version, is no number.
    """
    if value is None or isinstance(value, Missing):
        return None
    if isinstance(value, int | float):
        return value if math.isfinite(value) else None
    text = text_of(value)
    if pattern:
        match = re.search(pattern, text)
        if match is None:
            return None
        text = match[1] if match.re.groups else match[0]
    match = None if _DOTTED.fullmatch(text or "") else _NUMBER.search(text or "")
    if match is None:
        return None
    number = float(match[0])
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def bit_of(value: Value | Missing | None, bit: int) -> int | None:
    """One bit: of an integer counted from the lowest, of octets as BITS counts them (RFC 2578, 7.1.4)."""
    if isinstance(value, int):
        return value >> bit & 1
    if isinstance(value, bytes):
        return value[bit // 8] >> (7 - bit % 8) & 1 if bit // 8 < len(value) else 0
    number = None if value is None or isinstance(value, Missing) else number_of(value)
    return None if number is None else int(number) >> bit & 1
