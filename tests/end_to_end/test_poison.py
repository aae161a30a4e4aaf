"""What cannot be taken is refused with its reason, and costs nobody else anything.

One broker that lets everybody do everything and one collector serve all tests here, so each also shows that
the collector outlived the ones before.
"""

from __future__ import annotations

import gzip
import itertools
import json
import queue
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import urlencode

import paho.mqtt.client as mqtt
import psutil
import pytest
import zstandard

from setpoint.ack import Ack, RejectedBatch, decode_ack, encode_ack
from setpoint.batch_header import body_hash, encode_header
from tests.end_to_end.site import CollectorProcess, NumberedAgent, numbers_by_count
from tests.servers import Login, Mosquitto, ServerProcess, wait_until

NOBODY = Login(None, None)
SERIES_LIMIT = 500
MB = 1_000_000
_sequences = itertools.count(1)
_times_ms = itertools.count(time.time_ns() // 1_000_000 - 60_000)


class Payload(NamedTuple):
    """``id`` is that of the header; "" without one."""

    bytes: bytes
    id: str = ""


def with_header(body: bytes, *, hash_of: bytes | None = None) -> Payload:
    """The body as an agent sends it; with ``hash_of``, under the hash of something else."""
    sequence, digest = next(_sequences), body_hash(body if hash_of is None else hash_of)
    header = encode_header("epoch", sequence, digest, 1, time.time_ns())
    return Payload(header + body, f"epoch.{sequence}.{digest}")


def line(host: str, value: float) -> bytes:
    """A reading that is later than all before."""
    return b"poison,host=%s v=%r %d\n" % (host.encode(), value, next(_times_ms) * 10**6)


class Client:
    """Publishes to the broker, and takes what comes on topics that it listens to."""

    def __init__(self, port: int) -> None:
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self._client.max_inflight_messages_set(100)
        self._client.on_message = lambda _client, _data, message: self._came.put(message)
        self._client.on_subscribe = lambda *_: self._granted.put(True)
        self._came: queue.Queue[mqtt.MQTTMessage] = queue.Queue()
        self._granted: queue.Queue[bool] = queue.Queue()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Returns when the broker has it."""
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(30)

    def send(self, agent: str, payload: Payload | bytes) -> None:
        data = payload.bytes if isinstance(payload, Payload) else payload
        self.publish(f"setpoint/v1/hq/{agent}/readings", data)

    def listen_for_acks(self, agent: str) -> None:
        self._client.subscribe(f"setpoint/v1/hq/{agent}/ack", qos=1)
        self._granted.get(timeout=10)

    def next_ack(self) -> Ack:
        return decode_ack(self._came.get(timeout=60).payload)

    def deliver(self, agent: str, payload: Payload) -> Ack:
        """Sends it as the agent, and returns the answer."""
        self.listen_for_acks(agent)
        self.send(agent, payload)
        return self.next_ack()

    @property
    def quiet(self) -> bool:
        """Whether nothing has come that was not taken."""
        return self._came.empty()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class Site(NamedTuple):
    broker: Mosquitto
    collector: CollectorProcess
    healthy: NumberedAgent

    def get(self, path: str, **parameters: str) -> Any:
        query = f"?{urlencode(parameters)}" if parameters else ""
        url = f"http://127.0.0.1:{self.collector.port}{path}{query}"
        with urllib.request.urlopen(url, timeout=60) as answer:
            return json.load(answer)

    def rejected(self, agent: str) -> list[dict[str, Any]]:
        """What ``/api/rejected`` shows of the agent, oldest first."""
        found = self.get("/api/rejected")["rejected"]
        return [entry for entry in reversed(found) if entry["agent"] == agent]

    def values(self, host: str, metric: str = "poison.v") -> list[float]:
        """The stored values of a host, in order of time."""
        subjects = self.get("/api/samples", metric=metric, host=host)["subjects"]
        return [value for subject in subjects for _, value in subject["samples"]]

    def newest_number(self) -> float:
        """Of the healthy agent."""
        [series] = self.get("/api/series", metric="numbered.n")["series"]
        return float(series["last_value"])

    def kept(self, entry: dict[str, Any]) -> bytes:
        """The bytes in the folder of what was refused, without the head."""
        content = (self.collector.data / "rejected" / entry["file"]).read_bytes()
        return content.split(b"\n", 1)[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("poison")
    with Mosquitto(folder / "mosquitto") as broker:
        settings = {"receive": {"series_per_agent": SERIES_LIMIT}, "sources": [{"topic": "telegraf/#"}]}
        collector = CollectorProcess(folder / "site", NOBODY, broker.port, settings=settings)
        healthy = NumberedAgent(folder / "agent", NOBODY, broker.port, until=10**7, rate=250)
        with collector, healthy:
            yield Site(broker, collector, healthy)


@pytest.fixture
def client(site: Site) -> Iterator[Client]:
    """A client; around the test, another agent's readings are stored and acked, and all parts are well."""
    with Client(site.broker.port) as client, Client(site.broker.port) as neighbour:
        neighbour.listen_for_acks("neighbour")
        stored: list[float] = site.values("neighbour")
        for moment in ("before", "after"):
            payload = with_header(line("neighbour", len(stored)))
            neighbour.send("neighbour", payload)
            assert neighbour.next_ack() == Ack(stored=[payload.id]), moment
            stored.append(len(stored))
            assert site.values("neighbour") == stored
            if moment == "before":
                yield client
        assert site.collector.running
        assert site.get("/healthz")["ok"]


def refused(client: Client, site: Site, agent: str, payload: Payload) -> str:
    """The reason why the payload is refused, as a whole: in the ack and, with its bytes, in the folder."""
    ack = client.deliver(agent, payload)
    [answer] = ack.rejected
    assert (ack.stored, answer.id) == ([], payload.id)
    [entry] = site.rejected(agent)
    assert entry["reason"] == answer.reason
    assert entry["batch"] == payload.id
    assert (entry["size"], entry["kept"]) == (len(payload.bytes), min(len(payload.bytes), 65_536))
    assert site.kept(entry) == payload.bytes[:65_536]
    assert site.values(agent) == []
    return answer.reason


def test_what_is_not_line_protocol_is_refused(client: Client, site: Site) -> None:
    reason = refused(client, site, "json", with_header(b'{"cpu": 99.5, "host": "json"}\n{"mem": 1}\n'))
    assert reason.startswith("every line was refused (2 for syntax): not line protocol: expected ")


def test_what_is_not_utf_8_is_refused(client: Client, site: Site) -> None:
    reason = refused(client, site, "latin-1", with_header(line("latin-1", 1).replace(b"v=", b"\xe4\xff=")))
    assert reason == "every line was refused (1 for syntax): not line protocol: not UTF-8"


def test_one_bad_line_does_not_cost_the_good_ones(client: Client, site: Site) -> None:
    bad = b"poison,host=mixed v=abc 1\n"
    payload = with_header(line("mixed", 1) + bad + line("mixed", 2))
    ack = client.deliver("mixed", payload)
    assert ack.stored == [payload.id]
    [answer] = ack.rejected
    assert (answer.id, answer.readings) == (payload.id, 1)
    assert answer.reason.startswith("some lines were refused (1 for syntax): not line protocol: ")
    assert site.values("mixed") == [1.0, 2.0]
    [entry] = site.rejected("mixed")
    assert (entry["reason"], entry["readings"]) == (answer.reason, 1)
    assert site.kept(entry) == bad.rstrip(b"\n")


def test_another_agents_host_cannot_be_claimed(client: Client, site: Site) -> None:
    reason = refused(client, site, "liar", with_header(line("neighbour", 666)))
    assert reason == (
        'every line was refused (1 for host): claims another host: "neighbour", expected "liar"'
    )


def test_a_body_that_does_not_hash_to_its_header_is_refused(client: Client, site: Site) -> None:
    body = line("damaged", 1)
    payload = with_header(body, hash_of=b"something else")
    reason = refused(client, site, "damaged", payload)
    assert reason == (
        f"damaged on the way: the body hashes to {body_hash(body)}, "
        f"its header says {body_hash(b'something else')}"
    )


def test_a_payload_over_the_limit_is_refused(client: Client, site: Site) -> None:
    body = b"".join(line("large", n) for n in range(30_000))
    payload = with_header(body)
    assert refused(client, site, "large", payload) == (
        f"payload of {len(payload.bytes)} bytes, at most 1048576 allowed"
    )


@pytest.mark.parametrize(
    "header",
    [
        b"# setpoint batch=oops low=1 sent=2",
        b"# setpoint batch=e.-1.0123456789abcdef low=1 sent=2",
        b"#\xff\0",
    ],
)
def test_a_garbled_header_is_refused_without_an_ack(client: Client, site: Site, header: bytes) -> None:
    agent = f"garbled-{len(header)}"
    client.listen_for_acks(agent)
    client.send(agent, header + b"\n" + line(agent, 1))
    wait_until(lambda: site.rejected(agent), what="it is refused")
    [entry] = site.rejected(agent)
    assert entry["reason"] == f"the first line is not a batch header: {header!r}"
    assert entry["batch"] == ""
    assert site.values(agent) == []
    assert client.quiet


def test_an_empty_payload_is_nothing(client: Client, site: Site) -> None:
    client.send("empty", b"")
    payload = with_header(b"")
    assert client.deliver("empty", payload) == Ack(stored=[payload.id])
    assert site.rejected("empty") == []


# -- what grows ------------------------------------------------------------------------------------


def zstd_of_zeros(size: int, *, says_its_size: bool) -> bytes:
    compressor = zstandard.ZstdCompressor()
    if says_its_size:
        return compressor.compress(bytes(size))
    stream = compressor.compressobj()
    return b"".join(stream.compress(bytes(MB)) for _ in range(size // MB)) + stream.flush()


BOMBS = {
    "zstd": zstd_of_zeros(100 * MB, says_its_size=True),
    "zstd-without-size": zstd_of_zeros(100 * MB, says_its_size=False),
    "gzip": gzip.compress(bytes(100 * MB), 9),
    "lines": zstandard.compress(b"a\n" * (4 * MB)),
    "comments": gzip.compress(b"#\n" * (4 * MB)),
}
BOMB_REASONS = {
    "zstd": r"the decompressed body is larger than 8388608 bytes",
    "zstd-without-size": r"zstd body: broken, cut short or larger than 8388608 bytes \(.*\)",
    "gzip": r"the decompressed body is larger than 8388608 bytes",
    "lines": r"4000000 lines, at most 100000 allowed",
    "comments": r"4000000 lines, at most 100000 allowed",
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_refused(client: Client, site: Site, kind: str) -> None:
    assert len(BOMBS[kind]) < 110_000
    reason = refused(client, site, f"bomb-{kind}", with_header(BOMBS[kind]))
    assert re.fullmatch(BOMB_REASONS[kind], reason)


def resident_bytes(process: ServerProcess) -> int:
    return int(psutil.Process(process.pid).memory_info().rss)


def highest_resident_bytes(process: ServerProcess) -> int:
    """The most that was ever resident."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


def test_a_hail_of_bombs_leaves_the_memory_bounded(client: Client, site: Site) -> None:
    before, highest_before = resident_bytes(site.collector), highest_resident_bytes(site.collector)
    client.listen_for_acks("hail")
    sent = [with_header(bomb) for _ in range(8) for bomb in BOMBS.values()]
    for payload in sent:
        client.send("hail", payload)
    answered: set[str] = set()
    while len(answered) < len(sent):
        answered |= {one.id for one in client.next_ack().rejected}
    assert answered == {payload.id for payload in sent}
    assert len(site.rejected("hail")) == len(sent)
    assert resident_bytes(site.collector) - before < 150 * MB
    assert highest_resident_bytes(site.collector) - highest_before < 150 * MB


def test_series_past_the_limit_are_cut_and_the_others_kept(client: Client, site: Site) -> None:
    """A tag that holds what belongs into a field, such as a request's number."""
    count = 100_000
    now_ns = time.time_ns()
    flood = b"".join(b"flood,host=flood,id=%d v=1 %d\n" % (n, now_ns) for n in range(count))
    payload = with_header(zstandard.compress(flood))
    before = resident_bytes(site.collector)
    ack = client.deliver("flood", payload)
    cut = count - SERIES_LIMIT
    reason = (
        f"some lines were refused ({cut} for series-limit): "
        f"a new series, and there are {SERIES_LIMIT} of this publisher already"
    )
    assert ack == Ack(
        stored=[payload.id], rejected=[RejectedBatch(id=payload.id, reason=reason, readings=cut)]
    )
    [entry] = site.rejected("flood")
    assert (entry["reason"], entry["readings"]) == (reason, cut)
    assert site.kept(entry).startswith(b"flood,host=flood,id=%d " % SERIES_LIMIT)
    assert site.get("/api/series", measurement="flood")["total"] == SERIES_LIMIT
    assert resident_bytes(site.collector) - before < 150 * MB
    # What it measured before it went wild is still taken.
    known = with_header(b"flood,host=flood,id=1 v=2 %d\n" % time.time_ns())
    client.send("flood", known)
    assert client.next_ack() == Ack(stored=[known.id])


def test_a_host_name_as_long_as_a_line_has_its_reason_shown(client: Client, site: Site) -> None:
    payload = with_header(line("x" * 65_000, 1))
    client.listen_for_acks("long")
    for _ in range(30):
        client.send("long", payload)
    answered: list[RejectedBatch] = []
    while len(answered) < 30:
        answered += client.next_ack().rejected
    assert {one.id for one in answered} == {payload.id}
    assert all(len(one.reason) < 2_000 for one in answered)
    assert all(entry["reason"] == answered[0].reason for entry in site.rejected("long"))
    assert len(site.rejected("long")) == 30


# -- other topics ----------------------------------------------------------------------------------


def test_other_publishers_may_say_what_they_like_but_an_agents_host(client: Client, site: Site) -> None:
    client.publish("telegraf/web/cpu", line("web-7", 42) + b"no time,host=web-7 v=1\npoison,host=web-7 v=3\n")
    client.publish("telegraf/evil", line("neighbour", 666) + line("web-8", 8))
    client.publish("telegraf/evil", line("neighbour", 666))
    wait_until(lambda: len(site.rejected("telegraf/evil")) == 2, what="the claims are refused")
    assert site.values("web-7") == [42.0, 3.0]
    assert site.values("web-8") == [8.0]
    some, every = site.rejected("telegraf/evil")
    claim = '(1 for host): claims the host "neighbour", which has an agent of its own'
    assert some["reason"] == f"some lines were refused {claim}"
    assert every["reason"] == f"every line was refused {claim}"
    assert 666.0 not in site.values("neighbour")
    [entry] = site.rejected("telegraf/web/cpu")
    assert site.kept(entry) == b"no time,host=web-7 v=1"


def test_what_comes_on_a_topic_that_is_nobodys_is_not_taken(client: Client, site: Site) -> None:
    client.publish("elsewhere/cpu", line("web-9", 1))
    client.publish("setpoint/v2/hq/web-9/readings", line("web-9", 1))
    client.publish("setpoint/v1/hq/no name/readings", line("web-9", 1))
    payload = with_header(line("web-10", 1))
    assert client.deliver("web-10", payload) == Ack(stored=[payload.id])
    assert site.values("web-9") == []


DEEP = b"[" * 30_000 + b"]" * 30_000


@pytest.mark.parametrize(
    "status",
    [
        b"\xff\xfe",
        b"{}",
        b'{"state": "on fire", "since_ms": 1}',
        b"x" * 100_000,
        # Unknown keys are passed over, and so is what is in them.
        b'{"state": "online", "since_ms": 1, "x": ' + DEEP + b"}",
        # Too large for a float, which whoever shows it makes of it.
        b'{"state": "online", "since_ms": ' + b"9" * 400 + b"}",
        b'{"state": "online", "since_ms": 1, "inputs": {"cpu": ' + b"9" * 400 + b"}}",
    ],
    ids=["not-utf-8", "empty", "unknown-state", "large", "deep", "huge-time", "huge-interval"],
)
def test_a_status_that_is_none_is_passed_over(client: Client, site: Site, status: bytes) -> None:
    topic = "setpoint/v1/hq/confused/status"
    client.publish(topic, status, retain=True)
    payload = with_header(line("confused", 1))
    assert client.deliver("confused", payload).stored == [payload.id]
    rows = site.get("/api/agents")["agents"]
    assert [row["agent"]["state"] for row in rows if row["agent"]["name"] == "confused"] == ["unknown"]
    client.publish(topic, b"", retain=True)


def test_garbage_on_an_agents_ack_topic_is_passed_over(client: Client, site: Site) -> None:
    """Also acks of batches that it never sent, and ids that are none. Its numbers go on arriving."""
    garbage = [
        b"",
        b"\xff\x00",
        b"[]",
        b'{"stored": "all"}',
        b'{"stored": [17, null]}',
        b'{"rejected": [{"id": 5}]}',
        b"{" * 10_000,
        b'{"x": ' + DEEP + b"}",
        b"x" * (2 << 20),
        b'{"stored": ["epoch.' + b"9" * 30 + b'.0123456789abcdef"]}',
        b'{"stored": ["epoch.' + b"9" * 5_000 + b'.0123456789abcdef"]}',
        encode_ack(
            Ack(stored=["", "*", "%", "epoch", "epoch.1", "epoch.1.", "a.b.c", "e.1.0123456789abcdef"])
        ),
        encode_ack(Ack(rejected=[RejectedBatch(id="e.9.x", reason="\n\x1b[2J", readings=-5)])),
    ]
    for payload in garbage:
        client.publish("setpoint/v1/hq/numbers/ack", payload)
    newest = site.newest_number()
    wait_until(lambda: site.newest_number() > newest + 500, timeout_s=60, what="its readings go on")
    assert site.healthy.running
    assert "not an ack" in site.healthy.log_text()
    assert "unexpected form or size" in site.healthy.log_text()


# -- at the end ------------------------------------------------------------------------------------


def test_after_all_that_a_restart_finds_everything_in_its_place(site: Site) -> None:
    with Client(site.broker.port) as client:
        client.publish("setpoint/v1/hq/ghost/status", b"\0garbage", retain=True)
        site.healthy.stop()
        before = site.get("/api/rejected", limit="10000")["rejected"]
        neighbour = site.values("neighbour")
        own = b"setpoint_agent,host=neighbour outbox_batches=0i %d\n" % time.time_ns()
        assert client.deliver("neighbour", with_header(own)).rejected == []
        assert site.collector.stop() == 0
        assert "Traceback" not in site.collector.log_text()
        numbers = numbers_by_count(site.collector)
        # Not one of the healthy agent's numbers is missing or there twice.
        assert set(numbers.values()) == {1}
        assert sorted(numbers) == list(range(len(numbers)))
        site.collector.start()
        wait_until(lambda: _is_well(site), what="the collector is well again")
        assert site.get("/api/rejected", limit="10000")["rejected"] == before
        assert site.values("neighbour") == neighbour
        # Who is an agent, and how many series it has, is known from the store.
        client.publish("telegraf/mallory", line("neighbour", 666))
        wait_until(lambda: site.rejected("telegraf/mallory"), what="the claim is refused")
        assert site.values("neighbour") == neighbour
        flooded = with_header(b"flood,host=flood,id=new v=1 %d\n" % time.time_ns())
        assert (
            client.deliver("flood", flooded).rejected[0].reason.startswith("every line was refused (1 for s")
        )


def _is_well(site: Site) -> bool:
    try:
        return bool(site.get("/healthz")["ok"])
    except urllib.error.HTTPError:
        return False
