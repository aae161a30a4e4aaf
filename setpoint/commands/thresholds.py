"""``setpoint thresholds list|stats``: thresholds that are configured elsewhere, beside the plan's."""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import msgspec

_OK, _USAGE, _NO_COLLECTOR = 0, 2, 3
_DEFAULT_URL = "http://127.0.0.1:8480"
_TIMEOUT_S = 30
_MAX_ANSWER_BYTES = 256_000_000
_WIDTH = 120
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_STATES = (
    *("drifts", "orphaned", "unmatched", "cannot-tell", "no-such-level"),
    *("agrees", "condition", "off", "none"),
)

_EPILOG = """\
states:
  drifts         it is not what the plan has
  orphaned       it is on what no plan wants, or on what does not report
  unmatched      what it measures has no name here, or cannot be compared
  cannot-tell    whether it is meant depends on a label that is not known here
  no-such-level  the plan has no level of this severity and direction
  agrees         it is as planned
  condition      it belongs to another threshold (and, unless)
  off            it is switched off
  none           the rule has no threshold

exit codes:
  0  done, also when there is nothing to tell
  2  the command line is wrong, or the collector refused what was asked
  3  no collector answers

examples:
  setpoint thresholds list --state drifts --state orphaned
  setpoint thresholds list --source prometheus --format csv > thresholds.csv
  setpoint thresholds stats
"""


class _Failed(Exception):
    """Ends the command with an exit code; the text is for the user."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the command line."""
    parser = subparsers.add_parser(
        "thresholds",
        help="list and count thresholds configured elsewhere",
        description="The thresholds that agents read from monitoring tools and devices, beside the plan's.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    listing = commands.add_parser(
        "list", help="a table of thresholds", description="Lists thresholds, what wants a look first."
    )
    listing.add_argument("--source", help="only of this source")
    listing.add_argument("--point", help="only for this plan point")
    listing.add_argument(
        "--state", choices=_STATES, action="append", help="only in this state; may be repeated"
    )
    listing.set_defaults(run=_run, thresholds_command=_list)

    stats = commands.add_parser(
        "stats",
        help="how many monitoring points and thresholds there are",
        description="Counts monitoring points by class, element, owner and measurement, and thresholds by "
        "source, with the change since the last period.",
    )
    stats.set_defaults(run=_run, thresholds_command=_stats)

    for one in (listing, stats):
        one.epilog, one.formatter_class = _EPILOG, argparse.RawDescriptionHelpFormatter
        one.add_argument(
            "--format", choices=("table", "csv", "json"), default="table", help="how (%(default)s)"
        )
        one.add_argument(
            "--url",
            default=os.environ.get("SETPOINT_URL", _DEFAULT_URL),
            help="the collector's page (%(default)s; SETPOINT_URL)",
        )


def _run(options: argparse.Namespace) -> int:
    try:
        code: int = options.thresholds_command(options)
    except _Failed as failed:
        print(f"setpoint thresholds: {failed}", file=sys.stderr)
        return failed.code
    return code


def _list(options: argparse.Namespace) -> int:
    states = [state.replace("-", " ") for state in options.state or ()]
    asked = [("source", options.source), ("point", options.point), *(("state", state) for state in states)]
    query = [(key, value) for key, value in asked if value is not None]
    if options.format != "table":
        return _pass_on(options, "/api/thresholds", query)
    from collector.exports.thresholds import rows_table
    from collector.thresholds.report import ThresholdRow

    answer = _ask_json(options.url, "/api/thresholds", query)
    rows: list[ThresholdRow] = _decode(options.url, answer, "rows", ThresholdRow)
    if not rows:
        print("no thresholds" if answer.get("time_ms") else "no thresholds; no review has been made yet")
        return _OK
    counts = Counter(row.state for row in rows)
    told = ", ".join(f"{count} {state}" for state, count in counts.most_common())
    more = answer["total"] - len(rows)
    _print(f"{rows_table(rows, _width())}\n{len(rows)} thresholds and rules: {told}")
    if more > 0:
        print(f"{more} more are not shown; ask for one --source or --state")
    return _OK


