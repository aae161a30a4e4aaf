"""Serves the web application in the collector's own event loop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from litestar import Litestar


# How long requests that are being answered when the collector stops may still take.
_GRACE_S = 0.5
# Within which a client has to have said all that it asks for; uvicorn itself waits for ever.
_ASK_WITHIN_S = 10.0


class CannotListen(OSError):
    """The page cannot be served there; the text says why, and what to do."""


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: asyncio.Event | None) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._ready is not None:
            self._ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the collector's own affair."""
        yield


class _Connection(H11Protocol):
    """Closes when a request is not there in time: some hundred clients that say half of one would otherwise
    take all the places that there are, for as long as they like.
    """

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_request()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._patience is not None:
            self._patience.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        self._wait_for_request()
        super().on_response_complete()

    def _wait_for_request(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
        self._patience = self.loop.call_later(_ASK_WITHIN_S, self._lose_patience)

    def _lose_patience(self) -> None:
        being_answered = self.cycle is not None and not self.cycle.response_complete
        if not being_answered or self.cycle.more_body:
            self.transport.close()


async def serve(
    app: Litestar, host: str, port: int, stop: asyncio.Event, ready: asyncio.Event | None = None
) -> None:
    """Serves until ``stop``, and then ends within a second. ``ready`` is set when it answers.

    CannotListen when it cannot.
    """
    listener = listen(host, port)
    try:
        server = _Server(
            uvicorn.Config(
                app,
                http=_Connection,
                lifespan="off",
                ws="none",
                access_log=False,
                log_config=None,
                log_level="warning",
                server_header=False,
                # Whoever is asked by a proxy is asked by the proxy: what it says of others decides nothing.
                proxy_headers=False,
                timeout_keep_alive=5,
                limit_concurrency=200,
                timeout_graceful_shutdown=_GRACE_S,  # type: ignore[arg-type]  # it may be a float
            ),
            ready,
        )
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            server.should_exit = True
            await serving
    finally:
        listener.close()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. CannotListen when there can be none."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address, family=family, backlog=128)
    except OSError as error:
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        if error.errno == errno.EADDRINUSE:
            reason = f"{where} is in use; set web.port in collector.yaml"
        elif error.errno == errno.EACCES:
            reason = f"{where} may not be listened on by this user; set web.port in collector.yaml"
        elif isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            reason = f"{where} is no address of this machine; set web.listen in collector.yaml"
        else:
            reason = f"{where}: {error.strerror or error}"
        raise CannotListen(error.errno, reason) from None
