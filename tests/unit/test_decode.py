"""From payloads to batches: what is taken, what is refused, and what bounds hostile input."""

from __future__ import annotations

import gzip
import subprocess
import sys
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from collector.bodies import Columns
from collector.columns import LineCache
from collector.decode import Decoded, Decoder, Limits
from collector.series import SeriesTable
from collector.store.base import Batch, BatchId, SeriesKey
from collector.tokens import Tokens, split_body
from setpoint.batch_header import body_hash, encode_header

NOW = 1_700_000_000_000
NS = NOW * 1_000_000
HOUR = 3_600_000


def payload_of(body: bytes, sequence: int = 1) -> bytes:
    return encode_header("e1", sequence, body_hash(body), 1, NS) + body


def decoder_of(**limits: int) -> Decoder:
    return Decoder(SeriesTable(), Limits(**limits))


def decode(decoder: Decoder, body: bytes, now: int = NOW) -> Decoded:
    """As a batch of the agent mon-01."""
    return decoder.decode("hq", "mon-01", payload_of(body), now)


def batch_of(decoded: Decoded) -> Batch:
    assert decoded.batch is not None, decoded.reason
    return decoded.batch


def lines(count: int, fields: str = "a=1.5,n=2i", start: int = 0) -> bytes:
    return b"\n".join(f"m,host=mon-01,i=x{i} {fields} {NS}".encode() for i in range(start, start + count))


def samples(batch: Batch) -> list[tuple[int, int, float]]:
    columns = (batch.series.tolist(), batch.time_ms.tolist(), batch.value.tolist())
    return list(zip(*columns, strict=True))


# -- what a batch holds --------------------------------------------------------------------------------


def test_a_batch_has_columns_texts_and_the_body_itself() -> None:
    series = SeriesTable()
    body = (
        f'm,host=mon-01 a=1.5,n=2i,b=true,s="x y" {NS + 999_999}\nm,host=mon-01 a=2 {NS + 1_000_000}'.encode()
    )
    decoded = Decoder(series).decode("hq", "mon-01", payload_of(body, 7), NOW)
    batch = batch_of(decoded)
    assert batch.id == BatchId("e1", 7, body_hash(body))
    assert (batch.site, batch.agent, batch.low, batch.received_ms) == ("hq", "mon-01", 1, NOW)
    tags = (("host", "mon-01"),)
    number = {name: series.find(SeriesKey("m", tags, name)) for name in "anbs"}
    assert [series.entry(i).type for i in range(4)] == ["float", "integer", "boolean", "text"]
    assert samples(batch) == [
        (number["a"], NOW, 1.5),
        (number["n"], NOW, 2.0),
        (number["b"], NOW, 1.0),
        (number["a"], NOW + 1, 2.0),
    ]
    assert batch.texts == [(number["s"], NOW, "x y")]
    assert batch.lines == body
    assert [str(a.dtype) for a in (batch.series, batch.time_ms, batch.value)] == ["int32", "int64", "float64"]
    assert not decoded.rejected_lines
    assert decoded.reason == ""


def test_the_second_batch_gives_the_same_columns_as_the_first() -> None:
    decoder = decoder_of()
    first, second = (batch_of(decode(decoder, lines(50))) for _ in range(2))
    assert samples(first) == samples(second)
    assert first.lines == second.lines == lines(50)


def test_known_lines_do_not_go_through_the_strict_parser() -> None:
    decoder = decoder_of()
    decode(decoder, lines(50))
    with mock.patch("collector.content.parse_line", side_effect=AssertionError):
        batch_of(decode(decoder, lines(50, "a=-2.5e-3,n=-17i")))


def test_one_unknown_line_does_not_slow_down_the_known_ones() -> None:
    decoder = decoder_of()
    decode(decoder, lines(50))
    body = lines(25) + b'\nm,host=mon-01 s="new\nline" %d\n' % NS + lines(25, start=25)
    with mock.patch("collector.content.parse_line", return_value=None) as strict:
        assert len(batch_of(decode(decoder, body)).series) == 100
    assert strict.call_count == 1


