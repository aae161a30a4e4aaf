"""Traps and informs as net-snmp's tools send them, and what is no trap at all, to the real input."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import logging
import os
import random
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from agent.inputs.snmp.credentials import Credentials
from agent.inputs.snmp_traps.decoder import Decoder
from agent.inputs.snmp_traps.input import CannotListen, SnmpTrapsInput
from agent.inputs.snmp_traps.settings import SnmpTrapsSettings
from setpoint.line_protocol import encode
from setpoint.reading import IDENTITY, Point
from tests.misbehaving_snmp import integer, mutated, octets, oid, timeticks, tlv, varbinds
from tests.ports import free_udp_port
from tests.servers import require
from tests.snmp_servers import AUTH, PRIV, by_community, by_user

LINK_DOWN = "1.3.6.1.6.3.1.1.5.3"
IF_INDEX, IF_NAME = "1.3.6.1.2.1.2.2.1.1.3", "1.3.6.1.2.1.31.1.1.1.1.3"
OF_A_LINK = [IF_INDEX, "i", "3", IF_NAME, "s", "Gi0/3"]
SIGNED = by_user("sha256", "aes128", user="both")
USERS = {
    "signed": SIGNED,
    "only-auth": by_user("md5", user="authentic"),
    "nothing": by_user(user="open"),
    **{f"p-{priv}": by_user("sha", priv, user=f"user-{priv}") for priv in ("des", "aes256", "aes256c")},
}


class Listening:
    """The input in an event loop of its own making, for the time of one coroutine."""

    def __init__(self, credentials: Mapping[str, Credentials], **settings: Any) -> None:
        self.port = free_udp_port()
        self.settings = SnmpTrapsSettings(
            credentials=dict(credentials), address="127.0.0.1", port=self.port, **settings
        )

    def after(self, *commands: Sequence[str]) -> list[Point]:
        """What is gathered after these programs have run, at the next gathering that has something new."""
        return asyncio.run(self._after(commands))

    async def _after(self, commands: Sequence[Sequence[str]]) -> list[Point]:
        listening = SnmpTrapsInput(self.settings)
        await listening.gather()
        try:
            for command in commands:
                process = await asyncio.create_subprocess_exec(
                    *command, stderr=subprocess.PIPE, env={**os.environ, "MIBS": "", "SNMPCONFPATH": "/"}
                )
                _, complaint = await process.communicate()
                assert process.returncode == 0, complaint
            points: list[Point] = []
            async with asyncio.timeout(20):
                while not points or not receiver(points)["received"]:
                    points += await listening.gather()
                    await asyncio.sleep(0.02)
            return points
        finally:
            await listening.close()

    def trap(self, version: str, who: Sequence[str], *what: str, inform: bool = False) -> list[str]:
        program = require("snmpinform" if inform else "snmptrap")
        there = f"udp:127.0.0.1:{self.port}"
        retries = ["-r", "2", "-t", "5"] if inform else []
        return [program, "-v", version, *who, *retries, there, *what]


def sender(one: Credentials) -> list[str]:
    """The flags of net-snmp's tools for these credentials."""
    if one.version != "v3":
        return ["-c", one.community.reveal() if one.community else ""]
    flags = ["-u", one.user, "-l", one.level]
    if one.auth:
        flags += ["-a", AUTH[one.auth.protocol], "-A", one.auth.password.reveal()]
    if one.priv:
        flags += ["-x", PRIV[one.priv.protocol], "-X", one.priv.password.reveal()]
    return flags


def receiver(points: Sequence[Point]) -> Mapping[str, Any]:
    return [point for point in points if point.measurement == "snmp_trap_receiver"][-1].fields


def events(points: Sequence[Point]) -> list[Point]:
    return [point for point in points if "event" in point.fields]


def counts(points: Sequence[Point]) -> dict[tuple[str, str], Any]:
    return {
        (point.tags["device"], point.tags["trap"]): point.fields["count"]
        for point in points
        if "count" in point.fields
    }


PUBLIC = {"office": by_community()}


@pytest.mark.parametrize("inform", [False, True], ids=["trap", "inform"])
@pytest.mark.parametrize("name", ["v2c", *USERS])
def test_a_notification_is_taken(name: str, inform: bool) -> None:
    credentials = by_community() if name == "v2c" else USERS[name]
    listening = Listening({**PUBLIC, **USERS}, names={"127.0.0.1": "sw-1"})
    version = "2c" if name == "v2c" else "3"
    # snmpinform ends with an error when nobody acknowledges.
    points = listening.after(
        listening.trap(version, sender(credentials), "4711", LINK_DOWN, *OF_A_LINK, inform=inform)
    )
    assert counts(points) == {("sw-1", "linkDown"): 1}
    [event] = events(points)
    assert event.fields == {"event": "ifIndex.3=3 ifName.3=Gi0/3", "if_index": 3, "if_name": "Gi0/3"}
    assert event.time_ms is not None
    assert receiver(points)["taken"] == 1
    assert receiver(points)["refused"] == receiver(points)["malformed"] == 0


