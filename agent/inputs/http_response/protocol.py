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

from setpoint.version import VERSION

_MAX_HEAD_BYTES = 256 * 1024
_DEFAULT_PORTS = {"http": 80, "https": 443}


class ProtocolError(ValueError):
    """What came is not HTTP."""


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
        "user-agent": f"Setpoint/{VERSION}",
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
