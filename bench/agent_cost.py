"""What an agent costs its host, next to others that measure about the same.

    python bench/agent_cost.py --seconds 600

Runs `setpoint agent run` with the host input, and those of collectd, prometheus-node-exporter and Telegraf
that are installed, at the same time on this machine, at the same interval, and prints the CPU seconds per
hour and the resident memory of each. Ours and Telegraf publish to a mosquitto that is started for it (ours
gets its acks, as a collector would give them), collectd sends to a UDP port, and the exporter is scraped.
Neither the broker nor whoever scrapes counts: only what runs on the measured host.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple

import aiomqtt
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from setpoint.ack import Ack, encode_ack
from setpoint.batch_header import parse_header, split_header
from setpoint.topics import Topic, parse_topic, subscription
from tests.ports import free_port
from tests.servers import Mosquitto, is_listening, wait_until

ROOT = Path(__file__).parents[1]
_PATH = "/usr/local/sbin:/usr/sbin:/sbin"

AGENT_YAML = """\
agent: {{name: bench, data: {folder}/outbox}}
broker: {{host: 127.0.0.1, port: {broker_port}}}
inputs:
  - {{input: host, interval: {interval}s}}
"""

# Users, uptime and swap belong to the host input; "sensors" reads nothing where there are none.
COLLECTD_CONF = """\
Hostname "bench"
FQDNLookup false
BaseDir "{folder}"
PIDFile "{folder}/collectd.pid"
TypesDB "/usr/share/collectd/types.db"
Interval {interval}
LoadPlugin cpu
LoadPlugin memory
LoadPlugin swap
LoadPlugin df
LoadPlugin disk
LoadPlugin interface
LoadPlugin load
LoadPlugin uptime
LoadPlugin users
LoadPlugin processes
LoadPlugin thermal
LoadPlugin network
<Plugin cpu>
  ReportByCpu true
  ValuesPercentage true
</Plugin>
<Plugin df>
  ReportInodes true
  FSType "/^(proc|sysfs|tmpfs|devtmpfs|devpts|overlay|squashfs|cgroup2?|autofs)$/"
  IgnoreSelected true
</Plugin>
<Plugin network>
  Server "127.0.0.1" "{udp_port}"
</Plugin>
"""

TELEGRAF_CONF = """\
[agent]
  interval = "{interval}s"
  flush_interval = "{interval}s"
[[inputs.cpu]]
  report_active = true
[[inputs.mem]]
[[inputs.swap]]
[[inputs.disk]]
  ignore_fs = ["tmpfs", "devtmpfs", "devfs", "iso9660", "overlay", "aufs", "squashfs"]
[[inputs.diskio]]
[[inputs.net]]
[[inputs.system]]
[[inputs.processes]]
[[inputs.temp]]
[[outputs.mqtt]]
  servers = ["tcp://127.0.0.1:{broker_port}"]
  topic = "telegraf/bench"
  qos = 1
  data_format = "influx"
"""


class Usage(NamedTuple):
    """What a process has used so far, its children that ended included."""

    cpu_s: float
    rss_bytes: int
    pss_bytes: int


class Row(NamedTuple):
    """One program's cost. PSS is memory with what is shared divided among those who share it."""

    program: str
    cpu_s_per_hour: float
    core_percent: float
    rss_mb: float
    pss_mb: float
    cpu_ratio: float
    rss_ratio: float
    values_per_round: int | None


