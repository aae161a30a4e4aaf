"""What every answer carries, and which requests are answered at all."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from litestar.datastructures import Headers, MutableScopeHeaders
from litestar.exceptions import HTTPException

if TYPE_CHECKING:
    from litestar.connection import ASGIConnection
    from litestar.types import ASGIApp, Message, Receive, Scope, Send

_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'self'; script-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
_LOOPBACK_NAMES: Final = ("localhost", "localhost.localdomain", "ip6-localhost")


async def add_security_headers(message: Message, scope: Scope) -> None:  # noqa: ARG001  (Litestar's hook)
    """Sets the headers on every answer, also on errors. Nothing is to be cached unless it says so itself."""
    if message["type"] == "http.response.start":
        headers = MutableScopeHeaders.from_message(message)
        for name, value in _HEADERS.items():
            headers[name] = value
        headers.setdefault("cache-control", "no-store")


def host_name(header: str) -> str:
    """The name in a Host header: lower case, without port, brackets and final dot."""
    name, bracket, _ = header.strip().partition("]")
    if bracket:
        return name.removeprefix("[").lower()
    return name.partition(":")[0].lower().removesuffix(".")


def is_address(name: str) -> bool:
    """Whether the name is an IP address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class HostCheck:
    """Refuses requests for host names that are not this collector's.

    Against DNS rebinding: a hostile page resolves its own name to this machine's address and then reads
    what is here as its own. The browser still sends that name. An address in its place was typed or linked
    as such, and cannot be rebound.
    """

    def __init__(self, app: ASGIApp, allowed: Iterable[str] = ()) -> None:
        self.app = app
        self._allowed = {*_LOOPBACK_NAMES, *(host_name(name) for name in allowed)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = host_name(Headers.from_scope(scope).get("host", ""))
        if name not in self._allowed and not is_address(name):
            raise HTTPException(
                status_code=421,
                detail=f'this collector does not answer to the name "{name}"; '
                "if it should, add the name to web.allowed_hosts in collector.yaml",
            )
        await self.app(scope, receive, send)


def is_local(connection: ASGIConnection) -> bool:  # type: ignore[type-arg]
    """Whether a program on this machine asks for itself: neither a proxy for others, nor a browser that
    somebody else's page made ask.
    """
    client, headers = connection.client, connection.headers
    if client is None or not is_address(client.host) or not ipaddress.ip_address(client.host).is_loopback:
        return False
    if any(name in headers for name in ("forwarded", "x-forwarded-for", "x-real-ip", "via")):
        return False
    return headers.get("sec-fetch-site", "none") in ("none", "same-origin")