def test_readings_keep_the_order_of_the_payload() -> None:
    decoder = decoder_of()
    decode(decoder, lines(4, "a=0"))
    body = b"\n".join(
        [lines(1, "a=1"), b"m,host=mon-01,i=x0 a=2,new=1 %d" % NS, lines(1, "a=3"), b"", lines(1, "a=4")]
    )
    assert samples(batch_of(decode(decoder, body))) == [
        (0, NOW, 1.0),
        (0, NOW, 2.0),
        (4, NOW, 1.0),
        (0, NOW, 3.0),
        (0, NOW, 4.0),
    ]


def test_lines_with_different_times_keep_their_own() -> None:
    decoder = decoder_of()
    body = b"m,host=mon-01,i=1 a=1,b=2 %d\nm,host=mon-01,i=2 a=3 %d" % (NS - 1, NS)
    for _ in range(2):
        assert samples(batch_of(decode(decoder, body))) == [(0, NOW - 1, 1), (1, NOW - 1, 2), (2, NOW, 3)]


def test_an_empty_body_is_an_empty_batch() -> None:
    for body in (b"", b"\n", b"\n\n", b"# a comment"):
        assert batch_of(decode(decoder_of(), body)).readings == 0


def test_fields_that_differ_in_digits_only_are_not_confused() -> None:
    decoder = decoder_of()
    body = b"system,host=mon-01 load1=1 %d\nsystem,host=mon-01 load5=5 %d" % (NS, NS)
    for _ in range(3):
        assert samples(batch_of(decode(decoder, body))) == [(0, NOW, 1.0), (1, NOW, 5.0)]


def test_a_line_is_not_taken_for_one_with_other_digits_in_its_keys() -> None:
    decoder = decoder_of()
    for i, key in enumerate(["load1", "load5", "load15", "load1"]):
        body = b"system,host=mon-01 %s=%d %d" % (key.encode(), i, NS)
        assert samples(batch_of(decode(decoder, body))) == [(i % 3, NOW, i)]


def test_a_line_among_malformed_ones_is_taken_once() -> None:
    # Three lines of one token and one of nine, so that the good one is the second of five triples.
    decoder = decoder_of()
    decode(decoder, lines(1))
    decoded = decode(decoder, b"x\ny\nz\n" + lines(1) + b"\n1 2 3 4 5 6 7 8 9")
    assert samples(batch_of(decoded)) == [(0, NOW, 1.5), (1, NOW, 2.0)]
    assert batch_of(decoded).lines == lines(1) + b"\n"
    assert decoded.rejected_by_fault == {"syntax": 4}


def test_integers_beyond_2_to_the_53_are_the_nearest_float() -> None:
    decoder = decoder_of()
    for _ in range(2):
        batch = batch_of(decode(decoder, b"m,host=mon-01 n=9007199254740993i %d" % NS))
        assert batch.value.tolist() == [9007199254740992.0]


# -- what is refused, line by line ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "fault", "reason"),
    [
        (b"garbage", "syntax", "not line protocol: expected"),
        (b"m,host=mon-02 a=1 %d" % NS, "host", 'claims another host: "mon-02", expected "mon-01"'),
        (b"m a=1 %d" % NS, "host", "has no tag host"),
        (b"m,host=mon-01 a=1", "time", "no timestamp"),
        (b"m,host=mon-01 a=1 %d" % (NS + 301_000 * 10**6), "clock-skew", "301 s ahead"),
        (b"m,host=mon-01 a=1 1", "clock-skew", "s old, which is beyond the retention"),
        (b"m,host=mon-01,i=x0 a=1i %d" % NS, "type", 'field "a" of "m" is integer here and float before'),
        (b"m,host=mon-01,i=x0 n=1 %d" % NS, "type", 'field "n" of "m" is float here and integer before'),
        (b"m,host=mon-01 a=" + b"0" * 70_000 + b" %d" % NS, "size", "line of 700"),
        (b"m,host=mon-01%s a=1 %d" % (b"".join(b",t%d=x" % i for i in range(32)), NS), "size", "33 tags"),
        (b"m,host=mon-01 %s %d" % (b",".join(b"f%d=1" % i for i in range(257)), NS), "size", "257 fields"),
    ],
)
def test_one_bad_line_does_not_cost_the_good_ones(line: bytes, fault: str, reason: str) -> None:
    decoder = decoder_of()
    for _ in range(2):
        decoded = decode(decoder, lines(3) + b"\n" + line + b"\n" + lines(3, start=3))
        assert len(batch_of(decoded).series) == 12
        assert batch_of(decoded).lines == lines(6) + b"\n"
        ((kept, why),) = decoded.rejected_lines
        assert line.startswith(kept)
        assert reason in why
        assert decoded.rejected_by_fault == {fault: 1}
        assert reason in decoded.reason


