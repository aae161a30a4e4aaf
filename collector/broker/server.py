"""The broker: amqtt's, made fit to face clients that nobody vouches for.

Tried with amqtt 0.12.1. As it comes, it changes or ends the session of whoever else has the client id before
it has checked the password, sends each new client the retained messages that others subscribed to, asks
nobody about wills, and stops delivering a message when somebody subscribes meanwhile. Each method below says
which of these it mends.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any, NamedTuple

from amqtt.broker import Broker
from amqtt.mqtt.connack import NOT_AUTHORIZED, ConnackPacket

from collector.broker.handler import ClientHandler
from collector.broker.plugin import AccessPlugin
from collector.broker.streams import BoundedReader, PromptWriter

log = logging.getLogger(__name__)

_CONNECT_WITHIN_S = 10
_TAKE_OVER_WITHIN_S = 5
_CREDENTIALS_EVERY_S = 1
_MOST_QUEUED = 1000


class _Connection(NamedTuple):
    session: Any
    handler: ClientHandler
    writer: PromptWriter
    task: asyncio.Task[Any]


class EmbeddedBroker(Broker):  # type: ignore[misc] # amqtt is untyped
    """A broker for the users in a credentials file. A session ends with its connection."""

    def __init__(self, credentials: Path, *, site: str | None, largest_message: int) -> None:
        plugin = f"{AccessPlugin.__module__}.{AccessPlugin.__qualname__}"
        super().__init__(
            {
                # It need not listen: whoever does gives us the connections.
                "listeners": {"default": {"type": "external"}},
                "plugins": {plugin: {"credentials": str(credentials), "site": site}},
            }
        )
        access = self.plugins_manager.get_plugin(AccessPlugin.__name__)
        assert isinstance(access, AccessPlugin)
        self._access = access
        self._largest_message = largest_message
        self._connections: dict[str, _Connection] = {}
        # Bounded, so that senders are slowed when the broker cannot keep up; amqtt's is not.
        self._broadcast_queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(maxsize=_MOST_QUEUED)

    async def serve_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one client until it leaves. To be given to ``asyncio.start_server``."""
        our_reader, our_writer = BoundedReader(reader, self._largest_message), PromptWriter(writer)
        try:
            accepted = await self._accept(our_reader, our_writer)
            if accepted:
                await self._serve(our_reader, our_writer, *accepted)
        except Exception:
            log.exception("the connection of %s failed", our_writer.get_peer_info())
        finally:
            await our_writer.close()

    async def shutdown(self) -> None:
        self._broadcast_task.cancel()
        for connection in list(self._connections.values()):
            connection.writer.abort()
        await super().shutdown()

    # -- connections -------------------------------------------------------------------------------

    async def _accept(self, reader: BoundedReader, writer: PromptWriter) -> tuple[ClientHandler, Any] | None:
        """Reads CONNECT and checks the credential; None when that fails.

        No session is touched before. Client ids are apart for each user, so that nobody ends, or inherits
        the subscriptions of, somebody else's session.
        """
        try:
            async with asyncio.timeout(_CONNECT_WITHIN_S):
                handler, session = await ClientHandler.init_from_connect(reader, writer, self.plugins_manager)
        except Exception as error:
            # Also a port scan, or somebody who only looked whether we listen.
            log.debug("%s sent no proper CONNECT: %r", writer.get_peer_info(), error)
            return None
        if not await self._access.authenticate(session=session):
            await ConnackPacket.build(0, NOT_AUTHORIZED).to_stream(writer)
            return None
        session.client_id = f"{session.username}/{session.client_id}"
        session.clean_session = True
        session.parent = 0
        session.keep_alive = (3 * session.keep_alive + 1) // 2  # MQTT-3.1.2-24: one and a half times
        return handler, session

    async def _serve(
        self, reader: BoundedReader, writer: PromptWriter, handler: ClientHandler, session: Any
    ) -> None:
        """Serves an authenticated client until it leaves.

        amqtt's would send it the retained messages of all subscriptions there are, whoever made them.
        """
        await self._end_previous(session.client_id)
        task = asyncio.current_task()
        assert task is not None
        connection = _Connection(session, handler, writer, task)
        self._connections[session.client_id] = connection
        self._sessions[session.client_id] = (session, handler)
        try:
            session.transitions.connect()
            handler.attach(session, reader, writer)
            await handler.mqtt_connack_authorize(True)
            await handler.start()
            await self._client_message_loop(session, handler)
        finally:
            if self._connections.get(session.client_id) is connection:
                del self._connections[session.client_id]
                await self._delete_session(session.client_id)
            await self._stop_handler(handler)

    async def _end_previous(self, client_id: str) -> None:
        """Ends the client's former connection (MQTT-3.1.4-2), with its will told before anything new.

        amqtt leaves it: the will then comes when its keep-alive ends, and says "offline" of an agent that
        has long been back.
        """
        while previous := self._connections.get(client_id):
            previous.writer.abort()
            await asyncio.wait({previous.task}, timeout=_TAKE_OVER_WITHIN_S)
            if self._connections.get(client_id) is previous:
                log.warning("the former connection of %r does not end", client_id)
                del self._connections[client_id]
                await self._delete_session(client_id)

    async def _handle_disconnect(
        self, session: Any, handler: ClientHandler, waiter: asyncio.Future[Any]
    ) -> None:
        """Publishes the will, if the user may still do so: a removed agent must not report itself again."""
        if session.will_flag and not self._access.allows(session.username, session.will_topic, publish=True):
            session.will_flag = False
        await super()._handle_disconnect(session, handler, waiter)

    async def _session_monitor(self) -> None:
        """Disconnects users who were removed or got another password. Sessions need no other care."""
        while True:
            await asyncio.sleep(_CREDENTIALS_EVERY_S)
            self._access.credentials.refresh()
            for client_id, (session, _, writer, _) in list(self._connections.items()):
                if self._access.credentials.entry(session.username) != session.entry:
                    log.warning("disconnected %r: its credential was changed or removed", client_id)
                    writer.abort()

    # -- messages ----------------------------------------------------------------------------------

    async def _handle_message_delivery(
        self, session: Any, handler: ClientHandler, waiter: asyncio.Future[Any]
    ) -> bool:
        try:
            handled: bool = await super()._handle_message_delivery(session, handler, waiter)
            return handled
        finally:
            session.delivered_message_queue.task_done()

    async def add_subscription(self, subscription: tuple[str, int], session: Any) -> int:
        """The granted QoS, at most 1 (nobody here needs 2), or 0x80 when refused."""
        topic_filter, qos = subscription
        granted: int = await super().add_subscription((topic_filter, min(qos, 1)), session)
        return granted

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Any
    ) -> None:
        topic_filter, qos = subscription
        connection = self._connections.get(session.client_id)
        for topic, retained in self._retained_messages.items():
            if connection and self._matches(topic, topic_filter):
                connection.handler.deliver(
                    topic, retained.data, min(qos, retained.qos or 0, 1), retained=True
                )

    async def _broadcast_loop(self) -> None:
        while True:
            message = await self._broadcast_queue.get()
            try:
                self._distribute(message["topic"], message["data"], message.get("qos", 1))
            except Exception:
                log.exception("a message on %r was not delivered", message["topic"])

    def _distribute(self, topic: str, data: bytes, qos: int) -> None:
        """Sends a message to all who subscribed to it, once to each.

        Nothing is awaited here: amqtt's loop fails when a subscription comes or goes while it waits.
        """
        granted_qos: dict[str, int] = {}
        for topic_filter, subscriptions in self._subscriptions.items():
            if self._matches(topic, topic_filter):
                for session, granted in subscriptions:
                    granted_qos[session.client_id] = max(granted, granted_qos.get(session.client_id, 0))
        for client_id, granted in granted_qos.items():
            connection = self._connections.get(client_id)
            if connection is None or not self._access.allows(
                connection.session.username, topic, publish=False
            ):
                continue
            if not connection.handler.deliver(topic, data, min(qos, granted)):
                log.warning("%r does not keep up: dropped a message on %r", client_id, topic)
