"""``setpoint rollup``: how far a running collector has rolled hours up."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from setpoint.commands.asking import add_url, ask, ask_bytes, exit_code, rows_of
from setpoint.commands.printing import print_bytes, print_text, table_width

if TYPE_CHECKING:
    from collector.rollups.progress import PointProgress

_OK, _FAILED = 0, 1
_WIDTH: Final = 120
_LOOK_EVERY_S: Final = 2.0

_EPILOG = """\
The collector rolls up each hour by itself a few minutes after it is over, and catches up after a
downtime; this only looks on. Reviews of hours that are not rolled up yet are computed from samples.
Times are in UTC.

exit codes:
  0  done
  1  the collector cannot roll up at present; it says why
  2  the command line is wrong, or the collector refused what was asked
  3  no collector answers

examples:
  setpoint rollup
  setpoint rollup --wait
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the command line."""
    parser = subparsers.add_parser(
        "rollup",
        help="how far hours are rolled up",
        description="Shows how far the collector has rolled hours up, by plan point.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--wait", action="store_true", help="show how it goes until no hour is left")
    parser.add_argument("--format", choices=("table", "json"), default="table", help="how (%(default)s)")
    add_url(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    return exit_code("setpoint rollup", _command, options)


def _command(options: argparse.Namespace) -> int:
    if options.wait and (error := _wait(options.url)):
        return _failed(error)
    if options.format == "json":
        print_bytes(ask_bytes(options.url, "/api/rollups") + b"\n")
        return _OK
    answer = ask(options.url, "/api/rollups")
    print_text(_told(options.url, answer))
    return _failed(answer["error"]) if answer.get("error") else _OK


def _failed(error: str) -> int:
    print(f"setpoint rollup: {error}", file=sys.stderr)
    return _FAILED


def _wait(url: str) -> str:
    """Returns when nothing is left to roll up, or why it never may be."""
    began, first = time.monotonic(), -1
    while True:
        answer = ask(url, "/api/rollups")
        left = answer["hours_left"] + answer["late_hours"]
        if answer["error"] or not left:
            _show("")
            return str(answer["error"])
        first = max(first, left)
        passed_s, done = time.monotonic() - began, first - left
        text = f"{left} of {first} hours are left"
        if done:
            text += f", about {_minutes(passed_s / done * left)}"
        _show(text)
        time.sleep(_LOOK_EVERY_S)


def _show(text: str) -> None:
    # Into a file it would be a line every two seconds that nobody wants to read.
    if sys.stderr.isatty():
        print(f"\r{text:<60}" if text else f"\r{'':<60}\r", end="", file=sys.stderr, flush=True)


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _told(url: str, answer: Any) -> str:
    from collector.exports.table import align
    from collector.rollups.progress import PointProgress

    rows = rows_of(url, answer.get("points"), PointProgress)
    lines: list[Sequence[str]] = [("POINT", "FROM", "UNTIL", "HOURS LEFT", "TITLE")]
    lines += [_line(row) for row in rows]
    told = align(lines, table_width(_WIDTH))
    if answer["hours_left"]:
        told += f"{answer['hours_left']} hours are left"
    else:
        told += "all hours that are over are rolled up"
    if answer["late_hours"]:
        told += f"; {answer['late_hours']} wait to be rolled up again, since samples came late"
    return told


def _line(row: PointProgress) -> Sequence[str]:
    if not row.kept:
        return (row.point, "-", "-", "from samples", row.title)
    left = str(row.hours_left) if row.until_ms is not None else "-"
    return (row.point, _moment(row.from_ms), _moment(row.until_ms), left, row.title)


def _moment(time_ms: int | None) -> str:
    if time_ms is None:
        return "-"
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")