@pytest.mark.parametrize(
    "line",
    [
        b"m,host=mon-01%s a=1 %d" % (b"".join(b",t%d=x" % i for i in range(31)), NS),
        b"m,host=mon-01 %s %d" % (b",".join(b"f%d=1" % i for i in range(256)), NS),
        b"m,host=mon-01 a=1 %d" % (NS + 300_000 * 10**6 + 999_999),
        b"m,host=mon-01 a=1 %d" % (NS - 400 * 24 * HOUR * 10**6),
    ],
)
def test_a_line_at_a_bound_is_taken(line: bytes) -> None:
    decoder = decoder_of()
    for _ in range(2):
        assert not decode(decoder, line).rejected_lines


def test_a_line_may_be_as_long_as_the_limit_whether_it_is_known_or_not() -> None:
    decoder = decoder_of(line_bytes=100)
    line = b"m,host=mon-01 a=%s %d"
    zeros = 100 - len(line % (b"", NS))
    for _ in range(2):
        assert not decode(decoder, line % (b"0" * zeros, NS)).rejected_lines
        decoded = decode(decoder, line % (b"0" * (zeros + 1), NS))
        assert decoded.rejected_by_fault == {"size": 1}


def test_a_payload_may_have_as_many_lines_as_the_limit() -> None:
    decoder = decoder_of(lines=3)
    assert decode(decoder, lines(3) + b"\n").batch is not None
    assert decode(decoder, lines(4) + b"\n").batch is None


def test_rejected_readings_are_fields_and_bad_lines() -> None:
    body = lines(1) + b"\nbad\nm,host=x a=1,b=2,c=3 %d" % NS
    decoded = decode(decoder_of(), body)
    assert decoded.rejected_readings == 4


def test_clock_skew_is_counted_with_the_largest_offset() -> None:
    decoder = decoder_of()
    late, early = NS - 401 * 24 * HOUR * 10**6, NS + 2 * HOUR * 10**6
    for _ in range(2):
        body = lines(1) + b"\nm,host=mon-01 a=1,b=2 %d\nm,host=mon-01 a=1 %d" % (early, late)
        decoded = decode(decoder, body)
        assert decoded.clock_skew == 3
        assert decoded.clock_offset_ms == -401 * 24 * HOUR
    assert decode(decoder, lines(1)).clock_offset_ms == 0


def test_a_known_line_from_another_time_is_refused_too() -> None:
    decoder = decoder_of()
    assert decode(decoder, lines(10)).batch
    decoded = decode(decoder, lines(10), NOW - 301_000)
    assert decoded.rejected is not None
    assert decoded.rejected.code == "clock-skew"
    assert decoded.clock_skew == 20


def test_only_the_first_bad_lines_are_kept_and_all_are_counted() -> None:
    decoded = decode(decoder_of(), lines(1) + b"\nbad" * 1_000 + b"\n" + b"x" * 10_000)
    assert len(decoded.rejected_lines) == 100
    assert decoded.rejected_by_fault == {"syntax": 1_001}
    decoded = decode(decoder_of(), lines(1) + b"\n" + b"x" * 10_000)
    assert len(decoded.rejected_lines[0][0]) == 4_096


