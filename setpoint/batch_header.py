"""The first line of a payload: which batch it is, and what its body must hash to.

A payload is this line and then the body: line protocol, plain, gzip or zstd, told apart by the magic bytes.
For other consumers of line protocol the header is a comment.
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

HEADER_START = b"# setpoint "
MAX_HEADER_BYTES = 256

# Everything is bounded, and so is the line; sequence and low go into 64-bit columns.
_HEADER = re.compile(
    r"# setpoint batch=([0-9A-Za-z_-]{1,64})\.([0-9]{1,18})\.([0-9a-f]{16})"
    r" low=([0-9]{1,18}) sent=([0-9]{1,19})"
)


class BatchHeader(NamedTuple):
    """``low`` is the sender's lowest unacknowledged sequence, ``sent_ns`` UTC nanoseconds since 1970."""

    epoch: str
    sequence: int
    body_hash: str
    low: int
    sent_ns: int

    @property
    def batch_id(self) -> str:
        """``<epoch>.<sequence>.<hash>``, as acknowledgements name the batch."""
        return f"{self.epoch}.{self.sequence}.{self.body_hash}"


def body_hash(body: bytes) -> str:
    """16 hex digits of the BLAKE2b hash of the body, as it is sent (compressed, if it is compressed)."""
    return hashlib.blake2b(body, digest_size=8).hexdigest()


def encode_header(epoch: str, sequence: int, body_hash: str, low: int, sent_ns: int) -> bytes:
    """The header line with its newline. ValueError when `parse_header` would not take it."""
    header = BatchHeader(epoch, sequence, body_hash, low, sent_ns)
    line = f"# setpoint batch={header.batch_id} low={low} sent={sent_ns}".encode()
    if parse_header(line) != header:
        raise ValueError(f"not a valid batch header: {line!r}")
    return line + b"\n"


def parse_header(line: bytes) -> BatchHeader | None:
    """What the line, without its newline, says; None when it is not exactly a batch header."""
    match = _HEADER.fullmatch(line.decode("latin-1"))  # which takes any bytes, each as one letter
    if match is None:
        return None
    epoch, sequence, hash_, low, sent = match.groups()
    return BatchHeader(epoch, int(sequence), hash_, int(low), int(sent))


def split_header(payload: bytes) -> tuple[bytes, bytes]:
    """(first line without newline, rest) of a payload; the line is cut at ``MAX_HEADER_BYTES`` + 1."""
    end = payload.find(b"\n", 0, MAX_HEADER_BYTES + 1)
    if end < 0:
        return payload[: MAX_HEADER_BYTES + 1], b""
    return payload[:end], payload[end + 1 :]
