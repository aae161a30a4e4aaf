"""A CSV file of devices: a header, then a row for each device; columns of your own become tags."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from setpoint.units import Duration

T = TypeVar("T", bound=msgspec.Struct)

_ADDRESS = "address"
_COLUMNS = (_ADDRESS, "name", "credentials", "port", "profile", "interval", "engine")


class InventoryError(ValueError):
    """All that is wrong in a file; each of ``problems`` names it with its line, most with their column."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def read_inventory(path: Path, device: type[T]) -> list[T]:
    """The devices in the file, as the given struct. InventoryError with everything that is wrong, OSError.

    The separator is a comma, or a semicolon where the header has no comma.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")  # spreadsheets begin their files with a mark
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        byte = error.object[error.start]
        raise InventoryError([f"{path}:{line}: expected UTF-8, got the byte 0x{byte:02x}"]) from None
    rows = _rows(path, text)
    header_line, header = next(rows, (1, []))
    problems = list(_header_problems(f"{path}:{header_line}", header))
    if problems:
        raise InventoryError(problems)
    devices: list[T] = []
    for line, row in rows:
        where = f"{path}:{line}"
        if len(row) > len(header):
            problems.append(f"{where}: {len(row)} cells where the header has {len(header)} columns")
            continue
        cells = {title: cell for title, cell in zip(header, row, strict=False) if cell}
        found = _device(where, cells, device, problems)
        if found is not None:
            devices.append(found)
    if not devices and not problems:
        problems.append(f"{path}: no devices below the header")
    if problems:
        raise InventoryError(problems)
    return devices


def _device(where: str, cells: Mapping[str, str], device: type[T], problems: list[str]) -> T | None:
    if _ADDRESS not in cells:
        problems.append(f'{where}: column "{_ADDRESS}": is empty in this row')
        return None
    values: dict[str, Any] = {title: cells[title] for title in _COLUMNS if title in cells}
    before = len(problems)
    if "port" in values:
        text = values["port"]
        if not (text.isascii() and text.isdigit()):
            problems.append(f'{where}: column "port": expected a number, got "{text}"')
        else:
            values["port"] = int(text)
    if "interval" in values:
        try:
            values["interval"] = Duration.parse(values["interval"])
        except ValueError as error:
            problems.append(f'{where}: column "interval": {error}, got "{values["interval"]}"')
    engine = values.get("engine", "auto")
    if engine not in ("auto", "gufo", "pysnmp"):
        problems.append(f'{where}: column "engine": expected one of auto, gufo, pysnmp, got "{engine}"')
    if len(problems) > before:
        return None
    values["tags"] = {title: cell for title, cell in cells.items() if title not in _COLUMNS}
    found = device(**values)
    checked: Sequence[tuple[str, str]] = getattr(found, "problems", tuple)()
    problems += [f'{where}: column "{key.removeprefix("tags.")}": {message}' for key, message in checked]
    return None if checked else found


def _header_problems(where: str, header: Sequence[str]) -> Iterator[str]:
    if _ADDRESS not in header:
        found = ", ".join(f'"{title}"' for title in header) or "nothing"
        yield f'{where}: expected a header with a column "{_ADDRESS}", got {found}'
    for position, title in enumerate(header):
        if not title:
            yield f"{where}: column {position + 1} has no title"
        elif title in header[:position]:
            yield f'{where}: two columns have the title "{title}"'


def _rows(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not empty, with their line and without the spaces around cells."""
    first = text.partition("\n")[0]
    separator = ";" if ";" in first and "," not in first else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise InventoryError([f"{path}:{line}: {error}"]) from None
        cells = [cell.strip() for cell in row]
        if any(cells):
            yield line, cells
