"""``setpoint maintenance add|list|end``: planned downtime, entered at a running collector."""

from __future__ import annotations

import argparse
import http.client
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from setpoint.calendars import LocalTime
from setpoint.units import Duration

_OK, _REFUSED, _USAGE, _NO_COLLECTOR = 0, 1, 2, 3
_DEFAULT_URL = "http://127.0.0.1:8480"
_TIMEOUT_S = 30
_MAX_ANSWER_BYTES = 64_000_000
_LOOPBACK = ("127.0.0.1", "localhost", "::1")

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


class _Failed(Exception):
    """Ends the command with an exit code; the text is for the user."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


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
        one.add_argument(
            "--url",
            default=os.environ.get("SETPOINT_URL", _DEFAULT_URL),
            help="the collector's page (%(default)s; SETPOINT_URL)",
        )
        one.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    try:
        options.maintenance_command(options)
    except _Failed as failed:
        print(f"setpoint maintenance: {failed}", file=sys.stderr)
        return failed.code
    return _OK


def _add(options: argparse.Namespace) -> None:
    try:
        duration = Duration.parse(options.duration)
        start = None if options.start is None else LocalTime.parse(options.start)
    except ValueError:
        wrong = ("DURATION", Duration.expected, options.duration)
        if options.start is not None and _is_duration(options.duration):
            wrong = ("--from", LocalTime.expected, options.start)
        raise _Failed(_USAGE, '{}: expected {}, got "{}"'.format(*wrong)) from None
    asked: dict[str, Any] = {
        "hosts": options.hosts,
        "reason": options.reason,
        "duration_ms": int(duration),
    }
    zone = _zone(options.url)
    if start is not None:
        asked["from_ms"] = start.start_ms(zone)
    print(_line(_ask(options.url, "/api/maintenance", asked), zone))


def _list(options: argparse.Namespace) -> None:
    zone = _zone(options.url)
    answer = _ask(options.url, "/api/maintenance")
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
    print(_line(_ask(options.url, f"/api/maintenance/{options.id}/end", {}), _zone(options.url)))


def _line(one: dict[str, Any], zone: ZoneInfo) -> str:
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
    return ZoneInfo(_ask(url, "/api/plan")["timezone"])


def _ask(url: str, path: str, data: dict[str, Any] | None = None) -> Any:
    """What the collector answers, decoded; ``data`` is sent to it. _Failed when it does not, or refuses."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _Failed(_USAGE, f'--url: expected one such as {_DEFAULT_URL}, got "{url}"')
    # A proxy of this environment is for the way out; it knows another machine as 127.0.0.1.
    local = [urllib.request.ProxyHandler({})] if parts.hostname in _LOOPBACK else []
    request = urllib.request.Request(
        url.rstrip("/") + path,
        data=None if data is None else json.dumps(data).encode(),
        headers={} if data is None else {"Content-Type": "application/json"},
    )
    no_collector = f"what answers at {url} is no collector"
    try:
        with urllib.request.build_opener(*local).open(request, timeout=_TIMEOUT_S) as response:
            return json.loads(response.read(_MAX_ANSWER_BYTES))
    except urllib.error.HTTPError as error:
        try:
            message = json.loads(error.read(65_536))["error"]["message"]
        except (ValueError, KeyError, TypeError):
            raise _Failed(_NO_COLLECTOR, no_collector) from None
        raise _Failed(_REFUSED, f"the collector at {url} says: {message}") from None
    except (http.client.HTTPException, json.JSONDecodeError):
        raise _Failed(_NO_COLLECTOR, no_collector) from None
    except (OSError, ValueError) as error:
        raise _Failed(
            _NO_COLLECTOR,
            f"no collector answers at {url} ({getattr(error, 'reason', error)}); start one with "
            "`setpoint up` or `setpoint collector run`, or say with --url or SETPOINT_URL where it is",
        ) from None
