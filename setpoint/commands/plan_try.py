"""``setpoint plan try``: what another threshold would have said, asked of a running collector."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from setpoint.commands.asking import REFUSED, AskError, add_url, ask, stranger
from setpoint.commands.printing import print_text
from setpoint.config import ConfigError, parse
from setpoint.plan_file import Level
from setpoint.units import Duration

if TYPE_CHECKING:
    from collector.plan_try import Replayed, Tried, TriedSubject

_TIMEOUT_S = 120
_WIDTH = 140
_HEADINGS = (
    "LEVEL",
    "PRESENT",
    "EPISODES",
    "TIME",
    "LONGEST",
    "TRIED",
    "EPISODES",
    "TIME",
    "LONGEST",
    "SUBJECT",
)

_EPILOG = """\
A level is written as in the plan. One that is not given stays as it is.

exit codes:
  0  done
  2  the command line is wrong, or the collector refused what was asked
  3  no collector answers

examples:
  setpoint plan try --point host-cpu --critical "above: 90, for: 10m"
  setpoint plan try --point host-cpu --warning "above: 70" --period 7d --subject host=mon-01 --json
"""


def add_try_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds ``try`` to the commands of ``setpoint plan``."""
    parser = commands.add_parser(
        "try",
        help="replay a threshold over history",
        description="Shows the episodes that a threshold would have had, beside those of the present one.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--point", required=True, help="the id of the plan point")
    for name in ("critical", "warning"):
        parser.add_argument(
            f"--{name}", metavar="LEVEL", help=f'the {name} level to try: "above: 90, for: 10m"'
        )
    parser.add_argument("--period", default="30d", help="how far back (%(default)s)")
    parser.add_argument(
        "--subject",
        metavar="TAG=VALUE",
        action="append",
        default=[],
        help="only subjects with this tag; may be repeated",
    )
    parser.add_argument("--json", action="store_true", help="the whole answer, for programs")
    add_url(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    try:
        query = list(_query(options))
    except ValueError as error:
        print(f"setpoint plan try: {error}", file=sys.stderr)
        return REFUSED
    try:
        tried = _decode(options.url, query)
    except AskError as error:
        print(f"setpoint plan try: {error}", file=sys.stderr)
        return error.code
    if options.json:
        import msgspec

        text = msgspec.json.format(msgspec.json.encode(tried), indent=2).decode()
    else:
        text = "\n".join(_lines(tried))
    print_text(text)
    return 0


def _query(options: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """The query's parameters. ValueError, with a text for the user, when the command line is wrong."""
    import msgspec

    if options.critical is None and options.warning is None:
        raise ValueError("expected --critical or --warning, or both")
    yield "point", options.point
    for name in ("critical", "warning"):
        text = getattr(options, name)
        if text is None:
            continue
        entry = text if text.lstrip().startswith("{") else f"{{{text}}}"
        try:
            level = parse(entry, f"--{name}", Level, environment={}).value
        except ConfigError as error:
            raise ValueError(str(error)) from None
        yield name, msgspec.json.encode(level.comparison()).decode()
    try:
        period_ms = int(Duration.parse(options.period))
    except ValueError:
        raise ValueError(f'--period: expected {Duration.expected}, got "{options.period}"') from None
    now_ms = time.time_ns() // 1_000_000
    yield "start", str(now_ms - period_ms)
    yield "end", str(now_ms)
    for tag in options.subject:
        if "=" not in tag.strip("="):
            raise ValueError(f'--subject: expected a tag and its value such as host=mon-01, got "{tag}"')
        yield "tag", tag


def _decode(url: str, query: list[tuple[str, str]]) -> Tried:
    import msgspec

    from collector.plan_try import Tried

    answer = ask(url, "/api/plan/try", query, _TIMEOUT_S)
    try:
        return msgspec.convert(answer, Tried)
    except msgspec.ValidationError:
        raise stranger(url) from None


def _lines(tried: Tried) -> Iterator[str]:
    from collector.exports.table import align, printable

    start, end = _moment(tried, tried.start_ms), _moment(tried, tried.end_ms)
    yield f"{printable(tried.title)} ({tried.point}), {start} to {end}"
    yield ""
    rows: list[tuple[str, ...]] = [_HEADINGS]
    for one in tried.subjects:
        rows += [tuple(map(printable, row)) for row in _rows(one)]
    yield align(rows, _WIDTH).rstrip("\n")
    for side in ("present", "tried"):
        sums = [sum(found.episodes for found in getattr(one, side).values()) for one in tried.subjects]
        yield f"{side}: {sum(sums)} episodes of {sum(map(bool, sums))} of {len(sums)} subjects"
    if len(tried.subjects) == 1:
        yield from _episodes(tried, tried.subjects[0])


def _rows(one: TriedSubject) -> Iterator[tuple[str, ...]]:
    subject = " ".join(f"{key}={value}" for key, value in one.subject.items()) or "-"
    for name in ("critical", "warning"):
        present, tried = one.present.get(name), one.tried.get(name)
        if present or tried:
            yield name, *_cells(present), *_cells(tried), subject


def _cells(found: Replayed | None) -> tuple[str, str, str, str]:
    if found is None:
        return "-", "-", "-", "-"
    return found.level, str(found.episodes), _length(found.total_ms), _length(found.longest_ms)


def _episodes(tried: Tried, one: TriedSubject) -> Iterator[str]:
    for name, found in one.tried.items():
        if found.longest:
            yield f"\nwith {name} {found.level}:"
        for start_ms, end_ms in found.longest:
            yield f"  {_moment(tried, start_ms)}  for {_length(end_ms - start_ms)}"
        if found.episodes > len(found.longest):
            yield f"  and {found.episodes - len(found.longest)} shorter ones"


def _length(length_ms: int) -> str:
    if not length_ms:
        return "-"
    # Below a minute seconds are told, above it none.
    unit_ms = 1_000 if length_ms < 60_000 else 60_000
    return str(Duration(max(round(length_ms / unit_ms), 1) * unit_ms))


def _moment(tried: Tried, time_ms: int) -> str:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    return datetime.fromtimestamp(time_ms / 1000, ZoneInfo(tried.timezone)).strftime("%Y-%m-%d %H:%M")
