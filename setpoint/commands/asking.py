"""Asks a running collector, for commands."""

from __future__ import annotations

import argparse
import http.client
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import msgspec

    Row = TypeVar("Row", bound=msgspec.Struct)

REFUSED, NO_COLLECTOR = 2, 3
_DEFAULT_URL = "http://127.0.0.1:8480"
_TIMEOUT_S = 30.0
_MAX_ANSWER_BYTES = 512_000_000
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
Query = Sequence[tuple[str, str]]


class AskError(Exception):
    """Ends a command with the exit code ``code``; the text is for the user. ``status`` is that of HTTP, where
    the collector itself refused.
    """

    def __init__(self, code: int, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.status = status


def add_url(parser: argparse.ArgumentParser) -> None:
    """Adds ``--url`` to a command that asks a collector."""
    parser.add_argument(
        "--url",
        default=os.environ.get("SETPOINT_URL", _DEFAULT_URL),
        help="the collector's page (%(default)s; SETPOINT_URL)",
    )


def exit_code(title: str, command: Callable[[argparse.Namespace], int], options: argparse.Namespace) -> int:
    """Runs the command. An AskError is printed under its title, and gives the exit code."""
    try:
        return command(options)
    except AskError as error:
        print(f"{title}: {error}", file=sys.stderr)
        return error.code


def ask(url: str, path: str, query: Query = (), timeout_s: float = _TIMEOUT_S) -> Mapping[str, Any]:
    """The collector's answer, a JSON object. AskError when it does not answer, or refuses."""
    return _object(url, ask_bytes(url, path, query, timeout_s))


def send(url: str, path: str, data: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the collector answers to this being sent to it as JSON. AskError as with `ask`."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(_address(url, path), json.dumps(data).encode(), headers)
    return _object(url, _open(url, request, _TIMEOUT_S))


def ask_bytes(url: str, path: str, query: Query = (), timeout_s: float = _TIMEOUT_S) -> bytes:
    """The collector's answer as it is. AskError when it does not answer, or refuses."""
    address = _address(url, path) + (f"?{urllib.parse.urlencode(query)}" if query else "")
    return _open(url, urllib.request.Request(address), timeout_s)


def rows_of(url: str, data: Any, row: type[Row]) -> list[Row]:
    """The rows of an answer. AskError when they are not what a collector of this version has."""
    import msgspec

    try:
        return msgspec.convert(data, list[row])  # type: ignore[valid-type]
    except msgspec.ValidationError as error:
        raise AskError(NO_COLLECTOR, f"{stranger(url)}: {error}") from None


def stranger(url: str) -> AskError:
    """What answers is not what was asked for."""
    return AskError(NO_COLLECTOR, f"what answers at {url} is no collector of this version")


def _address(url: str, path: str) -> str:
    """The address. AskError when the URL is none, before it is used for anything."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise AskError(REFUSED, f'--url: expected one such as {_DEFAULT_URL}, got "{url}"')
    return url.rstrip("/") + path


def _open(url: str, request: urllib.request.Request, timeout_s: float) -> bytes:
    # A proxy of this environment is for the way out; it knows another machine as 127.0.0.1.
    is_local = urllib.parse.urlsplit(url).hostname in _LOOPBACK
    opener = urllib.request.build_opener(*[urllib.request.ProxyHandler({})] if is_local else [])
    try:
        with opener.open(request, timeout=timeout_s) as response:
            body: bytes = response.read(_MAX_ANSWER_BYTES)
    except urllib.error.HTTPError as error:
        message = _message(error.read(65_536))
        if message is None:
            raise stranger(url) from None
        code = REFUSED if error.code < 500 else NO_COLLECTOR
        raise AskError(code, f"the collector at {url} says: {message}", error.code) from None
    except http.client.HTTPException:
        raise stranger(url) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise AskError(
            NO_COLLECTOR,
            f"no collector answers at {url} ({reason}); start one with `setpoint up` or "
            "`setpoint collector run`, or say with --url or SETPOINT_URL where it is",
        ) from None
    return body


def _object(url: str, body: bytes) -> Mapping[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError:
        raise stranger(url) from None
    if not isinstance(answer, dict):
        raise stranger(url)
    return answer


def _message(body: bytes) -> str | None:
    """The message of the collector's error; None when it is not the collector's."""
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return None
