"""``setpoint maintenance add|list|end``: planned downtime, entered at a running collector."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from setpoint.calendars import LocalTime
from setpoint.commands.asking import REFUSED, AskError, add_url, ask, exit_code, send
from setpoint.units import Duration

_OK, _NOT_DONE = 0, 1

_EPILOG = """\
Times are in the plan's time zone. Planned downtime is neither a gap in the measurement nor a breach; what was
taken out, and whether that was said only afterwards, stands with every finding that it changes. It is entered
on the collector's own machine. What happens every week belongs into the plan, under `maintenance`.

exit codes:
  0  done
  1  the collector refused, or there is no such maintenance
  2  the command line is wrong
  3  no collector answers

examples:
  setpoint maintenance add sw-core-1 2h --reason "New firmware"
  setpoint maintenance add "web-*" 30m --from "2026-10-03 22:00" --reason Updates
  setpoint maintenance end 3
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the command line."""
    parser = subparsers.add_parser(
        "maintenance",
        help="planned downtime of hosts: add, list, end",
        description="Planned downtime of hosts and devices.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    add = commands.add_parser(
        "add", help="enter maintenance", description="Enters planned downtime of a host."
    )
    add.add_argument("hosts", metavar="HOST", help="a host's or device's name, or a glob in quotes")
    add.add_argument("duration", metavar="DURATION", help="how long: 30m, 2h, 1d")
    add.add_argument("--reason", required=True, help="what for")
    add.add_argument("--from", dest="start", metavar="TIME", help='from when: "2026-10-03 22:00" (now)')
    add.set_defaults(maintenance_command=_add)
    listing = commands.add_parser(
        "list", help="what was entered", description="Lists maintenance that runs or is to come."
    )
    listing.add_argument("--all", action="store_true", help="also what is over")
    listing.set_defaults(maintenance_command=_list)
    end = commands.add_parser(
        "end", help="let it end now", description="Lets maintenance end now, before its time."
    )
    end.add_argument("id", metavar="ID", type=int, help="its number, as `list` shows it")
    end.set_defaults(maintenance_command=_end)
    for one in (add, listing, end):
        one.epilog, one.formatter_class = _EPILOG, argparse.RawDescriptionHelpFormatter
        add_url(one)
        one.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    return exit_code("setpoint maintenance", _command, options)


def _command(options: argparse.Namespace) -> int:
    try:
        options.maintenance_command(options)
    except AskError as error:
        # What the collector refuses here is not the command line: the maintenance is not there, or is over.
        if error.status is not None:
            error.code = _NOT_DONE
        raise
    return _OK


def _add(options: argparse.Namespace) -> None:
    try:
        duration = Duration.parse(options.duration)
        start = None if options.start is None else LocalTime.parse(options.start)
    except ValueError:
        wrong = ("DURATION", Duration.expected, options.duration)
        if options.start is not None and _is_duration(options.duration):
            wrong = ("--from", LocalTime.expected, options.start)
        raise AskError(REFUSED, '{}: expected {}, got "{}"'.format(*wrong)) from None
    asked: dict[str, Any] = {
        "hosts": options.hosts,
        "reason": options.reason,
        "duration_ms": int(duration),
    }
    zone = _zone(options.url)
    if start is not None:
        asked["from_ms"] = start.start_ms(zone)
    print(_line(send(options.url, "/api/maintenance", asked), zone))


def _list(options: argparse.Namespace) -> None:
    zone = _zone(options.url)
    answer = ask(options.url, "/api/maintenance")
    shown = [
        one
        for one in answer["maintenance"]
        if options.all or one["to_ms"] > max(one["from_ms"], answer["time_ms"])
    ]
    for one in shown:
        print(_line(one, zone))
    if not shown:
        print("no maintenance" if options.all else "no maintenance is running or to come")


def _end(options: argparse.Namespace) -> None:
    print(_line(send(options.url, f"/api/maintenance/{options.id}/end", {}), _zone(options.url)))


def _line(one: Mapping[str, Any], zone: ZoneInfo) -> str:
    start, end = (_moment(one[key], zone) for key in ("from_ms", "to_ms"))
    return f"{one['id']:>4}  {start} to {end}  {one['hosts']}  {one['reason']}"


def _moment(moment_ms: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(moment_ms / 1000, UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M")


def _is_duration(text: str) -> bool:
    try:
        Duration.parse(text)
    except ValueError:
        return False
    return True


def _zone(url: str) -> ZoneInfo:
    return ZoneInfo(ask(url, "/api/plan")["timezone"])
