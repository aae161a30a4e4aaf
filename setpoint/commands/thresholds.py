"""``setpoint thresholds list|stats``: thresholds that are configured elsewhere, beside the plan's."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence

from setpoint.commands.asking import add_url, ask, ask_bytes, exit_code, rows_of
from setpoint.commands.printing import print_bytes, print_text, table_width

_OK = 0
_WIDTH = 120
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
        add_url(one)


def _run(options: argparse.Namespace) -> int:
    return exit_code("setpoint thresholds", options.thresholds_command, options)


def _list(options: argparse.Namespace) -> int:
    states = [state.replace("-", " ") for state in options.state or ()]
    asked = [("source", options.source), ("point", options.point), *(("state", state) for state in states)]
    query = [(key, value) for key, value in asked if value is not None]
    if options.format != "table":
        return _pass_on(options, "/api/thresholds", query)
    from collector.exports.thresholds import rows_table
    from collector.thresholds.report import ThresholdRow

    answer = ask(options.url, "/api/thresholds", query)
    rows = rows_of(options.url, answer.get("rows"), ThresholdRow)
    if not rows:
        print("no thresholds" if answer.get("time_ms") else "no thresholds; no review has been made yet")
        return _OK
    counts = Counter(row.state for row in rows)
    told = ", ".join(f"{count} {state}" for state, count in counts.most_common())
    more = answer["total"] - len(rows)
    print_text(f"{rows_table(rows, table_width(_WIDTH))}\n{len(rows)} thresholds and rules: {told}")
    if more > 0:
        print(f"{more} more are not shown; ask for one --source or --state")
    return _OK


def _stats(options: argparse.Namespace) -> int:
    if options.format != "table":
        return _pass_on(options, "/api/thresholds/stats", [])
    from collector.exports.thresholds import statistics_tables
    from collector.thresholds.report import PointCounts, SourceCounts

    answer = ask(options.url, "/api/thresholds/stats")
    points = rows_of(options.url, answer.get("points"), PointCounts)
    sources = rows_of(options.url, answer.get("sources"), SourceCounts)
    if not points:
        print("nothing to count: no review has been made yet")
        return _OK
    print_text(statistics_tables(points, sources, table_width(_WIDTH)).rstrip("\n"))
    if not sources:
        print("\nno thresholds have been read")
    since = f"changes since {answer['previous']}" if answer["previous"] else "no period before it is known"
    print(f"\n{answer['period']}; {since}")
    return _OK


def _pass_on(options: argparse.Namespace, path: str, query: Sequence[tuple[str, str]]) -> int:
    """What the collector answers, as it is."""
    body = ask_bytes(options.url, path, [*query, ("format", options.format)])
    print_bytes(body if options.format == "csv" else body + b"\n")
    return _OK
