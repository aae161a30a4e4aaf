"""MQTT in, acks out: the only module of the collector that speaks MQTT, and the only one that acks."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import aiomqtt
from paho.mqtt.client import Client as PahoClient
from paho.mqtt.client import MQTTMessage
from paho.mqtt.reasoncodes import ReasonCode

from collector.agents import Agents
from collector.inbox import Inbox, Incoming
from collector.intake import Acks, Intake, Origin
from collector.settings import Source
from setpoint.ack import encode_ack
from setpoint.broker_settings import BrokerSettings
from setpoint.status import decode_status
from setpoint.topics import Topic, parse_topic, subscription

log = logging.getLogger(__name__)

_FIRST_DELAY_S = 0.5
_LONGEST_DELAY_S = 15.0
_LARGEST_STATUS = 65_536


_ACKS_AT_ONCE = 100


class _Client(aiomqtt.Client):
    """The client of one connection, without what it does for every single message.

    Awaiting a message through its iterator makes two tasks, and publishing one makes a task, a timer and a
    look at all that are under way; either costs more than to decode a small batch.
    """

    def __init__(self, arrived: Callable[[MQTTMessage], None], *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._arrived = arrived
        # Before it connects: what a broker has kept for us may come with its first answer.
        self._client.on_message = self._take

    def _take(self, _client: PahoClient, _userdata: object, message: MQTTMessage) -> None:
        self._arrived(message)

    def _on_socket_register_write(self, _client: PahoClient, _userdata: object, sock: Any) -> None:
        # Called in any thread. When it is the loop's turn, the connection may be lost and the socket closed.
        def register() -> None:
            if sock.fileno() >= 0:
                self._loop.add_writer(sock.fileno(), self._write)

        self._loop.call_soon_threadsafe(register)

    def _write(self) -> None:
        try:
            self._client.loop_write()
        except Exception as error:
            if not self._disconnected.done():
                self._disconnected.set_exception(error)

    def send(self, topic: str, payload: bytes) -> None:
        """Publishes with QoS 1, and waits for nothing. Without a connection nothing is sent."""
        self._client.publish(topic, payload, qos=1)


class Receiver:
    """Keeps a connection, takes what comes into the inbox, and acks what the intake has stored."""

    def __init__(
        self,
        broker: BrokerSettings,
        intake: Intake,
        inbox: Inbox,
        agents: Agents,
        *,
        name: str,
        sources: Sequence[Source] = (),
        share: str = "",
        group_bytes: int = 8_000_000,
    ) -> None:
        self._broker = broker
        self._intake = intake
        self._inbox = inbox
        self._agents = agents
        self._name = name
        self._sources = sources
        self._share = share
        self._group_bytes = group_bytes
        self._client: _Client | None = None
        self.connected = False
        self.ignored_messages = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Receives until ``stop``; then what is in the inbox is left unacked, and comes again."""
        stopping = asyncio.create_task(stop.wait())
        working = asyncio.create_task(self._work())
        delay = _FIRST_DELAY_S
        try:
            while not stop.is_set() and not working.done():
                try:
                    await self._session(stopping, working)
                except (aiomqtt.MqttError, OSError) as error:
                    log.warning("broker %s: %s", self._broker.address, error or type(error).__name__)
                if self.connected:
                    delay = _FIRST_DELAY_S
                self.connected = False
                if not stop.is_set() and not working.done():
                    await asyncio.wait({stopping, working}, timeout=delay * random.uniform(0.5, 1.0))
                    delay = min(2 * delay, _LONGEST_DELAY_S)
        finally:
            stopping.cancel()
            working.cancel()
            await asyncio.wait({working})
        if not working.cancelled():
            working.result()

    async def _session(self, stopping: asyncio.Task[bool], working: asyncio.Task[None]) -> None:
        secret = self._broker.password
        async with _Client(
            self.arrived,
            self._broker.host,
            self._broker.port,
            identifier=f"setpoint-collector-{self._name}",
            username=self._broker.username or self._name if secret else self._broker.username,
            password=secret.reveal() if secret else None,
            tls_context=self._broker.tls_context(),
            keepalive=max(1, int(self._broker.keepalive.seconds)),
            # Nothing has to wait at the broker: what is not acked comes again from its outbox. Other
            # publishers have no outbox, so for them the broker keeps what comes while we are away; but not
            # where another collector of the same share can take it meanwhile.
            clean_session=not self._sources or bool(self._share),
            # No bound: with one, the client looks at all acks under way whenever one of them is through.
            max_inflight_messages=0,
        ) as client:
            # Every collector knows how every agent is; only readings are shared.
            topics = [
                subscription("readings", share=self._share or None),
                subscription("status"),
                *(f"$share/{self._share}/{s.topic}" if self._share else s.topic for s in self._sources),
            ]
            granted: Sequence[int | ReasonCode] = await client.subscribe([(topic, 1) for topic in topics])
            for topic, code in zip(topics, granted, strict=True):
                if (code if isinstance(code, int) else code.value) >= 0x80:  # a refusal, in MQTT 3.1.1
                    raise aiomqtt.MqttError(f"the broker does not let this collector subscribe to {topic}")
            self.connected = True
            self._client = client
            log.info("connected to the broker at %s", self._broker.address)
            lost = asyncio.create_task(_until_lost(client))
            try:
                await asyncio.wait({lost, stopping, working}, return_when=asyncio.FIRST_COMPLETED)
                if lost.done():
                    lost.result()
            finally:
                # An ack that is sent while the connection closes would go to a socket that is gone.
                self._client = None
                lost.cancel()

    def arrived(self, message: MQTTMessage) -> None:
        """Takes one message off the network."""
        try:
            topic = message.topic
        except UnicodeDecodeError:
            self.ignored_messages += 1
            return
        payload = bytes(message.payload)
        ours = parse_topic(topic)
        if ours is not None and ours.channel == "status":
            self._take_status(ours, payload)
        else:
            self._inbox.put(Incoming(topic, payload, time.time_ns() // 1_000_000))

    def _take_status(self, topic: Topic, payload: bytes) -> None:
        if not payload:
            self._agents.heard(topic.site, topic.agent, None)
            return
        try:
            if len(payload) > _LARGEST_STATUS:
                raise ValueError(f"{len(payload)} bytes")
            status = decode_status(payload)
        except ValueError as error:
            log.warning("status of %s ignored: %s", topic.agent, error)
            return
        self._agents.heard(topic.site, topic.agent, status)
        log.info(
            "agent %s of site %s is %s%s",
            topic.agent,
            topic.site,
            status.state,
            f" ({status.reason})" if status.reason else "",
        )

    # -- storing and acking ------------------------------------------------------------------------

    async def _work(self) -> None:
        # A store may need a while until what it has is durable: the next group does not wait for that.
        async with asyncio.TaskGroup() as confirming:
            while True:
                messages = await self._inbox.group(self._group_bytes)
                known = []
                for message in messages:
                    origin = self._origin(message.topic)
                    if origin is None:
                        self.ignored_messages += 1
                    else:
                        known.append((origin, message))
                confirm = await self._intake.begin(known)
                confirming.create_task(self._ack_confirmed(confirm))

    async def _ack_confirmed(self, confirm: Callable[[], Awaitable[Acks]]) -> None:
        acks = await confirm()
        for number, ((site, agent), ack) in enumerate(acks.by_agent.items(), 1):
            # Nobody waits for an ack to be delivered. Where it is not, the agent sends the batch again, the
            # store knows it, and it is acked then.
            if self._client is not None:
                self._client.send(str(Topic(site, agent, "ack")), encode_ack(ack))
            if number % _ACKS_AT_ONCE == 0:
                await asyncio.sleep(0)

    def _origin(self, topic: str) -> Origin | None:
        ours = parse_topic(topic)
        if ours is not None:
            return Origin(ours.site, ours.agent, enrolled=True)
        for source in self._sources:
            if aiomqtt.Topic(topic).matches(source.topic):
                return Origin(source.site, topic, enrolled=False)
        return None


async def _until_lost(client: aiomqtt.Client) -> None:
    async for _ in client.messages:
        pass
