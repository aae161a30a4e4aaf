"""The log's form."""

import logging

import pytest

from setpoint.logging_setup import start_logging


def test_what_comes_from_the_network_is_shown_and_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        start_logging("info", "collector")
        logging.getLogger("x").info("agent is %s", "off\n2026-01-01T00:00:00.000Z ERROR forged\x1b[2J\r")
    finally:
        root.handlers[:], level = before
        root.setLevel(level)
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("INFO    collector: agent is off")
    assert second == "    2026-01-01T00:00:00.000Z ERROR forged\\x1b[2J\\x0d"
