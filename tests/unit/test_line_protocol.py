"""Line protocol as Setpoint writes it."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from math import inf, isfinite, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.lines import Line, LineError, parse_line, split_lines
from setpoint.batch_header import (
    MAX_HEADER_BYTES,
    BatchHeader,
    body_hash,
    encode_header,
    parse_header,
    split_header,
)
from setpoint.line_protocol import INT64_MAX, INT64_MIN, encode, encode_point
from setpoint.reading import FieldValue, Point
from setpoint.units import Duration

MS = 1_700_000_000_123
NS = MS * 1_000_000

# Names that line protocol can say: no control character, no backslash at the end.
plain_names = (
    st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1)
    .filter(lambda text: not text.endswith("\\"))
    .filter(lambda text: not text.startswith("#"))
)
values = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False),
    st.integers(INT64_MIN, INT64_MAX),
    st.booleans(),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
)


def one_line(measurement: str = "m", **fields: FieldValue) -> bytes:
    line = encode_point(measurement, {}, fields, MS)
    assert line is not None
    return line


# -- encoding ------------------------------------------------------------------------------------------


def test_a_point_is_one_line_with_sorted_tags_and_nanoseconds() -> None:
    line = encode_point("cpu", {"host": "mon-01", "cpu": "cpu-total"}, {"usage_active": 12.5, "n": 3}, MS)
    assert line == b"cpu,cpu=cpu-total,host=mon-01 usage_active=12.5,n=3i 1700000000123000000"


@pytest.mark.parametrize(
    ("measurement", "tags", "fields", "expected"),
    [
        ("a b,c=d", {}, {"f": True}, rb"a\ b\,c=d f=true"),
        ("m", {"k 1,=": "v 2,="}, {"f=1, 2": False}, rb"m,k\ 1\,\==v\ 2\,\= f\=1\,\ 2=false"),
        ("m", {}, {"f": 'say "hi" \\ bye'}, rb'm f="say \"hi\" \\ bye"'),
        ("m", {}, {"f": "two\nlines"}, b'm f="two\nlines"'),
        ("m", {"path": "C:\\", "dir": "C:\\Users\\x"}, {"f": 1}, rb"m,dir=C:\Users\x,path=C: f=1i"),
        ("m\\", {"k\\": "v"}, {"f\\": 1}, b"m,k=v f=1i"),
        ("m", {"k": "a\nb\tc\x7fd"}, {"f": 1}, rb"m,k=a\ b\ c\ d f=1i"),
        ("m\n", {}, {"f\r": 1}, rb"m\  f\ =1i"),
        ("m", {"k": "", "b": "\\"}, {"f": 1}, b"m f=1i"),
        ("m", {}, {"f": "a\0b"}, b'm f="a b"'),
        ("m", {"k": "\udcff"}, {"f": 1}, b"m,k=? f=1i"),
        ("m", {"k": "核心"}, {"f": 1}, "m,k=核心 f=1i".encode()),
        ("m", {}, {"f": INT64_MAX, "g": INT64_MIN}, b"m f=9223372036854775807i,g=-9223372036854775808i"),
        ("m", {}, {"f": 1e16, "g": 1e-7, "h": -0.0}, b"m f=1e+16,g=1e-07,h=-0.0"),
        ("m", {}, {"f": Duration(5)}, b"m f=5i"),
    ],
)
def test_special_values(
    measurement: str, tags: dict[str, str], fields: dict[str, FieldValue], expected: bytes
) -> None:
    assert encode_point(measurement, tags, fields, MS) == expected + b" 1700000000123000000"


def test_fields_that_are_no_numbers_are_dropped() -> None:
    assert one_line(a=nan, b=1.0, c=inf, d=-inf) == b"m b=1.0 1700000000123000000"


def test_a_point_without_any_field_left_is_no_line() -> None:
    assert encode_point("m", {}, {"a": nan}, MS) is None
    assert encode_point("m", {}, {}, MS) is None


@pytest.mark.parametrize("value", [INT64_MAX + 1, INT64_MIN - 1])
def test_an_integer_beyond_64_bits_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match='field "a"'):
        one_line(a=value)


@pytest.mark.parametrize(
    ("measurement", "tags", "fields"),
    [("", {}, {"f": 1}), ("\\", {}, {"f": 1}), ("m", {"": "v"}, {"f": 1}), ("m", {}, {"": 1})],
)
def test_an_empty_name_is_refused(measurement: str, tags: dict[str, str], fields: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="is empty"):
        encode_point(measurement, tags, fields, MS)


def test_a_measurement_that_would_make_a_comment_is_refused() -> None:
    with pytest.raises(ValueError, match="comment"):
        one_line("#m", f=1)


def test_extra_tags_win_over_the_points_own() -> None:
    point = Point("m", {"host": "liar", "path": "/"}, {"f": 1}, MS)
    assert encode(point, {"host": "mon-01"}) == b"m,host=mon-01,path=/ f=1i 1700000000123000000"
    assert encode(point) == b"m,host=liar,path=/ f=1i 1700000000123000000"


def test_a_point_without_a_time_is_refused() -> None:
    with pytest.raises(ValueError, match="no time"):
        encode(Point("m", {}, {"f": 1}))


@given(
    plain_names, st.dictionaries(plain_names, plain_names), st.dictionaries(plain_names, values, min_size=1)
)
def test_what_is_encoded_parses_to_the_same(
    measurement: str, tags: dict[str, str], fields: dict[str, FieldValue]
) -> None:
    line = encode_point(measurement, tags, fields, MS)
    assert line is not None
    assert parse_line(line) == Line(measurement, tuple(sorted(tags.items())), fields, NS)
    parsed = parse_line(line)
    assert parsed is not None
    assert [type(v) for v in parsed.fields.values()] == [type(v) for v in fields.values()]
    assert split_lines(line + b"\n" + line) == [line, line]


@given(st.text(min_size=1), st.dictionaries(st.text(min_size=1), st.text()), st.text(min_size=1), values)
def test_whatever_is_encoded_is_one_good_line(
    measurement: str, tags: dict[str, str], key: str, value: FieldValue
) -> None:
    try:
        line = encode_point(measurement, tags, {key: value}, MS)
    except ValueError:
        return
    assert line is not None
    assert split_lines(line) == [line]
    parsed = parse_line(line)
    assert parsed is not None
    assert parsed.time_ns == NS
    assert list(parsed.fields.values()) == [value]


# -- the batch header ----------------------------------------------------------------------------------


def test_a_header_reads_back() -> None:
    line = encode_header("6a1f09c2", 42, body_hash(b"body"), 40, NS)
    assert line == b"# setpoint batch=6a1f09c2.42." + body_hash(b"body").encode() + b" low=40 sent=%d\n" % NS
    header = parse_header(line[:-1])
    assert header == BatchHeader("6a1f09c2", 42, body_hash(b"body"), 40, NS)
    assert header.batch_id == f"6a1f09c2.42.{body_hash(b'body')}"
    assert split_header(line + b"body\n") == (line[:-1], b"body\n")


def test_the_hash_is_16_hex_digits_of_blake2b() -> None:
    # From the b2sum tool: printf abc | b2sum -l 64
    assert body_hash(b"abc") == "d8bb14d833d59559"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"# setpoint",
        b"# setpoint batch=a.1.0123456789abcdef low=1 sent=1\n",
        b"# setpoint batch=a.1.0123456789abcdef low=1 sent=1 ",
        b" # setpoint batch=a.1.0123456789abcdef low=1 sent=1",
        b"# setpoint batch=a.1.0123456789ABCDEF low=1 sent=1",
        b"# setpoint batch=a.1.0123456789abcde low=1 sent=1",
        b"# setpoint batch=a.-1.0123456789abcdef low=1 sent=1",
        b"# setpoint batch=a.1.0123456789abcdef low= sent=1",
        b"# setpoint batch=a.1.0123456789abcdef  low=1 sent=1",
        b"# setpoint batch=.1.0123456789abcdef low=1 sent=1",
        b"# setpoint batch=a.1234567890123456789.0123456789abcdef low=1 sent=1",
        b"# setpoint batch=a.1.0123456789abcdef low=1 sent=" + b"1" * MAX_HEADER_BYTES,
    ],
)
def test_a_garbled_header_is_none(line: bytes) -> None:
    assert parse_header(line) is None


@pytest.mark.parametrize(
    ("epoch", "sequence", "hash_", "low"),
    [("a b", 1, "0" * 16, 1), ("", 1, "0" * 16, 1), ("a", -1, "0" * 16, 1), ("a", 1, "xyz", 1)],
)
def test_a_header_that_nobody_could_read_is_not_written(
    epoch: str, sequence: int, hash_: str, low: int
) -> None:
    with pytest.raises(ValueError, match="batch header"):
        encode_header(epoch, sequence, hash_, low, NS)


def test_a_payload_without_a_newline_has_no_body() -> None:
    assert split_header(b"# setpoint") == (b"# setpoint", b"")
    assert split_header(b"x" * 1000 + b"\nbody") == (b"x" * (MAX_HEADER_BYTES + 1), b"")


# -- strict parsing ------------------------------------------------------------------------------------


def test_a_line_without_a_time() -> None:
    assert parse_line(b"m f=1") == Line("m", (), {"f": 1.0}, None)


def test_tags_come_sorted_and_fields_as_written() -> None:
    parsed = parse_line(b"m,b=2,a=1 z=1,y=2,x=3 5")
    assert parsed is not None
    assert parsed.tags == (("a", "1"), ("b", "2"))
    assert list(parsed.fields) == ["z", "y", "x"]


def test_a_backslash_before_what_needs_no_escape_is_a_backslash() -> None:
    assert parse_line(rb"m\=\"\ x,a\"=C:\d f\"=1 5") == Line(
        r"m\=\" x", ((r"a\"", r"C:\d"),), {r"f\"": 1.0}, 5
    )


@pytest.mark.parametrize("line", [b"", b"   ", b"\r", b"# m f=1", b"  #", b'# "'])
def test_comments_and_empty_lines_say_nothing(line: bytes) -> None:
    assert parse_line(line) is None


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"m", "byte 2, found the end"),
        (b"m,t= f=1", "byte 2, found ','"),
        (b"m f=", "expected a field at byte 3"),
        (b"m f=1,", "byte 6, found ','"),
        (b"m f=1 5 6", "the end of the line"),
        (b"m f=1 x", "the end of the line"),
        (b"\tm f=1", "expected a measurement at byte 1"),
        (b"m\x0bn f=1", "found '\\x0b'"),
        (b"m,t=a\tb f=1", "byte 2"),
        (b"m f=1\x00", "byte 6"),
        (b'm f="a\x00b"', "byte 3"),
        (b'm f="a"b', "byte 8, found 'b'"),
        (b'm f="a', "byte 3"),
        (rb'm \\="="', "byte"),
        (rb"m \\=F", "byte"),
        (b"m f=one", "no float, integer, boolean or quoted text"),
        (b"m f=nan", "no float"),
        (b"m f=1_0", "no float"),
        (b"m f=+1", "no float"),
        (b"m f=1e400", "no float"),
        (b"m f=1.5i", "no float"),
        (b"m f=9223372036854775808i", "no float"),
        (b"m f=9223372036854775808u", "beyond the 64-bit integers"),
        (b"m f=1 9223372036854775808", "a time beyond"),
        (b"m,a=1,a=2 f=1", "the same tag twice"),
        (b"m f=1,f=2", "the same field twice"),
        (b'm f="a,f=1",f=2', "the same field twice"),
        (rb"m f\ a=1,f\ a=2", "the same field twice"),
        (rb"m,t\ a=1,t\ a=2 f=1", "the same tag twice"),
        (b"m,t=\xff f=1", "not UTF-8"),
    ],
)
def test_what_is_not_line_protocol_is_refused_with_the_place(line: bytes, reason: str) -> None:
    with pytest.raises(LineError, match=reason.replace("\\", "\\\\")):
        parse_line(line)


def test_text_that_is_not_utf8_does_not_end_the_process() -> None:
    # line-protocol-parser 2.0.1 dereferences a null pointer here; so in a process of its own.
    code = "from collector.lines import *\ntry: parse_line(b'm f=\"\\xff\"')\nexcept LineError as e: print(e)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "not UTF-8\n")


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        (b"m f=.5,g=1.,h=007,i=1E5", {"f": 0.5, "g": 1.0, "h": 7.0, "i": 1e5}),
        (b"m f=1u,g=-1i", {"f": 1, "g": -1}),
        (b"m f=t,g=FALSE,h=True", {"f": True, "g": False, "h": True}),
        (rb'm f="a\"b\\c\n"', {"f": 'a"b\\c\\n'}),
        (b'm f="a,b=c d"', {"f": "a,b=c d"}),
        (b"m f=1e-320,g=5e-324,h=2", {"f": 0.0, "g": 0.0, "h": 2.0}),
    ],
)
def test_field_values(line: bytes, fields: dict[str, FieldValue]) -> None:
    parsed = parse_line(line)
    assert parsed is not None
    assert parsed.fields == fields
    assert [type(v) for v in parsed.fields.values()] == [type(v) for v in fields.values()]


@given(st.text("0123456789.eE+-i", min_size=1, max_size=8))
def test_a_number_is_what_python_makes_of_it(text: str) -> None:
    try:
        expected: float | None = int(text[:-1]) if text.endswith("i") else float(text)
    except ValueError:
        expected = None
    if expected is not None and (text.startswith("+") or not isfinite(expected)):
        expected = None
    try:
        parsed = parse_line(f"m f={text}".encode())
    except LineError:
        assert expected is None
    else:
        assert parsed is not None
        assert parsed.fields == {"f": expected}


@given(st.binary(max_size=60))
def test_bytes_of_any_kind_parse_or_are_refused(line: bytes) -> None:
    with suppress(LineError):
        parsed = parse_line(line)
        assert parsed is None or parsed.fields


@given(st.text('m,=" \\\n#1ftx', max_size=40))
def test_lines_of_any_shape_parse_or_are_refused(text: str) -> None:
    body = text.encode()
    lines = split_lines(body)
    assert b"\n".join(lines) == body
    for line in lines:
        try:
            parsed = parse_line(line)
        except LineError:
            continue
        if b"\n" in line:
            assert parsed is not None
            assert any(isinstance(value, str) and "\n" in value for value in parsed.fields.values())


# -- splitting -----------------------------------------------------------------------------------------


def test_a_newline_in_a_quoted_text_does_not_end_the_line() -> None:
    body = b'm f="a\nb",g=2 5\nm f=1\nm,t="q f="\n\\"\n",h="x"'
    assert split_lines(body) == [b'm f="a\nb",g=2 5', b"m f=1", b'm,t="q f="\n\\"\n",h="x"']


def test_a_stray_quote_does_not_swallow_the_lines_behind_it() -> None:
    body = b'm f="never closed\nm f=1 5\nm,t="a f=2 5\nm f="x"y\nm f="ok\nok"'
    assert split_lines(body) == [
        b'm f="never closed',
        b"m f=1 5",
        b'm,t="a f=2 5',
        b'm f="x"y',
        b'm f="ok\nok"',
    ]


def test_a_text_longer_than_a_line_may_be_ends_at_its_newline() -> None:
    body = b'm f="a\n' + b"x" * 100 + b'"\nm f=1'
    assert len(split_lines(body, max_line_bytes=107)) == 2 + 1
    assert len(split_lines(body, max_line_bytes=108)) == 2


def test_after_many_stray_quotes_newlines_end_lines() -> None:
    stray, good = b'm f="x"y\n', b'm f="a\nb"'
    assert len(split_lines(stray * 999 + good)) == 999 + 1
    assert len(split_lines(stray * 1_000 + good)) == 1_000 + 2
