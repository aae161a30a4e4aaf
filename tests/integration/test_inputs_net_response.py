"""net_response against real sockets on loopback."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from agent.inputs.net_response.input import NetResponseInput
from agent.inputs.net_response.settings import NetResponseSettings, parse_address
from setpoint.reading import Point
from setpoint.units import Duration
from tests.ports import free_port, full_port

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

SOON_S = 20


async def probe(*addresses: str, **more: Any) -> list[Point]:
    settings = NetResponseSettings(addresses=list(addresses), **more)
    assert not settings.problems()
    source = NetResponseInput(settings)
    try:
        return list(await asyncio.wait_for(source.gather(), SOON_S))
    finally:
        await source.close()


def ask(handler: Handler, **more: Any) -> Point:
    """The point that one probe of this server gives."""

    async def run() -> Point:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await handler(reader, writer)
                await reader.read()
            except OSError:
                pass  # the probe has gone
            finally:
                writer.transport.abort()

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        try:
            port = server.sockets[0].getsockname()[1]
            [point] = await probe(f"127.0.0.1:{port}", **more)
            assert point.tags["port"] == str(port)
            return point
        finally:
            server.close()

    return asyncio.run(run())


def says(*pieces: bytes, then_closes: bool = False) -> Handler:
    async def handle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.02)
        if then_closes:
            writer.write_eof()

    return handle


LONG = {"timeout": Duration(4_000), "read_timeout": Duration(4_000)}
SHORT = {"timeout": Duration(4_000), "read_timeout": Duration(300)}


def test_a_port_that_is_open() -> None:
    point = ask(says())
    response_time = point.fields["response_time"]
    assert point.measurement == "net_response"
    assert point.tags.keys() == {"server", "port", "protocol", "result"}
    assert point.tags.items() >= {"server": "127.0.0.1", "protocol": "tcp", "result": "success"}.items()
    assert point.fields == {"result_code": 0, "response_time": response_time}
    assert isinstance(response_time, float)
    assert 0 < response_time < SOON_S


def test_a_port_that_is_closed() -> None:
    [point] = asyncio.run(probe(f"127.0.0.1:{free_port()}"))
    assert point.tags["result"] == "connection_failed"
    assert point.fields == {"result_code": 2}


def test_a_name_without_address() -> None:
    [point] = asyncio.run(probe("a..b:1", expect="x"))
    assert point.tags["result"] == "connection_failed"
    assert point.fields == {"result_code": 2, "string_found": False}


def test_a_port_that_keeps_silent() -> None:
    with full_port() as port:
        began = time.monotonic()
        [point] = asyncio.run(probe(f"127.0.0.1:{port}", timeout=Duration(300)))
        assert time.monotonic() - began < SOON_S
    assert point.tags["result"] == "timeout"
    assert point.fields == {"result_code": 1}


@pytest.mark.parametrize(
    ("handler", "result", "code"),
    [
        (says(b"220 mail ESMTP\r\n"), "success", 0),
        (says(b"220 ma", b"il ESM", b"TP\r\n250 more\r\n"), "success", 0),
        (says(b"220 mail ESMTP", then_closes=True), "success", 0),
        (says(b"554 go away\r\n220 mail ESMTP\r\n"), "string_mismatch", 4),
        (says(b"", then_closes=True), "read_failed", 3),
    ],
)
def test_the_first_line_is_judged(handler: Handler, result: str, code: int) -> None:
    point = ask(handler, expect="^220 .*ESMTP$", **LONG)
    assert point.tags["result"] == result
    assert point.fields["result_code"] == code
    assert point.fields["string_found"] is (result == "success")
    assert isinstance(point.fields["response_time"], float)


def test_no_answer_in_time_is_a_failed_read() -> None:
    assert ask(says(), expect="x", **SHORT).tags["result"] == "read_failed"


def test_a_line_without_end_is_judged_when_the_time_is_up() -> None:
    assert ask(says(b"login: "), expect="^login:", **SHORT).tags["result"] == "success"
    assert ask(says(b"login: "), expect="^Password:", **SHORT).tags["result"] == "string_mismatch"


def test_a_server_that_drips_does_not_outlive_the_timeout() -> None:
    async def handle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    began = time.monotonic()
    assert ask(handle, expect="y", **SHORT).tags["result"] == "string_mismatch"
    assert time.monotonic() - began < SOON_S


def test_what_is_sent_arrives_and_is_answered() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        writer.write(b"+PONG\r\n" if line == b"PING\r\n" else b"-ERR\r\n")

    assert ask(handle, send="PING\r\n", expect="PONG", **LONG).tags["result"] == "success"
    assert ask(handle, send="QUIT\r\n", expect="PONG", **LONG).tags["result"] == "string_mismatch"


def test_what_is_sent_is_sent_also_when_no_answer_is_expected() -> None:
    received = []

    async def handle(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        received.append(await reader.readline())

    assert ask(handle, send="stats\n", **LONG).tags["result"] == "success"
    assert received == [b"stats\n"]


def test_several_addresses_are_asked_at_once() -> None:
    with full_port() as port:
        began = time.monotonic()
        # One after the other, these would take fifty seconds.
        addresses = [f"127.0.0.{n}:{port}" for n in range(1, 51)]
        points = asyncio.run(probe(*addresses, timeout=Duration(1_000)))
        assert time.monotonic() - began < SOON_S
    assert [point.tags["result"] for point in points] == ["timeout"] * 50


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("db:5432", ("db", 5432)),
        ("[::1]:22", ("::1", 22)),
        ("[fe80::1%eth0]:22", ("fe80::1%eth0", 22)),
        (":80", ("localhost", 80)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address
