"""Line protocol of the simple kind, cut at its spaces: measurement with tags, fields, time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Tokens(NamedTuple):
    """Lines of three tokens each. A prefix (measurement and tags) begins with the newline before it."""

    prefixes: list[bytes]
    fields: list[bytes]
    times: list[bytes]
    joined_prefixes: bytes
    text: bytes
    """The lines themselves, without the newline after the last one."""

    def longer_than(self, size: int) -> list[int]:
        """The positions of the lines that have more bytes than ``size``."""
        if not _has_line_longer_than(self.text, size):
            return []
        return [i for i, line in enumerate(self.text.split(b"\n")) if len(line) > size]


def split_body(body: bytes) -> Tokens | None:
    """The tokens of a body in which every line has exactly two spaces; None when any has not."""
    text = body.rstrip(b"\n")
    # The newline stays with the token behind it, so that a line of one space and a line of three are told
    # from two of two.
    tokens = (b" \n" + text.replace(b"\n", b" \n")).split(b" ")
    prefixes = tokens[1::3]
    joined = b"".join(prefixes)
    lines = text.count(b"\n") + 1
    if len(tokens) != 3 * lines + 1 or joined.count(b"\n") != lines:
        return None
    return Tokens(prefixes, tokens[2::3], tokens[3::3], joined, text)


def split_simple_lines(lines: Sequence[bytes]) -> Tokens:
    """The tokens of lines that have exactly two spaces each and no newline."""
    tokens = split_body(b"\n".join(lines)) if lines else None
    return tokens or Tokens([], [], [], b"", b"")


def _has_line_longer_than(text: bytes, size: int) -> bool:
    # From one newline to the last one that a line may reach: a few steps, however many lines there are.
    start = 0
    while len(text) - start > size:
        end = text.rfind(b"\n", start, start + size + 1)
        if end < 0:
            return True
        start = end + 1
    return False
