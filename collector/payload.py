"""From the bytes of a message to its header and its body: sizes, hash and compression."""

from __future__ import annotations

import zlib
from typing import Literal

import zstandard

from setpoint.batch_header import HEADER_START, BatchHeader, body_hash, parse_header, split_header

PayloadFault = Literal[
    "too-large", "bad-header", "damaged", "bad-compression", "body-too-large", "too-many-lines"
]

_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
# What `zstd -19` uses. Larger windows would let a small frame reserve memory beyond the body's limit.
_ZSTD_WINDOW_BYTES = 8 << 20


class PayloadError(ValueError):
    """The payload as a whole cannot be taken; ``fault`` is for programs, the text for people."""

    def __init__(self, fault: PayloadFault, text: str) -> None:
        super().__init__(text)
        self.fault = fault


def unpack(
    payload: bytes, *, enrolled: bool, max_payload_bytes: int, max_body_bytes: int
) -> tuple[BatchHeader | None, bytes]:
    """(batch header, decompressed body) of a payload; no header when the payload has none.

    Of an enrolled agent any first line that is a comment must be a batch header; of another publisher only
    one that looks like it. PayloadError when the payload or its body is too large, the header is garbled,
    the body does not hash to what the header says, or the compression is broken. No more than
    ``max_body_bytes`` are ever decompressed.
    """
    if len(payload) > max_payload_bytes:
        raise PayloadError(
            "too-large", f"payload of {len(payload)} bytes, at most {max_payload_bytes} allowed"
        )
    if not payload.startswith(b"#" if enrolled else HEADER_START):
        return None, _decompress(payload, max_body_bytes)
    line, body = split_header(payload)
    header = parse_header(line)
    if header is None:
        raise PayloadError("bad-header", f"the first line is not a batch header: {line[:100]!r}")
    found = body_hash(body)
    if found != header.body_hash:
        text = f"damaged on the way: the body hashes to {found}, its header says {header.body_hash}"
        raise PayloadError("damaged", text)
    return header, _decompress(body, max_body_bytes)


def _decompress(body: bytes, max_bytes: int) -> bytes:
    if body.startswith(_ZSTD_MAGIC):
        return _decompress_zstd(body, max_bytes)
    if body.startswith(_GZIP_MAGIC):
        return _decompress_gzip(body, max_bytes)
    if len(body) > max_bytes:
        raise _body_too_large(max_bytes)
    return body


def _decompress_zstd(body: bytes, max_bytes: int) -> bytes:
    try:
        size = zstandard.frame_content_size(body)
        if size > max_bytes:
            raise _body_too_large(max_bytes)
        decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
        # The output buffer is as large as the frame says, or max_bytes when it does not say.
        data = decompressor.decompress(body, max_output_size=max_bytes, allow_extra_data=False)
        if size < 0:
            # Of a frame that does not say its size the library lets extra data pass (zstandard 0.25). That
            # the frame is small enough is known by now.
            stream = decompressor.decompressobj()
            stream.decompress(body)
            if stream.unused_data:
                raise PayloadError("bad-compression", "zstd body: something follows the first frame")
    except zstandard.ZstdError as error:
        text = f"zstd body: broken, cut short or larger than {max_bytes} bytes ({error})"
        raise PayloadError("bad-compression", text) from None
    return data


def _decompress_gzip(body: bytes, max_bytes: int) -> bytes:
    decompressor = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        data = decompressor.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise PayloadError("bad-compression", f"gzip body: {error}") from None
    if len(data) > max_bytes:
        raise _body_too_large(max_bytes)
    if not decompressor.eof:
        raise PayloadError("bad-compression", "gzip body: cut short")
    if decompressor.unused_data:
        # A second member may be the start of many thousand empty ones.
        raise PayloadError("bad-compression", "gzip body: something follows the first member")
    return data


def _body_too_large(max_bytes: int) -> PayloadError:
    return PayloadError("body-too-large", f"the decompressed body is larger than {max_bytes} bytes")
