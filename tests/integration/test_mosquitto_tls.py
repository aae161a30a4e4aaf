"""Agents reach a Mosquitto with the shipped TLS listener, as the shipped script and commands set it up."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiomqtt
import pytest

from agent.run import run_agent
from agent.settings import AgentSettings, load_settings
from setpoint.__main__ import main
from tests.mqtt_listener import listening, run_within_a_minute, until
from tests.ports import free_port
from tests.servers import ROOT, Login, ServerProcess, connack, is_listening, require, wait_until

_SHIPPED = ROOT / "config" / "mosquitto"
_INSTALLED = "/etc/mosquitto/setpoint"


def make_certificates(folder: Path, *names: str) -> Path:
    """The folder, with a certificate for the names in it."""
    require("openssl")
    done = subprocess.run(
        [_SHIPPED / "make-certificates", folder, *names], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


class Site:
    """A Mosquitto set up from the shipped files, changed only in folders and ports."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.folder = folder
        self.certificates = make_certificates(folder / "certificates", *names)
        self.passwords = folder / "passwords"
        self.passwords.touch(mode=0o600)
        shutil.copyfile(_SHIPPED / "acl", folder / "acl")
        (folder / "acl").chmod(0o600)
        self.install_certificates()
        plain_port, self.port = free_port(), free_port()
        conf_d = folder / "conf.d"
        conf_d.mkdir()
        for shipped, installed in {
            "mosquitto.conf": "setpoint.conf",
            "tls.conf": "setpoint-tls.conf",
        }.items():
            text = (_SHIPPED / shipped).read_text().replace(_INSTALLED, str(folder))
            text = text.replace("listener 1883", f"listener {plain_port}")
            text = text.replace("listener 8883", f"listener {self.port} 127.0.0.1")
            (conf_d / installed).write_text(text)
        own = folder / "mosquitto.conf"
        own.write_text(f"include_dir {conf_d}\n" + ("user root\n" if os.geteuid() == 0 else ""))
        self.collector_yaml = folder / "collector.yaml"
        self.collector_yaml.write_text(f"broker: {{host: 127.0.0.1, port: {plain_port}}}\n")
        self.server = ServerProcess(
            [require("mosquitto"), "-c", own],
            port=plain_port,
            log=folder / "mosquitto.log",
            ready=lambda: is_listening("127.0.0.1", plain_port) and is_listening("127.0.0.1", self.port),
        )

    def install_certificates(self) -> None:
        for name in ("server.crt", "server.key"):
            shutil.copyfile(self.certificates / name, self.folder / name)

    def agent(
        self, name: str, capsys: pytest.CaptureFixture[str], *, ca: Path | None = None
    ) -> AgentSettings:
        """What `agent.yaml` says with the lines that `setpoint agents add` prints for it."""
        arguments = ["--config", str(self.collector_yaml), "--mosquitto-passwords", str(self.passwords)]
        ca = ca or self.certificates / "ca.crt"
        arguments += ["--address", f"127.0.0.1:{self.port}", "--ca", str(ca)]
        if self.server.running:
            arguments += ["--reload-pid", str(self.server.pid)]
        assert main(["agents", "add", name, *arguments]) == 0
        agent_yaml = self.folder / f"{name}.yaml"
        agent_yaml.write_text(
            capsys.readouterr().out + "inputs: [{input: host, interval: 1s}]\npublish: {flush: 100ms}\n"
        )
        settings = load_settings(agent_yaml).value
        settings.agent.data = str(self.folder / f"outbox-{name}")
        if self.server.running:
            login = Login(name, settings.broker.password.reveal())  # type: ignore[union-attr]
            wait_until(lambda: connack("127.0.0.1", self.server.port, login) == 0, what="it is known")
        return settings

    def collector(self) -> aiomqtt.Client:
        """A collector on the broker's own host: by the listener on loopback, without TLS."""
        password = "of-the-collector"
        program = [require("mosquitto_passwd"), "-b", self.passwords, "collector", password]
        subprocess.run(program, check=True, capture_output=True)
        self.server.send_signal(signal.SIGHUP)
        login = Login("collector", password)
        wait_until(lambda: connack("127.0.0.1", self.server.port, login) == 0, what="it is known")
        return aiomqtt.Client("127.0.0.1", self.server.port, username="collector", password=password)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path, "localhost", "127.0.0.1")
    with site.server:
        yield site