def test_a_payload_of_bad_lines_only_is_rejected_as_a_whole() -> None:
    decoded = decode(decoder_of(), b"<html>\n<body>\nm,host=x a=1 %d" % NS)
    assert decoded.batch is None
    assert decoded.rejected is not None
    assert decoded.rejected.code == "syntax"
    assert decoded.reason.startswith("every line was refused (2 for syntax, 1 for host): not line protocol")


# -- limits of series ----------------------------------------------------------------------------------


def test_past_the_series_limit_known_series_go_on_and_new_ones_are_refused() -> None:
    decoder = decoder_of(series_per_agent=10)
    decoded = decode(decoder, lines(8))
    assert len(batch_of(decoded).series) == 10
    assert decoded.rejected_by_fault == {"series-limit": 3}
    assert decoded.rejected_readings == 6
    assert "there are 10 of this publisher already" in decoded.reason
    assert batch_of(decoded).lines == lines(5) + b"\n"
    assert len(batch_of(decode(decoder, lines(5))).series) == 10


def test_of_a_line_with_known_and_surplus_fields_the_known_ones_are_taken() -> None:
    decoder = decoder_of(series_per_agent=2)
    decode(decoder, lines(1))
    for _ in range(2):
        decoded = decode(decoder, lines(1, "a=5.5,z=1,n=7i"))
        assert samples(batch_of(decoded)) == [(0, NOW, 5.5), (1, NOW, 7.0)]
        assert batch_of(decoded).lines == b"m,host=mon-01,i=x0 a=5.5,n=7i %d\n" % NS
        assert decoded.rejected_readings == 1


def test_of_a_new_line_as_many_fields_are_taken_as_there_is_room_for() -> None:
    decoded = decode(decoder_of(series_per_agent=3), lines(2))
    assert len(batch_of(decoded).series) == 3
    assert batch_of(decoded).lines == lines(1) + b"\n" + b"m,host=mon-01,i=x1 a=1.5 %d\n" % NS
    assert decoded.rejected_readings == 1


def test_new_series_are_limited_by_the_hour() -> None:
    decoder = decoder_of(new_series_per_agent_hour=4)
    assert len(batch_of(decode(decoder, lines(3))).series) == 4
    assert "this hour" in decode(decoder, lines(3)).reason
    assert len(batch_of(decode(decoder, lines(3), NOW + HOUR)).series) == 6


def test_limits_are_those_of_each_publisher() -> None:
    decoder = decoder_of(series_per_agent=2)
    decode(decoder, lines(1))
    body = b"m,host=mon-02 a=1 %d" % NS
    assert decoder.decode("hq", "mon-02", payload_of(body), NOW).batch is not None


def test_series_that_fell_silent_make_room_for_new_ones() -> None:
    series = SeriesTable()
    decoder = Decoder(series, Limits(series_per_agent=2, retention_ms=HOUR))
    batch = batch_of(decode(decoder, lines(1)))
    series.observe(batch.series, batch.time_ms, batch.value)
    later = NS + 2 * HOUR * 10**6
    body = b"other,host=mon-01 a=1,b=2 %d" % later
    assert len(batch_of(decode(decoder, body, NOW + 2 * HOUR)).series) == 2


def test_series_of_an_earlier_run_count() -> None:
    series = SeriesTable()
    series.restore(0, SeriesKey("m", (("host", "mon-01"), ("i", "x0")), "a"), "unknown", NOW)
    decoder = Decoder(series, Limits(series_per_agent=1))
    decoded = decode(decoder, lines(1))
    assert samples(batch_of(decoded)) == [(0, NOW, 1.5)]
    assert decoded.rejected_by_fault == {"series-limit": 1}
    assert series.entry(0).type == "float"


def test_a_refused_line_makes_no_series() -> None:
    series = SeriesTable()
    decoder = Decoder(series)
    decode(decoder, lines(1))
    decode(decoder, lines(1, "new=1,a=1i"))
    assert len(series) == 2


# -- other publishers ----------------------------------------------------------------------------------


