"""What the http_response input can be told."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import msgspec

from agent.inputs.base import InputSettings
from setpoint.units import Duration, Secret, Size
from setpoint.yaml_tree import child

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2


class HttpResponseSettings(InputSettings, kw_only=True, tag="http_response"):
    """``urls``: what to ask for. ``method``, ``headers``, ``body``: how. ``timeout``: for the whole request,
    from the lookup of the name to the last byte. ``follow_redirects``: whether to go where the server points.
    ``username``, ``password``: for basic authentication.
    ``response_string_match``: a regular expression that has to be found in the body.
    ``response_status_code``: the status that has to come. ``response_body_max_size``: a longer body counts as
    an error.
    ``ca_file``: the authorities to trust instead of the system's. ``insecure_skip_verify``: trusts anybody.
    """

    urls: list[str]
    method: str = "GET"
    timeout: Duration = Duration(5_000)
    follow_redirects: bool = False
    headers: dict[str, Secret] = msgspec.field(default_factory=dict)
    body: str = ""
    username: str | None = None
    password: Secret | None = None
    response_string_match: str | None = None
    response_status_code: int | None = None
    response_body_max_size: Size = Size(32 * 1024 * 1024)
    ca_file: str | None = None
    insecure_skip_verify: bool = False

    def problems(self) -> Sequence[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        if not self.urls:
            found.append(("urls", 'is empty; expected addresses such as "https://intranet.example/"'))
        for index, url in enumerate(self.urls):
            if why := url_problem(url):
                found.append((f"urls[{index}]", why))
            elif url in self.urls[:index]:
                found.append((f"urls[{index}]", f'"{url}" is listed twice'))
        if not _TOKEN.fullmatch(self.method):
            found.append(("method", f'expected a method such as "GET", got "{self.method}"'))
        limit = self.deadline or self.interval
        if self.timeout <= 0:
            found.append(("timeout", "expected more than 0s"))
        elif self.timeout >= limit:
            found.append(
                ("timeout", f"expected less than the deadline of a gathering ({limit}), got {self.timeout}")
            )
        found += sent_problems(self.headers, self.username, self.password)
        if self.response_string_match is not None:
            try:
                re.compile(self.response_string_match)
            except re.error as error:
                found.append(("response_string_match", f"is no regular expression: {error}"))
        if self.response_status_code is not None and not 100 <= self.response_status_code <= 599:
            found.append(
                (
                    "response_status_code",
                    f"expected one from 100 to 599, got {self.response_status_code}",
                )
            )
        if self.response_body_max_size <= 0:
            found.append(("response_body_max_size", "expected more than 0B"))
        if self.ca_file is not None and not Path(self.ca_file).is_file():
            found.append(("ca_file", f'there is no file "{self.ca_file}"'))
        return found


def sent_problems(
    headers: Mapping[str, Secret], username: str | None, password: Secret | None
) -> list[tuple[str, str]]:
    """What is wrong with the headers and the credentials of requests, each with its place."""
    found = []
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name):
            found.append((child("headers", name), "is no header name"))
        if re.search(r"[\r\n\0]", value.reveal()):
            found.append((child("headers", name), "its value holds a line end"))
    if (username is None) != (password is None):
        missing = "password" if password is None else "username"
        found.append((missing, "is missing: username and password belong together"))
    return found


def url_problem(url: str) -> str:
    """What keeps this from being asked for; empty when nothing does."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"is no URL: {error}"
    if parts.scheme not in ("http", "https"):
        return f'expected a URL that begins with http:// or https://, got "{_without_user(parts)}"'
    if parts.username is not None or parts.password is not None:
        # The URL becomes a tag, which everybody may read.
        return "holds a user name; use username and password instead"
    if not parts.hostname or port == 0:
        return f'expected a URL with a host, got "{url}"'
    if re.search(r"[\x00-\x20\x7f]", url):
        return "holds a space or a control character"
    return ""


def _without_user(parts: SplitResult) -> str:
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
