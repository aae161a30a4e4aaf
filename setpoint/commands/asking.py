"""Asks a running collector, for commands."""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

DEFAULT_URL = "http://127.0.0.1:8480"
REFUSED, NO_COLLECTOR = 2, 3
_MAX_ANSWER_BYTES = 256_000_000
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class AskError(Exception):
    """There is no answer. ``code`` is the command's exit code; the text is for the user."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


def usual_url() -> str:
    """Where the collector is, unless the command line says."""
    return os.environ.get("SETPOINT_URL", DEFAULT_URL)


def ask(url: str, path: str, query: Sequence[tuple[str, str]], timeout_s: float) -> Mapping[str, Any]:
    """The collector's answer, a JSON object. AskError when it does not answer, or refuses."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise AskError(REFUSED, f'--url: expected one such as {DEFAULT_URL}, got "{url}"')
    # A proxy of this environment is for the way out; it knows another machine as 127.0.0.1.
    local = [urllib.request.ProxyHandler({})] if parts.hostname in _LOOPBACK else []
    address = f"{url.rstrip('/')}{path}?{urllib.parse.urlencode(query)}"
    stranger = AskError(NO_COLLECTOR, f"what answers at {url} is no collector of this version")
    try:
        with urllib.request.build_opener(*local).open(address, timeout=timeout_s) as response:
            body = response.read(_MAX_ANSWER_BYTES)
    except urllib.error.HTTPError as error:
        message = _message(error.read(65_536))
        if message is None:
            raise stranger from None
        code = REFUSED if error.code < 500 else NO_COLLECTOR
        raise AskError(code, f"the collector at {url} says: {message}") from None
    except http.client.HTTPException:
        raise stranger from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise AskError(
            NO_COLLECTOR,
            f"no collector answers at {url} ({reason}); start one with `setpoint up` or "
            "`setpoint collector run`, or say with --url or SETPOINT_URL where it is",
        ) from None
    try:
        answer = json.loads(body)
    except ValueError:
        raise stranger from None
    if not isinstance(answer, dict):
        raise stranger
    return answer


def _message(body: bytes) -> str | None:
    """The message of the collector's error; None when it is not the collector's."""
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return None