def test_another_publisher_needs_neither_header_nor_host_nor_time() -> None:
    decoder = decoder_of()
    for _ in range(2):
        body = b"m a=1\r\nm,host=web-1 a=2 %d\n# setup\n" % NS
        decoded = decoder.decode("hq", "telegraf/web-1", body, NOW, enrolled=False)
        batch = batch_of(decoded)
        assert (batch.id, batch.low) == (None, None)
        assert samples(batch) == [(0, NOW, 1.0), (1, NOW, 2.0)]
        assert batch.lines == b"m a=1 %d\nm,host=web-1 a=2 %d\n# setup\n" % (NS, NS)


@pytest.mark.parametrize("first", ["agent", "other"])
def test_another_publisher_may_not_claim_the_host_of_an_agent(first: str) -> None:
    decoder = decoder_of()
    if first == "other":
        for _ in range(2):
            assert decoder.decode("hq", "telegraf", lines(2), NOW, enrolled=False).batch is not None
    decode(decoder, lines(1))
    decoded = decoder.decode("hq", "telegraf", lines(2), NOW, enrolled=False)
    assert decoded.rejected is not None
    assert decoded.rejected.code == "host"
    assert "has an agent of its own" in decoded.reason


def test_agents_of_an_earlier_run_are_known_from_the_start() -> None:
    decoder = Decoder(SeriesTable(), agents=["mon-01"])
    assert decoder.decode("hq", "telegraf", lines(2), NOW, enrolled=False).batch is None


# -- whole payloads ------------------------------------------------------------------------------------


@pytest.mark.parametrize("compress", [zstandard.ZstdCompressor().compress, gzip.compress])
def test_compressed_bodies(compress: object) -> None:
    assert callable(compress)
    batch = batch_of(decode(decoder_of(), compress(lines(20))))
    assert batch.lines == lines(20)


def zstd_stream(body: bytes, pieces: int = 1) -> bytes:
    """As streaming compressors write it: without the size."""
    stream = zstandard.ZstdCompressor().compressobj()
    return b"".join(stream.compress(body) for _ in range(pieces)) + stream.flush()


def wide_window() -> bytes:
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=27)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return stream.compress(lines(20)) + stream.flush()


def test_a_zstd_frame_without_its_size_is_taken() -> None:
    assert batch_of(decode(decoder_of(), zstd_stream(lines(20)))).lines == lines(20)


BOMB = b"\n" * (1 << 20)


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"# setpoint batch=e1.1.zz low=1 sent=1\nm a=1", "bad-header"),
        (b"# some comment\nm,host=mon-01 a=1", "bad-header"),
        (payload_of(lines(2))[:-1], "damaged"),
        (payload_of(lines(2)).replace(b"a=1.5", b"a=1.6"), "damaged"),
        (payload_of(zstandard.ZstdCompressor().compress(lines(2))[:-3]), "bad-compression"),
        (payload_of(zstandard.ZstdCompressor().compress(lines(2)) * 2), "bad-compression"),
        (payload_of(zstd_stream(lines(2)) * 2), "bad-compression"),
        (payload_of(wide_window()), "bad-compression"),
        (payload_of(gzip.compress(lines(2))[:-3]), "bad-compression"),
        (payload_of(gzip.compress(lines(2)) * 2), "bad-compression"),
        (payload_of(b"\x1f\x8bnot gzip"), "bad-compression"),
        (payload_of(zstandard.ZstdCompressor().compress(BOMB * 9)), "body-too-large"),
        (payload_of(zstd_stream(BOMB, pieces=9)), "bad-compression"),
        (payload_of(gzip.compress(BOMB * 9)), "body-too-large"),
        (payload_of(b"x" * (1 << 20)), "too-large"),
        (payload_of(b"m\n" * 100_001), "too-many-lines"),
        (payload_of(b"\x00\x01\x02\xff"), "syntax"),
    ],
)
def test_a_payload_that_cannot_be_taken_is_rejected_with_its_reason(payload: bytes, code: str) -> None:
    decoded = decoder_of().decode("hq", "mon-01", payload, NOW)
    assert decoded.batch is None
    assert decoded.rejected is not None
    assert decoded.rejected.code == code
    assert decoded.reason == decoded.rejected.text != ""


