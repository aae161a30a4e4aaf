"""Points as InfluxDB line protocol: what agents write to the wire.

The rules are those of https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/ and, where
that page is silent, what InfluxDB, Telegraf and VictoriaMetrics all read alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from math import isfinite

from setpoint.reading import FieldValue, Point

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
NS_PER_MS = 1_000_000

# A line ends at a newline and no escape stands for one, so in names and tag values control characters
# become spaces. NUL does so in text too: parsers written in C stop at it.
_SPACES = dict.fromkeys((*range(33), 127), "\\ ")
_MEASUREMENT = _SPACES | str.maketrans({",": "\\,"})
_NAME = _MEASUREMENT | str.maketrans({"=": "\\="})
_TEXT = str.maketrans({"\0": " ", '"': '\\"', "\\": "\\\\"})


def encode(point: Point, extra_tags: Mapping[str, str] | None = None) -> bytes | None:
    """The point as one line, without newline; see `encode_point`.

    ``extra_tags`` are added and win over a tag of the point that has the same key, so that ``host`` always
    names the agent. ValueError also when the point has no time.
    """
    if point.time_ms is None:
        raise ValueError(f'a point of "{point.measurement}" has no time')
    tags = {**point.tags, **extra_tags} if extra_tags else point.tags
    return encode_point(point.measurement, tags, point.fields, point.time_ms)


def encode_point(
    measurement: str, tags: Mapping[str, str], fields: Mapping[str, FieldValue], time_ms: int
) -> bytes | None:
    """One line of line protocol in UTF-8, without newline; None when no field is left to write.

    ``time_ms`` is UTC milliseconds since 1970; the line carries nanoseconds. Tags are sorted by key, which
    is what InfluxDB asks for and what lets the collector recognise a series by its bytes.

    What line protocol cannot say is left out or replaced: a float that is not finite and a tag with an
    empty value are dropped; control characters (newline among them) in names and tag values become spaces;
    backslashes at the end of a name or tag value are dropped, as Telegraf does, since there they would
    escape the delimiter. Characters that UTF-8 has no code for become ``?``.

    ValueError when a name is empty, the measurement begins with ``#`` (the line would be a comment), or an
    integer does not fit into 64 bits.
    """
    values = []
    for key, value in fields.items():
        text = _field_value(key, value)
        if text is not None:
            values.append(f"{_field_key(key)}={text}")
    if not values:
        return None
    prefix = _prefix(measurement, tuple(tags.items()))
    return f"{prefix} {','.join(values)} {time_ms * NS_PER_MS}".encode("utf-8", "replace")


def _field_value(key: str, value: FieldValue) -> str | None:
    # The base types' own repr: subclasses (IntEnum, numpy scalars, Duration) print something else.
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return float.__repr__(value) if isfinite(value) else None
    if isinstance(value, int):
        if not INT64_MIN <= value <= INT64_MAX:
            raise ValueError(f'field "{key}" is {int(value)}, beyond the 64-bit integers of line protocol')
        return f"{int.__repr__(value)}i"
    return f'"{value.translate(_TEXT)}"'


@lru_cache(maxsize=4096)
def _field_key(key: str) -> str:
    return _escape(key, _NAME, "field key")


# An agent writes the same few hundred prefixes every few seconds.
@lru_cache(maxsize=4096)
def _prefix(measurement: str, tags: tuple[tuple[str, str], ...]) -> str:
    name = _escape(measurement, _MEASUREMENT, "measurement")
    if name.startswith("#"):
        raise ValueError(f'measurement "{measurement}" begins with "#", which makes its line a comment')
    escaped = {}
    for key, value in sorted(tags):
        text = value.rstrip("\\").translate(_NAME)
        if text:
            escaped[_escape(key, _NAME, "tag key")] = text
    return ",".join([name, *(f"{key}={value}" for key, value in escaped.items())])


def _escape(name: str, table: dict[int, str], what: str) -> str:
    text = name.rstrip("\\").translate(table)
    if not text:
        raise ValueError(f'{what} "{name}" is empty')
    return text
