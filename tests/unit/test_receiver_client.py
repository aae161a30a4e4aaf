"""The collector's MQTT client, where the library's own would complain."""

from __future__ import annotations

import asyncio
import socket

from collector.receiver import _Client


def test_a_socket_that_is_closed_before_it_is_written_to_is_left_alone() -> None:
    complaints: list[object] = []

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        client = _Client(lambda _: None, "127.0.0.1")
        one, other = socket.socketpair()
        client._on_socket_register_write(client._client, None, one)
        one.close()
        other.close()
        await asyncio.sleep(0.01)

    asyncio.run(run())
    assert complaints == []
