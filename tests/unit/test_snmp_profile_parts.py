"""The small languages of profiles: conditions, templates, expressions, numbers in texts, amounts."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.inputs.snmp.condition import Wanted, fits
from agent.inputs.snmp.expression import ExpressionError, evaluate, expression_names
from agent.inputs.snmp.plan_amount import amount_fields
from agent.inputs.snmp.session import Missing, Value
from agent.inputs.snmp.template import fill
from agent.inputs.snmp.unit import to_si
from agent.inputs.snmp.value import bit_of, number_of, text_of

amounts = st.floats(1, 1e12)


@pytest.mark.parametrize(
    ("wanted", "value", "answer"),
    [
        (5, 5, True),
        (5, b"5", True),
        ([1, 5], 5, True),
        ([1, 2], 5, False),
        ("OK", b"ok", True),
        ("> 3", 4, True),
        ("> 3", 3, False),
        ("<= -1", -1, True),
        ("!= 0", b"7 rpm", True),
        ("> 3", None, False),
        ("~ ^Fan", b"Fan 1", True),
        ("~ ^Fan", b"A Fan", False),
        ("missing", None, True),
        ("missing", Missing.NO_SUCH_INSTANCE, True),
        ("missing", b"", False),
        ("empty", b"\0\0", True),
        ("empty", b"x", False),
    ],
)
def test_a_condition(wanted: Wanted, value: Value | Missing | None, answer: bool) -> None:
    assert fits(wanted, value) is answer


@pytest.mark.parametrize(
    ("template", "index", "text"),
    [
        ("Fan {index}", "3", "Fan 3"),
        ("{label|index}", "3", "3"),
        ("{name|index}", "3", "Inlet"),
        ("{index.1}", "4.5.6", "5"),
        ("{index.1-2}", "4.5.6", "5.6"),
        ("{index.1-}", "4.5.6.7", "5.6.7"),
        ("{index.1-:text}", "9.3.65.66.67", "ABC"),
        ("{index:text}", "80.83.85", "PSU"),
        ("{label}", "3", ""),
        ("{nothing}", "3", None),
        ("{index.5}", "3", None),
    ],
)
def test_a_template(template: str, index: str, text: str | None) -> None:
    found = {"name": "Inlet", "label": ""}
    assert fill(template, index, found.get) == text


@given(st.floats(-1e6, 1e6), st.floats(1, 1e6))
def test_an_expression_is_pythons_arithmetic(used: float, total: float) -> None:
    names = {"used": used, "total": total}
    assert evaluate("used / total * 100", names) == used / total * 100
    assert evaluate("-used if used < 0 else used", names) == abs(used)
    assert evaluate("max(used, total) - min(used, total)", names) == max(used, total) - min(used, total)


@given(st.integers(-(2**31), 2**31 - 1))
def test_a_signed_number_survives_being_sent_unsigned(value: int) -> None:
    assert evaluate("signed(value, 32)", {"value": float(value % 2**32)}) == value


def test_milliwatts_become_decibels() -> None:
    assert evaluate("dbm(value)", {"value": 1.0}) == 0
    assert evaluate("dbm(value)", {"value": 0.0}) == -40


@pytest.mark.parametrize("text", ["1 / value", "log10(value)", "10 ** (value + 999)", "(0 - 1) ** 0.5"])
def test_an_expression_without_a_value_has_none(text: str) -> None:
    assert evaluate(text, {"value": 0.0}) is None


@pytest.mark.parametrize(
    "text",
    ["__import__('os')", "value.real", "[1]", "'a'", "lambda: 1", "a if", "x" * 501, "1 < 2 < 3", "True"],
)
def test_what_is_no_arithmetic_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        expression_names(text)


@pytest.mark.parametrize(
    ("value", "pattern", "number"),
    [
        (b"23.5 C/74 F", "", 23.5),
        (b"-7.25 dBm", "", -7.25),
        (b"5 Secs (19.4%)", r"\(([0-9.]+)", 19.4),
        (b"no number", "", None),
        (b"none", "([0-9]+)", None),
        (b"", "", None),
        ("192.0.2.1", "", None),
        ("1.3.6.1.4.1.8072", "", None),
        (b"inlet at 192.0.2.1: 21.5 C", r": (\S+)", 21.5),
        (math.inf, "", None),
        (Missing.NO_SUCH_OBJECT, "", None),
        (2**63, "", 2**63),
    ],
)
def test_a_number(value: Value | Missing, pattern: str, number: float | None) -> None:
    assert number_of(value, pattern) == number


@given(st.binary(max_size=40))
def test_any_octets_have_a_text_and_perhaps_a_number(octets: bytes) -> None:
    assert "\n" not in text_of(octets)
    found = number_of(octets)
    assert found is None or math.isfinite(found)


def test_bits_of_octets_count_from_the_left_and_of_numbers_from_the_right() -> None:
    assert [bit_of(b"\x90", bit) for bit in range(4)] == [1, 0, 0, 1]
    assert bit_of(b"", 3) == 0
    assert [bit_of(5, bit) for bit in range(3)] == [1, 0, 1]
    assert bit_of(None, 0) is None


def test_degrees_of_fahrenheit() -> None:
    assert to_si(212, "F") == pytest.approx(100)
    assert to_si(320, "dF") == pytest.approx(0)


@given(amounts, amounts)
def test_any_two_numbers_of_an_amount_give_the_rest(used: float, free: float) -> None:
    total = used + free
    whole = amount_fields({"used": used, "free": free, "total": total}, 1024)
    for given_ in (
        {"used": used, "free": free},
        {"used": used, "total": total},
        {"free": free, "total": total},
        {"used_percent": used / total * 100, "total": total},
        {"free_percent": free / total * 100, "total": total},
    ):
        found = amount_fields(given_, 1024)
        assert found["total_bytes"] == whole["total_bytes"]
        assert found["used_bytes"] == pytest.approx(whole["used_bytes"], rel=1e-3, abs=1e6)
        assert found["used_percent"] == pytest.approx(whole["used_percent"], abs=1e-2)


def test_a_percentage_alone_is_no_bytes() -> None:
    assert amount_fields({"used_percent": 42.0}, 1) == {"used_percent": 42.0}


@pytest.mark.parametrize(
    "numbers", [{"used": 0.0, "total": 0.0}, {"used": -5.0, "total": 9.0}, {"used_percent": 140.0}, {}]
)
def test_an_amount_that_cannot_be_is_none(numbers: dict[str, float]) -> None:
    assert amount_fields(numbers, 1) == {}
