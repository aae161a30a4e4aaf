"""Questions to a database over HTTP, with answers that are read while they come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import urllib3

from collector.store.base import StoreUnavailable

_CONNECT_S = 5.0
_CHUNK_BYTES = 1 << 18


class Response(NamedTuple):
    """A whole answer. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace").strip()


class HttpReader:
    """Speaks to one server, from any thread. Errors name the address and the path, never a header or a
    parameter, since credentials are there.
    """

    def __init__(self, base_url: str, headers: Mapping[str, str], timeout_s: float, ca: str | None) -> None:
        """``ca``: the file with the authority that signed the server's certificate; None: the system's."""
        self.base_url = base_url.rstrip("/")
        self._pool = urllib3.PoolManager(
            maxsize=4,
            headers={"Accept-Encoding": "gzip", **headers},
            timeout=urllib3.Timeout(connect=min(timeout_s, _CONNECT_S), read=timeout_s),
            retries=False,
            ca_certs=ca,
        )

    def ask(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str] | None = None,
        json: object | None = None,
    ) -> Response:
        """The whole answer, whatever its status. StoreUnavailable when there is none."""
        answer = self._request(method, path, parameters, json)
        try:
            body = answer.data
        except urllib3.exceptions.HTTPError as error:
            raise self._unavailable(path, error) from None
        return Response(answer.status, _lower(answer.headers), body)

    def lines(self, path: str, parameters: Mapping[str, str]) -> Iterator[bytes]:
        """The lines of the answer to a POST, one by one. StoreUnavailable also when the status is not 200."""
        answer = self._request("POST", path, parameters, None)
        try:
            if answer.status != 200:
                raise StoreUnavailable(
                    f"{self.base_url}{path}: {answer.status}: {answer.data.decode(errors='replace')[:500]}"
                )
            rest = b""
            for chunk in answer.stream(_CHUNK_BYTES, decode_content=True):
                *whole, rest = (rest + chunk).split(b"\n")
                yield from filter(None, whole)
            if rest:
                yield rest
        except urllib3.exceptions.HTTPError as error:
            raise self._unavailable(path, error) from None
        finally:
            # A caller that stops early leaves an answer that is not read to its end; then the connection is
            # of no more use.
            if not answer.closed:
                answer.close()
            answer.release_conn()

    def close(self) -> None:
        """Lets go of the connections."""
        self._pool.clear()

    def _request(
        self, method: str, path: str, parameters: Mapping[str, str] | None, json: object | None
    ) -> urllib3.BaseHTTPResponse:
        url = self.base_url + path
        try:
            if json is not None:
                return self._pool.request(method, url, json=json, preload_content=False)
            # A form, not a query string, where there is a choice: queries are long.
            if method == "POST":
                return self._pool.request(
                    method, url, fields=parameters or {}, encode_multipart=False, preload_content=False
                )
            return self._pool.request(method, url, fields=parameters, preload_content=False)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._unavailable(path, error) from None

    def _unavailable(self, path: str, error: Exception) -> StoreUnavailable:
        return StoreUnavailable(f"{self.base_url}{path}: {reason(error)}")


def reason(error: Exception) -> str:
    """What went wrong, without the parameters of the request, which urllib3 puts into some texts."""
    # In this order: to urllib3 an unknown name is a failed connection, and that is a connection timeout.
    match error:
        case urllib3.exceptions.NameResolutionError():
            return "the name is not known"
        case urllib3.exceptions.NewConnectionError():
            return "connection refused"
        case urllib3.exceptions.TimeoutError():
            return "no answer in time"
        case urllib3.exceptions.SSLError():
            return f"TLS: {error}"
        case _:
            return type(error).__name__


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