@given(st.binary(max_size=200), st.booleans())
def test_no_payload_raises(payload: bytes, enrolled: bool) -> None:
    decoder = decoder_of()
    for bytes_ in (payload, payload_of(payload), lines(1) + b"\n" + payload):
        decoded = decoder.decode("hq", "mon-01", bytes_, NOW, enrolled=enrolled)
        assert (decoded.batch is None) != (decoded.rejected is None)


BOMBS = {
    "zstd with its size": (
        "zstandard.ZstdCompressor(write_content_size=True).compress(bytes(100 << 20))",
        "body-too-large",
    ),
    "zstd without its size": (
        "zstandard.ZstdCompressor(write_content_size=False).compress(bytes(100 << 20))",
        "bad-compression",
    ),
    "gzip": ("gzip.compress(bytes(100 << 20))", "body-too-large"),
}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc: Linux only")
@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_takes_no_more_memory_than_a_body_may(kind: str) -> None:
    bomb, code = BOMBS[kind]
    make = f"import gzip, sys, zstandard; sys.stdout.buffer.write({bomb})"
    made = subprocess.run([sys.executable, "-c", make], capture_output=True, check=True).stdout
    take = """
import re, sys
from pathlib import Path
from collector.decode import Decoder
from collector.series import SeriesTable

def high_water_kb():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

bomb = sys.stdin.buffer.read()
decoder = Decoder(SeriesTable())
decoder.decode("hq", "a", b"m a=1", 0, enrolled=False)
before = high_water_kb()
decoded = decoder.decode("hq", "a", bomb, 0, enrolled=False)
print(decoded.rejected.code, high_water_kb() - before)
"""
    done = subprocess.run([sys.executable, "-c", take], input=made, capture_output=True, check=True)
    found, grown_kb = done.stdout.split()
    assert found.decode() == code
    assert len(made) < 200_000
    assert int(grown_kb) < 20 << 10


def test_a_plain_body_has_the_same_limit_as_a_compressed_one() -> None:
    decoded = decode(decoder_of(body_bytes=100), lines(5))
    assert decoded.rejected is not None
    assert decoded.rejected.code == "body-too-large"


def test_a_flood_of_new_series_is_cut_at_the_limit() -> None:
    body = b"\n".join(b"m,host=mon-01,i=%d a=1 %d" % (i, NS) for i in range(5_000))
    series = SeriesTable()
    decoder = Decoder(series, Limits(new_series_per_agent_hour=500))
    tracemalloc.start()
    try:
        decoded = decode(decoder, body)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(series) == len(batch_of(decoded).series) == 500
    assert decoded.rejected_by_fault == {"series-limit": 4_500}
    assert len(decoded.rejected_lines) == 100
    assert peak < 5 << 20


def test_the_memory_of_known_lines_is_bounded() -> None:
    cache = LineCache(max_lines=10)
    for i in range(1_000):
        cache.remember(b"m,i=%d a=1 %d" % (i, NS), {"a": i})
        assert 0 < len(cache) <= 10


@pytest.mark.parametrize(
    "line",
    [b"m a=t 1", b"m a=1u 1", b'm a="x" 1', rb"m,b\=c a=1 1", b"m a=1", b"m  a=1 1", b"m a=1,b=2i,c=F 1"],
)
def test_lines_that_are_not_simple_are_not_remembered(line: bytes) -> None:
    cache = LineCache()
    cache.remember(line, {"a": 0, "b": 1, "c": 2})
    assert len(cache) == 0


def test_lines_that_look_alike_without_digits_are_left_to_the_strict_parser() -> None:
    cache = LineCache()
    body = b"m,i=1 load1=1 5\nm,i=1 load5=1 5\nm,i=2 load1=1 5"
    tokens = split_body(body)
    assert tokens is not None
    for number, line in enumerate(body.split(b"\n")):
        cache.remember(line, {"load1": number, "load5": number})
    (columns,), others = cache.columns(tokens, 0, 10, 100)
    assert others == [0, 1]
    assert (list(columns.lines), columns.series.tolist()) == ([2], [2])


# -- the fast path and the strict parser ---------------------------------------------------------------