def client(settings: AgentSettings) -> aiomqtt.Client:
    """A client with the agent's credential that does what the test tells it."""
    broker = settings.broker
    assert broker.password is not None
    return aiomqtt.Client(
        broker.host,
        broker.port,
        username=settings.name,
        password=broker.password.reveal(),
        tls_context=broker.tls_context(),
    )


@contextlib.asynccontextmanager
async def running(settings: AgentSettings) -> AsyncIterator[None]:
    """The whole agent, as `setpoint agent run` runs it."""
    stop = asyncio.Event()
    task = asyncio.create_task(run_agent(settings, stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 10)


def test_an_agent_with_the_printed_lines_publishes_over_tls(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = site.agent("web-01", capsys)
    assert settings.broker.tls is not None

    async def test() -> None:
        async with (
            site.collector() as collector,
            listening(collector, "setpoint/v1/+/+/readings", "setpoint/v1/+/+/status") as arrived,
            running(settings),
        ):
            await until(lambda: len({topic for topic, _ in arrived}) == 2, "status and readings arrive")
        assert {topic for topic, _ in arrived} == {
            "setpoint/v1/hq/web-01/readings",
            "setpoint/v1/hq/web-01/status",
        }

    run_within_a_minute(test())


def _never_connects(settings: AgentSettings, caplog: pytest.LogCaptureFixture, reason: str) -> None:
    async def test() -> None:
        async with running(settings):
            await until(lambda: reason in caplog.text.lower(), f"the log says: {reason}")

    with caplog.at_level(logging.INFO):
        run_within_a_minute(test())
    assert "connected to the broker" not in caplog.text
    assert settings.broker.password is not None
    assert settings.broker.password.reveal() not in caplog.text


def test_a_broker_of_another_ca_is_not_trusted(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    other = make_certificates(tmp_path / "other", "localhost", "127.0.0.1")
    _never_connects(site.agent("web-01", capsys, ca=other / "ca.crt"), caplog, "certificate verify failed")


def test_a_broker_of_another_name_is_not_trusted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(tmp_path, "mqtt.example.org")
    with site.server:
        settings = site.agent("web-01", capsys)
        _never_connects(settings, caplog, "certificate is not valid for '127.0.0.1'")


def test_nobody_speaks_without_tls_or_password(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    settings = site.agent("web-01", capsys)
    assert settings.broker.password is not None
    assert connack("127.0.0.1", site.port, Login("web-01", settings.broker.password.reveal())) is None
    context = settings.broker.tls_context()

    async def test() -> None:
        for username, password in [(None, None), ("web-01", "wrong"), ("web-02", "wrong")]:
            with pytest.raises(aiomqtt.MqttError, match=r"(?i)authori|bad user name"):
                async with aiomqtt.Client(
                    "127.0.0.1", site.port, username=username, password=password, tls_context=context
                ):
                    pass

    run_within_a_minute(test())


def test_an_agent_publishes_under_its_own_name_only(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    mallory, agent = site.agent("mallory", capsys), site.agent("web-01", capsys)
    forbidden = [
        "setpoint/v1/hq/web-01/readings",
        "setpoint/v1/hq/web-01/status",
        "setpoint/v1/hq/web-01/ack",
        "setpoint/v1/hq/mallory/ack",
        "setpoint/v1/hq/findings/open",
        "telegraf/web-01/cpu",
    ]

    async def test() -> None:
        async with (
            site.collector() as collector,
            client(mallory) as as_mallory,
            client(agent) as as_agent,
            listening(
                collector, "setpoint/v1/+/+/readings", "setpoint/v1/+/+/status", "telegraf/#"
            ) as all_of_it,
            listening(as_agent, "setpoint/v1/hq/web-01/ack") as acks,
            listening(as_mallory, "setpoint/v1/hq/mallory/ack") as own_acks,
        ):
            for topic in forbidden:
                await as_mallory.publish(topic, b"forged", qos=1)
                await as_mallory.publish(topic, b"forged", qos=1, retain=True)
            await as_mallory.publish("setpoint/v1/hq/mallory/readings", b"own", qos=1)
            await collector.publish("setpoint/v1/hq/web-01/ack", b"stored", qos=1)
            await collector.publish("setpoint/v1/hq/mallory/ack", b"stored", qos=1)
            await until(lambda: all_of_it and acks and own_acks, "what is allowed arrives")
        assert all_of_it == [("setpoint/v1/hq/mallory/readings", b"own")]
        assert acks == [("setpoint/v1/hq/web-01/ack", b"stored")]
        assert own_acks == [("setpoint/v1/hq/mallory/ack", b"stored")]

    run_within_a_minute(test())


def test_an_agent_reads_nothing_of_others(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    mallory, agent = site.agent("mallory", capsys), site.agent("web-01", capsys)
    wanted = ["#", "setpoint/#", "setpoint/v1/+/+/readings", "setpoint/v1/hq/+/ack", "setpoint/v1/+/web-01/#"]

    async def test() -> None:
        async with (
            site.collector() as collector,
            client(mallory) as as_mallory,
            client(agent) as as_agent,
            listening(collector, "setpoint/v1/+/+/readings") as readings,
            listening(as_mallory, *wanted) as seen,
        ):
            await as_agent.publish("setpoint/v1/hq/web-01/readings", b"private", qos=1)
            await as_agent.publish("setpoint/v1/hq/web-01/status", b"private", qos=1, retain=True)
            await until(lambda: readings, "the collector gets it")
            await collector.publish("setpoint/v1/hq/web-01/ack", b"private", qos=1)
            await collector.publish("setpoint/v1/hq/mallory/ack", b"own", qos=1)
            await until(lambda: seen, "its own ack arrives")
        assert set(seen) == {("setpoint/v1/hq/mallory/ack", b"own")}

    run_within_a_minute(test())


def _certificate(site: Site, context: ssl.SSLContext) -> bytes:
    """The certificate that the broker shows."""
    with (
        socket.create_connection(("127.0.0.1", site.port), timeout=5) as connection,
        context.wrap_socket(connection, server_hostname="localhost") as tls,
    ):
        found = tls.getpeercert(binary_form=True)
        assert found is not None
        return found


def test_the_certificates_satisfy_strict_clients_and_renew_without_a_restart(site: Site) -> None:
    ca = site.certificates / "ca.crt"
    context = ssl.create_default_context(cafile=str(ca))
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # Python 3.13 does so by itself
    before, authority = _certificate(site, context), ca.read_bytes()

    make_certificates(site.certificates, "localhost", "127.0.0.1", "mqtt.example.org")
    assert ca.read_bytes() == authority
    site.install_certificates()
    site.server.send_signal(signal.SIGHUP)
    wait_until(lambda: _certificate(site, context) != before, what="the new certificate is shown")


def test_private_keys_are_for_their_owner_only(tmp_path: Path) -> None:
    folder = make_certificates(tmp_path / "certificates", "mqtt.example.org")
    assert folder.stat().st_mode & 0o777 == 0o700
    for key in ("ca.key", "server.key"):
        assert (folder / key).stat().st_mode & 0o777 == 0o600
    assert {path.name for path in folder.iterdir()} == {"ca.crt", "ca.key", "server.crt", "server.key"}


@pytest.mark.parametrize("name", ["", "a b", "a,DNS:b", "a\nb", "$(id)"])
def test_a_name_that_is_none_gets_no_certificate(tmp_path: Path, name: str) -> None:
    program: list[str | Path] = [_SHIPPED / "make-certificates", tmp_path / "certificates", name]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no name or address" in done.stderr
    assert not (tmp_path / "certificates").exists()
