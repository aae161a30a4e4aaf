"""The hosts of ``setpoint agents add --from HOSTS.csv``."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from setpoint.topics import NAME_EXPECTED, is_name

_NAME, _SITE = "name", "site"


class Host(NamedTuple):
    """An agent: its name, and its site where the file names one."""

    name: str
    site: str


class HostsError(ValueError):
    """All that is wrong in a file, each with its line."""


def read_hosts(path: Path, problem_of: Callable[[str], str]) -> list[Host]:
    """The hosts in a CSV file whose header has the column ``name`` and perhaps ``site``.

    ``problem_of`` tells why a name cannot be used (empty when it can). HostsError with everything that is
    wrong, OSError when the file cannot be read.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")  # spreadsheets begin their files with a mark
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise HostsError(
            f"{path}:{line}: expected UTF-8, got the byte 0x{error.object[error.start]:02x}"
        ) from None
    rows = _rows(path, text)
    header_line, header = next(rows, (1, []))
    columns = {title.strip().lower(): position for position, title in reversed([*enumerate(header)])}
    if _NAME not in columns:
        found = ", ".join(f'"{title.strip()}"' for title in header) or "nothing"
        raise HostsError(f'{path}:{header_line}: expected a header with a column "name", got {found}')
    hosts: list[Host] = []
    problems: list[str] = []
    first: dict[str, int] = {}
    for line, row in rows:
        name, site = (_cell(row, columns.get(column)) for column in (_NAME, _SITE))
        if not name:
            problem = "no name in this row"
        elif name in first:
            problem = f'"{name}" is in line {first[name]} already'
        elif site and not is_name(site):
            problem = f"{site!r} is no site: expected {NAME_EXPECTED}"
        else:
            problem = problem_of(name)
        if problem:
            problems.append(f"{path}:{line}: {problem}")
        else:
            hosts.append(Host(name, site))
        first.setdefault(name, line)
    if problems:
        raise HostsError("\n".join(problems))
    if not hosts:
        raise HostsError(f"{path}: no hosts below the header")
    return hosts


def _rows(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not empty, each with its line in the file."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise HostsError(f"{path}:{line}: {error}") from None
        if any(cell.strip() for cell in row):
            yield line, row


def _cell(row: Sequence[str], position: int | None) -> str:
    return row[position].strip() if position is not None and position < len(row) else ""
