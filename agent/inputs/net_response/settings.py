"""What the net_response input can be told."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent.inputs.base import InputSettings
from setpoint.units import Duration


class NetResponseSettings(InputSettings, kw_only=True, tag="net_response"):
    """``addresses``: ``host:port`` (an IPv6 number in brackets). ``timeout``: for the lookup of the name and
    the connection. ``send``: text to send then. ``expect``: a regular expression for the first line of the
    answer. ``read_timeout``: for the answer to come.
    """

    addresses: list[str]
    timeout: Duration = Duration(1_000)
    send: str = ""
    expect: str | None = None
    read_timeout: Duration = Duration(1_000)

    def problems(self) -> Sequence[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        if not self.addresses:
            found.append(("addresses", 'is empty; expected addresses such as "db-01:5432"'))
        seen: set[tuple[str, int]] = set()
        for index, address in enumerate(self.addresses):
            try:
                parsed = parse_address(address)
            except ValueError as error:
                found.append((f"addresses[{index}]", str(error)))
                continue
            if parsed in seen:
                found.append((f"addresses[{index}]", f'"{address}" is listed twice'))
            seen.add(parsed)
        for name, value in (("timeout", self.timeout), ("read_timeout", self.read_timeout)):
            if value <= 0:
                found.append((name, "expected more than 0s"))
        limit = self.deadline or self.interval
        if self.timeout + self.read_timeout >= limit:
            found.append(
                (
                    "timeout",
                    f"timeout and read_timeout take {Duration(self.timeout + self.read_timeout)} together; "
                    f"expected less than the deadline of a gathering ({limit})",
                )
            )
        if self.expect is not None:
            try:
                re.compile(self.expect)
            except re.error as error:
                found.append(("expect", f"is no regular expression: {error}"))
        return found


def parse_address(address: str) -> tuple[str, int]:
    """(host, port) of ``host:port``; without a host, this one. ValueError with what was expected."""
    host, colon, port = address.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f'expected an IPv6 address in brackets, such as "[::1]:443", got "{address}"')
    if not colon or not (port.isascii() and port.isdigit()) or not 1 <= int(port) <= 65535:
        raise ValueError(f'expected "host:port" with a port from 1 to 65535, got "{address}"')
    if re.search(r"[\s/@]", host):
        raise ValueError(f'expected "host:port", got "{address}"')
    return host or "localhost", int(port)
