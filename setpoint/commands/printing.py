"""Prints what commands have to say, on any terminal and into any file."""

from __future__ import annotations

import shutil
import sys


def print_text(text: str) -> None:
    """Prints a line or several, also where the terminal cannot show every character."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding))


def print_bytes(content: bytes) -> None:
    """Writes the bytes as they are, after what was printed before."""
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def table_width(otherwise: int) -> int:
    """How many columns the terminal has; ``otherwise`` where the output is none."""
    return shutil.get_terminal_size((otherwise, 24)).columns if sys.stdout.isatty() else otherwise