class Forgetful(LineCache):
    """Recognises nothing, so that the strict parser reads every line."""

    def columns(
        self,
        tokens: Tokens,
        earliest_ns: int,  # noqa: ARG002
        latest_ns: int,  # noqa: ARG002
        max_line_bytes: int,  # noqa: ARG002
    ) -> tuple[list[Columns], list[int]]:
        return [], list(range(len(tokens.prefixes)))


NUMBERS = [
    "0", "-0", "1", "1.5", "-2.25", ".5", "1.", "007", "1e5", "1E-5", "1e+16", "+1", "1e400", "1e-400",
    "5e-324", "9007199254740993", "nan", "inf", "1_0", " 1", "", "-", "--1", "1-1", "1e", "0x1", "1,5", "1=5",
    "\t1", "5i", "-5i", "0i", "+5i", "1.5i", "1e5i", "i", "5i5", "1_0i", "5u", "t", "true", "FALSE", '"x"',
    '"a b"',
    "9223372036854775807i", "9223372036854775808i", "-9223372036854775808i", "99999999999999999999i",
]  # fmt: skip
TIMES = [
    str(NS), str(NS + 1), str(NS - 5_000_000), f"-{NS}", f"+{NS}", "0", str(NS)[:-1], f"{NS}0", "", "9" * 19,
    f"{NS}\r", f"{NS} ", f"{NS // 10}_0", f" {NS}", "1e18", str(NS + 301_000 * 10**6),
]  # fmt: skip
PREFIXES = [
    "m,host=mon-01",
    "m,host=mon-01,a=5",
    "m,host=mon-01,a=6",
    "5,host=mon-01",
    "m,host=x",
    "m",
    "#m",
    "",
]
KEYS = ["a", "b", "a1", "a2", "e", "1", "", "i", "a b", 'a"', "a\\", "a\\="]
simple_numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(2**63), 2**63 - 1).map("{}i".format),
    st.sampled_from(NUMBERS),
    st.text("0123456789.eE+-i", max_size=6),
)
fields_of_a_line = st.lists(
    st.tuples(st.sampled_from(KEYS[:5]) | st.sampled_from(KEYS), simple_numbers), max_size=4
)


@st.composite
def any_line(draw: st.DrawFn) -> str:
    fields = ",".join(f"{key}={value}" for key, value in draw(fields_of_a_line))
    prefix = draw(st.sampled_from(PREFIXES[:3]) | st.sampled_from(PREFIXES))
    time = draw(st.just(TIMES[0]) | st.sampled_from(TIMES))
    return f"{prefix} {fields} {time}"


def shown(decoded: Decoded) -> object:
    batch = decoded.batch
    return (
        decoded.rejected,
        decoded.rejected_lines,
        decoded.rejected_readings,
        decoded.clock_skew,
        decoded.clock_offset_ms,
        batch and (samples(batch), batch.texts, batch.lines),
    )


@given(
    st.lists(
        st.lists(any_line() | st.sampled_from(["", "# comment", 'm,host=mon-01 s="a']), max_size=6),
        max_size=5,
    )
)
def test_the_fast_path_and_the_strict_parser_never_differ(bodies: Sequence[Sequence[str]]) -> None:
    fast = decoder_of(line_bytes=100)
    with mock.patch("collector.decode.LineCache", Forgetful):
        strict = decoder_of(line_bytes=100)
        strict.decode("hq", "mon-01", b"", NOW)
        strict.decode("hq", "other", b"", NOW, enrolled=False)
    for body in bodies:
        for _ in range(3):  # unknown, of known lines, known as a whole
            text = "\n".join(body).encode()
            assert shown(decode(fast, text)) == shown(decode(strict, text))
            both = (d.decode("hq", "other", text, NOW, enrolled=False) for d in (fast, strict))
            one, other = map(shown, both)
            assert one == other


