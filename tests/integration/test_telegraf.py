"""Telegraf beside Setpoint: the collector takes what a stock Telegraf publishes with ``outputs.mqtt`` and
``data_format = "influx"``, and Telegraf reads what agents publish.

The messages here are of the form that Telegraf's pages document. Where SETPOINT_TEST_TELEGRAF names the
program, a real one publishes and reads, too.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import paho.mqtt.client as mqtt
import pytest

from tests.end_to_end.site import CollectorProcess, NumberedAgent
from tests.servers import Login, Mosquitto, ServerProcess, wait_until

SOURCES = [{"topic": "telegraf/#", "site": "branch"}]


class Site(NamedTuple):
    broker: Mosquitto
    collector: CollectorProcess

    def api(self, path: str, **parameters: str) -> Any:
        address = f"http://127.0.0.1:{self.collector.web_port}/api/{path}"
        with urllib.request.urlopen(f"{address}?{urllib.parse.urlencode(parameters)}", timeout=10) as answer:
            return json.loads(answer.read())

    def fields(self, host: str) -> dict[str, str]:
        """Of all series of a host: field and type."""
        found = self.api("series", tag=f"host={host}")["series"]
        return {f"{one['measurement']}.{one['field']}": one["type"] for one in found}

    def publish(self, login: Login, topic: str, payload: bytes) -> None:
        """As Telegraf does when nothing else is set: QoS 2, nothing retained."""
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        client.username_pw_set(login.username or "", login.password)
        client.connect("127.0.0.1", self.broker.port)
        client.loop_start()
        client.publish(topic, payload, qos=2).wait_for_publish(30)
        client.disconnect()
        client.loop_stop()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """With the access rules that are shipped for Mosquitto."""
    folder = tmp_path_factory.mktemp("telegraf")
    with Mosquitto(folder / "broker", secured=True) as broker:
        login = broker.login("collector", "collector")
        collector = CollectorProcess(folder, login, broker.port)
        config = folder / "collector.yaml"
        config.write_text(json.dumps({**json.loads(config.read_text()), "sources": SOURCES}))
        with collector:
            wait_until(lambda: "connected to the broker" in collector.log_text(), what="a connection")
            yield Site(broker, collector)


def nanoseconds() -> int:
    return time.time_ns()


def test_single_messages_of_the_usual_layout_are_taken(site: Site) -> None:
    login, now = site.broker.login("db-01", "publisher"), nanoseconds()
    for name, line in {
        "cpu": f"cpu,cpu=cpu-total,host=db-01 usage_user=12.25,usage_idle=87.5 {now}",
        "mem": f"mem,host=db-01 used_percent=41.5,total=8349245440i,available_percent=58.1 {now}",
        "disk": f"disk,device=sda1,fstype=ext4,host=db-01,mode=rw,path=/srv/my\\ data used_percent=71 {now}",
        "system": f'system,host=db-01 uptime=4242i,uptime_format="1:10",load1=0.5 {now}',
        "modbus": f'modbus,host=db-01,type=Machine\\ A Load\\ [%]=81.2,account\\ no="T3",supplied=true {now}',
    }.items():
        site.publish(login, f"telegraf/db-01/{name}", f"{line}\n".encode())
    expected = {
        "cpu.usage_user": "float",
        "cpu.usage_idle": "float",
        "mem.used_percent": "float",
        "mem.total": "integer",
        "mem.available_percent": "float",
        "disk.used_percent": "float",
        "system.uptime": "integer",
        "system.load1": "float",
        "modbus.Load [%]": "float",
        "modbus.supplied": "boolean",
    }
    wait_until(lambda: expected.items() <= site.fields("db-01").items(), what="what was published is known")
    (disk,) = site.api("samples", metric="disk.used_percent", tag="host=db-01")["subjects"]
    assert disk["subject"]["path"] == "/srv/my data"
    assert [value for _, value in disk["samples"]] == [71.0]


def test_a_message_of_the_batch_layout_is_taken_line_by_line(site: Site) -> None:
    login, now = site.broker.login("db-02", "publisher"), nanoseconds()
    lines = [
        f"cpu,cpu=cpu{number},host=db-02 usage_idle={90 + number} {now - after * 10_000_000_000}"
        for number in range(4)
        for after in range(3)
    ]
    site.publish(login, "telegraf/db-02/cpu", ("\n".join(lines) + "\n").encode())

    def samples() -> int:
        found = site.api("samples", metric="cpu.usage_idle", tag="host=db-02")["subjects"]
        return sum(len(one["samples"]) for one in found)

    wait_until(lambda: samples() == len(lines), what="every line is there")


def test_a_line_without_a_time_has_the_time_of_receipt(site: Site) -> None:
    login, before_ms = site.broker.login("db-03", "publisher"), nanoseconds() // 1_000_000
    site.publish(login, "telegraf/db-03/temp", b"temp,host=db-03,sensor=a temp=41\n")
    wait_until(lambda: site.fields("db-03"), what="the line is known")
    (one,) = site.api("samples", metric="temp.temp", tag="host=db-03")["subjects"]
    ((time_ms, value),) = one["samples"]
    assert value == 41.0
    assert before_ms <= time_ms <= nanoseconds() // 1_000_000


def test_bare_values_of_the_field_layout_are_refused_with_the_reason(site: Site) -> None:
    login = site.broker.login("db-04", "publisher")
    site.publish(login, "telegraf/db-04/modbus/temperature", b"21.4")

    def reasons() -> list[str]:
        return [str(one) for one in site.api("rejected")["rejected"] if "db-04" in str(one)]

    wait_until(reasons, what="the message is among the rejected")
    assert not site.fields("db-04")


def test_nobody_may_claim_the_host_of_an_agent(site: Site, tmp_path: Path) -> None:
    agent_login = site.broker.login("app-01")
    with NumberedAgent(tmp_path / "agent", agent_login, site.broker.port, until=500, name="app-01") as agent:
        wait_until(lambda: agent.finished, timeout_s=30, what="an agent has delivered")
    login = site.broker.login("db-05", "publisher")
    now = nanoseconds()
    lines = [f"cpu,cpu=cpu-total,host={host} usage_idle=1 {now}\n" for host in ("app-01", "db-05")]
    site.publish(login, "telegraf/db-05/cpu", "".join(lines).encode())
    wait_until(lambda: site.fields("db-05"), what="the good line is known")
    assert "cpu.usage_idle" not in site.fields("app-01")


# -- the real one ----------------------------------------------------------------------------------


@pytest.fixture
def telegraf() -> str:
    program = os.environ.get("SETPOINT_TEST_TELEGRAF")
    if not program:
        pytest.skip("SETPOINT_TEST_TELEGRAF names no Telegraf")
    return program


_PUBLISHES = """
[agent]
interval = "1s"
flush_interval = "1s"
hostname = "real-01"
[[inputs.cpu]]
[[inputs.mem]]
[[inputs.system]]
[[outputs.mqtt]]
servers = ["127.0.0.1:{port}"]
topic = 'telegraf/{{{{ .Tag "host" }}}}/{{{{ .Name }}}}'
username = "real-01"
password = "{password}"
qos = 1
layout = "{layout}"
data_format = "influx"
"""


@pytest.mark.parametrize("layout", ["non-batch", "batch"])
def test_a_real_telegraf_reaches_the_store(site: Site, telegraf: str, tmp_path: Path, layout: str) -> None:
    login = site.broker.login("real-01", "publisher")
    config = tmp_path / "telegraf.conf"
    config.write_text(_PUBLISHES.format(port=site.broker.port, password=login.password, layout=layout))

    def samples() -> int:
        found = site.api("samples", metric="mem.used_percent", tag="host=real-01")["subjects"]
        return sum(len(one["samples"]) for one in found)

    before = samples()
    with ServerProcess(
        [telegraf, "--config", config], port=0, log=tmp_path / "telegraf.log", ready=lambda: True
    ):
        wait_until(lambda: samples() >= before + 3, timeout_s=30, what="three samples")
    assert {"cpu.usage_idle", "mem.total", "system.load1"} <= site.fields("real-01").keys()


_READS = """
[agent]
flush_interval = "1s"
[[inputs.mqtt_consumer]]
servers = ["tcp://127.0.0.1:{port}"]
topics = ["setpoint/v1/+/+/readings"]
topic_tag = ""
qos = 1
username = "reader"
password = "{password}"
data_format = "influx"
[[outputs.file]]
files = ["{out}"]
data_format = "influx"
"""


def test_a_real_telegraf_reads_what_agents_publish(site: Site, telegraf: str, tmp_path: Path) -> None:
    reader, out = site.broker.login("reader", "reader"), tmp_path / "read"
    config = tmp_path / "telegraf.conf"
    config.write_text(_READS.format(port=site.broker.port, password=reader.password, out=out))
    agent_config = tmp_path / "agent.yaml"
    login = site.broker.login("app-02")
    settings = {
        "agent": {"name": "app-02", "site": "hq", "data": str(tmp_path / "agent")},
        "broker": {"port": site.broker.port, "password": login.password},
        "publish": {"flush": "1s", "compression": "none"},
        "inputs": [{"input": "host", "interval": "1s", "collect": ["cpu", "mem"]}],
    }
    agent_config.write_text(json.dumps(settings))

    def read() -> str:
        return out.read_text() if out.exists() else ""

    log = tmp_path / "telegraf.log"
    with (
        ServerProcess(
            [telegraf, "--config", config], port=0, log=log, ready=lambda: "Connected" in log.read_text()
        ),
        ServerProcess(
            [sys.executable, "-m", "setpoint", "agent", "run", "--config", agent_config],
            port=0,
            log=tmp_path / "agent.log",
            ready=lambda: True,
        ),
    ):
        wait_until(lambda: read().count("mem,") >= 3, timeout_s=30, what="three readings of the memory")
    lines = read().splitlines()
    assert all("host=app-02" in line for line in lines)
    assert any(line.startswith("cpu,") and "usage_active=" in line for line in lines)
    assert not any("topic=" in line for line in lines)
