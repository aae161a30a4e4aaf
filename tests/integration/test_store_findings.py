"""The same fortnight in every store gives the same findings, byte for byte."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from collector.agents import Agents
from collector.analysis.review import Window
from collector.exports.json_text import findings_json
from collector.register import Register, Revision
from collector.reviewer import Reviewer
from collector.series import SeriesTable
from collector.store.base import Store
from collector.store.open import open_store
from collector.store.settings import (
    DuckDBSettings,
    InfluxDBSettings,
    StoreSettings,
    VictoriaMetricsSettings,
)
from setpoint.finding import round12
from setpoint.plan_load import parse_plan
from setpoint.units import Duration
from tests.store_elsewhere import influxdb_elsewhere
from tests.store_servers import Influxd, VictoriaMetrics
from tests.store_site import BASE_MS, Site

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
DAYS = 14
START_MS = BASE_MS - DAYS * DAY
HOSTS = ("mon-01", "mon-02", "web-01", "web-02", "db-01")
PLAN = """
plan: Fortnight
revision: 3
timezone: Asia/Shanghai
review: month
objectives:
  - {id: up, title: Everything is there, service: ERP}
groups:
  hosts: [mon-01, mon-02, web-01, web-02, db-01, never-01]
points:
  - {id: cpu, title: CPU busy, for: [up], metric: cpu.usage_active, where: {cpu: cpu-total},
     expect: {host: hosts, every: 1m}, unit: percent, warning: {above: 80, for: 5m},
     critical: {above: 95, for: 5m}, target: {p95: {at_most: 70}}, owner: platform}
  - {id: traffic, title: Traffic, metric: net.bytes_recv, as: rate, scale: 8, unit: bps,
     expect: {host: hosts, every: 5m}, warning: {above: 600000, for: 10m},
     target: {mean: {at_most: 300000}}, owner: network}
  - {id: probe, title: Page answers, metric: http_response.response_time, unit: s,
     critical: {above: 2, for: 3m}, target: {availability: {at_least: 0.999}}, owner: web}
  - {id: service, title: Service runs, metric: service.running, critical: {equals: 0, for: 2m},
     target: {availability: {at_least: 0.99}}, owner: web}
  - {id: disk, title: Disk, metric: disk.used_percent, unit: percent, owner: platform}
"""


def lines_of(host: str, day: int, dice: random.Random, counters: dict[str, int]) -> Iterator[str]:
    """What a host measures in a day: waves and noise, outages of one, silence of another."""
    if host == "web-02" and day >= 10:
        return  # it went silent
    for minute in range(1440):
        at = START_MS + day * DAY + minute * MINUTE + dice.randrange(200)
        if host == "db-01" and minute % 3:
            continue  # thin
        # VictoriaMetrics 1.79.5 keeps about 12 digits of a number; what has more differs in the last of them.
        busy = round12(50 + 40 * math.sin((day * 1440 + minute) / 700) + dice.gauss(0, 6))
        idle = round12(100 - busy)
        yield f"cpu,cpu=cpu-total,host={host} usage_active={busy!r},usage_idle={idle!r} {at}000000"
        if minute % 5 == 0:
            counters[host] = counters.get(host, 0) + dice.randrange(30_000_000)
            if dice.random() < 0.001:
                counters[host] = 0
            yield f"net,host={host},interface=eth0 bytes_recv={counters[host]}i {at}000000"
            yield f"disk,host={host},path=/var used_percent={round12(busy / 3)!r} {at}000000"
        if host.startswith("web"):
            slow = dice.random() < 0.02 or 600 < minute < 610
            result = "timeout" if slow else "success"
            seconds = 5.0 if slow else round12(abs(dice.gauss(0.2, 0.1)))
            probe = f"http_response,host={host},method=GET,result={result},server=http://erp"
            yield f"{probe} response_time={seconds!r} {at}000000"
            yield f"service,host={host} running={'f' if slow else 't'} {at}000000"
        if minute % 60 == 0:
            yield f'odd,host={host} v={minute}i,note="n" {at}000000'


@pytest.fixture(scope="module")
def fortnight() -> list[list[tuple[str, bytes]]]:
    """By day, (host, body)."""
    dice = random.Random(20261122)
    counters: dict[str, int] = {}
    return [
        [(host, "\n".join(lines_of(host, day, dice, counters)).encode()) for host in HOSTS]
        for day in range(DAYS)
    ]


def findings_in(
    settings: StoreSettings,
    fortnight: list[list[tuple[str, bytes]]],
    folder: Path,
    settle: Callable[[], None] = lambda: None,
) -> bytes:
    """The JSON export after a review of the fortnight, by a collector that was started anew before it."""

    def opened(series: SeriesTable) -> Store:
        return open_store(settings, folder / "data", series)

    site = Site(opened, settle)
    for day, bodies in enumerate(fortnight):
        batches = [
            site.decode(body, sequence=day, low=0, agent=host, received_ms=BASE_MS)
            for host, body in bodies
            if body
        ]
        assert site.send(*batches).refused == []
    known = len(site.series)
    site.reopen()
    # VictoriaMetrics 1.79.5 answers from a cache of its index that is renewed every ten seconds.
    deadline = time.monotonic() + 60
    while len(site.series) < known:
        assert time.monotonic() < deadline, f"{len(site.series)} of {known} series are known again"
        time.sleep(1)
        site.reopen()
    plan = parse_plan(PLAN)
    register = Register(folder / "register.db")
    agents = Agents()
    agents.restore([(host, START_MS, BASE_MS) for host in HOSTS])
    definitions = {point.id: point.definition_hash for point in plan.points}
    register.activate(Revision(plan.hash, plan.revision, "", "", plan.text, START_MS), definitions)
    reviewer = Reviewer(plan, site.store, site.series, agents, register)
    window = Window(START_MS, BASE_MS, complete=True, label="fortnight")
    reviewer.review(window, BASE_MS)
    # How much of the past one review reads depends on how fast the store answers.
    while reviewer.waiting:
        reviewer.review(window, BASE_MS)
    found = findings_json(register.findings())
    register.close()
    site.close()
    return found


def test_a_fortnight_gives_the_same_findings_in_every_store(
    fortnight: list[list[tuple[str, bytes]]], tmp_path: Path
) -> None:
    expected = findings_in(DuckDBSettings(), fortnight, tmp_path / "duckdb")
    for kind in ("target-missed", "threshold-breached", "not-measured", "went-silent", "no-threshold"):
        assert f'"kind": "{kind}"'.encode() in expected, kind
    with Influxd(tmp_path / "influxd") as influxd:
        found = findings_in(InfluxDBSettings(url=influxd.url), fortnight, tmp_path / "influxdb")
        assert found == expected
    with VictoriaMetrics(tmp_path / "vm") as vm:
        vm.wait_until_grown_up()
        settings = VictoriaMetricsSettings(url=vm.url, safe_after=Duration(0))
        assert findings_in(settings, fortnight, tmp_path / "victoriametrics", vm.flush) == expected
    for generation in "23":
        if elsewhere := influxdb_elsewhere(generation):
            found = findings_in(elsewhere, fortnight, tmp_path / f"influxdb{generation}")
            assert found == expected, generation
