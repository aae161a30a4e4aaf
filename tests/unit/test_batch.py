"""From points to batches in a real outbox."""

from __future__ import annotations

import asyncio
import gzip
import math
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, get_args

import pytest
import zstandard

from agent.batch import Batcher, Compression
from agent.outbox import Outbox
from agent.outbox_file import OutboxError
from agent.outbox_owner import Owner
from collector.payload import unpack
from setpoint.reading import Point

BASE_MS = 1_790_784_000_000
NEVER_S = 3_600.0


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    outbox = Outbox(tmp_path, max_bytes=10**8, max_age_ms=0, ballast_bytes=0)
    outbox.open()
    outbox.bind(Owner("hq", "mon-01", ""))
    yield outbox
    outbox.close()


def batcher_on(
    outbox: Outbox,
    executor: ThreadPoolExecutor,
    on_stored: Callable[[], None] = lambda: None,
    *,
    flush_s: float = NEVER_S,
    batch_bytes: int = 10**6,
    compression: Compression = "none",
) -> Batcher:
    return Batcher(
        outbox,
        executor,
        host="mon-01",
        flush_s=flush_s,
        batch_bytes=batch_bytes,
        compression=compression,
        on_stored=on_stored,
    )


def run(
    outbox: Outbox,
    work: Callable[[Batcher, asyncio.Event], Coroutine[Any, Any, None]],
    **settings: Any,
) -> None:
    """``work`` is given a batcher, and an event that is set when a batch has been stored."""

    async def main() -> None:
        stored = asyncio.Event()
        with ThreadPoolExecutor(1) as executor:
            batcher = batcher_on(outbox, executor, stored.set, **settings)
            async with asyncio.timeout(60):
                await work(batcher, stored)

    asyncio.run(main())


def bodies(outbox: Outbox) -> list[bytes]:
    return [batch.body for batch in outbox.next_batches(10**6, 0)]


def readings(outbox: Outbox) -> list[int]:
    return [batch.readings for batch in outbox.next_batches(10**6, 0)]


def numbered(n: int) -> Point:
    return Point("m", {}, {"n": n})


def line(n: int) -> bytes:
    return b"m,host=mon-01 n=%di %d\n" % (n, BASE_MS * 10**6)


def test_what_was_added_is_one_batch_after_a_flush(outbox: Outbox) -> None:
    async def work(batcher: Batcher, stored: asyncio.Event) -> None:
        points = [Point("cpu", {"cpu": "cpu0"}, {"busy": 1.5, "idle": 98.5}), Point("mem", {}, {"used": 7})]
        assert batcher.add(points, BASE_MS, {}) == 3
        assert batcher.add([Point("os", {}, {"name": "Debian"})], BASE_MS + 1, {}) == 1
        assert bodies(outbox) == []
        await batcher.flush()
        assert stored.is_set()

    run(outbox, work)
    assert bodies(outbox) == [
        b"cpu,cpu=cpu0,host=mon-01 busy=1.5,idle=98.5 1790784000000000000\n"
        b"mem,host=mon-01 used=7i 1790784000000000000\n"
        b'os,host=mon-01 name="Debian" 1790784000001000000\n'
    ]
    assert readings(outbox) == [4]


def test_a_point_keeps_its_own_time_and_tags_and_nobody_sets_the_host(outbox: Outbox) -> None:
    async def work(batcher: Batcher, _: asyncio.Event) -> None:
        point = Point("m", {"host": "other", "room": "12"}, {"n": 1}, BASE_MS - 5)
        batcher.add([point], BASE_MS, {"room": "11", "host": "another", "row": "3"})
        await batcher.flush()

    run(outbox, work)
    assert bodies(outbox) == [b"m,host=mon-01,room=12,row=3 n=1i 1790783999995000000\n"]


def test_a_flush_of_nothing_makes_no_batch(outbox: Outbox) -> None:
    async def work(batcher: Batcher, stored: asyncio.Event) -> None:
        await batcher.flush()
        assert batcher.add([], BASE_MS, {}) == 0
        assert batcher.add([Point("m", {}, {"n": math.nan})], BASE_MS, {}) == 0
        await batcher.flush()
        assert not stored.is_set()

    run(outbox, work)
    assert bodies(outbox) == []


def test_after_its_time_a_batch_goes_by_itself_and_so_does_the_next(outbox: Outbox) -> None:
    async def work(batcher: Batcher, stored: asyncio.Event) -> None:
        for n in range(3):
            stored.clear()
            batcher.add([numbered(n)], BASE_MS, {})
            await stored.wait()

    run(outbox, work, flush_s=0.01)
    assert bodies(outbox) == [line(n) for n in range(3)]


def test_a_full_batch_goes_at_once(outbox: Outbox) -> None:
    async def work(batcher: Batcher, stored: asyncio.Event) -> None:
        n = 0
        while not stored.is_set():
            batcher.add([numbered(n)], BASE_MS, {})
            n += 1
            await asyncio.sleep(0)

    run(outbox, work, batch_bytes=1_000)
    assert len(bodies(outbox)[0]) >= 1_000


