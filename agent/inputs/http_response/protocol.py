"""HTTP/1.1 as far as a probe needs it: one request, one answer, no connection kept. RFC 9110 and 9112.

Written here because the libraries that take a deadline for a whole request are too heavy for an agent, and
those of the standard library only limit each read: a server that sends a byte per second holds them for ever.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import SplitResult, quote, urljoin, urlsplit

_MAX_HEAD_BYTES = 256 * 1024
_CHUNK_BYTES = 64 * 1024
_DEFAULT_PORTS = {"http": 80, "https": 443}


class ProtocolError(ValueError):
    """What came is not HTTP."""


class BodyError(ValueError):
    """The head was good, the body is not: cut off, malformed or too long. ``received`` bytes had come."""

    def __init__(self, message: str, received: int = 0) -> None:
        super().__init__(message)
        self.received = received


class Request(NamedTuple):
    """One request. Header names are as given; those that the caller sets win over those set here."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def parts(self) -> SplitResult:
        return urlsplit(self.url)

    @property
    def host(self) -> str:
        """The name or number to connect to."""
        return self.parts.hostname or ""

    @property
    def port(self) -> int:
        return self.parts.port or _DEFAULT_PORTS[self.parts.scheme]


class Head(NamedTuple):
    """The answer's status and headers, names in lower case; several of one name are joined by commas."""

    status: int
    headers: Mapping[str, str]


def basic_authorization(username: str, password: str) -> str:
    """The value of the header Authorization, RFC 7617."""
    return "Basic " + b64encode(f"{username}:{password}".encode()).decode()


def encode_request(request: Request) -> bytes:
    """The request's bytes. UnicodeError when the host's name cannot be written in ASCII."""
    parts = request.parts
    host = f"[{request.host}]" if ":" in request.host else request.host.encode("idna").decode()
    if parts.port and parts.port != _DEFAULT_PORTS[parts.scheme]:
        host += f":{parts.port}"
    target = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    if parts.query:
        target += "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~-._?[]")
    headers = {
        "host": host,
        "user-agent": "Setpoint",
        "accept": "*/*",
        "accept-encoding": "identity",
        "connection": "close",
    }
    if request.body:
        headers["content-length"] = str(len(request.body))
    names = {name: name.title() for name in headers}
    for name, value in request.headers.items():
        headers[name.lower()] = value
        names[name.lower()] = name
    lines = [f"{request.method} {target} HTTP/1.1"]
    lines += [f"{names[key]}: {value}" for key, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("utf-8") + request.body


def parse_head(lines: Iterable[bytes]) -> Head:
    """Status line and headers, without line ends. ProtocolError when they are none."""
    first, *rest = [*lines] or [b""]
    version, _, after = first.partition(b" ")
    status = after[:3]
    if not version.startswith(b"HTTP/1.") or len(status) != 3 or not status.isdigit():
        raise ProtocolError(f"expected an HTTP/1 answer, got {first[:40]!r}")
    headers: dict[str, str] = {}
    for line in rest:
        name, colon, value = line.partition(b":")
        if not colon or not name.strip():
            continue  # a folded line or junk: nothing that a probe needs
        key, text = name.decode("latin-1").lower(), value.decode("latin-1").strip()
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return Head(int(status), headers)


async def read_head(reader: asyncio.StreamReader) -> Head:
    """The final answer's head: interim ones (1xx) are skipped. ProtocolError, or EOFError before its end."""
    while True:
        head = parse_head(await _read_head_lines(reader))
        if head.status >= 200 or head.status == 101:
            return head


async def _read_head_lines(reader: asyncio.StreamReader) -> list[bytes]:
    lines: list[bytes] = []
    size = 0
    while True:
        try:
            line = await reader.readline()
        except ValueError:  # longer than the reader's buffer
            raise ProtocolError("the head has a line of more than 64 KiB") from None
        if not line.endswith(b"\n"):
            raise EOFError("the server closed the connection before its answer was complete")
        size += len(line)
        if size > _MAX_HEAD_BYTES:
            raise ProtocolError("the head is longer than 256 KiB")
        line = line.rstrip(b"\r\n")
        if line:
            lines.append(line)
        elif lines:  # empty lines before the status line are allowed
            return lines


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
                while data := await self._reader.read(_CHUNK_BYTES):
                    self._take(data)
            else:
                await self._read_exactly(_parse_length(length))
        except BodyError as error:
            error.received = self.length
            raise
        except (OSError, EOFError) as error:
            if isinstance(error, TimeoutError):
                raise
            raise BodyError(f"the body was cut off: {error}", self.length) from error

    async def _read_exactly(self, length: int) -> None:
        while length:
            data = await self._reader.read(min(length, _CHUNK_BYTES))
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


def redirected(request: Request, head: Head) -> Request | None:
    """The request that a redirection asks for; None when this answer is none. ProtocolError.

    As browsers do, 301, 302 and 303 turn into GET without a body.
    """
    location = head.headers.get("location")
    if head.status not in (301, 302, 303, 307, 308) or not location:
        return None
    try:
        url = urljoin(request.url, location)
        parts = urlsplit(url)
        valid = parts.scheme in _DEFAULT_PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise ProtocolError(f'redirected to "{location[:200]}", which cannot be followed')
    new = request._replace(url=parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl())
    if head.status in (301, 302, 303):
        new = new._replace(method="HEAD" if request.method == "HEAD" else "GET", body=b"")
    if (new.parts.scheme, new.host, new.port) != (request.parts.scheme, request.host, request.port):
        # Any header of the user's may be a credential (PRIVATE-TOKEN, X-Api-Key), so none goes along.
        new = new._replace(headers={})
    return new
