"""Durations, sizes and secrets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.units import Duration, Secret, Size


@given(st.integers(min_value=0, max_value=10**15))
def test_a_duration_reads_back_as_it_was_written(milliseconds: int) -> None:
    duration = Duration(milliseconds)
    assert Duration.parse(str(duration)) == duration


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("10s", 10_000),
        ("5m", 300_000),
        ("5ms", 5),
        ("1m5ms", 60_005),
        ("1h30m", 5_400_000),
        ("7d", 604_800_000),
        ("2w", 1_209_600_000),
        (" 1s ", 1_000),
        ("0s", 0),
    ],
)
def test_durations_people_write(text: str, milliseconds: int) -> None:
    assert Duration.parse(text) == milliseconds


@pytest.mark.parametrize("text", ["", "10", "ten", "-5s", "5 s", "1.5h", "30m1h", "s", "5S", "5s5s"])
def test_what_is_no_duration_says_what_was_expected(text: str) -> None:
    with pytest.raises(ValueError, match=r'^expected a duration such as "10s", "5m" or "7d"$'):
        Duration.parse(text)


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("0B", 0),
        ("512KB", 512_000),
        ("512kB", 512_000),
        ("10MB", 10_000_000),
        ("10 MB", 10_000_000),
        ("1.5GiB", 1_610_612_736),
        ("1.1kB", 1_100),
        ("0.001TB", 1_000_000_000),
    ],
)
def test_sizes_people_write(text: str, size_bytes: int) -> None:
    assert Size.parse(text) == size_bytes


@pytest.mark.parametrize("text", ["", "10", "MB", "-1MB", "1.MB", "1e3B", "1mb", "ten MB"])
def test_what_is_no_size_says_what_was_expected(text: str) -> None:
    with pytest.raises(ValueError, match=r'^expected a size such as "512KB", "10MB" or "1GiB"$'):
        Size.parse(text)


@given(st.integers(min_value=0, max_value=10**400))
def test_a_size_is_exact_however_large(size_bytes: int) -> None:
    assert Size.parse(f"{size_bytes}B") == size_bytes
    assert Size.parse(f"{size_bytes}.5kB") == size_bytes * 1000 + 500


def test_a_secret_is_shown_only_when_asked_for() -> None:
    secret = Secret("hunter2")
    shown = [str(secret), repr(secret), f"{secret}", f"{secret:>20}", "%s" % secret, "%r" % [secret]]  # noqa: UP031
    assert not any("hunter2" in text for text in shown)
    assert secret.reveal() == "hunter2"
    assert type(secret.reveal()) is str
