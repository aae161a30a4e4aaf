"""The engine that polls: gufo-snmp encodes and decodes, the rest is done here.

What gufo-snmp 0.13 does not do: retries, error-status and reports, whether a missing value is
noSuchObject or noSuchInstance, digests of answers, more than 4,080 bytes, a device that restarts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from gufo.snmp import NoSuchInstance
from gufo.snmp._fast import GetIter, SnmpV3ClientSocket

from agent.inputs.connection import Address
from agent.inputs.snmp.asking import TOO_BIG, UNKNOWN, Complaints, ErrorStatus
from agent.inputs.snmp.credentials import Credentials
from agent.inputs.snmp.gufo_codec import MAX_REPLY, End, GufoCodec, TooLong
from agent.inputs.snmp.message import REPORT, Header, NotSnmp, belongs, read_header, varbind_tags
from agent.inputs.snmp.opaque import holds_opaque_float, opaque_float
from agent.inputs.snmp.reports import STALE_REPORTS, reason_of_report
from agent.inputs.snmp.session import (
    AnswerError,
    Cost,
    Missing,
    NoAnswerError,
    RefusedError,
    Rows,
    Timing,
    Value,
)
from agent.inputs.snmp.usm import keys_of
from agent.inputs.snmp.wire import Wire

T = TypeVar("T")

_SYS_UPTIME = "1.3.6.1.2.1.1.3.0"
_MISSING = {0x80: Missing.NO_SUCH_OBJECT, 0x81: Missing.NO_SUCH_INSTANCE, 0x82: Missing.END_OF_MIB_VIEW}
_VERSION_NUMBERS = {"v1": 0, "v2c": 1, "v3": 3}
# The clock is learned from one report; a second one may follow when the id of the engine has changed too.
_MAX_REPORTS = 3


class GufoEngine:
    """Fulfils ``Engine``. Inside a running event loop."""

    def __init__(
        self,
        address: Address,
        credentials: Credentials,
        timing: Timing,
        slots: asyncio.Semaphore | None = None,
    ) -> None:
        self.cost = Cost()
        self.complaints = Complaints()
        self._credentials = credentials
        self._version = _VERSION_NUMBERS[credentials.version]
        self._keys = keys_of(credentials)
        self._auth_key = b""
        self._engine_id = b""
        self._wire = Wire(address, timing, self.cost, slots)
        try:
            self._codec = GufoCodec(credentials)
        except BaseException:
            self._wire.close()
            raise

    @property
    def client(self) -> Any:
        """gufo-snmp's socket, which is another one after a device was replaced."""
        return self._codec.socket

    async def close(self) -> None:
        self._wire.close()
        self._codec.close()

    def cursor(self, base: str, repetitions: int) -> GufoCursor:
        return GufoCursor(self, base, repetitions)

    async def get(self, oids: Sequence[str]) -> Mapping[str, Value | Missing]:
        if self._credentials.priv is not None:
            return await self._get_encrypted(list(oids))
        header, datagram, found = await self._get(list(oids))
        if len(found) < len(oids):
            # gufo-snmp leaves out what is missing.
            for oid, tag in varbind_tags(datagram, header):
                if tag in _MISSING:
                    found[oid] = _MISSING[tag]
        return found

    async def _get_encrypted(self, oids: list[str]) -> dict[str, Value | Missing]:
        """Like ``get``, where error-status cannot be seen.

        An error leaves all values out, and so does a device that has none of them. A value that every
        device has, asked for along with them, tells which.
        """
        alone = len(oids) == 1
        asked = oids if alone or _SYS_UPTIME in oids else [*oids, _SYS_UPTIME]
        _, datagram, found = await self._get(asked)
        if alone and not found:
            try:
                value = self._codec.decode(datagram, lambda: self.client.recv_get())
            except NoSuchInstance:
                return {oids[0]: Missing.NO_SUCH_INSTANCE}
            if value is None:
                raise ErrorStatus(UNKNOWN)
        if not found:
            raise ErrorStatus(UNKNOWN)
        if asked is not oids:
            found.pop(_SYS_UPTIME, None)
        return {oid: found.get(oid, Missing.NO_SUCH_INSTANCE) for oid in oids}

    async def _get(self, oids: list[str]) -> tuple[Header, bytes, dict[str, Value | Missing]]:
        header, datagram = await self.ask(lambda: self.client.send_get_many(oids))
        found: dict[str, Value | Missing] = self.decode(datagram, lambda: self.client.recv_get_many())
        self.cost.varbinds += len(oids)
        if holds_opaque_float(datagram) or header.encrypted:
            found = {oid: _floated(value) for oid, value in found.items()}
        return header, datagram, found

    async def ask(self, send: Callable[[], None]) -> tuple[Header, bytes]:
        """The answer to what ``send`` sends, with no error-status that can be seen."""
        for _ in range(_MAX_REPORTS):
            if self._version == 3 and not self._engine_id:
                await self._discover()
            try:
                header, datagram = await self._exchange(send)
            except NoAnswerError:
                # Without digests a forged clock is believed, with which some devices answer nothing.
                self._engine_id = b""
                raise
            if header.pdu != REPORT:
                if header.error_status:
                    raise ErrorStatus(header.error_status, header.error_index)
                return header, datagram
            self._take_report(header, datagram)
        raise AnswerError("it does not take its own clock: the report notInTimeWindow came again and again")

    def decode(self, datagram: bytes, receive: Callable[[], T]) -> T:
        """What gufo-snmp makes of an answer. End, AnswerError."""
        try:
            return self._codec.decode(datagram, receive)
        except BlockingIOError:
            raise AnswerError("an answer that does not belong to the question") from None

    async def _exchange(self, send: Callable[[], None]) -> tuple[Header, bytes]:
        try:
            request = self._codec.encode(send)
        except TooLong:
            raise ErrorStatus(TOO_BIG) from None
        asked = read_header(request)

        def fits(datagram: bytes) -> tuple[Header, bytes] | None:
            try:
                header = read_header(datagram)
            except NotSnmp as error:
                self.complaints.add(f"sent something that is no SNMP message: {error}")
                return None
            if not belongs(header, asked):
                return None
            if not self._is_genuine(header, datagram):
                # snmpd 5.9.3 signs what it has cut short in a wrong way: less may come whole.
                raise AnswerError("an answer whose digest is wrong; it was not used")
            if len(datagram) > MAX_REPLY:
                raise AnswerError(f"an answer of {len(datagram)} bytes, more than {MAX_REPLY}")
            return header, datagram

        return await self._wire.exchange(request, fits)

    def _is_genuine(self, header: Header, datagram: bytes) -> bool:
        if self._version != 3 or header.pdu == REPORT:  # who reports a wrong key cannot sign it
            return True
        return header.engine_id == self._engine_id and self._keys.is_signed(datagram, header, self._auth_key)

    async def _discover(self) -> None:
        """Learns the id and the clock of the device's engine: RFC 3414, section 4."""
        codec = GufoCodec(self._credentials)
        self._codec.close()
        self._codec = codec
        header, datagram = await self._exchange(lambda: self.client.send_refresh())
        if header.pdu != REPORT or not header.engine_id:
            raise AnswerError("it does not tell the id of its engine")
        self.decode(datagram, lambda: self.client.recv_refresh())
        assert isinstance(codec.socket, SnmpV3ClientSocket)
        self._keys.hand_to(codec.socket)
        self._auth_key = self._keys.localized(header.engine_id)
        self._engine_id = header.engine_id

    def _take_report(self, header: Header, datagram: bytes) -> None:
        """Learns from a report that the device has restarted. RefusedError for any other."""
        try:
            oid = next((oid for oid, _ in varbind_tags(datagram, header)), "without any OID")
        except NotSnmp as error:
            raise AnswerError(f"a report that cannot be decoded: {error}") from None
        if oid not in STALE_REPORTS:
            raise RefusedError(reason_of_report(oid, self._credentials))
        try:
            self._codec.decode(datagram, lambda: self.client.recv_refresh())  # takes over boots and time
        except (BlockingIOError, AnswerError):
            self._engine_id = b""  # another device has taken its place, or the report has no user


