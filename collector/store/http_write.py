"""Line protocol to a server: bounded requests, patience, and which lines it was that the server refused."""

from __future__ import annotations

import asyncio
import gzip
import logging
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import aiohttp
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
from influxdb_client.rest import ApiException

from collector.store.base import RefusedLine, StoreUnavailable
from collector.store.line_bodies import Part, bodies

log = logging.getLogger(__name__)

BODY_BYTES = 2_000_000
"""Of one request, before compression. InfluxDB 1.x takes 25 MB, a proxy before it often less."""
_AT_ONCE = 2
_ATTEMPTS = 4
_FIRST_DELAY_S = 0.25
_LONGEST_DELAY_S = 30.0
# What a request may cost in further ones to find the lines that were refused.
_MOST_REQUESTS_FOR_BLAME = 500
_DROPPED = re.compile(r"dropped=(\d+)")


class Answer(NamedTuple):
    """``reason``: what the server says of its refusal."""

    status: int
    reason: str
    retry_after_s: float | None = None


class Poster(Protocol):
    """Sends one body. StoreUnavailable when there is no answer."""

    async def post(self, body: bytes) -> Answer: ...


class Refit(Protocol):
    """Changes refused parts so that the server takes them; what it gives up on it adds to ``refused``."""

    def __call__(
        self, parts: Sequence[Part], reason: str, refused: list[RefusedLine]
    ) -> list[Part] | None: ...


class WriteClient:
    """The asyncio client of InfluxDB, on one write endpoint. Made anew in every event loop."""

    def __init__(
        self,
        url: str,
        path: str,
        parameters: Mapping[str, str],
        headers: Mapping[str, str],
        *,
        timeout_s: float,
        ca: str | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._path = path
        self._parameters = dict(parameters)
        self._headers = dict(headers)
        self._timeout_s = timeout_s
        self._ca = ca
        self._client: InfluxDBClientAsync | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def _connected(self) -> InfluxDBClientAsync:
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            self._client = InfluxDBClientAsync(
                self._url, "", timeout=int(self._timeout_s * 1000), ssl_ca_cert=self._ca
            )
            self._client.api_client.default_headers.pop("Authorization", None)
            self._loop = loop
        return self._client

    async def post(self, body: bytes) -> Answer:
        """Sends one body, compressed."""
        # The client would compress in the event loop, at its slowest level.
        packed = await asyncio.to_thread(gzip.compress, body, 1)
        headers = {"Content-Type": "text/plain; charset=utf-8", "Content-Encoding": "gzip", **self._headers}
        try:
            _, status, _ = await self._connected().api_client.call_api(
                self._path,
                "POST",
                {},
                list(self._parameters.items()),
                headers,
                body=packed,
                _return_http_data_only=False,
            )
        except ApiException as error:
            return Answer(error.status, _reason(error), _retry_after_s(error))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            # Not its text: aiohttp puts the URL with its parameters into some.
            what = "no answer in time" if isinstance(error, TimeoutError) else _cause(error)
            raise StoreUnavailable(f"{self._url}{self._path}: {what}") from None
        return Answer(status, "")

    def close(self) -> None:
        """Lets go of the connections; to be called outside of the event loop."""
        client, loop = self._client, self._loop
        self._client = None
        if client is None or loop is None or loop.is_closed():
            return
        if loop.is_running():
            asyncio.run_coroutine_threadsafe(client.close(), loop).result(timeout=5)
        else:
            loop.run_until_complete(client.close())


def _cause(error: Exception) -> str:
    cause = error.__cause__ or error
    return getattr(cause, "strerror", None) or type(error).__name__


def _reason(error: ApiException) -> str:
    body = error.body.decode(errors="replace") if isinstance(error.body, bytes) else str(error.body or "")
    return body.strip()[:2000] or str(error.reason)


def _retry_after_s(error: ApiException) -> float | None:
    value = (error.headers or {}).get("Retry-After", "")
    return float(value) if value.isdigit() else None


class LineWriter:
    """Writes parts through ``poster``: a few requests at once, tried again while the server is busy."""

    def __init__(self, poster: Poster, what: str, refit: Refit | None = None) -> None:
        """``what``: the server, as errors name it. ``refit`` is asked first about a refusal: it returns the
        parts as the server should take them, or None when it knows no better.
        """
        self._poster = poster
        self._what = what
        self._refit = refit

    async def write(self, parts: Iterable[Part]) -> list[RefusedLine]:
        """Returns when the server has taken all lines but those returned. StoreUnavailable when it cannot
        take them now; then some may have been taken.
        """
        refused: list[RefusedLine] = []
        tasks: set[asyncio.Task[None]] = set()
        try:
            for body in bodies(parts, BODY_BYTES):
                if len(tasks) >= _AT_ONCE:
                    done, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        task.result()
                tasks.add(asyncio.create_task(self._write_body(body, refused)))
            for task in list(tasks):
                await task
                tasks.discard(task)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return refused

    async def _write_body(self, parts: list[Part], refused: list[RefusedLine]) -> None:
        answer = await self._send(parts)
        while answer.status >= 300:
            refitted = self._refit(parts, answer.reason, refused) if self._refit else None
            if refitted is None:
                break
            parts = refitted
            answer = await self._send(parts)
        if answer.status < 300:
            return
        lines = [line for part in parts for line in part.lines()]
        blame = _Blame(self._send, refused)
        await blame.search(lines, answer)

    async def _send(self, parts: Sequence[Part]) -> Answer:
        """The server's answer, once it is one that trying again would not change."""
        body = b"".join(part.data for part in parts)
        delay_s = _FIRST_DELAY_S
        for attempt in range(1, _ATTEMPTS + 1):
            answer = await self._poster.post(body)
            if answer.status < 300 or answer.status in (400, 413, 422):
                return answer
            text = f"{self._what}: {answer.status}: {answer.reason}"
            if answer.status != 429 and answer.status < 500:
                raise StoreUnavailable(text)
            if attempt == _ATTEMPTS:
                raise StoreUnavailable(text)
            wait_s = min(answer.retry_after_s or delay_s * random.uniform(0.5, 1.0), _LONGEST_DELAY_S)
            log.warning("store %s; next try in %.1f s", text, wait_s)
            await asyncio.sleep(wait_s)
            delay_s *= 2
        raise AssertionError("unreachable")


class _Blame:
    """Finds the lines that a server refuses. It names some of them, in words of its version; sending the
    halves again finds them all, and writes the good ones where it had refused the whole. Writing the same
    line again changes nothing.
    """

    def __init__(self, send: _Send, refused: list[RefusedLine]) -> None:
        self._send = send
        self._refused = refused
        self._requests = 0

    async def search(self, lines: Sequence[Part], answer: Answer) -> None:
        """``answer`` is the refusal of exactly these lines."""
        dropped = _DROPPED.search(answer.reason)
        all_of_them = dropped is not None and int(dropped[1]) == len(lines)
        if len(lines) <= 1 or all_of_them or self._requests >= _MOST_REQUESTS_FOR_BLAME:
            self._refused += [line.refused(answer.reason) for line in lines]
            return
        middle = len(lines) // 2
        for half in (lines[:middle], lines[middle:]):
            self._requests += 1
            of_half = await self._send(half)
            if of_half.status >= 300:
                await self.search(half, of_half)


class _Send(Protocol):
    async def __call__(self, parts: Sequence[Part]) -> Answer: ...
