"""The settings of the embedded broker."""

from __future__ import annotations

import pytest

from collector.broker.settings import EmbeddedBrokerSettings, parse_listen


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:1883", ("127.0.0.1", 1883)),
        ("[::1]:1883", ("::1", 1883)),
        ("broker.example:0", ("broker.example", 0)),
    ],
)
def test_an_address_and_port_is_understood(text: str, expected: tuple[str, int]) -> None:
    assert parse_listen(text) == expected


@pytest.mark.parametrize(
    "text", ["", "1883", ":1883", "127.0.0.1", "127.0.0.1:", "a:b", "a:-1", "a:65536", "[]:1"]
)
def test_another_text_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r'expected an address and port such as "127\.0\.0\.1:1883"'):
        parse_listen(text)


def test_an_ipv6_address_needs_brackets() -> None:
    with pytest.raises(ValueError, match="expected brackets"):
        parse_listen("::1:1883")


def test_problems_name_the_setting() -> None:
    assert EmbeddedBrokerSettings().problems() == []
    settings = EmbeddedBrokerSettings(listen="here", certificate="a.crt")
    assert [where for where, _ in settings.problems()] == ["listen", "key"]
    assert [where for where, _ in EmbeddedBrokerSettings(key="a.key").problems()] == ["certificate"]
