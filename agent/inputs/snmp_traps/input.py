"""Listens for traps and informs, and hands over what came."""

from __future__ import annotations

import asyncio
import importlib
import logging
import socket
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from agent.inputs.snmp_traps.notification import read_notification
from agent.inputs.snmp_traps.settings import SnmpTrapsSettings, canonical
from agent.inputs.snmp_traps.tally import Tally
from setpoint.reading import Point

if TYPE_CHECKING:
    from agent.inputs.snmp_traps.decoder import Decoder

log = logging.getLogger(__name__)

_MAX_DATAGRAM = 65_535
_BUFFER_BYTES = 1 << 20
# Then the event loop sees to others.
_AT_ONCE = 16
_MAX_COMPLAINTS = 1_000


class CannotListen(OSError):
    """The text says what to do."""


class SnmpTrapsInput:
    """Fulfils ``Input``: listens from the first gathering on; a gathering hands over what has come."""

    def __init__(
        self, settings: SnmpTrapsSettings, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    ) -> None:
        self._settings = settings
        self._names = settings.device_names()
        self._now_ms = now_ms
        self._tally = Tally(settings.max_events, time.monotonic())
        self._socket: socket.socket | None = None
        self._decoder: Decoder | None = None
        self._complained_of: set[str] = set()

    async def gather(self) -> Sequence[Point]:
        """What came since the last gathering, and counters of all that came. CannotListen."""
        if self._socket is None:
            await self._listen()
        return [*self._tally.fetch(), self._tally.of_the_receiver(self._settings.port)]

    async def close(self) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    async def _listen(self) -> None:
        if self._decoder is None:
            # Importing pysnmp takes most of a second, in which the event loop has other things to do.
            self._decoder = await asyncio.to_thread(self._make_decoder)
        listening = _bind(self._settings.address, self._settings.port)
        asyncio.get_running_loop().add_reader(listening, self._receive, listening)
        self._socket = listening

    def _make_decoder(self) -> Decoder:
        made: Decoder = importlib.import_module("agent.inputs.snmp_traps.decoder").Decoder(
            self._settings.credentials.values()
        )
        return made

    def _receive(self, listening: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            try:
                datagram, sender = listening.recvfrom(_MAX_DATAGRAM)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:  # about a reply to somebody who is gone
                log.debug("snmp_traps: %s", error)
                return
            self._take(listening, datagram, sender)

    def _take(self, listening: socket.socket, datagram: bytes, sender: tuple[str, int]) -> None:
        tally, source, now_s = self._tally, canonical(sender[0]), time.monotonic()
        if not tally.may_read(source, now_s):
            self._complain(f"storm {source}", "more traps from %s than are read; they are counted", source)
            return
        assert self._decoder is not None
        decoded = self._decoder.decode(datagram, sender[:2], now_s)
        for reply in decoded.replies:
            try:
                listening.sendto(reply, sender)
            except OSError as error:
                self._complain(f"reply {source}", "%s cannot be answered: %s", source, error)
        if decoded.varbinds is not None:
            notification = read_notification(decoded.varbinds, source)
            if notification is None:
                tally.malformed += 1
                return
            device = self._names.get(source, source)
            tally.take(source, device, notification, now_s, self._now_ms())
        elif decoded.refusal:
            tally.refused += 1
            self._complain(f"refused {source}", "a trap from %s is not taken: %s", source, decoded.refusal)
        elif decoded.malformed:
            tally.malformed += 1

    def _complain(self, what: str, text: str, *about: object) -> None:
        """Once for each sender, as long as there are not too many: addresses can be forged."""
        if what not in self._complained_of and len(self._complained_of) < _MAX_COMPLAINTS:
            self._complained_of.add(what)
            log.warning(text, *about)


def _bind(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if address == "::" and hasattr(socket, "IPV6_V6ONLY"):
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        listening.setblocking(False)
        listening.bind((address, port))
    except OSError as error:
        listening.close()
        where = f"cannot listen on {address}, UDP port {port}"
        if isinstance(error, PermissionError):
            raise CannotListen(
                f"{where}: ports below 1024 need the capability CAP_NET_BIND_SERVICE (its page in"
                " docs/inputs says how to give it); or set port to one above, and have devices send there"
            ) from None
        raise CannotListen(f"{where}: {error.strerror}") from None
    return listening
