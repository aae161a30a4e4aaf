"""Runs a command in the test's own process."""

from __future__ import annotations

import pytest

from setpoint.__main__ import main

Outcome = tuple[int, str, str]
"""Exit code, output and errors."""


def run_command(capfdbinary: pytest.CaptureFixture[bytes], *arguments: str) -> Outcome:
    """What comes of ``setpoint`` with these arguments."""
    try:
        code = main(arguments)
    except SystemExit as ended:
        code = int(ended.code or 0)
    out, err = capfdbinary.readouterr()
    return code, out.decode(), err.decode()


def ask_by_default(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Has commands ask the collector at this address when they are given none."""
    monkeypatch.setenv("SETPOINT_URL", url)
    # A proxy for the way out must not be asked for what is on this machine.
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
