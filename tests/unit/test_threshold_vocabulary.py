"""Thresholds as readings: subjects as tags, and what an input finds as points."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.inputs.thresholds.found import FoundThreshold, NoThreshold, to_points
from agent.inputs.thresholds.written import NotYaml, load_documents, seconds
from collector.lines import parse_line
from setpoint.line_protocol import encode
from setpoint.threshold import EVERYTHING, Matcher, mirrored, read_subject, write_subject

LABELS = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_.]*", fullmatch=True)
MATCHERS = st.builds(Matcher, LABELS, st.sampled_from(["=", "!=", "=~", "!~"]), st.text())


@given(st.sets(MATCHERS, max_size=4))
def test_a_subject_is_read_as_it_was_written(matchers: set[Matcher]) -> None:
    assert set(read_subject(write_subject(matchers))) == matchers


@given(st.sets(MATCHERS, max_size=3))
def test_a_subject_survives_line_protocol(matchers: set[Matcher]) -> None:
    [point, _] = to_points("s", [FoundThreshold("r", "m", "above", 1, [*matchers])], every_s=1, rules=1)
    line = encode(point._replace(time_ms=1))
    assert line is not None
    parsed = parse_line(line)
    assert parsed is not None
    expected = {one._replace(value=one.value.translate({127: " "})) for one in matchers}
    if "\ud800" <= max((c for one in matchers for c in one.value), default="") <= "\udfff":
        return  # halves of surrogate pairs have no place in UTF-8
    assert set(read_subject(dict(parsed.tags)["subject"])) == expected


@pytest.mark.parametrize(
    "text", ["", "host", 'host="a', 'host="a",', 'host="a" path="b"', 'host=="a"', "host=a"]
)
def test_what_is_no_subject_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_subject(text)


def test_no_matchers_are_everything() -> None:
    assert write_subject([]) == EVERYTHING
    assert read_subject(EVERYTHING) == ()


def test_a_mirrored_comparison_is_the_one_that_was() -> None:
    assert mirrored("above") == "below"
    assert mirrored(mirrored("at_least")) == "at_least"


def test_two_rules_of_one_name_are_two_series() -> None:
    twice = [FoundThreshold("Busy", "cpu", "above", level) for level in (80, 90)]
    first, second, _ = to_points("prometheus", twice, every_s=300, rules=2)
    assert (first.tags["rule"], first.fields["level"]) == ("Busy", 80)
    assert (second.tags["rule"], second.fields["level"]) == ("Busy #2", 90)


@pytest.mark.parametrize(
    ("level", "reason"), [(math.inf, "never"), (-math.inf, "never"), (math.nan, "no number")]
)
def test_a_level_that_is_no_number_is_told_as_a_reason(level: float, reason: str) -> None:
    point, source = to_points("s", [FoundThreshold("r", "m", "above", level)], every_s=1, rules=1)
    assert (point.measurement, point.tags["reason"]) == ("threshold_none", reason)
    assert (source.fields["thresholds"], source.fields["without"]) == (0, 1)


def test_the_source_says_what_the_gathering_came_to() -> None:
    found = [
        FoundThreshold("a", "m", "above", 1),
        NoThreshold("b", "absence"),
        NoThreshold("c", "unreadable", "what is this"),
    ]
    *_, source = to_points("prometheus", found, every_s=300, rules=3, failed_parts=1)
    assert source.measurement == "threshold_source"
    assert source.fields == {
        "rules": 3,
        "thresholds": 1,
        "without": 1,
        "unreadable": 1,
        "failed_parts": 1,
        "every_s": 300.0,
    }


def test_a_name_that_no_tag_can_carry_is_made_one() -> None:
    point, _ = to_points("s", [FoundThreshold(" a\n b\\", "x" * 2000, "above", 1)], every_s=1, rules=1)
    assert point.tags["rule"] == "a b"
    assert len(point.tags["metric"]) == 500
    nameless, _ = to_points("s", [FoundThreshold("", "m", "above", 1)], every_s=1, rules=1)
    assert nameless.tags["rule"] == "(unnamed)"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5m", 300),
        ("0m", 0),
        ("1h30m", 5400),
        ("1d", 86400),
        ("1w", 604800),
        ("250ms", 0.25),
        (None, 0),
        (0, 0),
    ],
)
def test_durations_are_read_as_prometheus_writes_them(text: object, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["5", "m", "5 minutes", "-5m", "5m1h"])
def test_what_is_no_duration_is_none(text: str) -> None:
    assert seconds(text) is None


def test_deep_yaml_is_refused_and_not_followed() -> None:
    with pytest.raises(NotYaml, match="levels"):
        load_documents(b"[" * 50_000)
