"""Servers that are killed, that hang, and whose disk is full: nothing durable is lost, nothing is twice."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from collector.series import SeriesTable
from collector.store.base import Batch, Store, StoreUnavailable
from collector.store.open import open_store
from collector.store.settings import InfluxDBSettings, StoreSettings, VictoriaMetricsSettings
from setpoint.units import Duration
from tests.proxy import CuttableProxy
from tests.small_disk import mounted_disk
from tests.store_servers import Influxd, VictoriaMetrics
from tests.store_site import BASE_MS, Site, line

SAFE_AFTER = Duration(10_000)
"""Shorter than the default of 15 s, and what was measured to be enough of VictoriaMetrics 1.79.5."""


@pytest.fixture(params=["influxdb1", "victoriametrics"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Influxd | VictoriaMetrics]:
    kind = {"influxdb1": Influxd, "victoriametrics": VictoriaMetrics}[request.param]
    with kind(tmp_path / "server") as server:
        yield server


def settings_for(server: Influxd | VictoriaMetrics) -> InfluxDBSettings | VictoriaMetricsSettings:
    if isinstance(server, Influxd):
        return InfluxDBSettings(url=server.url)
    server.wait_until_grown_up()
    return VictoriaMetricsSettings(url=server.url, safe_after=Duration(0))


def settle_for(server: Influxd | VictoriaMetrics) -> Callable[[], None]:
    return server.flush if isinstance(server, VictoriaMetrics) else lambda: None


def site_on(server: Influxd | VictoriaMetrics, settings: StoreSettings, folder: Path) -> Site:
    def opened(series: SeriesTable) -> Store:
        return open_store(settings, folder / "data", series)

    return Site(opened, settle_for(server))


async def deliver(store: Store, batch: Batch, failed: list[StoreUnavailable]) -> None:
    """Writes as the intake does, until it is durable."""
    while True:
        try:
            result = await store.write([batch])
            if result.durable is not None:
                await result.durable()
        except StoreUnavailable as error:
            failed.append(error)
            await asyncio.sleep(0.1)
        else:
            return


def test_a_server_killed_in_mid_write_loses_nothing_durable(
    server: Influxd | VictoriaMetrics, tmp_path: Path
) -> None:
    settings = settings_for(server)
    if isinstance(settings, VictoriaMetricsSettings):
        settings = msgspec.structs.replace(settings, safe_after=SAFE_AFTER)
    site = site_on(server, settings, tmp_path)
    lines, kills = 200, 3
    failed: list[StoreUnavailable] = []

    async def kill_until_writes_were_met(killed: asyncio.Event) -> None:
        deadline = time.monotonic() + 120
        done = 0
        while done < kills or not failed:
            assert time.monotonic() < deadline, f"none of {done} kills met a write, so this shows nothing"
            # VictoriaMetrics is not written to in its first two seconds.
            await asyncio.sleep(2.5)
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
            done += 1
        killed.set()

    async def deliver_all() -> int:
        killed = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(kill_until_writes_were_met(killed))
            for n in itertools.count():
                batch = site.batch(*(line(n * lines + i, n * lines + i) for i in range(lines)), sequence=n)
                tasks.create_task(deliver(site.store, batch, failed))
                await asyncio.sleep(0.03)
                if killed.is_set():
                    return n + 1
        raise AssertionError("there is no end to a count")

    batches = site.run(deliver_all())
    # What is durable survives one more kill, now that nothing is under way.
    server.kill()
    server.start()
    assert site.values() == [float(n) for n in range(batches * lines)]
    site.close()


def test_while_a_server_is_away_nothing_is_taken_and_later_everything(
    server: Influxd | VictoriaMetrics, tmp_path: Path
) -> None:
    site = site_on(server, settings_for(server), tmp_path)
    site.write(site.batch(line(1, 1)))
    server.stop()
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1"):
            site.send(site.batch(line(2, 2), sequence=2))
    with pytest.raises(StoreUnavailable):
        site.samples()
    with pytest.raises(StoreUnavailable):
        site.store.series(BASE_MS)
    server.start()
    site.send_until_taken(site.batch(line(2, 2), sequence=2))
    settle_for(server)()
    assert site.values() == [1.0, 2.0]
    site.close()


def test_a_server_that_hangs_is_given_up_after_the_timeout(
    server: Influxd | VictoriaMetrics, tmp_path: Path
) -> None:
    settings = settings_for(server)
    with CuttableProxy(server.host, server.port) as proxy:
        url = f"http://{proxy.host}:{proxy.port}"
        site = site_on(server, msgspec.structs.replace(settings, url=url, timeout=Duration(1_000)), tmp_path)
        site.write(site.batch(line(1, 1)))
        # The server takes the line and its answer gets lost: written again, it is still one reading.
        proxy.stall("to_client")
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="no answer in time"):
            site.send(site.batch(line(2, 2), sequence=2))
        assert time.monotonic() - began < 10
        proxy.cut()
        proxy.heal()
        site.send_until_taken(site.batch(line(2, 2), sequence=2))
        settle_for(server)()
        assert site.values() == [1.0, 2.0]
        site.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted_disk(tmp_path / "disk", "40m") as folder:
        yield folder


def test_a_full_disk_takes_nothing_and_what_waited_comes_later(small_disk: Path, tmp_path: Path) -> None:
    with Influxd(small_disk / "influxd") as server:
        site = site_on(server, settings_for(server), tmp_path)
        site.write(site.batch(line(1, 1)))
        filler = small_disk / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(65_536))
        large = [line(n, n) for n in range(2, 2_000)]
        with pytest.raises(StoreUnavailable, match="no space left on device"):
            site.send(site.batch(*large, sequence=2))
        filler.unlink()
        # InfluxDB 1.6.7 has to be started anew: the writer of its log keeps the first error that it met.
        server.restart()
        site.send_until_taken(site.batch(*large, sequence=2))
        assert site.values() == [float(n) for n in range(1, 2_000)]
        site.close()
