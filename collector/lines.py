"""Line protocol, strictly: one line to its parts, and a body to its lines.

The rules are those of https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/ and, where that
page is silent, those of InfluxData's own decoder. docs/line-protocol.md lists what still differs.
"""

from __future__ import annotations

import re
import sys
from typing import Any, NamedTuple

from line_protocol_parser import LineFormatError
from line_protocol_parser import parse_line as _parse_with_library

from setpoint.line_protocol import INT64_MAX
from setpoint.reading import FieldValue

MAX_LINE_BYTES = 65_536
# How often split_lines looks for the end of a quoted string in vain before it gives up on the rest of a body.
_VAIN_SEARCHES = 1_000

# A backslash escapes only a character that would end the name; before anything else it stands for itself,
# before another backslash too. Control characters (newline among them) stand in quoted text only, NUL
# nowhere.
# The possessive quantifiers keep every match linear in the length of the line.
_MEASUREMENT = rb"[ ]*+(?!\#)(?:[^\x00-\x20\x7f,\\]++|\\[, ]|\\(?![, ]))++"
_NAME = rb"(?:[^\x00-\x20\x7f,=\\]++|\\[,= ]|\\(?![,= ]))++"
_TAGS = rb"(?:," + _NAME + rb"=" + _NAME + rb")*+[ ]++"
_VALUE = rb'(?:[^\x00-\x20\x7f,"]++|"(?:[^\x00"\\]++|\\[^\x00])*+")'
_FIELDS = _NAME + rb"=" + _VALUE + rb"(?:," + _NAME + rb"=" + _VALUE + rb")*+"
_TIME = rb"(?:[ ]++-?[0-9]++)?+[ ]*+\r?+(?=\n|\Z)"
_LINE = re.compile(_MEASUREMENT + _TAGS + rb"(" + _FIELDS + rb")" + _TIME, re.DOTALL)
_PARTS = [
    (re.compile(_MEASUREMENT), "a measurement"),
    (re.compile(_TAGS), "a tag, or a space and the fields"),
    (re.compile(_FIELDS, re.DOTALL), "a field"),
    (re.compile(_TIME), "another field, a time, or the end of the line"),
]
_FIELD = re.compile(rb"(" + _NAME + rb")=(" + _VALUE + rb")", re.DOTALL)
_FLOAT = re.compile(rb"-?(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?+")
_REASONS = {
    "Failed to parse key of tag.": "the same tag twice",
    "Failed to parse type of field value.": "a value that is no float, integer, boolean or quoted text",
    "Failed to parse nanoseconds integer timestamp.": "a time beyond the 64-bit integers",
}
SMALLEST_FLOAT = sys.float_info.min
"""The smallest float of full precision. What is nearer to zero is read as zero."""


class Line(NamedTuple):
    """What one line says. Tags are sorted by key; ``time_ns`` is None when the line has no timestamp."""

    measurement: str
    tags: tuple[tuple[str, str], ...]
    fields: dict[str, FieldValue]
    time_ns: int | None


class LineError(ValueError):
    """The bytes are not a line of line protocol; the text says why."""


def parse_line(line: bytes) -> Line | None:
    """What the line says; None for a comment and for an empty line. LineError when it is not line protocol.

    Unsigned integers (``1u``) come back as integers; a float too small for full precision (below 2.3e-308)
    as 0. Beyond the syntax, a line is refused that has the same tag or the same field twice, or an integer
    or a time beyond 64 bits, signed.
    """
    # The library comes last, since it is native code that trusts its input: text that is not UTF-8 ends the
    # process (line-protocol-parser 2.0.1), control characters count as letters, and backslashes before an
    # equals sign are paired, which gives another key than everybody who reads the same line after us.
    try:
        line.decode()
    except UnicodeDecodeError:
        raise LineError("not UTF-8") from None
    match = _LINE.fullmatch(line)
    if match is None:
        start = line.lstrip(b" \t\r")
        if not start or start.startswith(b"#"):
            return None
        raise LineError(_why_malformed(line))
    parsed = _parse_well_formed(line, match)
    # Its dict has the last field first.
    fields: dict[str, FieldValue] = dict(reversed(parsed["fields"].items()))
    if _count_fields(match[1]) != len(fields):
        # The library keeps the first of two, InfluxDB the last.
        raise LineError("the same field twice")
    for key, value in fields.items():
        if type(value) is int and value > INT64_MAX:
            raise LineError(f'field "{key}" is beyond the 64-bit integers')
    return Line(parsed["measurement"], tuple(sorted(parsed["tags"].items())), fields, parsed["time"])


def _parse_well_formed(line: bytes, match: re.Match[bytes]) -> Any:
    try:
        return _parse_with_library(line)
    except LineFormatError as error:
        # The library takes what strtod() says about a subnormal number for an error.
        start, end = match.span(1)
        rounded = line[:start] + _FIELD.sub(_without_subnormal, line[start:end]) + line[end:]
        if rounded == line:
            raise LineError(_reason(error)) from None
    try:
        return _parse_with_library(rounded)
    except LineFormatError as error:
        raise LineError(_reason(error)) from None


def _reason(error: LineFormatError) -> str:
    """What the library's message means for a line that has the form of one."""
    text = str(error)
    return _REASONS.get(text, text)


def _without_subnormal(field: re.Match[bytes]) -> bytes:
    key, value = field.groups()
    if _FLOAT.fullmatch(value) and abs(float(value)) < SMALLEST_FLOAT:
        return key + b"=0"
    return field[0]


def _count_fields(text: bytes) -> int:
    if b'"' in text or b"\\" in text:
        return sum(1 for _ in _FIELD.finditer(text))
    return text.count(b"=")


def _why_malformed(line: bytes) -> str:
    position = 0
    for pattern, expected in _PARTS:
        match = pattern.match(line, position)
        if match is None:
            found = ascii(line[position : position + 1])[1:] if position < len(line) else "the end"
            return f"expected {expected} at byte {position + 1}, found {found}"
        position = match.end()
    return "malformed"


def split_lines(body: bytes, max_line_bytes: int = MAX_LINE_BYTES) -> list[bytes]:
    """The lines of the body. A newline inside a quoted string does not end a line.

    A quote that opens no well-formed string of a well-formed line of at most ``max_line_bytes`` swallows
    nothing: there the newline ends the line, so that one bad line does not cost the good ones behind it.
    """
    pieces = body.split(b"\n")
    if b'"' not in body:
        return pieces
    lines = []
    vain = start = index = 0
    while index < len(pieces):
        line = pieces[index]
        if b'"' in line and vain < _VAIN_SEARCHES:
            stop = min(start + max_line_bytes, len(body))
            match = _LINE.match(body, start, stop)
            if match and (match.end() < stop or stop == len(body)):
                line = match[0]
            else:
                vain += 1
        lines.append(line)
        index += 1 + line.count(b"\n")
        start += len(line) + 1
    return lines
