"""Both brokers let everybody do what they must, and nothing else: the embedded one, and Mosquitto with the
configuration that Setpoint ships.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import aiomqtt
import pytest

from collector.broker.credentials import rotate
from collector.broker.process import BrokerStartError, start_broker
from collector.broker.settings import EmbeddedBrokerSettings
from tests.mqtt_listener import listening, run_within_a_minute, until
from tests.ports import free_port
from tests.servers import ROOT, Broker, EmbeddedBroker, Login, connack, is_listening, wait_until

_REFUSED = 128


def client(broker: Broker, login: Login, identifier: str | None = None, **options: object) -> aiomqtt.Client:
    return aiomqtt.Client(
        broker.host,
        broker.port,
        username=login.username,
        password=login.password,
        identifier=identifier,
        **options,  # type: ignore[arg-type]
    )


async def retained_on(broker: Broker, topic: str) -> list[bytes]:
    """What a collector that comes now is told about the topic."""
    async with (
        client(broker, broker.login("collector", "collector"), "late") as late,
        listening(late, topic) as arrived,
    ):
        await asyncio.sleep(0.3)
    return [payload for at, payload in arrived if at == topic]


async def disconnected(connected: aiomqtt.Client) -> None:
    """Returns once the broker has ended the connection."""
    async with asyncio.timeout(5):
        with pytest.raises(aiomqtt.MqttError):
            await anext(connected.messages)


def _text(value: str) -> bytes:
    return len(value).to_bytes(2, "big") + value.encode()


def _packet(kind: int, body: bytes) -> bytes:
    length, rest = bytearray(), len(body)
    while True:
        rest, digit = rest >> 7, rest & 0x7F
        length.append(digit | 0x80 if rest else digit)
        if not rest:
            return bytes([kind, *length]) + body


def raw_client(
    broker: Broker,
    login: Login,
    *,
    client_id: str = "raw",
    will: tuple[str, str] | None = None,
    keepalive_s: int = 0,
) -> tuple[socket.socket, int | None]:
    """A connection that said CONNECT (with a retained will), and the answer: 0 when the broker accepts it.

    What it says or reads then is up to the test: it never pings, and closing it resets the connection.
    """
    assert login.username is not None
    assert login.password is not None
    connection = socket.create_connection((broker.host, broker.port), timeout=30)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    flags = 0xC2 | (0x2C if will else 0)
    body = _text("MQTT") + bytes([4, flags]) + keepalive_s.to_bytes(2, "big") + _text(client_id)
    body += b"".join(_text(part) for part in [*(will or ()), login.username, login.password])
    connection.sendall(_packet(0x10, body))
    answer = connection.recv(4)
    return connection, answer[3] if answer else None


# -- what each may do, on both brokers ---------------------------------------------------------------


def test_readings_reach_the_collector_and_acks_their_agent(broker: Broker) -> None:
    async def test() -> None:
        async with (
            client(broker, broker.login("web-01")) as agent,
            client(broker, broker.login("collector", "collector")) as collector,
            listening(collector, "setpoint/v1/+/+/readings", "setpoint/v1/+/+/status") as at_collector,
            listening(agent, "setpoint/v1/hq/web-01/ack") as at_agent,
        ):
            await agent.publish("setpoint/v1/hq/web-01/readings", b"cpu v=1", qos=1)
            await agent.publish("setpoint/v1/hq/web-01/status", b"online", qos=1)
            await collector.publish("setpoint/v1/hq/web-01/ack", b"stored", qos=1)
            await until(lambda: len(at_collector) == 2 and at_agent, "everything arrives")
        assert at_collector == [
            ("setpoint/v1/hq/web-01/readings", b"cpu v=1"),
            ("setpoint/v1/hq/web-01/status", b"online"),
        ]
        assert at_agent == [("setpoint/v1/hq/web-01/ack", b"stored")]

    run_within_a_minute(test())


def test_findings_reach_readers(broker: Broker) -> None:
    async def test() -> None:
        async with (
            client(broker, broker.login("reader", "reader")) as reader,
            client(broker, broker.login("collector", "collector")) as collector,
            listening(reader, "setpoint/v1/+/findings/#") as arrived,
        ):
            await collector.publish("setpoint/v1/hq/findings/open", b"3", qos=1)
            await until(lambda: arrived, "the findings arrive")
        assert arrived == [("setpoint/v1/hq/findings/open", b"3")]

    run_within_a_minute(test())


def test_telegraf_may_publish_below_its_own_name_only(broker: Broker) -> None:
    async def test() -> None:
        async with (
            client(broker, broker.login("db-01", "publisher")) as telegraf,
            client(broker, broker.login("collector", "collector")) as collector,
            listening(collector, "telegraf/#", "setpoint/v1/+/+/readings") as arrived,
        ):
            await telegraf.publish("telegraf/db-02/cpu", b"not mine", qos=1)
            await telegraf.publish("setpoint/v1/hq/web-01/readings", b"not mine", qos=1)
            await telegraf.publish("telegraf/db-01/cpu", b"mine", qos=2)  # its default
            await until(lambda: arrived, "its own message arrives")
        assert arrived == [("telegraf/db-01/cpu", b"mine")]

    run_within_a_minute(test())


@pytest.mark.parametrize("retain", [False, True])
def test_an_agent_cannot_publish_anywhere_else(broker: Broker, retain: bool) -> None:
    elsewhere = [
        "setpoint/v1/hq/web-01/readings",
        "setpoint/v1/hq/web-01/status",
        "setpoint/v1/hq/web-01/ack",
        "setpoint/v1/hq/mallory/ack",
        "setpoint/v1/hq/findings/open",
    ]
    seen = ["setpoint/v1/+/+/readings", "setpoint/v1/+/+/status", "setpoint/v1/+/findings/#"]

    async def test() -> None:
        async with (
            client(broker, broker.login("mallory")) as mallory,
            client(broker, broker.login("web-01")) as agent,
            client(broker, broker.login("reader", "reader")) as reader,
            listening(reader, *seen) as at_reader,
            listening(agent, "setpoint/v1/hq/web-01/ack") as at_agent,
        ):
            for topic in elsewhere:
                await mallory.publish(topic, b"forged", qos=1, retain=retain)
            await mallory.publish("setpoint/v1/hq/mallory/readings", b"own", qos=1)
            await until(lambda: at_reader, "what it publishes as itself arrives")
            await asyncio.sleep(0.05)
        assert at_reader == [("setpoint/v1/hq/mallory/readings", b"own")]
        assert at_agent == []
        for topic in elsewhere:
            assert await retained_on(broker, topic) == []

    run_within_a_minute(test())


def test_an_agent_reads_nothing_but_its_own_acks(broker: Broker) -> None:
    wanted = [
        "#",
        "setpoint/#",
        "+/+/+/+/+",
        "setpoint/v1/+/+/readings",
        "setpoint/v1/+/+/ack",
        "setpoint/v1/hq/web-01/readings",
        "setpoint/v1/hq/web-01/ack",
        "setpoint/v1/hq/+/ack",
        "$share/group/setpoint/v1/+/+/readings",
    ]

    async def test() -> None:
        async with (
            client(broker, broker.login("web-01")) as agent,
            client(broker, broker.login("mallory")) as mallory,
            client(broker, broker.login("collector", "collector")) as collector,
            listening(collector, "setpoint/v1/+/+/readings") as at_collector,
            listening(mallory, *wanted, "setpoint/v1/hq/mallory/ack") as at_mallory,
        ):
            await agent.publish("setpoint/v1/hq/web-01/readings", b"secret", qos=1)
            await until(lambda: at_collector, "the collector gets it")
            await collector.publish("setpoint/v1/hq/web-01/ack", b"secret", qos=1)
            await collector.publish("setpoint/v1/hq/mallory/ack", b"own", qos=1)
            await until(lambda: at_mallory, "its own ack arrives")
        assert set(at_mallory) == {("setpoint/v1/hq/mallory/ack", b"own")}

    run_within_a_minute(test())


def test_a_stranger_is_refused(broker: Broker) -> None:
    known = broker.login("web-01")
    assert connack(broker.host, broker.port, known) == 0
    for login in [
        Login(None, None),
        Login("web-01", None),
        Login("web-01", ""),
        Login("web-01", "wrong"),
        Login("web-02", known.password),
        Login("", known.password),
    ]:
        assert connack(broker.host, broker.port, login) in (4, 5), login


def test_the_will_of_an_agent_is_told_on_its_own_topic(broker: Broker) -> None:
    async def test() -> None:
        topic = "setpoint/v1/hq/web-01/status"
        async with (
            client(broker, broker.login("collector", "collector")) as collector,
            listening(collector, "setpoint/v1/+/+/status") as arrived,
        ):
            agent, answer = raw_client(broker, broker.login("web-01"), will=(topic, "offline"))
            assert answer == 0
            agent.close()
            await until(lambda: arrived, "the will is told")
        assert arrived == [(topic, b"offline")]
        assert await retained_on(broker, topic) == [b"offline"]

    run_within_a_minute(test())


@pytest.mark.parametrize("topic", ["setpoint/v1/hq/web-01/status", "setpoint/v1/hq/web-01/ack"])
def test_an_agent_cannot_leave_a_will_on_anothers_topic(broker: Broker, topic: str) -> None:
    async def test() -> None:
        async with (
            client(broker, broker.login("collector", "collector")) as collector,
            client(broker, broker.login("web-01")) as agent,
            listening(collector, "setpoint/v1/+/+/status") as at_collector,
            listening(agent, "setpoint/v1/hq/web-01/ack") as at_agent,
        ):
            # Refused, or let in without its will.
            mallory, _ = raw_client(broker, broker.login("mallory"), will=(topic, "forged"))
            mallory.close()
            await asyncio.sleep(0.5)
        assert at_collector == []
        assert at_agent == []
        assert await retained_on(broker, topic) == []

    run_within_a_minute(test())


def test_a_collector_clears_the_status_of_an_agent(broker: Broker) -> None:
    async def test() -> None:
        topic = "setpoint/v1/hq/web-01/status"
        async with client(broker, broker.login("web-01")) as agent:
            await agent.publish(topic, b"online", qos=1, retain=True)
        assert await retained_on(broker, topic) == [b"online"]
        async with client(broker, broker.login("collector", "collector")) as collector:
            await collector.publish(topic, b"", qos=1, retain=True)
        assert await retained_on(broker, topic) == []

    run_within_a_minute(test())


def test_an_agent_that_comes_back_is_not_reported_offline_by_its_past(broker: Broker) -> None:
    async def test() -> None:
        topic = "setpoint/v1/hq/web-01/status"
        login = broker.login("web-01")
        before, answer = raw_client(broker, login, client_id="the-same", will=(topic, "offline"))
        assert answer == 0
        async with client(broker, login, "the-same") as now:
            await now.publish(topic, b"online again", qos=1, retain=True)
            before.close()
            await asyncio.sleep(0.5)
            assert await retained_on(broker, topic) == [b"online again"]

    run_within_a_minute(test())


def test_a_client_that_falls_silent_is_given_up_after_its_keepalive(broker: Broker) -> None:
    async def test() -> None:
        topic = "setpoint/v1/hq/web-01/status"
        async with (
            client(broker, broker.login("collector", "collector")) as collector,
            listening(collector, "setpoint/v1/+/+/status") as arrived,
        ):
            agent, answer = raw_client(broker, broker.login("web-01"), will=(topic, "offline"), keepalive_s=2)
            assert answer == 0
            await until(lambda: arrived, "the will is told", timeout_s=15)
            agent.close()
        assert arrived == [(topic, b"offline")]

    run_within_a_minute(test())


def test_what_was_acknowledged_before_leaving_arrives(broker: Broker) -> None:
    async def test() -> None:
        async with (
            client(broker, broker.login("collector", "collector")) as collector,
            listening(collector, "setpoint/v1/+/+/status") as arrived,
        ):
            async with client(broker, broker.login("web-01")) as agent, asyncio.TaskGroup() as all_at_once:
                for n in range(200):
                    publish = agent.publish("setpoint/v1/hq/web-01/status", b"%d" % n, qos=1)
                    all_at_once.create_task(publish)
            await until(lambda: len(arrived) >= 200, "all of them arrive")
        assert sorted(int(payload) for _, payload in arrived) == list(range(200))

    run_within_a_minute(test())


def test_users_come_and_go_without_a_restart(broker: Broker) -> None:
    pid = broker.pid
    early = broker.login("web-01")
    late = broker.login("web-02")
    assert connack(broker.host, broker.port, late) == 0
    broker.remove_user("web-02")
    assert connack(broker.host, broker.port, late) in (4, 5)
    assert connack(broker.host, broker.port, early) == 0
    assert broker.running
    assert broker.pid == pid


def test_a_restarted_broker_knows_its_users(broker: Broker) -> None:
    login = broker.login("web-01")
    broker.kill()
    assert connack(broker.host, broker.port, login) is None
    broker.start()
    assert connack(broker.host, broker.port, login) == 0


# -- the embedded broker -----------------------------------------------------------------------------


async def granted(connected: aiomqtt.Client, topic_filter: str) -> int:
    (code,) = await connected.subscribe(topic_filter, qos=2)
    return code if isinstance(code, int) else code.value


def test_refused_subscriptions_are_answered_as_such(embedded_broker: EmbeddedBroker) -> None:
    async def test() -> None:
        async with client(embedded_broker, embedded_broker.login("web-01")) as agent:
            for refused in ["#", "setpoint/v1/+/+/readings", "setpoint/v1/hq/web-02/ack", "$share/g/#"]:
                assert await granted(agent, refused) == _REFUSED, refused
            assert await granted(agent, "setpoint/v1/hq/web-01/ack") == 1

    run_within_a_minute(test())


def test_a_broker_of_one_site_refuses_others(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path, options=["--site", "hq"]) as broker:

        async def test() -> None:
            async with (
                client(broker, broker.login("web-01")) as agent,
                client(broker, broker.login("collector", "collector")) as collector,
                listening(collector, "setpoint/v1/hq/+/readings") as arrived,
            ):
                assert await granted(collector, "setpoint/v1/+/+/readings") == _REFUSED
                assert await granted(agent, "setpoint/v1/branch/web-01/ack") == _REFUSED
                await agent.publish("setpoint/v1/branch/web-01/readings", b"elsewhere", qos=1)
                await agent.publish("setpoint/v1/hq/web-01/readings", b"here", qos=1)
                await until(lambda: arrived, "the site's own readings arrive")
            assert arrived == [("setpoint/v1/hq/web-01/readings", b"here")]

        run_within_a_minute(test())


@pytest.mark.parametrize("clean_session", [True, False])
def test_nobody_gets_a_session_by_its_client_id(embedded_broker: EmbeddedBroker, clean_session: bool) -> None:
    broker = embedded_broker

    async def test() -> None:
        async with (
            client(broker, broker.login("collector", "collector"), "the-collector") as collector,
            listening(collector, "setpoint/v1/+/+/readings") as at_collector,
            client(broker, broker.login("web-01")) as agent,
        ):
            stranger = Login("collector", "wrong")
            with pytest.raises(aiomqtt.MqttError):
                async with client(broker, stranger, "the-collector", clean_session=clean_session):
                    pass
            mallory = broker.login("mallory")
            async with (
                client(broker, mallory, "the-collector", clean_session=clean_session) as thief,
                listening(thief) as at_thief,
            ):
                await agent.publish("setpoint/v1/hq/web-01/readings", b"secret", qos=1)
                await until(lambda: at_collector, "the collector still gets what it subscribed to")
                await asyncio.sleep(0.1)
                assert at_thief == []

    run_within_a_minute(test())


def test_retained_messages_go_to_those_who_subscribed(embedded_broker: EmbeddedBroker) -> None:
    broker = embedded_broker

    async def test() -> None:
        async with (
            client(broker, broker.login("collector", "collector")) as collector,
            listening(collector, "setpoint/v1/+/+/status"),
            client(broker, broker.login("web-01")) as agent,
        ):
            await agent.publish("setpoint/v1/hq/web-01/status", b"online", qos=1, retain=True)
            async with client(broker, broker.login("mallory")) as other, listening(other) as at_other:
                await asyncio.sleep(0.3)
            assert at_other == []

    run_within_a_minute(test())


def test_a_removed_user_is_disconnected_and_its_will_not_told(embedded_broker: EmbeddedBroker) -> None:
    broker = embedded_broker
    will = aiomqtt.Will("setpoint/v1/hq/web-01/status", b"offline", qos=1, retain=True)

    async def test() -> None:
        with contextlib.suppress(aiomqtt.MqttError):
            async with client(broker, broker.login("web-01"), will=will) as agent:
                broker.remove_user("web-01")
                await disconnected(agent)
        assert await retained_on(broker, "setpoint/v1/hq/web-01/status") == []

    run_within_a_minute(test())


def test_a_rotated_password_ends_connections_with_the_old_one(embedded_broker: EmbeddedBroker) -> None:
    broker = embedded_broker

    async def test() -> None:
        old = broker.login("web-01")
        with contextlib.suppress(aiomqtt.MqttError):
            async with client(broker, old, "old") as agent:
                new = Login("web-01", rotate(broker.credentials_file, "web-01"))
                async with client(broker, new, "new") as fresh:
                    await disconnected(agent)
                    await fresh.publish("setpoint/v1/hq/web-01/readings", b"still there", qos=1)
        assert connack(broker.host, broker.port, old) == 5
        assert connack(broker.host, broker.port, new) == 0

    run_within_a_minute(test())


def test_a_message_too_large_ends_its_sender_only(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path, options=["--max-message", "100KB"]) as broker:

        async def test() -> None:
            async with (
                client(broker, broker.login("collector", "collector")) as collector,
                listening(collector, "setpoint/v1/+/+/readings") as arrived,
                client(broker, broker.login("web-02")) as other,
            ):
                with pytest.raises(aiomqtt.MqttError):
                    async with client(broker, broker.login("web-01"), timeout=5) as agent:
                        await agent.publish("setpoint/v1/hq/web-01/readings", bytes(100_001), qos=1)
                await other.publish("setpoint/v1/hq/web-02/readings", bytes(100_000), qos=1)
                await until(lambda: arrived, "the allowed one arrives")
            assert [len(payload) for _, payload in arrived] == [100_000]

        run_within_a_minute(test())


def _resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def test_a_subscriber_that_does_not_read_harms_nobody(embedded_broker: EmbeddedBroker) -> None:
    broker = embedded_broker
    deaf, _ = raw_client(broker, broker.login("reader", "reader"))
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.sendall(_packet(0x82, b"\x00\x01" + _text("setpoint/v1/+/+/readings") + b"\x01"))
    assert deaf.recv(5)[4] == 1
    before_mb = _resident_mb(broker.pid)
    count, size = 300, 2**20

    async def test() -> None:
        async with (
            client(broker, broker.login("collector", "collector")) as collector,
            listening(collector, "setpoint/v1/+/+/readings") as arrived,
            client(broker, broker.login("web-01")) as agent,
        ):
            for _ in range(count):
                await agent.publish("setpoint/v1/hq/web-01/readings", bytes(size), qos=1)
            await until(lambda: len(arrived) == count, "the other subscriber gets them all", 30)

    run_within_a_minute(test())
    # Of the 300 MB at most 64 wait for the deaf one; the rest is what the allocator keeps.
    assert _resident_mb(broker.pid) - before_mb < 150
    assert "does not keep up" in broker.log_text()
    began = time.monotonic()
    assert broker.stop() == 0
    assert time.monotonic() - began < 2
    deaf.close()


def test_a_flood_is_slowed_not_stored(embedded_broker: EmbeddedBroker) -> None:
    broker = embedded_broker
    publish = _packet(0x30, _text("setpoint/v1/hq/web-01/readings") + bytes(50_000))
    peak_mb = before_mb = _resident_mb(broker.pid)
    flood, _ = raw_client(broker, broker.login("web-01"))
    with flood:
        for _ in range(300):
            flood.sendall(publish * 20)
            peak_mb = max(peak_mb, _resident_mb(broker.pid))
    assert peak_mb - before_mb < 40


def test_messages_that_are_never_released_are_not_stored(embedded_broker: EmbeddedBroker) -> None:
    broker = embedded_broker
    before_mb = _resident_mb(broker.pid)
    sender, _ = raw_client(broker, broker.login("web-01"))
    topic = _text("setpoint/v1/hq/web-01/readings")
    with pytest.raises(ConnectionError):  # noqa: PT012
        for packet_id in range(1, 3000):
            sender.sendall(_packet(0x34, topic + packet_id.to_bytes(2, "big") + bytes(100_000)))
    assert _resident_mb(broker.pid) - before_mb < 40
    assert "QoS 2" in broker.log_text()


def test_the_log_says_only_where_it_listens(embedded_broker: EmbeddedBroker) -> None:
    broker = embedded_broker

    async def test() -> None:
        async with (
            client(broker, broker.login("collector", "collector")) as collector,
            listening(collector, "setpoint/v1/+/+/readings") as arrived,
            client(broker, broker.login("web-01")) as agent,
        ):
            await agent.publish("setpoint/v1/hq/web-01/readings", b"1", qos=1)
            await until(lambda: arrived, "it arrives")

    run_within_a_minute(test())
    assert is_listening(broker.host, broker.port)  # a probe that says nothing is no event either
    assert broker.stop() == 0
    (line,) = broker.log_text().splitlines()
    assert line.endswith(f"INFO broker listening on {broker.host}:{broker.port}")


def test_a_refused_client_is_named_in_the_log_but_does_not_fill_it(embedded_broker: EmbeddedBroker) -> None:
    broker = embedded_broker
    for _ in range(20):
        assert connack(broker.host, broker.port, Login("web-01", "wrong")) == 5
    lines = [line for line in broker.log_text().splitlines() if "refused" in line]
    assert len(lines) == 1
    assert "refused 'web-01' from 127.0.0.1" in lines[0]
    assert "wrong'" not in lines[0]


# -- its process -------------------------------------------------------------------------------------


def test_a_parent_starts_and_stops_it(tmp_path: Path) -> None:
    async def test() -> None:
        broker = await start_broker(EmbeddedBrokerSettings(listen="127.0.0.1:0"), tmp_path, site="hq")
        assert is_listening(broker.host, broker.port)
        began = time.monotonic()
        await broker.stop()
        assert time.monotonic() - began < 2
        assert await broker.wait() == 0
        assert not is_listening(broker.host, broker.port)

    run_within_a_minute(test())


def test_a_port_in_use_is_said_with_what_to_do(tmp_path: Path) -> None:
    async def test() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(BrokerStartError) as failed:
                await start_broker(EmbeddedBrokerSettings(listen=f"127.0.0.1:{port}"), tmp_path)
        assert (
            str(failed.value) == f"127.0.0.1:{port} is in use; set embedded_broker.listen in collector.yaml"
        )

    run_within_a_minute(test())


def test_a_certificate_that_is_not_there_is_named(tmp_path: Path) -> None:
    async def test() -> None:
        settings = EmbeddedBrokerSettings(listen="127.0.0.1:0", certificate="no.crt", key="no.key")
        with pytest.raises(BrokerStartError, match=r"no\.crt with key no\.key: No such file"):
            await start_broker(settings, tmp_path)

    run_within_a_minute(test())


def test_it_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    port = free_port()
    program = f"""
