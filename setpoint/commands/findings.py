"""``setpoint findings list|show|export``: the findings of a running collector."""

from __future__ import annotations

import argparse
import sys
import urllib.parse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from setpoint.commands.asking import REFUSED, AskError, add_url, ask, exit_code, rows_of
from setpoint.commands.printing import print_bytes, print_text, table_width

if TYPE_CHECKING:
    from setpoint.finding import Finding

_OK, _NOT_FOUND = 0, 1
_WIDTH = 120

_EPILOG = """\
exit codes:
  0  done, also when there are no findings
  1  there is no finding with that id, or the file cannot be written
  2  the command line is wrong, or the collector refused what was asked
  3  no collector answers

examples:
  setpoint findings list --severity critical
  setpoint findings show 3fa1c09b22de --lang zh
  setpoint findings export --state all --output findings.csv
  setpoint findings list --url http://collector.example:8480 --format json
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the command line."""
    parser = subparsers.add_parser(
        "findings",
        help="list, show and export findings",
        description="What a running collector found: where what was measured falls short of the plan.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    listing = commands.add_parser(
        "list", help="a table of findings", description="Lists findings, worst first."
    )
    _add_filters(listing)
    listing.add_argument(
        "--format", choices=("table", "csv", "json"), default="table", help="how (%(default)s)"
    )
    listing.set_defaults(run=_run, findings_command=_list)

    show = commands.add_parser(
        "show", help="one finding with its evidence", description="Shows one finding with its evidence."
    )
    show.add_argument("id", metavar="ID", help="the finding's id, or as much of it as no other begins with")
    show.add_argument("--lang", choices=("en", "zh"), default="en", help="language of the text (%(default)s)")
    show.add_argument("--format", choices=("text", "json"), default="text", help="how (%(default)s)")
    show.set_defaults(run=_run, findings_command=_show)

    export = commands.add_parser(
        "export",
        help="write findings into a file",
        description="Writes findings into a file. The same findings give the same bytes.",
    )
    _add_filters(export)
    export.add_argument("--format", choices=("csv", "json"), help="how (by the file's name, else csv)")
    export.add_argument("--output", metavar="FILE", default="-", help="where to (standard output)")
    export.set_defaults(run=_run, findings_command=_export)

    for one in (listing, show, export):
        one.epilog, one.formatter_class = _EPILOG, argparse.RawDescriptionHelpFormatter
        add_url(one)


def _add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--state",
        choices=("open", "closed", "superseded", "all"),
        default="open",
        help="findings in this state (%(default)s)",
    )
    parser.add_argument(
        "--severity",
        choices=("critical", "warning", "info"),
        action="append",
        help="only of this severity; may be repeated",
    )
    parser.add_argument(
        "--kind", action="append", help="only of this kind, such as target-missed; may be repeated"
    )
    parser.add_argument("--point", help="only of this plan point")
    parser.add_argument("--host", help="only about this host")


def _run(options: argparse.Namespace) -> int:
    return exit_code("setpoint findings", options.findings_command, options)


def _list(options: argparse.Namespace) -> int:
    findings = _findings(options)
    if options.format != "table":
        print_bytes(_encoded(findings, options.format))
    elif not findings:
        print("no findings" if options.state == "all" else f"no {options.state} findings")
    else:
        from collector.exports.table import findings_table

        counts = Counter(finding.severity for finding in findings)
        told = ", ".join(f"{counts[name]} {name}" for name in ("critical", "warning", "info") if counts[name])
        print_text(f"{findings_table(findings, table_width(_WIDTH))}\n{len(findings)} findings: {told}")
    return _OK


def _show(options: argparse.Namespace) -> int:
    finding = _finding(options.url, options.id)
    if options.format == "json":
        from collector.exports.json_text import finding_json

        print_bytes(finding_json(finding))
    else:
        from collector.exports.detail import finding_detail

        print_text(finding_detail(finding, options.lang).rstrip("\n"))
    return _OK


def _export(options: argparse.Namespace) -> int:
    suffix = Path(options.output).suffix.lower().removeprefix(".")
    wanted = options.format or (suffix if suffix in ("csv", "json") else "csv")
    findings = _findings(options)
    content = _encoded(findings, wanted)
    if options.output == "-":
        print_bytes(content)
        return _OK
    target = Path(options.output)
    partial = target.with_name(target.name + ".partial")
    try:
        partial.write_bytes(content)
        partial.replace(target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise AskError(_NOT_FOUND, f"{target} cannot be written: {error.strerror or error}") from None
    print(f"{target}: {len(findings)} findings", file=sys.stderr)
    return _OK


def _encoded(findings: Sequence[Finding], wanted: str) -> bytes:
    if wanted == "json":
        from collector.exports.json_text import findings_json

        return findings_json(findings)
    from collector.exports.comma_separated import findings_csv

    return findings_csv(findings)


def _findings(options: argparse.Namespace) -> list[Finding]:
    from setpoint.finding import Finding

    query: list[tuple[str, str]] = []
    for name in ("state", "severity", "kind", "point", "host"):
        value = getattr(options, name)
        query += [(name, one) for one in ([value] if isinstance(value, str) else value or ()) if one]
    return rows_of(options.url, ask(options.url, "/api/findings", query).get("findings"), Finding)


def _finding(url: str, finding_id: str) -> Finding:
    from setpoint.finding import Finding

    if not finding_id:
        raise AskError(REFUSED, "expected the id of a finding")
    try:
        found = rows_of(url, [ask(url, f"/api/findings/{urllib.parse.quote(finding_id, safe='')}")], Finding)
    except AskError as error:
        if error.status != 404:
            raise
        everything = rows_of(url, ask(url, "/api/findings", [("state", "all")]).get("findings"), Finding)
        found = [finding for finding in everything if finding.id.startswith(finding_id)]
    if len(found) > 1:
        ids = ", ".join(finding.id for finding in found[:5])
        raise AskError(_NOT_FOUND, f'several ids begin with "{finding_id}": {ids}')
    if not found:
        raise AskError(
            _NOT_FOUND,
            f'there is no finding "{finding_id}"; `setpoint findings list --state all` lists them',
        )
    return found[0]
