"""``setpoint findings list|show|export``: the findings of a running collector."""

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
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from setpoint.finding import Finding

_OK, _NOT_FOUND, _USAGE, _NO_COLLECTOR = 0, 1, 2, 3
_DEFAULT_URL = "http://127.0.0.1:8480"
_TIMEOUT_S = 30
_MAX_ANSWER_BYTES = 512_000_000
_WIDTH = 120
_LOOPBACK = ("127.0.0.1", "localhost", "::1")

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


class _Failed(Exception):
    """Ends the command with an exit code; the text is for the user."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


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
        one.add_argument(
            "--url",
            default=os.environ.get("SETPOINT_URL", _DEFAULT_URL),
            help="the collector's page (%(default)s; SETPOINT_URL)",
        )


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
    try:
        code: int = options.findings_command(options)
    except _Failed as failed:
        print(f"setpoint findings: {failed}", file=sys.stderr)
        return failed.code
    return code


def _list(options: argparse.Namespace) -> int:
    findings = _findings(options)
    if options.format != "table":
        _write(_encoded(findings, options.format))
    elif not findings:
        print("no findings" if options.state == "all" else f"no {options.state} findings")
    else:
        from collector.exports.table import findings_table

        width = shutil.get_terminal_size((_WIDTH, 24)).columns if sys.stdout.isatty() else _WIDTH
        counts = Counter(finding.severity for finding in findings)
        told = ", ".join(f"{counts[name]} {name}" for name in ("critical", "warning", "info") if counts[name])
        _print(f"{findings_table(findings, width)}\n{len(findings)} findings: {told}")
    return _OK


def _show(options: argparse.Namespace) -> int:
    finding = _finding(options.url, options.id)
    if options.format == "json":
        from collector.exports.json_text import finding_json

        _write(finding_json(finding))
    else:
        from collector.exports.detail import finding_detail

        _print(finding_detail(finding, options.lang).rstrip("\n"))
    return _OK


def _export(options: argparse.Namespace) -> int:
    suffix = Path(options.output).suffix.lower().removeprefix(".")
    wanted = options.format or (suffix if suffix in ("csv", "json") else "csv")
    findings = _findings(options)
    content = _encoded(findings, wanted)
    if options.output == "-":
        _write(content)
        return _OK
    target = Path(options.output)
    partial = target.with_name(target.name + ".partial")
    try:
        partial.write_bytes(content)
        partial.replace(target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise _Failed(_NOT_FOUND, f"{target} cannot be written: {error.strerror or error}") from None
    print(f"{target}: {len(findings)} findings", file=sys.stderr)
    return _OK


def _encoded(findings: Sequence[Finding], wanted: str) -> bytes:
    if wanted == "json":
        from collector.exports.json_text import findings_json

        return findings_json(findings)
    from collector.exports.comma_separated import findings_csv

    return findings_csv(findings)


def _findings(options: argparse.Namespace) -> list[Finding]:
    asked = {name: getattr(options, name) for name in ("state", "severity", "kind", "point", "host")}
    given = {name: value for name, value in asked.items() if value}
    data = _ask(options.url, "/api/findings", urllib.parse.urlencode(given, doseq=True))
    return _decode(options.url, data.get("findings") if isinstance(data, dict) else None)


def _finding(url: str, finding_id: str) -> Finding:
    if not finding_id:
        raise _Failed(_USAGE, "expected the id of a finding")
    try:
        found = _decode(url, [_ask(url, f"/api/findings/{urllib.parse.quote(finding_id, safe='')}")])
    except _Failed as failed:
        if failed.code != _NOT_FOUND:
            raise
        everything = _ask(url, "/api/findings", "state=all")
        found = [f for f in _decode(url, everything["findings"]) if f.id.startswith(finding_id)]
    if len(found) > 1:
        ids = ", ".join(finding.id for finding in found[:5])
        raise _Failed(_NOT_FOUND, f'several ids begin with "{finding_id}": {ids}')
    if not found:
        raise _Failed(
            _NOT_FOUND,
            f'there is no finding "{finding_id}"; `setpoint findings list --state all` lists them',
        )
    return found[0]


def _ask(url: str, path: str, query: str = "") -> Any:
    """What the collector answers, decoded. _Failed when it does not, or refuses."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _Failed(_USAGE, f'--url: expected one such as {_DEFAULT_URL}, got "{url}"')
    # A proxy of this environment is for the way out; it knows another machine as 127.0.0.1.
    local = [urllib.request.ProxyHandler({})] if parts.hostname in _LOOPBACK else []
    address = url.rstrip("/") + path + (f"?{query}" if query else "")
    try:
        with urllib.request.build_opener(*local).open(address, timeout=_TIMEOUT_S) as response:
            body = response.read(_MAX_ANSWER_BYTES)
    except urllib.error.HTTPError as error:
        message = _message(error.read(65_536))
        if message is None:
            raise _Failed(_NO_COLLECTOR, f"what answers at {url} is no collector") from None
        code = {404: _NOT_FOUND}.get(error.code, _USAGE if error.code < 500 else _NO_COLLECTOR)
        raise _Failed(code, f"the collector at {url} says: {message}") from None
    except http.client.HTTPException:
        raise _Failed(_NO_COLLECTOR, f"what answers at {url} is no collector") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise _Failed(
            _NO_COLLECTOR,
            f"no collector answers at {url} ({reason}); start one with `setpoint up` or "
            "`setpoint collector run`, or say with --url or SETPOINT_URL where it is",
        ) from None
    try:
        return json.loads(body)
    except ValueError:
        raise _Failed(_NO_COLLECTOR, f"what answers at {url} is no collector") from None


def _message(body: bytes) -> str | None:
    """The message of the collector's error; None when it is not the collector's."""
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return None


def _decode(url: str, data: Any) -> list[Finding]:
    import msgspec

    from setpoint.finding import Finding

    try:
        return msgspec.convert(data, list[Finding])
    except msgspec.ValidationError as error:
        raise _Failed(
            _NO_COLLECTOR, f"what answers at {url} is no collector of this version: {error}"
        ) from None


def _print(text: str) -> None:
    """Prints, also where the terminal cannot show every character."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding))


def _write(content: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()