import asyncio, pathlib
from collector.broker.process import start_broker
from collector.broker.settings import EmbeddedBrokerSettings

async def main():
    settings = EmbeddedBrokerSettings(listen="127.0.0.1:{port}")
    broker = await start_broker(settings, pathlib.Path({str(tmp_path)!r}))
    print(broker.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=ROOT) as parent:
        try:
            assert parent.stdout is not None
            broker_pid = int(parent.stdout.readline())
            assert is_listening("127.0.0.1", port)
        finally:
            parent.kill()
    wait_until(lambda: not is_listening("127.0.0.1", port), timeout_s=3, what="the port is closed")
    wait_until(lambda: not _is_running(broker_pid), timeout_s=3, what="the broker has ended")


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_ctrl_c_is_left_to_the_parent(tmp_path: Path) -> None:
    async def test() -> None:
        broker = await start_broker(EmbeddedBrokerSettings(listen="127.0.0.1:0"), tmp_path)
        os.kill(broker.pid, signal.SIGINT)
        await asyncio.sleep(0.3)
        assert is_listening(broker.host, broker.port)
        await broker.stop()

    run_within_a_minute(test())


def test_it_speaks_tls_when_given_a_certificate(tmp_path: Path) -> None:
    certificate, key = tmp_path / "server.crt", tmp_path / "server.key"
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "1"),
            *("-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    options = ["--certificate", str(certificate), "--key", str(key)]
    with EmbeddedBroker(tmp_path / "data", options=options) as broker:

        async def test() -> None:
            tls = aiomqtt.TLSParameters(ca_certs=str(certificate))
            async with client(broker, broker.login("web-01"), tls_params=tls) as agent:
                await agent.publish("setpoint/v1/hq/web-01/readings", b"1", qos=1)

        run_within_a_minute(test())
        assert connack(broker.host, broker.port, broker.login("web-01")) is None
