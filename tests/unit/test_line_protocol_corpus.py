"""The InfluxData line-protocol corpus: thousands of lines that InfluxData's own decoders took or refused.

Nothing of it is in this repository; where it is not beside the project, these tests skip. The counts are
exact, so that a change of what is taken or refused shows. docs/line-protocol.md explains them.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from collector.lines import Line, LineError, parse_line, split_lines
from setpoint.line_protocol import NS_PER_MS, encode_point
from setpoint.reading import FieldValue

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus" / "line-protocol" / "corpus.json"
PRECISION_NS = {"1ns": 1, "1µs": 1_000, "1ms": NS_PER_MS, "1s": 1_000_000_000}

pytestmark = pytest.mark.skipif(
    not CORPUS.exists(), reason=f"the InfluxData line-protocol corpus is not at {CORPUS}"
)


@pytest.fixture(scope="module")
def corpus() -> dict[str, dict[str, Any]]:
    loaded: dict[str, dict[str, Any]] = json.loads(CORPUS.read_text())
    return loaded


def as_bytes(text: str | dict[str, str]) -> bytes:
    return text.encode() if isinstance(text, str) else base64.b64decode(text["binary"])


def as_text(text: str | dict[str, str]) -> str:
    return as_bytes(text).decode()


READ: dict[str, Callable[[Any], FieldValue]] = {
    "float": float,
    "int": int,
    "uint": int,
    "bool": bool,
    "string": as_text,
}


def parse_body(body: bytes) -> list[Line]:
    return [line for line in map(parse_line, split_lines(body)) if line is not None]


def expected_line(point: dict[str, Any]) -> Line:
    fields = {}
    for field in point["fields"]:
        ((kind, value),) = field["value"].items()
        fields[as_text(field["key"])] = READ[kind](value)
    tags = tuple(sorted((as_text(tag["key"]), as_text(tag["value"])) for tag in point["tags"]))
    return Line(as_text(point["name"]), tags, fields, point["time"])


def with_times(lines: list[Line], case: dict[str, Any]) -> list[Line]:
    """As the corpus counts: in the input's precision, and a default time where the line has none."""
    unit = PRECISION_NS[case["precision"]]
    default = case["defaultTime"] // unit * unit
    return [line._replace(time_ns=default if line.time_ns is None else line.time_ns * unit) for line in lines]


def typed(lines: list[Line]) -> list[Any]:
    return [(line, {key: type(value) for key, value in line.fields.items()}) for line in lines]


def test_valid_lines_parse_to_what_the_corpus_says(corpus: dict[str, dict[str, Any]]) -> None:
    outcome: Counter[str] = Counter()
    for case in corpus["decode"].values():
        if "error" in case["output"]:
            continue
        expected = [expected_line(point) for point in case["output"].get("result") or []]
        try:
            found = with_times(parse_body(as_bytes(case["input"]["text"])), case["input"])
        except LineError as error:
            outcome[str(error).partition('" is ')[2]] += 1
        else:
            outcome["the same" if typed(found) == typed(expected) else "different"] += 1
    assert outcome == {"the same": 205, "beyond the 64-bit integers": 4}


def test_erroneous_lines_are_refused(corpus: dict[str, dict[str, Any]]) -> None:
    outcome: Counter[str] = Counter()
    for case in corpus["decode"].values():
        if "error" not in case["output"]:
            continue
        try:
            parse_body(as_bytes(case["input"]["text"]))
        except LineError:
            outcome["refused"] += 1
        else:
            outcome["taken"] += 1
    assert outcome == {"refused": 3098}


def test_encoded_points_mean_what_the_corpus_says(corpus: dict[str, dict[str, Any]]) -> None:
    outcome: Counter[str] = Counter()
    for case in corpus["encode"].values():
        point = case["input"]["point"]
        name, tags, fields, _ = expected_line(point)
        time_ns = point["time"]
        encoded = encode_point(name, dict(tags), fields, time_ns // NS_PER_MS)
        assert encoded is not None
        if "error" in case["output"]:
            outcome[f"encoded, where the corpus says: {case['output']['error']}"] += 1
            continue
        (expected,) = parse_body(as_bytes(case["output"]["result"]))
        assert expected.time_ns is not None
        try:
            (found,) = parse_body(encoded)
        except LineError as error:
            outcome[str(error)] += 1
            continue
        milliseconds = expected._replace(time_ns=expected.time_ns // NS_PER_MS * NS_PER_MS)
        outcome["the same" if typed([found]) == typed([milliseconds]) else "different"] += 1
    assert outcome == {
        "the same": 113,
        "a time beyond the 64-bit integers": 1,
        'encoded, where the corpus says: invalid tag value something=""': 1,
    }
