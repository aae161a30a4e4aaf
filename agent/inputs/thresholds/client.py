"""Asks the programming interface of a monitoring tool."""

from __future__ import annotations

import asyncio

from agent.inputs.connection import Resolver, connect
from agent.inputs.http_response.body import BodyReader
from agent.inputs.http_response.protocol import Request, basic_authorization, encode_request, read_head
from agent.inputs.http_response.trust import Trust
from agent.inputs.thresholds.access import AccessSettings

_SHOWN_BYTES = 200


class CannotRead(Exception):
    """The tool gave no usable answer; the text says what was asked and what came."""


class Client:
    """One request per connection, without proxies and without following redirections: what is sent along
    may be a credential.
    """

    def __init__(self, settings: AccessSettings) -> None:
        self._settings = settings
        self._headers = {name: value.reveal() for name, value in settings.headers.items()}
        if settings.token is not None:
            self._headers["Authorization"] = f"Bearer {settings.token.reveal()}"
        elif settings.username is not None and settings.password is not None:
            password = settings.password.reveal()
            self._headers["Authorization"] = basic_authorization(settings.username, password)
        self._resolver = Resolver()
        self._trust = Trust(settings.ca_file, settings.insecure_skip_verify)

    async def get(self, url: str) -> bytes:
        """The body of an answer with status 200. CannotRead."""
        return await self.ask(Request("GET", url, {"Accept": "application/json"}))

    async def post(self, url: str, body: bytes, content_type: str = "application/json") -> bytes:
        """The body of an answer with status 200 to what is posted. CannotRead."""
        return await self.ask(Request("POST", url, {"Content-Type": content_type}, body))

    async def ask(self, request: Request) -> bytes:
        """The body of an answer with status 200. The settings' headers are added. CannotRead."""
        where = f"{request.method} {request.parts._replace(query='', fragment='').geturl()}"
        try:
            async with asyncio.timeout(self._settings.timeout.seconds):
                return await self._ask(request._replace(headers={**request.headers, **self._headers}), where)
        except TimeoutError:
            raise CannotRead(f"{where}: no complete answer within {self._settings.timeout}") from None
        except (OSError, EOFError, ValueError) as error:
            raise CannotRead(f"{where}: {error}") from None

    async def _ask(self, request: Request, where: str) -> bytes:
        connection = await connect(await self._resolver.lookup(request.host, request.port))
        try:
            tls = self._trust.context() if request.parts.scheme == "https" else None
            name = request.host if tls else None
            reader, writer = await asyncio.open_connection(sock=connection, ssl=tls, server_hostname=name)
        except BaseException:
            connection.close()
            raise
        try:
            writer.write(encode_request(request))
            await writer.drain()
            head = await read_head(reader)
            body = BodyReader(reader, max_bytes=self._settings.max_size, keep=True)
            await body.read(request.method, head)
        finally:
            # Not close(): over TLS that waits for the peer's farewell, which a dying one never sends.
            writer.transport.abort()
        if head.status != 200:
            text = " ".join(body.content[:_SHOWN_BYTES].decode("utf-8", "replace").split())
            raise CannotRead(f"{where}: status {head.status} instead of 200: {text}")
        return body.content

    def close(self) -> None:
        self._resolver.close()
