"""How fast payloads become columns: lines and readings per second, beside the library that makes dicts.

    python bench/decode.py [--seconds 3]

One core, decoding alone, bodies uncompressed unless it says otherwise. "First sight" has never seen the
series; "steady" has. The peer is line_protocol_parser.parse_line on every line of the same body; it checks
less and keeps nothing. Best of several rounds, since other processes only ever make a round slower.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import line_protocol_parser
import zstandard

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from collector.decode import Decoder
from collector.series import SeriesTable
from setpoint.batch_header import body_hash, encode_header
from setpoint.line_protocol import NS_PER_MS, encode_point
from setpoint.reading import FieldValue

NOW_MS = 1_700_000_000_000


def body_of(lines: int, fields: Mapping[str, FieldValue]) -> bytes:
    """Lines that differ in a tag, with these fields."""
    points = (encode_point("cpu", {"host": "mon-01", "cpu": f"cpu{i}"}, fields, NOW_MS) for i in range(lines))
    return b"\n".join(point for point in points if point is not None)


def payload_of(body: bytes) -> bytes:
    return encode_header("bench", 1, body_hash(body), 1, NOW_MS * NS_PER_MS) + body


def decode(decoder: Decoder, payload: bytes) -> None:
    decoded = decoder.decode("hq", "mon-01", payload, NOW_MS)
    assert decoded.batch is not None
    assert not decoded.rejected_lines, decoded.reason


def parse_to_dicts(body: bytes) -> None:
    for line in body.split(b"\n"):
        line_protocol_parser.parse_line(line)


class Subject(NamedTuple):
    name: str
    run: Callable[[], None]
    prepare: Callable[[], None] = lambda: None


def best_s(subjects: Sequence[Subject], seconds: float) -> list[float]:
    """The shortest time of one run of each, in seconds. They take turns, so that a busy moment hits all."""
    best = [float("inf")] * len(subjects)
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        for i, subject in enumerate(subjects):
            subject.prepare()
            began = time.perf_counter()
            subject.run()
            best[i] = min(best[i], time.perf_counter() - began)
    return best


def measure(name: str, lines: int, fields: Mapping[str, FieldValue], seconds: float) -> None:
    body = body_of(lines, fields)
    payload = payload_of(body)
    compressed = payload_of(zstandard.ZstdCompressor().compress(body))
    steady = Decoder(SeriesTable())
    decode(steady, payload)
    fresh = steady

    def forget() -> None:
        nonlocal fresh
        fresh = Decoder(SeriesTable())

    subjects = [
        Subject("line_protocol_parser to dicts", lambda: parse_to_dicts(body)),
        Subject("first sight", lambda: decode(fresh, payload), forget),
        Subject("steady", lambda: decode(steady, payload)),
        Subject("steady, zstd", lambda: decode(steady, compressed)),
    ]
    times = best_s(subjects, seconds)
    print(f"{name}: {lines} lines of {len(fields)} fields, {len(body)} bytes")
    for subject, run_s in zip(subjects, times, strict=True):
        print(
            f"  {subject.name:30} {lines / run_s:10,.0f} lines/s"
            f" {lines * len(fields) / run_s:11,.0f} readings/s  x{times[0] / run_s:.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3, help="for each kind of line")
    seconds = parser.parse_args().seconds
    rng = random.Random(1)
    percents = {f"usage_{i}": rng.random() * 100 for i in range(10)}
    counters: dict[str, FieldValue] = {f"bytes_{i}": rng.randrange(10**12) for i in range(10)}
    two = dict(list(percents.items())[:2])
    measure("percentages", 100, two, seconds)
    measure("percentages", 1000, two, seconds)
    measure("percentages", 100, percents, seconds)
    measure("percentages", 1000, percents, seconds)
    measure("counters", 100, dict(list(counters.items())[:2]), seconds)
    measure("counters", 100, counters, seconds)
    measure("with a text", 100, {**two, "state": "good"}, seconds)


if __name__ == "__main__":
    main()