@pytest.mark.parametrize(
    ("enterprise", "generic", "specific", "trap"),
    [
        ("1.3.6.1.4.1.9.1", "2", "0", "linkDown"),
        ("1.3.6.1.4.1.9.1", "4", "0", "authenticationFailure"),
        ("1.3.6.1.2.1.16", "6", "1", "risingAlarm"),
        ("1.3.6.1.4.1.318", "6", "5", "1.3.6.1.4.1.318.0.5"),
    ],
)
def test_a_v1_trap_has_the_name_that_v2_gives_it(
    enterprise: str, generic: str, specific: str, trap: str
) -> None:
    listening = Listening({"office": by_community(community="secret-word")})
    points = listening.after(
        listening.trap(
            "1", ["-c", "secret-word"], enterprise, "192.0.2.9", generic, specific, "1", *OF_A_LINK
        )
    )
    assert counts(points) == {("127.0.0.1", trap): 1}
    assert str(events(points)[0].fields["event"]).startswith("agent=192.0.2.9 ifIndex.3=3 ")
    assert "secret-word" not in str(points)


@pytest.mark.parametrize(
    ("version", "who", "reason"),
    [
        ("1", ["-c", "guess"], "an unknown community"),
        ("2c", ["-c", "guess"], "an unknown community"),
        ("3", sender(by_user("sha256", user="nobody")), "an unknown user"),
        ("3", sender(by_user("sha256", "aes128", user="both", auth_password="another one")), "a wrong auth"),
        ("3", sender(by_user("sha", "aes128", user="both")), "a wrong auth"),
        ("3", sender(by_user("sha256", user="both")), "a security level below"),
        ("3", sender(by_user(user="both")), "a security level below"),
    ],
)
def test_a_stranger_is_counted_and_named_once(
    version: str, who: list[str], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    listening = Listening({**PUBLIC, "signed": SIGNED})
    what = ["1.3.6.1.4.1.9", "", "2", "0", ""] if version == "1" else ["", LINK_DOWN]
    with caplog.at_level(logging.WARNING):
        points = listening.after(*[listening.trap(version, who, *what)] * 2)
    assert receiver(points)["refused"] == 2
    assert not counts(points)
    assert not events(points)
    [said] = [record.getMessage() for record in caplog.records]
    assert said.startswith(f"a trap from 127.0.0.1 is not taken: {reason}")
    assert "guess" not in said


def test_a_stranger_gets_no_ack() -> None:
    listening = Listening({"signed": SIGNED})
    inform = listening.trap("3", sender(by_user("sha256", user="both")), "", LINK_DOWN, inform=True)
    inform[inform.index("-r") + 1] = "0"
    with pytest.raises(AssertionError, match="snmpinform"):
        listening.after(inform)


def trap(*bindings: tuple[str, bytes], community: bytes = b"public", trap_oid: str = LINK_DOWN) -> bytes:
    head = [("1.3.6.1.2.1.1.3.0", timeticks(1)), ("1.3.6.1.6.3.1.1.4.1.0", oid(trap_oid))]
    pdu = tlv(0xA7, integer(1) + integer(0) + integer(0) + varbinds([*head, *bindings]))
    return tlv(0x30, integer(1) + octets(community) + pdu)


def after_datagrams(listening: Listening, datagrams: Sequence[bytes]) -> list[Point]:
    async def run() -> list[Point]:
        taking = SnmpTrapsInput(listening.settings)
        await taking.gather()
        points: list[Point] = []
        try:
            with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as client:
                for number, datagram in enumerate(datagrams):
                    client.sendto(datagram, ("127.0.0.1", listening.port))
                    if number % 50 == 49:
                        await asyncio.sleep(0.01)
                while not points or receiver(points)["received"] < len(datagrams):
                    points += await taking.gather()
                    await asyncio.sleep(0.005)
            return points
        finally:
            await taking.close()

    return asyncio.run(asyncio.wait_for(run(), 60))


def test_what_is_no_notification_is_counted_and_the_next_one_is_taken() -> None:
    junk = [
        b"",
        b"\0",
        b"\x30\x84\xff\xff\xff\xff",
        b"x" * 60_000,
        tlv(0x30, integer(1) + octets(b"public")),
        tlv(0x30, integer(7) + octets(b"public") + tlv(0xA7, b"")),
        tlv(0x30, integer(1) + octets(b"public") + tlv(0xA0, integer(1) * 3 + varbinds([]))),
        tlv(0x30, integer(1) + octets(b"public") + tlv(0xA7, integer(1) * 3 + varbinds([]))),
        b"\x30\x80" * 2_000,
        tlv(0x30, integer(1) + octets(b"public") + tlv(0xA7, integer(1) * 3 + b"\x30\x80" * 5_000)),
    ]
    numbers = random.Random(7)
    junk += [mutated(trap((IF_INDEX, integer(3))), numbers)[:-1] for _ in range(100)]
    points = after_datagrams(Listening(PUBLIC), [*junk, trap()])
    seen = receiver(points)
    assert seen["received"] == len(junk) + 1
    assert counts(points)["127.0.0.1", "linkDown"] >= 1
    assert seen["taken"] + seen["refused"] + seen["malformed"] == seen["received"]
    assert seen["malformed"] >= 10


def test_a_storm_is_counted_and_its_texts_are_bounded() -> None:
    listening = Listening(PUBLIC, max_events=5)
    points = after_datagrams(listening, [trap((IF_INDEX, integer(3)))] * 400)
    seen = receiver(points)
    assert len(events(points)) <= 6  # the sixth, if it took twelve seconds
    assert seen["taken"] + seen["unread"] == 400
    assert seen["unread"] > 0
    assert seen["taken"] - seen["only_counted"] == len(events(points))
    assert counts(points)["127.0.0.1", "linkDown"] == seen["taken"]


def test_texts_of_traps_are_one_short_line() -> None:
    listening = Listening(PUBLIC)
    nasty = octets(b'a\r\nb\x1b[31m\0 "c" \xe2\x80\xa8\xef\xbf\xbe')
    bindings = [("1.3.6.1.4.1.9.1", nasty), ("1.3.6.1.4.1.9.2", octets(b"\xff\0\x01"))]
    bindings += [(f"1.3.6.1.4.1.9.{number}", octets(b"y" * 500)) for number in range(3, 60)]
    [event] = events(after_datagrams(listening, [trap(*bindings)]))
    text = str(event.fields["event"])
    assert len(text) == 1_000
    assert text.isprintable()
    assert "1.3.6.1.4.1.9.2=ff0001" in text
    line = encode(event, {"host": "h"})
    assert line is not None
    assert b"\n" not in line


def test_many_kinds_of_traps_do_not_make_many_series() -> None:
    listening = Listening(PUBLIC)
    kinds = [trap(trap_oid=f"1.3.6.1.4.1.9.0.{number}") for number in range(150)]
    points = after_datagrams(listening, kinds)
    assert len(counts(points)) == 150
    assert all(set(point.tags) <= set(IDENTITY[point.measurement]) for point in points)


def test_two_events_at_one_time_are_two_points() -> None:
    points = asyncio.run(_two_at_once())
    assert sorted(str(event.fields["event"]) for event in events(points)) == ["ifIndex.3=1", "ifIndex.3=2"]
    assert len({event.time_ms for event in events(points)}) == 2


async def _two_at_once() -> Sequence[Point]:
    listening = Listening(PUBLIC)
    taking = SnmpTrapsInput(listening.settings, now_ms=lambda: 1_000)
    await taking.gather()
    try:
        with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as client:
            for number in (1, 2):
                client.sendto(trap((IF_INDEX, integer(number))), ("127.0.0.1", listening.port))
        points: list[Point] = []
        async with asyncio.timeout(20):
            while len(events(points)) < 2:
                points += await taking.gather()
                await asyncio.sleep(0.01)
        return points
    finally:
        await taking.close()


@pytest.mark.parametrize("who", [by_community(), SIGNED], ids=["v2c", "v3"])
def test_traps_leave_nothing_behind(who: Credentials) -> None:
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as there:
        there.bind(("127.0.0.1", 0))
        version = "3" if who.version == "v3" else "2c"
        target = f"udp:127.0.0.1:{there.getsockname()[1]}"
        subprocess.run(
            [require("snmptrap"), "-v", version, *sender(who), target, "", LINK_DOWN],
            env={**os.environ, "MIBS": ""},
            check=True,
        )
        datagram = there.recv(65_535)
    decoder = Decoder([who])
    seconds = itertools.count(1.0, 6.0)

    def after(number: int) -> int:
        for _ in range(number):
            assert decoder.decode(datagram, ("127.0.0.1", 1), next(seconds)).varbinds is not None
        gc.collect()
        return len(gc.get_objects())

    before = after(100)  # a sender's clock is remembered for 60 steps
    assert after(300) - before < 300


def test_names_come_from_the_inventory_too(tmp_path: Path) -> None:
    path = tmp_path / "devices.csv"
    path.write_text("address,name\n127.0.0.1,sw-9\n")
    points = after_datagrams(Listening(PUBLIC, inventory=str(path)), [trap()])
    assert counts(points) == {("sw-9", "linkDown"): 1}


@pytest.fixture
def taken_port() -> Iterator[int]:
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as other:
        other.bind(("127.0.0.1", 0))
        yield other.getsockname()[1]


def test_a_port_that_is_taken_is_said_and_tried_again(taken_port: int) -> None:
    async def gather() -> None:
        settings = SnmpTrapsSettings(credentials=PUBLIC, address="127.0.0.1", port=taken_port)
        listening = SnmpTrapsInput(settings)
        for _ in range(2):
            with pytest.raises(CannotListen, match=rf"127\.0\.0\.1, UDP port {taken_port}: Address already"):
                await listening.gather()
        await listening.close()

    asyncio.run(gather())
