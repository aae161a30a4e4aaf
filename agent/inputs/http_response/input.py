"""The http_response input."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass

from agent.inputs.complaints import Complaints
from agent.inputs.connection import LookupFailed, Resolver, connect
from agent.inputs.http_response.body import BodyError, BodyReader
from agent.inputs.http_response.protocol import (
    Head,
    ProtocolError,
    Request,
    basic_authorization,
    encode_request,
    read_head,
    redirected,
)
from agent.inputs.http_response.settings import HttpResponseSettings
from agent.inputs.http_response.trust import Trust
from setpoint.reading import FieldValue, Point

log = logging.getLogger(__name__)

RESULT_CODES = {
    "success": 0,
    "response_string_mismatch": 1,
    "body_read_error": 2,
    "connection_failed": 3,
    "timeout": 4,
    "dns_error": 5,
    "response_status_code_mismatch": 6,
}
_MAX_REDIRECTS = 10


@dataclass(slots=True)
class Outcome:
    """What has come of one request so far."""

    result: str = "success"
    why: str = ""
    response_time_s: float | None = None
    status: int | None = None
    content_length: int | None = None
    string_match: bool | None = None
    status_match: bool | None = None

    def fail(self, result: str, why: object) -> None:
        self.result, self.why = result, str(why) or type(why).__name__


def outcome_point(url: str, method: str, outcome: Outcome) -> Point:
    """The point ``http_response``."""
    tags = {"server": url, "method": method, "result": outcome.result}
    fields: dict[str, FieldValue] = {"result_code": RESULT_CODES[outcome.result]}
    if outcome.response_time_s is not None:
        fields["response_time"] = outcome.response_time_s
    if outcome.status is not None:
        tags["status_code"] = str(outcome.status)
        fields["http_response_code"] = outcome.status
    if outcome.content_length is not None:
        fields["content_length"] = outcome.content_length
    if outcome.string_match is not None:
        fields["response_string_match"] = int(outcome.string_match)
    if outcome.status_match is not None:
        fields["response_status_code_match"] = int(outcome.status_match)
    return Point("http_response", tags, fields)


class HttpResponseInput:
    """Asks all urls at once, each over a new connection, without proxies."""

    def __init__(self, settings: HttpResponseSettings) -> None:
        self._settings = settings
        self._headers = {name: value.reveal() for name, value in settings.headers.items()}
        if settings.username is not None and settings.password is not None:
            password = settings.password.reveal()
            self._headers["Authorization"] = basic_authorization(settings.username, password)
        pattern = settings.response_string_match
        self._pattern = re.compile(pattern) if pattern is not None else None
        self._trust = Trust(settings.ca_file, settings.insecure_skip_verify)
        self._resolver = Resolver()
        self._complaints = Complaints(log)

    async def gather(self) -> Sequence[Point]:
        """One point per url, whatever came of it."""
        return await asyncio.gather(*(self._probe(url) for url in self._settings.urls))

    async def close(self) -> None:
        self._resolver.close()

    async def _probe(self, url: str) -> Point:
        settings = self._settings
        outcome = Outcome()
        try:
            async with asyncio.timeout(settings.timeout.seconds):
                await self._ask(Request(settings.method, url, self._headers, settings.body.encode()), outcome)
        except TimeoutError:
            outcome.fail("timeout", f"no complete answer within {settings.timeout}")
        except LookupFailed as error:
            outcome.fail("dns_error", error)
        except BodyError as error:
            outcome.fail("body_read_error", error)
            outcome.content_length = error.received
            if self._pattern is not None:
                outcome.string_match = False
        except (OSError, EOFError, ValueError) as error:
            outcome.fail("connection_failed", error)
        if outcome.result == "success":
            self._complaints.works(url)
        else:
            self._complaints.failed(url, f"{outcome.result}: {outcome.why}")
        return outcome_point(url, settings.method, outcome)

    async def _ask(self, request: Request, outcome: Outcome) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for _ in range(_MAX_REDIRECTS + 1):
            reader, writer = await self._open(request)
            try:
                writer.write(encode_request(request))
                await writer.drain()
                head = await read_head(reader)
                following = redirected(request, head) if self._settings.follow_redirects else None
                if following is None:
                    outcome.response_time_s = loop.time() - began
                    await self._judge(reader, request.method, head, outcome)
                    return
                request = following
            finally:
                # Not close(): over TLS that waits for the peer's farewell, which a dying one never sends.
                writer.transport.abort()
        raise ProtocolError(f"stopped after {_MAX_REDIRECTS} redirects")

    async def _open(self, request: Request) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        connection = await connect(await self._resolver.lookup(request.host, request.port))
        try:
            if request.parts.scheme == "http":
                return await asyncio.open_connection(sock=connection)
            return await asyncio.open_connection(
                sock=connection, ssl=self._trust.context(), server_hostname=request.host
            )
        except BaseException:
            connection.close()
            raise

    async def _judge(self, reader: asyncio.StreamReader, method: str, head: Head, outcome: Outcome) -> None:
        settings = self._settings
        outcome.status = head.status
        body = BodyReader(reader, max_bytes=settings.response_body_max_size, keep=self._pattern is not None)
        await body.read(method, head)
        outcome.content_length = body.length
        if self._pattern is not None:
            outcome.string_match = bool(self._pattern.search(body.content.decode("utf-8", "replace")))
            if not outcome.string_match:
                outcome.fail("response_string_mismatch", f'"{self._pattern.pattern}" is not in the body')
        wanted = settings.response_status_code
        if wanted is not None:
            outcome.status_match = head.status == wanted
            if not outcome.status_match:
                outcome.fail("response_status_code_mismatch", f"status {head.status} instead of {wanted}")
