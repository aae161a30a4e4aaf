"""The body of an HTTP/1.1 answer: where it ends, and how long it is. RFC 9112, sections 6 and 7."""

from __future__ import annotations

import asyncio

from agent.inputs.http_response.protocol import Head

_PIECE_BYTES = 64 * 1024


class BodyError(ValueError):
    """The head was good, the body is not: cut off, malformed or too long. ``received`` bytes had come."""

    def __init__(self, message: str, received: int = 0) -> None:
        super().__init__(message)
        self.received = received


class BodyReader:
    """Reads a body and counts its bytes; keeps them only when asked to."""

    def __init__(self, reader: asyncio.StreamReader, *, max_bytes: int, keep: bool) -> None:
        self._reader = reader
        self._max_bytes = max_bytes
        self._keep = keep
        self._parts: list[bytes] = []
        self.length = 0

    @property
    def content(self) -> bytes:
        return b"".join(self._parts)

    async def read(self, method: str, head: Head) -> None:
        """Reads to the end of the body, as RFC 9112, section 6.3 finds it. BodyError."""
        encoding = head.headers.get("transfer-encoding", "").lower()
        length = head.headers.get("content-length", "")
        try:
            if method == "HEAD" or head.status in (204, 304):
                return
            if encoding.rpartition(",")[2].strip() == "chunked":
                await self._read_chunked()
            elif encoding or not length:
                while data := await self._reader.read(_PIECE_BYTES):
                    self._take(data)
            else:
                await self._read_exactly(_parse_length(length))
        except BodyError as error:
            error.received = self.length
            raise
        except (OSError, EOFError) as error:
            raise BodyError(f"the body was cut off: {error}", self.length) from error

    async def _read_exactly(self, length: int) -> None:
        while length:
            data = await self._reader.read(min(length, _PIECE_BYTES))
            if not data:
                raise BodyError(f"the body was cut off, {length} bytes before its end")
            length -= len(data)
            self._take(data)

    async def _read_chunked(self) -> None:
        while size := await self._read_chunk_size():
            await self._read_exactly(size)
            if (await self._read_line()).strip():
                raise BodyError("a chunk is longer than it says")
        while (await self._read_line()).strip():
            pass  # trailers

    async def _read_chunk_size(self) -> int:
        text = (await self._read_line()).partition(b";")[0].strip()
        if not text or text.strip(b"0123456789abcdefABCDEF"):
            raise BodyError(f"expected the size of a chunk, got {text[:20]!r}")
        return int(text, 16)

    async def _read_line(self) -> bytes:
        try:
            line = await self._reader.readline()
        except ValueError:
            raise BodyError("a chunk's size is not to be found") from None
        if not line:
            raise BodyError("the body was cut off between two chunks")
        return line

    def _take(self, data: bytes) -> None:
        self.length += len(data)
        if self.length > self._max_bytes:
            raise BodyError(f"the body is longer than {self._max_bytes} bytes")
        if self._keep:
            self._parts.append(data)


def _parse_length(text: str) -> int:
    lengths = {part.strip() for part in text.split(",")}
    length = lengths.pop()
    if lengths or not (length.isascii() and length.isdigit()):
        raise BodyError(f'the server gave the length as "{text[:40]}"')
    return int(length)
