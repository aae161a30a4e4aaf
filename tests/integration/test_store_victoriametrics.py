"""What only VictoriaMetrics does: it acknowledges before it is safe, and joins measurement and field."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.agents import Agents
from collector.attempts import Attempts
from collector.decode import Decoder
from collector.inbox import Incoming
from collector.intake import Intake, Origin
from collector.rejected import RejectedFolder
from collector.series import SeriesTable
from collector.store.base import Metric, StoreUnavailable
from collector.store.settings import VictoriaMetricsSettings
from collector.store.victoriametrics import VictoriaMetricsStore
from setpoint.batch_header import body_hash, encode_header
from setpoint.units import Duration
from tests.store_servers import VictoriaMetrics
from tests.store_site import BASE_MS, Site, line

HOST = (("host", "mon-01"),)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[VictoriaMetrics]:
    with VictoriaMetrics(tmp_path / "vm") as server:
        server.wait_until_grown_up()
        yield server


def opened(
    server: VictoriaMetrics, series: SeriesTable, safe_after_ms: int, folder: Path
) -> VictoriaMetricsStore:
    settings = VictoriaMetricsSettings(url=server.url, safe_after=Duration(safe_after_ms))
    return VictoriaMetricsStore(settings, series, str(folder))


def test_what_a_start_anew_may_have_lost_is_not_called_durable(
    server: VictoriaMetrics, tmp_path: Path
) -> None:
    site = Site(lambda series: opened(server, series, 1_000, tmp_path))

    async def write_and_kill() -> None:
        result = await site.store.write([site.batch(line(1, 1))])
        assert result.durable is not None
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        await asyncio.to_thread(server.wait_until_grown_up)
        await result.durable()

    with pytest.raises(StoreUnavailable, match="started anew"):
        site.run(write_and_kill())
    # It was not taken for stored: the same batch is written when it comes again.
    assert site.send_until_taken(site.batch(line(1, 1))).repeated == 0
    site.close()


def test_groups_follow_each_other_while_acks_wait(server: VictoriaMetrics, tmp_path: Path) -> None:
    series = SeriesTable()
    store = opened(server, series, 2_000, tmp_path)
    intake = Intake(
        decode=Decoder(series),
        store=store,
        series=series,
        rejected=RejectedFolder(tmp_path / "rejected", max_bytes=1_000_000),
        attempts=Attempts(tmp_path / "attempts.json"),
        agents=Agents(),
    )

    def message(sequence: int) -> tuple[Origin, Incoming]:
        body = f"cpu,host=mon-01 busy={sequence} {BASE_MS + sequence}000000\n".encode()
        header = encode_header("e", sequence, body_hash(body), 0, 0)
        return Origin("hq", "mon-01", enrolled=True), Incoming("", header + body, BASE_MS)

    async def take_all() -> tuple[float, float, list[str]]:
        began = time.monotonic()
        confirms = [await intake.begin([message(n)]) for n in range(10)]
        taken_s = time.monotonic() - began
        acks = await asyncio.gather(*(confirm() for confirm in confirms))
        acked = [id_ for one in acks for ack in one.by_agent.values() for id_ in ack.stored]
        return taken_s, time.monotonic() - began, acked

    with asyncio.Runner() as runner:
        taken_s, acked_s, acked = runner.run(take_all())
        assert taken_s < 2.0 <= acked_s < 6.0
        assert len(acked) == 10
        assert intake.counters.readings == 10
        store.close()


def test_memory_for_what_is_unconfirmed_is_bounded(server: VictoriaMetrics, tmp_path: Path) -> None:
    settings = VictoriaMetricsSettings(url=server.url, safe_after=Duration(1_000))
    settings.unconfirmed = type(settings.unconfirmed)(100)
    site = Site(lambda series: VictoriaMetricsStore(settings, series, str(tmp_path)))

    async def write_two() -> float:
        first = await site.store.write([site.batch(line(1, 1), line(2, 2), sequence=1)])
        began = time.monotonic()
        second = asyncio.create_task(site.store.write([site.batch(line(3, 3), line(4, 4), sequence=2)]))
        await asyncio.sleep(0.2)
        assert not second.done()
        assert first.durable is not None
        await first.durable()
        await second
        return time.monotonic() - began

    assert site.run(write_two()) >= 1.0
    site.close()


def test_names_that_could_be_cut_elsewhere_come_back_as_they_were(
    server: VictoriaMetrics, tmp_path: Path
) -> None:
    site = Site(lambda series: opened(server, series, 0, tmp_path), server.flush)
    site.write(site.batch("net_response,host=mon-01 result_code=1 1", "net,host=mon-01 err_in=2 1"))
    site.reopen()
    assert site.samples(Metric("net_response", "result_code")) == {HOST: [(1, 1.0)]}
    assert site.samples(Metric("net", "err_in")) == {HOST: [(1, 2.0)]}
    assert site.samples(Metric("net", "response_result_code")) == {}
    site.close()


def test_a_field_name_that_it_cannot_read_is_refused_by_name(server: VictoriaMetrics, tmp_path: Path) -> None:
    site = Site(lambda series: opened(server, series, 0, tmp_path), server.flush)
    result = site.write(site.batch('m,host=mon-01 a"b=1,good=2 1'))
    assert ['a"b' in refused.reason for refused in result.refused] == [True]
    assert site.samples(Metric("m", "good")) == {HOST: [(1, 2.0)]}
    site.close()
