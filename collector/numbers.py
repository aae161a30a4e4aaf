"""The values of many fields at once, from text to floats, without a loop in Python.

Both ways here return None where a value might not be what it seems; the strict parser then decides.
"""

from __future__ import annotations

import re
from itertools import compress
from math import isfinite

import msgspec
import numpy as np
import numpy.typing as npt

from collector.lines import SMALLEST_FLOAT

NUMBER_BYTES = b"0123456789.+-eE"
"""What a number may consist of. A field without them is told apart by its keys and its kind of value."""

# From here to there a byte is compared with two operations; "/" is among them, which is in no number.
_FIRST, _LAST = ord("-"), ord("9")
_PLAIN_BYTES = bytes(range(_FIRST, _LAST + 1))
_NOT_PLAIN_BYTES = bytes(byte for byte in range(256) if not _FIRST <= byte <= _LAST and byte not in b" ,")
_COMMA_FOR_SPACE = bytes.maketrans(b" ", b",")
_ALL_BUT_POINT = b"-/0123456789"
_EQUALS = ord("=")
_BARE_PLUS = re.compile(rb"(?<![eE])\+")
_INT64_END = 2.0**63
# Numbers of JSON are a part of those of line protocol, and msgspec reads them correctly rounded and, with 17
# digits, seven times as fast as float() does.
_decode_json = msgspec.json.Decoder(list[float]).decode


def skeleton(fields: bytes) -> bytes:
    """The fields without the characters of plain numbers, which have neither exponent nor plus."""
    return fields.translate(None, _PLAIN_BYTES)


def has_plain_keys(keys: bytes) -> bool:
    """Whether no key has a character of a plain number, so that each such character belongs to a value."""
    return len(skeleton(keys)) == len(keys)


def plain_values(fields: bytes, integers: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64] | None:
    """The values of lines' fields that are joined by spaces; ``integers`` has one element for each field.

    The caller knows that the keys are plain, and that the skeleton is that of lines which were taken before:
    each field is a key, ``=``, and ``i`` where it is an integer. What may be wrong is where the numbers
    stand, and what they look like.
    """
    text = np.frombuffer(fields, np.uint8)
    is_number = (text - np.uint8(_FIRST)) <= _LAST - _FIRST
    begins = is_number[1:] > is_number[:-1]
    # A number in a key (a5=) or behind an integer (5i5) is part of no value, and would vanish from its
    # skeleton as well.
    if is_number[0] or np.count_nonzero(begins & (text[:-1] != _EQUALS)):
        return None
    any_integers = bool(np.count_nonzero(integers))
    if any_integers and b".i" in fields.translate(None, _ALL_BUT_POINT):
        return None
    try:
        floats = _decode_json(b"[" + fields.translate(_COMMA_FOR_SPACE, _NOT_PLAIN_BYTES) + b"]")
    except msgspec.DecodeError:
        return None
    return _checked(floats, integers if any_integers else None, len(integers))


def split_values(
    fields: bytes, keys: bytes, integers: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64] | None:
    """The same for any keys and any numbers. ``keys``: what the keys of these fields must be, joined by
    commas.

    The caller knows that without the ``NUMBER_BYTES`` each value is empty, or ``i`` where it is an integer.
    """
    parts = fields.replace(b" ", b",").replace(b"=", b",").split(b",")
    if b",".join(parts[::2]) != keys:
        return None
    texts = parts[1::2]
    joined = b",".join(texts)
    any_integers = b"i" in joined
    if any_integers:
        if b"".join(compress(texts, integers.tolist())).translate(None, b"0123456789-i"):
            return None
        joined = joined.replace(b"i,", b",").removesuffix(b"i")
    try:
        floats = _decode_json(b"[" + joined + b"]")
    except msgspec.DecodeError:
        floats = _parse_floats(joined)
    return _checked(floats, integers if any_integers else None, len(texts))


def _checked(
    floats: list[float], integers: npt.NDArray[np.bool_] | None, expected: int
) -> npt.NDArray[np.float64] | None:
    if len(floats) != expected:
        return None
    value = np.fromiter(floats, np.float64, expected)
    size = np.abs(value)
    if integers is not None and np.count_nonzero(integers & (size >= _INT64_END)):
        return None
    value[size < SMALLEST_FLOAT] = 0.0
    return value


def _parse_floats(joined: bytes) -> list[float]:
    """The same for what JSON does not take and line protocol does: ``1.``, ``.5``, ``007``.

    Empty when that does not help.
    """
    # Of what float() takes, the caller has kept out everything that line protocol does not, but for these.
    if _BARE_PLUS.search(joined):
        return []
    try:
        floats = list(map(float, joined.split(b",")))
    except ValueError:
        return []
    return floats if all(map(isfinite, floats)) else []