@pytest.mark.parametrize("value", NUMBERS)
@pytest.mark.parametrize("known", ["1.5", "5i"])
@pytest.mark.parametrize("times", [1, 3])
def test_no_value_passes_for_a_number_that_is_none(times: int, known: str, value: str) -> None:
    fast = decoder_of()
    with mock.patch("collector.decode.LineCache", Forgetful):
        strict = decoder_of()
        strict.decode("hq", "mon-01", b"", NOW)

    def body_with(fields: str) -> bytes:
        usual = f"a={known},b={known}"
        return b"\n".join([lines(10, usual), lines(1, fields), lines(9, usual, start=10)])

    for decoder in (fast, strict):
        for _ in range(times):
            assert not decode(decoder, body_with(f"a={known},b={known}")).rejected_lines
    for fields in (f"a={known},b={value}", f"a={value},b={known}"):
        body = body_with(fields)
        assert shown(decode(fast, body)) == shown(decode(strict, body))


@given(
    st.sampled_from(["a=1.5,b=2.5", "a=5i,b=5i", "load1=1.5,b=5i", "a=1.5,load1=5i"]),
    st.lists(st.sampled_from("0123456789.-/+eEai,= "), min_size=1, max_size=4).map("".join),
    st.data(),
)
def test_a_body_known_as_a_whole_is_read_strictly_where_anything_was_added(
    known: str, added: str, data: st.DataObject
) -> None:
    fast = decoder_of()
    with mock.patch("collector.decode.LineCache", Forgetful):
        strict = decoder_of()
        strict.decode("hq", "mon-01", b"", NOW)
    text = lines(3, known).decode()
    for decoder in (fast, strict):
        for _ in range(3):
            assert not decode(decoder, text.encode()).rejected_lines
    at = data.draw(st.integers(0, len(text)))
    without = data.draw(st.integers(0, 3))
    changed = (text[:at] + added + text[at + without :]).encode()
    assert shown(decode(fast, changed)) == shown(decode(strict, changed))


@pytest.mark.parametrize("fields", ["5a=1,n=2i", "a=1,n=2i5", "a=1,n5=2i", "a=1,n=2.i", "a=1,5n=i"])
def test_a_digit_outside_of_a_value_is_no_part_of_one(fields: str) -> None:
    decoder = decoder_of()
    for _ in range(3):
        decode(decoder, lines(1, "a=1,n=2i"))
    strict = decode(decoder_of(), lines(1, fields))
    again = decode(decoder, lines(1, fields))
    assert again.rejected_by_fault == strict.rejected_by_fault
    if again.batch is not None and strict.batch is not None:
        assert sorted(again.batch.value.tolist()) == sorted(strict.batch.value.tolist())


def test_a_body_known_as_a_whole_is_not_looked_at_line_by_line() -> None:
    decoder = decoder_of()
    for _ in range(2):
        decode(decoder, lines(50, "a=1.5,n=2i") + b"\n" + lines(50, "load1=1.5,load5=5i"))
    body = lines(50, "a=-2.5,n=17i") + b"\n" + lines(50, "load1=7,load5=0i")
    with mock.patch("collector.columns.LineCache._line_by_line", side_effect=AssertionError):
        batch = batch_of(decode(decoder, body))
    assert batch.value.tolist() == [-2.5, 17.0] * 50 + [7.0, 0.0] * 50


def test_bodies_with_the_same_lines_in_another_order_are_not_confused() -> None:
    decoder = decoder_of()
    first = b"m,host=mon-01 a=1,b=2 %d\nm,host=mon-01 c=3 %d" % (NS, NS)
    second = b"m,host=mon-01 a=1 %d\nm,host=mon-01 b=2,c=3 %d" % (NS, NS + 1_000_000)
    third = b"m,host=mon-01 c=3 %d\nm,host=mon-01 a=1,b=2 %d" % (NS, NS)
    for _ in range(4):
        assert samples(batch_of(decode(decoder, first))) == [(0, NOW, 1), (1, NOW, 2), (2, NOW, 3)]
        assert samples(batch_of(decode(decoder, second))) == [(0, NOW, 1), (1, NOW + 1, 2), (2, NOW + 1, 3)]
        assert samples(batch_of(decode(decoder, third))) == [(2, NOW, 3), (0, NOW, 1), (1, NOW, 2)]
