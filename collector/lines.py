"""Line protocol, strictly: one line to its parts, and a body to its lines.

The rules are those of https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/ and, where that
page is silent, those of InfluxData's own decoder. docs/line-protocol.md lists what still differs.
"""

from __future__ import annotations

import re
import sys
from typing import NamedTuple

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
_MEASUREMENT = rb"[ ]*+(?!\#)((?:[^\x00-\x20\x7f,\\]++|\\[, ]|\\(?![, ]))++)"
_NAME = rb"(?:[^\x00-\x20\x7f,=\\]++|\\[,= ]|\\(?![,= ]))++"
_TAGS = rb"((?:," + _NAME + rb"=" + _NAME + rb")*+)[ ]++"
_VALUE = rb'(?:[^\x00-\x20\x7f,"]++|"(?:[^\x00"\\]++|\\[^\x00])*+")'
_FIELDS = rb"(" + _NAME + rb"=" + _VALUE + rb"(?:," + _NAME + rb"=" + _VALUE + rb")*+)"
_TIME = rb"(?:[ ]++(-?[0-9]++))?+[ ]*+\r?+(?=\n|\Z)"
_LINE = re.compile(_MEASUREMENT + _TAGS + _FIELDS + _TIME, re.DOTALL)
_PARTS = [
    (re.compile(_MEASUREMENT), "a measurement"),
    (re.compile(_TAGS), "a tag, or a space and the fields"),
    (re.compile(_FIELDS, re.DOTALL), "a field"),
    (re.compile(_TIME), "another field, a time, or the end of the line"),
]
_TAG = re.compile(rb",(" + _NAME + rb")=(" + _NAME + rb")")
_FIELD = re.compile(rb"(" + _NAME + rb")=(" + _VALUE + rb")", re.DOTALL)
_FLOAT = re.compile(rb"-?(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?+")
_ESCAPED_IN_MEASUREMENT = re.compile(rb"\\([, ])")
_ESCAPED_IN_NAME = re.compile(rb"\\([,= ])")
_REASONS = {
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
    # process (line-protocol-parser 2.0.1), and control characters count as letters.
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
    if b"\\" in line:
        return _parse_in_parts(match)
    try:
        parsed = _parse_with_library(line)
    except LineFormatError:
        return _parse_in_parts(match)
    # Its dict has the last field first.
    fields: dict[str, FieldValue] = dict(reversed(parsed["fields"].items()))
    written = len(_FIELD.findall(match[3])) if b'"' in line else match[3].count(b"=")
    if written != len(fields):
        # It kept one of two; which one is another question for every reader.
        raise LineError("the same field twice")
    return _checked(
        Line(parsed["measurement"], tuple(sorted(parsed["tags"].items())), fields, parsed["time"])
    )


def _parse_in_parts(match: re.Match[bytes]) -> Line:
    """The same for a line that the library refuses or might misread: it gets only values and time.

    Before a delimiter in a field key it pairs backslashes, which the format does not; and it takes what
    strtod() says about subnormal numbers for an error.
    """
    measurement, tag_text, field_text, time = match.groups()
    keys, values = zip(*_FIELD.findall(field_text), strict=True)
    numbered = b",".join(b"%d=%s" % (i, _without_subnormal(value)) for i, value in enumerate(values))
    try:
        parsed = _parse_with_library(b"m %s %s" % (numbered, time or b""))
    except LineFormatError as error:
        raise LineError(_REASONS.get(str(error), str(error))) from None
    tags = {_unescape(key): _unescape(value) for key, value in _TAG.findall(tag_text)}
    if len(tags) != len(_TAG.findall(tag_text)):
        raise LineError("the same tag twice")
    fields = {_unescape(key): parsed["fields"][str(i)] for i, key in enumerate(keys)}
    if len(fields) != len(keys):
        raise LineError("the same field twice")
    name = _ESCAPED_IN_MEASUREMENT.sub(rb"\1", measurement).decode()
    return _checked(Line(name, tuple(sorted(tags.items())), fields, parsed["time"]))


def _unescape(name: bytes) -> str:
    return _ESCAPED_IN_NAME.sub(rb"\1", name).decode()


def _without_subnormal(value: bytes) -> bytes:
    return b"0" if _FLOAT.fullmatch(value) and abs(float(value)) < SMALLEST_FLOAT else value


def _checked(line: Line) -> Line:
    for key, value in line.fields.items():
        if type(value) is int and value > INT64_MAX:
            raise LineError(f'field "{key}" is beyond the 64-bit integers')
    return line


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
            stop = min(start + max_line_bytes + 1, len(body))
            match = _LINE.match(body, start, stop)
            if match and (match.end() < stop or stop == len(body)):
                line = match[0]
            else:
                vain += 1
        lines.append(line)
        index += 1 + line.count(b"\n")
        start += len(line) + 1
    return lines
