"""Many agents' batches through a real broker into a store.

    python bench/ingest.py --seconds 20 --agents 200
    python bench/ingest.py --store influxdb
    python bench/ingest.py --store victoriametrics --window 24 --unconfirmed 1GB

Publishes ready-made batches of host metrics (two fields a line, and a mix of nine like the host input's) as
fast as the collector takes them, with at most a window of unacked batches per agent, and then at a steady
pace; prints points and readings a second, the same per CPU second of the collector, latency from measurement
to ack, peak memory, and where the collector's time went. The load's own process has the other core. All of it
is counted from when three batches of every agent are stored: what a collector does once with a series that
is new is a figure of its own, in CPU seconds.

Beside it, in the same run: how fast the store takes the same lines without us. A server gets them from a
plain HTTP client, in requests of the size that the collector sends, packed before the clock starts; DuckDB
gets as many readings as ready columns, an insert for as many as the collector commits together.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import aiomqtt
import psutil
import zstandard

from bench.store_baseline import Baseline, bodies, insert_columns, post_to_server
from collector.store.settings import VictoriaMetricsSettings
from setpoint.ack import decode_ack
from setpoint.batch_header import body_hash, encode_header
from tests.end_to_end.site import CollectorProcess
from tests.servers import Login, Mosquitto
from tests.store_servers import Influxd, VictoriaMetrics

NOBODY = Login(None, None)
SERVERS: dict[str, type[Influxd | VictoriaMetrics]] = {
    "influxdb": Influxd,
    "victoriametrics": VictoriaMetrics,
}


SAFE_AFTER_S = VictoriaMetricsSettings().safe_after.seconds

# Stands for the seconds in a ready-made batch; a batch is then made by replacing it.
SECONDS = "@@@@@@@@@@"


def two_fields(host: str, lines: int) -> list[str]:
    return [
        f"disk,host={host},path=/data/{n % 100} used_percent={20 + n % 60}.{n % 10},"
        f"free={10_000_000 + n}i {SECONDS}{n // 100:03d}000000"
        for n in range(lines)
    ]


def host_mix(host: str, lines: int) -> list[str]:
    cpu = ",".join(
        f"usage_{name}={value}"
        for name, value in zip(
            ("user", "system", "idle", "active", "nice", "iowait", "irq", "softirq", "steal", "guest"),
            (12.5, 3.25, 80.125, 19.875, 0.0, 1.5, 0.0, 0.25, 0.0, 0.0),
            strict=True,
        )
    )
    return [
        f"cpu,cpu=cpu{n % 50},host={host} {cpu} {SECONDS}{n // 50:03d}000000"
        if n % 2
        else f"net,host={host},interface=eth{n % 50} bytes_recv={n * 7919}i,bytes_sent={n * 104729}i,"
        f"packets_recv={n}i,packets_sent={n}i,err_in=0i,err_out=0i,drop_in=0i,drop_out=0i "
        f"{SECONDS}{n // 50:03d}000000"
        for n in range(lines)
    ]


def template_of(make: Callable[[str, int], list[str]], host: str, lines: int) -> bytes:
    return ("\n".join(make(host, lines)) + "\n").encode()


def host_name(number: int) -> str:
    return f"bench-{number:04d}"


@dataclass
class Sender:
    """One agent: batches that are ready, those under way, and what the acks said."""

    name: str
    under_way: dict[str, float] = field(default_factory=dict)
    latencies_s: list[float] = field(default_factory=list)
    room: asyncio.Event = field(default_factory=asyncio.Event)
    sequence: int = 0
    acked: int = 0
    last_ack: float = 0.0


async def publish(
    sender: Sender,
    port: int,
    make: Callable[[str, int], list[str]],
    lines: int,
    window: int,
    until: float,
    pause_s: float,
    least: int = 0,
) -> None:
    """Sends until then, and ``least`` batches at least."""
    compress = zstandard.ZstdCompressor(level=1).compress
    epoch = f"bench-{time.time_ns():x}"
    sender.room = asyncio.Event()  # of this event loop
    async with aiomqtt.Client("127.0.0.1", port, identifier=sender.name, max_inflight_messages=200) as client:
        await client.subscribe(f"setpoint/v1/hq/{sender.name}/ack", qos=1)

        async def take_acks() -> None:
            async for message in client.messages:
                ack = decode_ack(bytes(message.payload))
                now = time.monotonic()
                for batch in ack.stored:
                    began = sender.under_way.pop(batch, None)
                    if began is not None:
                        sender.latencies_s.append(now - began)
                        sender.acked += 1
                        sender.last_ack = now
                sender.room.set()

        taking = asyncio.create_task(take_acks())
        start_s = int(time.time()) - 86_400
        template = template_of(make, sender.name, lines)
        while time.monotonic() < until or sender.sequence < least:
            if len(sender.under_way) >= window:
                sender.room.clear()
                await sender.room.wait()
                continue
            if pause_s:
                await asyncio.sleep(pause_s * random.uniform(0.5, 1.5))
            sender.sequence += 1
            measured = time.monotonic()
            body = compress(template.replace(SECONDS.encode(), b"%d" % (start_s + sender.sequence)))
            digest = body_hash(body)
            low = sender.sequence - len(sender.under_way)
            header = encode_header(epoch, sender.sequence, digest, low, time.time_ns())
            sender.under_way[f"{epoch}.{sender.sequence}.{digest}"] = measured
            await client.publish(f"setpoint/v1/hq/{sender.name}/readings", header + body, qos=1, timeout=60)
        for _ in range(2400):
            if not sender.under_way:
                break
            await asyncio.sleep(0.05)
        taking.cancel()


def get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return str(answer.read().decode())


def own_metric(text: str, name: str) -> float:
    return next((float(line.split()[-1]) for line in text.splitlines() if line.startswith(name + " ")), 0.0)


async def warm_up(
    port: int, options: argparse.Namespace, make: Callable[[str, int], list[str]]
) -> list[Sender]:
    """Agents of which everything is known to the collector."""
    senders = [Sender(host_name(n)) for n in range(options.agents)]
    await asyncio.gather(*(publish(s, port, make, options.lines, 1, 0, 0, least=3) for s in senders))
    for sender in senders:
        sender.acked = 0
        sender.latencies_s.clear()
    return senders


async def load(
    senders: list[Sender],
    port: int,
    options: argparse.Namespace,
    make: Callable[[str, int], list[str]],
    pause_s: float,
) -> None:
    until = time.monotonic() + options.seconds
    await asyncio.gather(
        *(publish(s, port, make, options.lines, options.window, until, pause_s) for s in senders)
    )


def run(
    options: argparse.Namespace, name: str, make: Callable[[str, int], list[str]], pause_s: float = 0.0
) -> dict[str, object]:
    fields = sum(line.split(" ")[1].count("=") for line in make("x", 100)) / 100
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with contextlib.ExitStack() as stack:
            server = None if options.store == "duckdb" else SERVERS[options.store](folder / "server")
            store: dict[str, object] = {"engine": options.store}
            if server is None:
                plain = insert_columns(folder, 20_000_000, 5_000) if not pause_s else None
            else:
                stack.enter_context(server)
                store |= {"url": server.url}
                if options.unconfirmed:
                    store |= {"unconfirmed": options.unconfirmed}
                plain = _plain(server, options, make) if not pause_s else None
            broker = stack.enter_context(
                Mosquitto(folder / "broker", extra=["max_inflight_messages 0", "max_queued_messages 0"])
            )
            collector = stack.enter_context(
                # Reviews as often as by default; tests have them more often.
                CollectorProcess(
                    folder, NOBODY, broker.port, settings={"store": store, "review": {"every": "60s"}}
                )
            )
            cpu_idle = _cpu_s(collector.pid)
            senders = asyncio.run(warm_up(broker.port, options, make))
            cpu_before = _cpu_s(collector.pid)
            before = get(collector.port, "/metrics")
            server_before = _cpu_s(server.pid) if server else 0.0
            began = time.monotonic()
            asyncio.run(load(senders, broker.port, options, make, pause_s))
            cpu = _cpu_s(collector.pid) - cpu_before
            server_cpu = _cpu_s(server.pid) - server_before if server else 0.0
            peak = _peak_bytes(collector.pid)
            text = get(collector.port, "/metrics")
    wall = max(s.last_ack for s in senders) - began
    if options.store == "victoriametrics":
        wall -= SAFE_AFTER_S  # after the last write nothing is done but to wait
    batches = sum(s.acked for s in senders)
    lines = batches * options.lines
    readings = lines * fields
    # DuckDB's columns hold one reading a row.
    per_row = fields if server else 1.0
    latencies = sorted(latency for s in senders for latency in s.latencies_s)

    def grown(name: str) -> float:
        return own_metric(text, name) - own_metric(before, name)

    return {
        "mix": name,
        "fields a line": fields,
        "batches": batches,
        "points/s": round(lines / wall),
        "readings/s": round(readings / wall),
        "points per CPU s": round(lines / cpu),
        "readings per CPU s": round(readings / cpu),
        "latency p50 s": round(latencies[len(latencies) // 2], 3),
        "latency p99 s": round(latencies[int(len(latencies) * 0.99)], 3),
        "peak MB": round(peak / 1e6),
        "CPU s": round(cpu, 1),
        "CPU s of first batches": round(cpu_before - cpu_idle, 1),
        "server CPU s": round(server_cpu, 1),
        "readings per server CPU s": round(readings / server_cpu) if server_cpu else "-",
        "of it decode s (wall)": round(grown("setpoint_collector_decode_seconds_total"), 1),
        "of it write s (wall)": round(grown("setpoint_collector_write_seconds_total"), 1),
        # Nobody sends again here: with a window that the queue cannot hold, rates are too low.
        "dropped": int(grown("setpoint_collector_messages_dropped_total")),
        "commits": int(grown("setpoint_collector_commits_total")),
        "plain: readings/s": round(plain.lines * per_row / plain.seconds) if plain else "-",
        "plain: per server CPU s": round(plain.lines * per_row / plain.cpu_s) if plain else "-",
    }


def _plain(
    server: Influxd | VictoriaMetrics, options: argparse.Namespace, make: Callable[[str, int], list[str]]
) -> Baseline:
    templates = [template_of(make, host_name(n), options.lines) for n in range(options.agents)]
    start_s = int(time.time()) - 86_400

    def batch(number: int) -> bytes:
        second = start_s + number // options.agents
        return templates[number % options.agents].replace(SECONDS.encode(), b"%d" % second)

    return post_to_server(server, bodies(batch, options.plain_bodies))


def _cpu_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def _peak_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--agents", type=int, default=50)
    parser.add_argument("--lines", type=int, default=1000, help="lines a batch (%(default)s)")
    parser.add_argument("--window", type=int, default=8, help="unacked batches per agent (%(default)s)")
    parser.add_argument("--store", choices=["duckdb", *SERVERS], default="duckdb")
    parser.add_argument("--unconfirmed", help="VictoriaMetrics: store.unconfirmed, such as 1GB")
    parser.add_argument(
        "--plain-bodies", type=int, default=100, help="2 MB each, that the server gets without us"
    )
    parser.add_argument("--no-steady", action="store_true", help="leave out the run at a steady pace")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = [
        run(options, "two fields", two_fields),
        run(options, "host mix", host_mix),
    ]
    if not options.no_steady:
        # Not as fast as it goes, but one batch a second from each agent: what latency is usual.
        results.append(run(options, "mix, 1 batch/s", host_mix, pause_s=1.0))
    if options.json:
        print(json.dumps(results))
        return 0
    for key in results[0]:
        print(f"{key:<26}" + "".join(f"{result[key]!s:>16}" for result in results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
