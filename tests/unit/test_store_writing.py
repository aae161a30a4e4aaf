"""Patience with a busy server, bounded bodies, lines in the form that an engine reads."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable

import numpy as np
import pytest

from collector.store.base import Batch, RefusedLine, StoreUnavailable
from collector.store.http_write import BODY_BYTES, Answer, LineWriter
from collector.store.line_bodies import Part, bodies, fit, fit_numbers


def part(lines: bytes, agent: str = "a") -> Part:
    empty = np.array([], np.int64)
    batch = Batch("hq", agent, None, None, empty.astype(np.int32), empty, empty.astype(float), [], lines, 0)
    return Part(batch, lines)


class Server:
    """Answers as it is told; keeps what it took."""

    def __init__(self, answer: Callable[[bytes], Answer]) -> None:
        self._answer = answer
        self.requests: list[bytes] = []
        self.most_at_once = 0
        self._now = 0

    async def post(self, body: bytes) -> Answer:
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        await asyncio.sleep(0)
        self._now -= 1
        self.requests.append(body)
        return self._answer(body)


def write(server: Server, *parts: Part) -> list[RefusedLine]:
    return asyncio.run(LineWriter(server, "http://server").write(parts))


def test_a_busy_server_is_tried_again_after_the_time_that_it_asks_for() -> None:
    answers = iter([Answer(429, "slow down", 1.0), Answer(204, "")])
    server = Server(lambda _: next(answers))
    began = time.monotonic()
    assert write(server, part(b"m v=1 1\n")) == []
    assert time.monotonic() - began >= 1.0
    assert server.requests == [b"m v=1 1\n"] * 2


def test_a_server_that_stays_broken_is_unavailable() -> None:
    server = Server(lambda _: Answer(503, "overloaded", 0.01))
    with pytest.raises(StoreUnavailable, match="http://server: 503: overloaded"):
        write(server, part(b"m v=1 1\n"))
    assert len(server.requests) == 4


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_somebody_has_to_mend_refuses_no_data(status: int) -> None:
    server = Server(lambda _: Answer(status, "no"))
    with pytest.raises(StoreUnavailable, match=f"{status}: no"):
        write(server, part(b"m v=1 1\n"))


def test_bad_lines_are_found_and_the_others_written() -> None:
    lines = [b"m v=%d 1\n" % n for n in range(64)]
    bad = {lines[n] for n in (0, 17, 18, 63)}
    taken: set[bytes] = set()

    def answer(body: bytes) -> Answer:
        some = body.splitlines(keepends=True)
        if any(line in bad for line in some):
            return Answer(400, "unable to parse")
        taken.update(some)
        return Answer(204, "")

    server = Server(answer)
    refused = write(server, part(b"".join(lines)))
    assert [one.line + b"\n" for one in refused] == [lines[n] for n in (0, 17, 18, 63)]
    assert taken == set(lines) - bad
    assert len(server.requests) < 64


def test_when_all_lines_are_dropped_nothing_is_searched() -> None:
    server = Server(lambda _: Answer(400, "points beyond retention policy dropped=50"))
    assert len(write(server, part(b"m v=1 1\n" * 50))) == 50
    assert len(server.requests) == 1


def test_a_body_that_is_too_large_for_a_proxy_is_halved() -> None:
    server = Server(lambda body: Answer(413, "too large") if len(body) > 100 else Answer(204, ""))
    assert write(server, part(b"m v=1 1\n" * 40)) == []
    assert sum(len(body) for body in server.requests if len(body) <= 100) == 320


def test_requests_are_bounded_in_size_and_number() -> None:
    server = Server(lambda _: Answer(204, ""))
    line = b'm t="%s" 1\n' % (b"x\n" * 5_000)  # of several lines, as text may be
    write(server, *(part(line * 100) for _ in range(8)))
    assert server.most_at_once == 2
    assert all(len(body) <= BODY_BYTES for body in server.requests)
    assert all(body.count(line) * len(line) == len(body) for body in server.requests)
    assert sum(map(len, server.requests)) == 800 * len(line)


def test_bodies_keep_the_order_of_lines() -> None:
    parts = [part(b"".join(b"m v=%d%d 1\n" % (p, n) for n in range(50))) for p in range(5)]
    cut = list(itertools.chain(*bodies(parts, 100)))
    assert b"".join(one.data for one in cut) == b"".join(one.data for one in parts)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (b"m v=1 1000000", b"m v=1 1000000\n"),
        (b"m v=1 1999999", b"m v=1 1000000\n"),
        (b"m v=1 -1", b"m v=1 -1000000\n"),
        (b"m v=7u,w=8u 1000000", b"m v=7i,w=8i 1000000\n"),
        (b'm t="v=7u, 5",v=7u 1000000', b'm t="v=7u, 5",v=7i 1000000\n'),
        (b"m v=1 1000001 \r\n# c\n\nm v=2 2000000", b"m v=1 1000000\nm v=2 2000000\n"),
    ],
)
def test_lines_for_influxdb(given: bytes, expected: bytes) -> None:
    refused: list[RefusedLine] = []
    assert fit(part(given), {}, refused).data == expected
    assert refused == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (b"m v=1 1000000", b"m v=1 1000000\n"),
        (b"m  v=-.5  1000000 ", b"m v=-0.5 1000000\n"),
        (b'm t="a\nb",v=1 1000000\nn v=2 1000000', b"m t=0i,v=1.0 1000000\nn v=2 1000000\n"),
        (b"# c\n\nn v=2 1000000", b"n v=2 1000000\n"),
    ],
)
def test_lines_for_victoriametrics(given: bytes, expected: bytes) -> None:
    refused: list[RefusedLine] = []
    assert fit_numbers(part(given), refused).data == expected
    assert refused == []
