"""Whether a fleet is polled on time: what `bench/snmp.py fleet` runs."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil

from bench.snmp_devices import Responder
from bench.snmp_responder import addresses
from tests.ports import free_port
from tests.servers import ROOT


def agent_yaml(folder: Path, hosts: Sequence[str], port: int, interval_s: int) -> str:
    devices = "".join(f"      - {{address: {host}, port: {port}}}\n" for host in hosts)
    return (
        f"agent: {{name: bench, data: {folder}/outbox}}\n"
        f"broker: {{host: 127.0.0.1, port: {free_port()}}}\n"
        "inputs:\n"
        f"  - input: snmp\n    interval: {interval_s}s\n    slow_interval: 5m\n"
        f"    credentials: {{public: {{community: public}}}}\n    devices:\n{devices}"
    )


def fleet(options: argparse.Namespace) -> None:
    responder = Responder(options.devices, options.ports, "--dead", "5", "--slow", "5")
    hosts = addresses(options.devices)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = folder / "agent.yaml"
        config.write_text(agent_yaml(folder, hosts, responder.port, options.interval))
        argv = [sys.executable, "-m", "setpoint", "agent", "run", "--config", str(config)]
        with (
            (folder / "log").open("w") as log,
            subprocess.Popen(argv, cwd=ROOT, stderr=log, stdout=log) as agent,
        ):
            try:
                process = psutil.Process(agent.pid)
                time.sleep(options.warm_up)
                began_s, used = time.monotonic(), process.cpu_times()
                highest = 0
                while time.monotonic() - began_s < options.seconds:
                    time.sleep(1)
                    highest = max(highest, process.memory_info().rss)
                now = process.cpu_times()
                took_s, stats = time.monotonic() - began_s, responder.stats()
                resident = process.memory_info().rss
            finally:
                agent.terminate()
                responder.close()
    cpu_s = now.user + now.system - used.user - used.system
    print(
        f"{options.devices} devices of {options.ports} ports every {options.interval} s, for {took_s:.0f} s"
    )
    print(
        f"  {len(stats['dead'])} dead, {len(stats['slow'])} slow; {options.warm_up} s before are not counted"
    )
    memory = f"{resident / 2**20:.0f} MB resident, {highest / 2**20:.0f} MB at most"
    print(f"  agent: {cpu_s / took_s:.1%} of a core, {memory}")
    for title, group in (
        ("healthy", set(hosts) - set(stats["dead"]) - set(stats["slow"])),
        ("slow", set(stats["slow"])),
        ("dead", set(stats["dead"])),
    ):
        report(title, group, stats["begun"], began_s, took_s, options.interval)


def report(title: str, group: set[str], begun: Any, since_s: float, took_s: float, interval_s: int) -> None:
    """How far apart polls began; on time is what is at most a tenth of the interval late."""
    gaps, polls = [], 0
    for host in group:
        times = [at for at in begun.get(host, []) if at >= since_s]
        polls += len(times)
        gaps += [after - before for before, after in pairwise(times)]
    on_time = sum(gap <= interval_s * 1.1 for gap in gaps) / (len(gaps) or 1)
    wanted = len(group) * took_s / interval_s
    spread = f"median {statistics.median(gaps):.2f} s, longest {max(gaps):.2f} s" if gaps else "none"
    counted = f"{polls} polls of {wanted:.0f}, {on_time:.2%} on time"
    print(f"  {title:<8}{len(group):>4} devices: {counted}, apart {spread}")
