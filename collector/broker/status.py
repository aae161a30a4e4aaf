"""Clears what the broker keeps of an agent that was removed: its retained status."""

from __future__ import annotations

import asyncio
import time

import aiomqtt

from setpoint.broker_settings import BrokerSettings
from setpoint.topics import Topic, parse_topic, subscription

# The broker ends the connection of a removed agent a moment later, and its last will is a status again.
_SETTLE_S = 1.5
_ECHO_WITHIN_S = 3.0


class NotCleared(Exception):
    """The status is still there; the text says why. ``connected``: whether the broker let us in at all."""

    def __init__(self, text: str, *, connected: bool = False) -> None:
        super().__init__(text)
        self.connected = connected


async def clear_status(broker: BrokerSettings, agent: str, site: str, *, timeout_s: float = 15) -> list[str]:
    """Clears an agent's retained status at every site; returns the sites that had one.

    ``site`` is where the agent is believed to be. ``broker`` says who is asking, which must be a collector.
    NotCleared when the broker does not answer, or does not let this user do it.
    """
    connected = False
    try:
        async with asyncio.timeout(timeout_s), _client(broker) as client:
            connected = True
            return await _clear(client, broker.username, agent, site)
    except TimeoutError:
        raise NotCleared(f"{broker.address} does not settle", connected=connected) from None
    except (aiomqtt.MqttError, OSError) as error:
        text = f"{broker.address}: {error or type(error).__name__}"
        raise NotCleared(text, connected=connected) from None


def _client(broker: BrokerSettings) -> aiomqtt.Client:
    return aiomqtt.Client(
        broker.host,
        broker.port,
        identifier=None,
        username=broker.username,
        password=broker.password.reveal() if broker.password else None,
        tls_context=broker.tls_context(),
        timeout=5,
    )


async def _clear(client: aiomqtt.Client, username: str | None, agent: str, site: str) -> list[str]:
    await client.subscribe(subscription("status", agent=agent), qos=1)
    # A broker answers a forbidden message like any other, so its echo is what shows that it was taken. It
    # also comes after everything that was retained before.
    await client.publish(str(Topic(site, agent, "status")), b"", qos=1, retain=True)
    cleared: set[str] = set()
    echoed = False
    until = time.monotonic() + _ECHO_WITHIN_S
    while True:
        try:
            message = await asyncio.wait_for(anext(client.messages), until - time.monotonic())
        except TimeoutError:
            break
        if message.payload:
            if (topic := parse_topic(str(message.topic))) is not None:
                cleared.add(topic.site)
                await client.publish(str(message.topic), b"", qos=1, retain=True)
                until = time.monotonic() + _SETTLE_S
        elif not message.retain and not echoed:
            echoed = True
            until = time.monotonic() + _SETTLE_S
    if not echoed:
        raise NotCleared(f'give "{username}" the rights of a collector', connected=True)
    return sorted(cleared)