class Program:
    """A program under measurement, running until it is closed."""

    def __init__(self, name: str, argv: Sequence[str | Path], folder: Path) -> None:
        self.name = name
        self._log = folder / f"{name}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(part) for part in argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT
            )
        self._watched = psutil.Process(self._process.pid)

    def usage(self) -> Usage:
        if self._process.poll() is not None:
            raise SystemExit(
                f"{self.name} ended with {self._process.returncode}:\n{self._log.read_text()[-2000:]}"
            )
        cpu, memory = self._watched.cpu_times(), self._watched.memory_full_info()
        spent = cpu.user + cpu.system + cpu.children_user + cpu.children_system
        return Usage(spent, memory.rss, memory.pss)

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Counter:
    """How many values a program has delivered, and in how many rounds."""

    def __init__(self) -> None:
        self.values = 0
        self.rounds: set[int] = set()

    def add(self, values: int, interval_s: int) -> None:
        self.values += values
        self.rounds.add(int(time.time()) // interval_s)

    @property
    def per_round(self) -> int | None:
        return round(self.values / len(self.rounds)) if self.rounds else None


def start_thread(work: Callable[..., object], *arguments: object) -> None:
    """Runs beside the measurement, until the program ends."""
    threading.Thread(target=work, args=arguments, daemon=True).start()


def run_collector(port: int, counter: Counter, interval_s: int) -> None:
    with suppress(aiomqtt.MqttError):  # the broker ends before this thread
        asyncio.run(acknowledge(port, counter, interval_s))


async def acknowledge(port: int, counter: Counter, interval_s: int) -> None:
    """Answers the agent as a collector does that stores everything."""
    import zstandard

    async with aiomqtt.Client("127.0.0.1", port, identifier="bench-collector") as client:
        await client.subscribe(subscription("readings"), qos=1)
        async for message in client.messages:
            topic = parse_topic(str(message.topic))
            assert topic is not None
            assert isinstance(message.payload, bytes)
            line, body = split_header(message.payload)
            header = parse_header(line)
            assert header is not None
            ack = encode_ack(Ack(stored=[header.batch_id]))
            await client.publish(str(Topic(topic.site, topic.agent, "ack")), ack, qos=1)
            lines = zstandard.ZstdDecompressor().decompress(body, max_output_size=1 << 24).splitlines()
            fields = (line.rpartition(b" ")[0].rpartition(b" ")[2].count(b"=") for line in lines)
            counter.add(sum(fields), interval_s)


def count_collectd_values(receiver: socket.socket, counter: Counter, interval_s: int) -> None:
    """Reads collectd's packets; part type 6 holds values (https://collectd.org/wiki/index.php/Binary_protocol)."""
    while True:
        try:
            packet, values = receiver.recv(65536), 0
        except OSError:  # closed: the measurement is over
            return
        while len(packet) >= 6:
            kind, length = int.from_bytes(packet[:2], "big"), int.from_bytes(packet[2:4], "big")
            values += int.from_bytes(packet[4:6], "big") if kind == 6 else 0
            packet = packet[max(length, 4) :]
        counter.add(values, interval_s)


def scrape(port: int, counter: Counter, interval_s: int) -> None:
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
                lines = answer.read().splitlines()
        except OSError:  # ended: the measurement is over
            return
        counter.add(sum(1 for line in lines if line and not line.startswith(b"#")), interval_s)
        time.sleep(interval_s)


def find(program: str) -> str | None:
    return shutil.which(program) or shutil.which(program, path=_PATH)


def start_all(
    stack: ExitStack, folder: Path, interval_s: int, only: Sequence[str]
) -> list[tuple[Program, Counter]]:
    """Starts what is wanted and installed, and what each of them needs; the stack ends them."""
    broker = stack.enter_context(Mosquitto(folder / "broker"))
    names = {"folder": folder, "interval": interval_s, "broker_port": broker.port}
    started: list[tuple[Program, Counter]] = []

    def start(name: str, counter: Counter, *argv: str | Path) -> None:
        program = Program(name, argv, folder)
        stack.callback(program.close)
        started.append((program, counter))

    def configure(name: str, text: str, **more: Any) -> Path:
        path = folder / name
        path.write_text(text.format(**names, **more))
        return path

    counter = Counter()
    start_thread(run_collector, broker.port, counter, interval_s)
    config = configure("agent.yaml", AGENT_YAML)
    start("setpoint", counter, sys.executable, "-m", "setpoint", "agent", "run", "--config", config)
    if "collectd" in only and (program := find("collectd")):
        receiver = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        receiver.bind(("127.0.0.1", 0))
        counter = Counter()
        start_thread(count_collectd_values, receiver, counter, interval_s)
        config = configure("collectd.conf", COLLECTD_CONF, udp_port=receiver.getsockname()[1])
        start("collectd", counter, program, "-f", "-C", config)
    if "node-exporter" in only and (program := find("prometheus-node-exporter") or find("node_exporter")):
        port, counter = free_port(), Counter()
        start("node-exporter", counter, program, f"--web.listen-address=127.0.0.1:{port}")
        wait_until(lambda: is_listening("127.0.0.1", port), timeout_s=30, what="the exporter listens")
        start_thread(scrape, port, counter, interval_s)
    if "telegraf" in only and (program := find("telegraf")):
        start("telegraf", Counter(), program, "--config", configure("telegraf.conf", TELEGRAF_CONF))
    return started


def measure(seconds: float, interval_s: int, only: Sequence[str]) -> list[Row]:
    """Runs everything for two intervals to settle, then for so many seconds; ours is the first row."""
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        started = start_all(stack, Path(temporary), interval_s, only)
        time.sleep(2 * interval_s)
        before = [program.usage() for program, _ in started]
        began = time.monotonic()
        time.sleep(seconds)
        after = [program.usage() for program, _ in started]
        passed_s = time.monotonic() - began
        spent = [end.cpu_s - start.cpu_s for start, end in zip(before, after, strict=True)]
        return [
            Row(
                program.name,
                cpu_s_per_hour=cpu_s / passed_s * 3600,
                core_percent=cpu_s / passed_s * 100,
                rss_mb=usage.rss_bytes / 1e6,
                pss_mb=usage.pss_bytes / 1e6,
                cpu_ratio=cpu_s / spent[0] if spent[0] else float("nan"),
                rss_ratio=usage.rss_bytes / after[0].rss_bytes,
                values_per_round=counter.per_round,
            )
            for (program, counter), usage, cpu_s in zip(started, after, spent, strict=True)
        ]


def table(rows: Sequence[Row]) -> str:
    """The rows as text; the ratios are to ours."""
    lines = [
        f"{'program':<14} {'CPU s/h':>8} {'% of core':>9} {'RSS MB':>7} {'PSS MB':>7} "
        f"{'CPU ×':>6} {'RSS ×':>6} {'values':>7}"
    ]
    lines += [
        f"{row.program:<14} {row.cpu_s_per_hour:8.2f} {row.core_percent:9.3f} {row.rss_mb:7.1f} "
        f"{row.pss_mb:7.1f} {row.cpu_ratio:6.2f} {row.rss_ratio:6.2f} "
        f"{'?' if row.values_per_round is None else row.values_per_round:>7}"
        for row in rows
    ]
    return "\n".join(lines)


def main() -> int:
    peers = ["collectd", "node-exporter", "telegraf"]
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=300, help="how long to measure (%(default)s)")
    parser.add_argument("--interval", type=int, default=10, help="seconds between rounds (%(default)s)")
    parser.add_argument("--only", nargs="*", choices=peers, default=peers, help="peers to run beside ours")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    rows = measure(options.seconds, options.interval, options.only)
    about = {
        "seconds": options.seconds,
        "interval_s": options.interval,
        "processes": len(psutil.pids()),
        "cpus": psutil.cpu_count(),
    }
    if options.json:
        print(json.dumps({**about, "programs": [row._asdict() for row in rows]}, indent=2))
    else:
        print(
            f"every {options.interval} s for {options.seconds:g} s, {about['processes']} processes, "
            f"{about['cpus']} CPUs; values: per round"
        )
        print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