def test_much_at_once_is_cut_between_lines_into_batches_of_the_size(outbox: Outbox) -> None:
    async def work(batcher: Batcher, _: asyncio.Event) -> None:
        batcher.add([numbered(n) for n in range(1_000)], BASE_MS, {})
        await batcher.flush()

    run(outbox, work, batch_bytes=2_000)
    found = bodies(outbox)
    assert b"".join(found) == b"".join(line(n) for n in range(1_000))
    assert len(found) > 10
    assert all(2_000 <= len(body) < 2_050 and body.endswith(b"\n") for body in found[:-1])
    assert readings(outbox) == [body.count(b"\n") for body in found]


def test_nothing_is_lost_or_doubled_while_flushes_are_under_way(outbox: Outbox) -> None:
    async def work(batcher: Batcher, _: asyncio.Event) -> None:
        for n in range(2_000):
            batcher.add([numbered(n)], BASE_MS, {})
            if n % 10 == 0:
                await asyncio.sleep(0)
        await batcher.flush()

    run(outbox, work, batch_bytes=500, flush_s=0.001)
    assert b"".join(bodies(outbox)) == b"".join(line(n) for n in range(2_000))
    assert sum(readings(outbox)) == 2_000


def test_a_flush_waits_for_the_one_under_way(outbox: Outbox) -> None:
    """At its end the agent flushes, and closes the outbox."""
    held, go = threading.Event(), threading.Event()

    async def main() -> None:
        with ThreadPoolExecutor(1) as executor:
            batcher = batcher_on(outbox, executor, batch_bytes=1)
            # A disk that hangs: the thread that writes is busy.
            executor.submit(lambda: (held.set(), go.wait(60)))
            held.wait(60)
            batcher.add([numbered(1)], BASE_MS, {})
            await asyncio.sleep(0)
            flushing = asyncio.create_task(batcher.flush())
            await asyncio.sleep(0)
            assert not flushing.done()
            go.set()
            await flushing
            assert bodies(outbox) == [line(1)]

    asyncio.run(main())


def test_who_is_told_of_a_batch_finds_it_in_the_outbox(outbox: Outbox) -> None:
    found: list[list[bytes]] = []

    async def main() -> None:
        with ThreadPoolExecutor(1) as executor:
            batcher = batcher_on(outbox, executor, lambda: found.append(bodies(outbox)), batch_bytes=1_000)
            batcher.add([numbered(1)], BASE_MS, {})
            await batcher.flush()

    asyncio.run(main())
    assert found == [[line(1)]]


@pytest.mark.parametrize("compression", get_args(Compression))
def test_the_collector_reads_every_kind_of_compression(outbox: Outbox, compression: Compression) -> None:
    async def work(batcher: Batcher, _: asyncio.Event) -> None:
        batcher.add([numbered(n) for n in range(100)], BASE_MS, {})
        await batcher.flush()

    run(outbox, work, compression=compression)
    [body] = bodies(outbox)
    plain = b"".join(line(n) for n in range(100))
    _, content = unpack(body, enrolled=True, max_payload_bytes=10**6, max_body_bytes=10**6)
    assert content == plain
    sizes = {"none": len(plain), "gzip": len(gzip.compress(plain)), "zstd": len(zstandard.compress(plain))}
    assert abs(len(body) - sizes[compression]) < 50


def test_equal_lines_make_equal_bodies(outbox: Outbox) -> None:
    """A body's hash is a part of its name; gzip's header has room for a time, which would make it another."""

    async def work(batcher: Batcher, _: asyncio.Event) -> None:
        for _again in range(2):
            batcher.add([numbered(1)], BASE_MS, {})
            await batcher.flush()

    run(outbox, work, compression="gzip")
    first, second = bodies(outbox)
    assert first == second
    assert first[4:8] == bytes(4)


def test_a_point_that_cannot_be_written_does_not_cost_the_others(
    outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    beyond = Point("m", {}, {"octets": 2**64 - 1})
    unnamed, comment, no_key = (
        Point("", {}, {"n": 1}),
        Point("#m", {}, {"n": 1}),
        Point("m", {"": "x"}, {"n": 1}),
    )

    async def work(batcher: Batcher, _: asyncio.Event) -> None:
        points = [numbered(1), beyond, unnamed, comment, no_key, numbered(2)]
        assert batcher.add(points, BASE_MS, {}) == 2
        # Said once, not at every gathering.
        assert batcher.add([beyond, numbered(3)], BASE_MS, {}) == 1
        await batcher.flush()

    run(outbox, work)
    assert bodies(outbox) == [line(1) + line(2) + line(3)]
    assert readings(outbox) == [3]
    assert [message for message in caplog.messages if "octets" in message] == [
        'a point of "m" is left out: field "octets" is 18446744073709551615, '
        "beyond the 64-bit integers of line protocol"
    ]


def test_a_batch_that_cannot_be_handed_over_is_told(outbox: Outbox) -> None:
    async def work() -> None:
        with ThreadPoolExecutor(1) as executor:
            batcher = batcher_on(outbox, executor, flush_s=0)
            outbox.close()
            batcher.add([Point("a", {}, {"v": 1})], BASE_MS, {})
            with pytest.raises(OutboxError, match="not open"):
                await asyncio.wait_for(batcher.failed, 10)

    asyncio.run(work())
