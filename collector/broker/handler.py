"""One client's connection: amqtt's protocol handler, with what it lacks.

Tried with amqtt 0.12.1. Each method below says what happens without it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.mqtt.publish import PublishPacket

log = logging.getLogger(__name__)

# What may wait for one client. Past it, messages for this client are dropped, and for no other.
MOST_UNACKED = 10_000
MOST_WAITING_BYTES = 64 * 2**20
# What may wait of one client before no more is read from it.
_MOST_RECEIVED = 100
_ANSWERS_BYTES = 2**20


class ClientHandler(BrokerProtocolHandler):  # type: ignore[misc] # amqtt is untyped
    """Speaks MQTT with one client."""

    _unacked: set[int]
    _last_packet_id: int
    _gone: asyncio.Future[Any]

    async def start(self) -> None:
        self._unacked = set()
        self._last_packet_id = 0
        self._gone = asyncio.get_running_loop().create_future()
        self.reader.is_behind = self._is_behind
        await super().start()

    def _is_behind(self) -> bool:
        """Whether the client sends faster than the broker works, or does not read the answers."""
        return bool(
            self.session.delivered_message_queue.qsize() >= _MOST_RECEIVED
            or self.writer.waiting_bytes > MOST_WAITING_BYTES + _ANSWERS_BYTES
        )

    def deliver(self, topic: str, data: bytes, qos: int, *, retained: bool = False) -> bool:
        """Sends a message, QoS 0 or 1. False when the client is too far behind, and the message is dropped.

        amqtt starts a task and a timer for each, without bound for a client that does not read; and misses
        the PUBACK of a client that answers before the write has been drained.
        """
        if self.writer.waiting_bytes > MOST_WAITING_BYTES or len(self._unacked) >= MOST_UNACKED:
            return False
        packet_id = None
        if qos:
            packet_id = self._next_packet_id()
            self._unacked.add(packet_id)
        self.writer.write(PublishPacket.build(topic, data, packet_id, False, qos, retained).to_bytes())
        return True

    def _next_packet_id(self) -> int:
        found = self._last_packet_id % 65535 + 1
        while found in self._unacked:
            found = found % 65535 + 1
        self._last_packet_id = found
        return found

    async def handle_publish(self, publish: Any) -> None:
        """Drops a client that leaves more QoS 2 messages unreleased than may wait; amqtt holds them all."""
        if len(self.session.inflight_in) >= _MOST_RECEIVED:
            log.warning("disconnected %r: too many QoS 2 messages without PUBREL", self.session.client_id)
            self.writer.abort()
            return
        await super().handle_publish(publish)

    async def handle_puback(self, puback: Any) -> None:
        self._unacked.discard(puback.variable_header.packet_id)

    def handle_read_timeout(self) -> None:
        """Drops a client that missed its keep-alive (MQTT-3.1.2-24); amqtt would wait for it for ever, so
        the last will of a host that lost its power would never be told.
        """
        self.writer.abort()

    async def handle_connect(self, connect: Any) -> None:  # noqa: ARG002
        """A second CONNECT ends the connection (MQTT-3.1.0-2)."""
        self.writer.abort()

    async def handle_disconnect(self, disconnect: Any) -> None:
        if not self._gone.done():
            self._gone.set_result(disconnect)

    async def wait_disconnect(self) -> Any:
        """The DISCONNECT packet, or None without one, after all that came before it has been handled.

        amqtt answers at once: what the client sent last, and was told has arrived, is then forgotten, or
        overtaken by its will.
        """
        packet = await asyncio.shield(self._gone)
        await self.session.delivered_message_queue.join()
        return packet