def _stats(options: argparse.Namespace) -> int:
    if options.format != "table":
        return _pass_on(options, "/api/thresholds/stats", [])
    from collector.exports.thresholds import statistics_tables
    from collector.thresholds.report import PointCounts, SourceCounts

    answer = _ask_json(options.url, "/api/thresholds/stats", [])
    points: list[PointCounts] = _decode(options.url, answer, "points", PointCounts)
    sources: list[SourceCounts] = _decode(options.url, answer, "sources", SourceCounts)
    if not points:
        print("nothing to count: no review has been made yet")
        return _OK
    _print(statistics_tables(points, sources, _width()).rstrip("\n"))
    if not sources:
        print("\nno thresholds have been read")
    since = f"changes since {answer['previous']}" if answer["previous"] else "no period before it is known"
    print(f"\n{answer['period']}; {since}")
    return _OK


def _pass_on(options: argparse.Namespace, path: str, query: Sequence[tuple[str, str]]) -> int:
    """What the collector answers, as it is."""
    body = _ask(options.url, path, [*query, ("format", options.format)])
    sys.stdout.flush()
    sys.stdout.buffer.write(body if options.format == "csv" else body + b"\n")
    sys.stdout.buffer.flush()
    return _OK


def _ask_json(url: str, path: str, query: Sequence[tuple[str, str]]) -> dict[str, Any]:
    try:
        answer = json.loads(_ask(url, path, query))
    except ValueError:
        raise _no_collector(url) from None
    if not isinstance(answer, dict):
        raise _no_collector(url)
    return answer


def _ask(url: str, path: str, query: Sequence[tuple[str, str]]) -> bytes:
    """What the collector answers. _Failed when it does not, or refuses."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _Failed(_USAGE, f'--url: expected one such as {_DEFAULT_URL}, got "{url}"')
    # A proxy of this environment is for the way out; it knows another machine as 127.0.0.1.
    local = [urllib.request.ProxyHandler({})] if parts.hostname in _LOOPBACK else []
    address = url.rstrip("/") + path + (f"?{urllib.parse.urlencode(query)}" if query else "")
    try:
        with urllib.request.build_opener(*local).open(address, timeout=_TIMEOUT_S) as response:
            body: bytes = response.read(_MAX_ANSWER_BYTES)
    except urllib.error.HTTPError as error:
        message = _message(error.read(65_536))
        if message is None:
            raise _no_collector(url) from None
        code = _USAGE if error.code < 500 else _NO_COLLECTOR
        raise _Failed(code, f"the collector at {url} says: {message}") from None
    except http.client.HTTPException:
        raise _no_collector(url) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise _Failed(
            _NO_COLLECTOR,
            f"no collector answers at {url} ({reason}); start one with `setpoint up` or "
            "`setpoint collector run`, or say with --url or SETPOINT_URL where it is",
        ) from None
    return body


def _message(body: bytes) -> str | None:
    """The message of the collector's error; None when it is not the collector's."""
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return None


def _no_collector(url: str) -> _Failed:
    return _Failed(_NO_COLLECTOR, f"what answers at {url} is no collector of this version")


def _decode(url: str, answer: dict[str, Any], key: str, row: type[msgspec.Struct]) -> list[Any]:
    import msgspec

    try:
        rows: list[Any] = msgspec.convert(answer.get(key), list[row])  # type: ignore[valid-type]
    except msgspec.ValidationError:
        raise _no_collector(url) from None
    return rows


def _width() -> int:
    return shutil.get_terminal_size((_WIDTH, 24)).columns if sys.stdout.isatty() else _WIDTH


def _print(text: str) -> None:
    """Prints, also where the terminal cannot show every character."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding))