class GufoCursor:
    """Fulfils ``Cursor``."""

    def __init__(self, engine: GufoEngine, base: str, repetitions: int) -> None:
        self._engine = engine
        self._bulk = repetitions > 0
        self._position = GetIter(base, repetitions or None)

    async def page(self) -> tuple[Rows, bool]:
        engine = self._engine
        if self._bulk:
            header, datagram = await engine.ask(lambda: engine.client.send_get_bulk(self._position))
        else:
            header, datagram = await engine.ask(lambda: engine.client.send_get_next(self._position))
        try:
            if self._bulk:
                rows = engine.decode(datagram, lambda: engine.client.recv_get_bulk(self._position))
            else:
                rows = [engine.decode(datagram, lambda: engine.client.recv_get_next(self._position))]
        except End:
            if header.encrypted:
                self._find_hidden_error(datagram)
            return [], True
        at_end = rows[-1] is None
        if at_end:
            rows.pop()
        engine.cost.varbinds += len(rows)
        if header.encrypted or holds_opaque_float(datagram):
            rows = [(oid, _floated(value)) for oid, value in rows]
        return rows, at_end

    def _find_hidden_error(self, datagram: bytes) -> None:
        """ErrorStatus when the encrypted answer is one: it holds at most one binding, and that is NULL."""
        engine = self._engine
        try:
            value = engine.decode(datagram, lambda: engine.client.recv_get())
        except (NoSuchInstance, AnswerError):  # the end of the MIB view, once or several times
            return
        if value is None:
            raise ErrorStatus(UNKNOWN)


def _floated(value: Value | Missing) -> Any:
    """An Opaque comes as plain octets; those of a number cannot be taken for anything else that is sent."""
    if type(value) is bytes and len(value) in (7, 11):
        number = opaque_float(value)
        if number is not None:
            return number
    return value
