"""The engine for what gufo-snmp lacks, SNMPv3 contexts above all: pysnmp encodes and decodes.

It costs some thirty times the processor time of gufo-snmp. Like that one it is kept off the network: its
datagrams go through ``Wire``, which brings timeouts, retries and the judgement whose answer it is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from pyasn1.type import univ
from pysnmp.carrier.base import AbstractTransport, AbstractTransportAddress, AbstractTransportDispatcher
from pysnmp.entity import config
from pysnmp.entity.engine import SnmpEngine
from pysnmp.entity.rfc3413 import cmdgen
from pysnmp.proto import rfc1902, rfc1905
from pysnmp.proto.error import StatusInformation

from agent.inputs.connection import Address
from agent.inputs.snmp.asking import Complaints, ErrorStatus
from agent.inputs.snmp.credentials import Credentials
from agent.inputs.snmp.message import REPORT, Header, NotSnmp, belongs, read_header
from agent.inputs.snmp.opaque import opaque_float
from agent.inputs.snmp.reports import reason_of_report
from agent.inputs.snmp.session import (
    AnswerError,
    Cost,
    Missing,
    NoAnswerError,
    RefusedError,
    Rows,
    SessionError,
    Timing,
    Value,
)
from agent.inputs.snmp.wire import Wire

_AUTH = {
    "md5": config.USM_AUTH_HMAC96_MD5,
    "sha": config.USM_AUTH_HMAC96_SHA,
    "sha224": config.USM_AUTH_HMAC128_SHA224,
    "sha256": config.USM_AUTH_HMAC192_SHA256,
    "sha384": config.USM_AUTH_HMAC256_SHA384,
    "sha512": config.USM_AUTH_HMAC384_SHA512,
}
_PRIV = {
    "des": config.USM_PRIV_CBC56_DES,
    "aes128": config.USM_PRIV_CFB128_AES,
    "aes192": config.USM_PRIV_CFB192_AES_BLUMENTHAL,
    "aes256": config.USM_PRIV_CFB256_AES_BLUMENTHAL,
    "aes192c": config.USM_PRIV_CFB192_AES,
    "aes256c": config.USM_PRIV_CFB256_AES,
}
_MODELS = {"v1": 0, "v2c": 1, "v3": 3}
_TARGET = "device"
# pysnmp compares these with themselves only; where the datagrams go is up to ``Wire``.
_DOMAIN = config.SNMP_UDP_DOMAIN
_ADDRESS = ("127.0.0.1", 161)
# Discovery, the clock, and the question itself; then once more each.
_MAX_STEPS = 6
_INDICATIONS = {
    "UnsupportedSecurityLevel": "1.3.6.1.6.3.15.1.1.1.0",
    "UnknownUserName": "1.3.6.1.6.3.15.1.1.3.0",
    "UnknownSecurityName": "1.3.6.1.6.3.15.1.1.3.0",
    "WrongDigest": "1.3.6.1.6.3.15.1.1.5.0",
    "AuthenticationFailure": "1.3.6.1.6.3.15.1.1.5.0",
    "DecryptionError": "1.3.6.1.6.3.15.1.1.6.0",
}
"""pysnmp's name for a report, and the report."""


class _Stale(Exception):
    """What pysnmp believes of the device's engine is not so any more."""


class PysnmpEngine:
    """Fulfils ``Engine``."""

    def __init__(
        self, address: Address, credentials: Credentials, timing: Timing, slots: asyncio.Semaphore | None
    ) -> None:
        self.cost = Cost()
        self.complaints = Complaints()
        self._credentials = credentials
        self._wire = Wire(address, timing, self.cost, slots)
        self._engine: SnmpEngine | None = None
        self._relay = _Relay()

    @classmethod
    async def open(
        cls,
        address: Address,
        credentials: Credentials,
        timing: Timing,
        slots: asyncio.Semaphore | None = None,
    ) -> PysnmpEngine:
        """Makes pysnmp's own engine, which takes a fifth of a second, outside the event loop."""
        engine = cls(address, credentials, timing, slots)
        try:
            await engine._renew()
        except BaseException:
            await engine.close()
            raise
        return engine

    async def close(self) -> None:
        self._wire.close()

    def cursor(self, base: str, repetitions: int) -> PysnmpCursor:
        return PysnmpCursor(self, base, repetitions)

    async def get(self, oids: Sequence[str]) -> Mapping[str, Value | Missing]:
        answer = await self.ask(cmdgen.GetCommandGenerator(), oids)
        return {oid: value for oid, value in answer if value is not None}

    async def ask(
        self, generator: cmdgen.CommandGenerator, oids: Sequence[str], *numbers: int
    ) -> list[tuple[str, Value | Missing | None]]:
        """What came for the OIDs, NULL as None. ErrorStatus and the errors of a session."""
        try:
            bindings = await self._ask(generator, oids, numbers)
        except _Stale:
            await self._renew()
            try:
                bindings = await self._ask(type(generator)(), oids, numbers)
            except _Stale:
                raise AnswerError("it does not take its own clock, or not the id of its engine") from None
        self.cost.varbinds += len(bindings)
        return [(".".join(map(str, oid)), _plain(value)) for oid, value in bindings]

    async def _ask(
        self, generator: Any, oids: Sequence[str], numbers: Sequence[int]
    ) -> Sequence[tuple[Any, Any]]:
        results: list[tuple[Any, ...]] = []

        def finish(_engine: Any, _handle: Any, *result: Any) -> None:
            results.append(result)

        engine, relay = self._engine, self._relay
        assert engine is not None
        engine.transport_dispatcher.handle_timer_tick(
            time.monotonic()
        )  # lets it forget requests that were never answered
        relay.outgoing.clear()
        names = [(tuple(map(int, oid.split("."))), None) for oid in oids]
        context = self._credentials.context.encode()
        try:
            generator.send_varbinds(engine, _TARGET, None, context, *numbers, names, finish)
        except StatusInformation as error:
            indication = error.get("errorIndication", error)
            raise self._error(type(indication).__name__, indication) from None
        for _ in range(_MAX_STEPS):
            if results or not relay.outgoing:
                break
            request, address = relay.outgoing.pop()
            asked = read_header(request)

            def fits(datagram: bytes, asked: Header = asked, address: Any = address) -> bool | None:
                try:
                    header = read_header(datagram)
                    if not belongs(header, asked):
                        return None
                except NotSnmp as error:
                    self.complaints.add(f"sent something that is no SNMP message: {error}")
                    return None
                try:
                    engine.message_dispatcher.receive_message(engine, _DOMAIN, address, datagram)
                except Exception as error:  # whatever a decoder says of what came from the network
                    raise AnswerError(f"an answer that cannot be decoded: {type(error).__name__}") from None
                if results or relay.outgoing:
                    return True
                if header.pdu == REPORT:
                    raise _Stale  # of an engine that it does not know: another device has taken the place
                if asked.version == 3:
                    raise AnswerError("an answer whose digest is wrong; it was not used")
                raise AnswerError("an answer that cannot be decoded")

            await self._wire.exchange(request, fits)
        if not results:
            raise AnswerError("it does not tell the id and the clock of its engine")
        indication, status, index, bindings = (*results[0], ())[:4]
        if indication:
            name = type(indication).__name__
            if name in ("NotInTimeWindow", "UnknownEngineID"):
                raise _Stale
            raise self._error(name, indication)
        if status:
            raise ErrorStatus(int(status), int(index))
        answered: Sequence[tuple[Any, Any]] = bindings
        return answered

    def _error(self, name: str, indication: object) -> SessionError:
        if name in _INDICATIONS:
            return RefusedError(reason_of_report(_INDICATIONS[name], self._credentials))
        if name in ("EncryptionError", "UnsupportedPrivProtocol", "UnsupportedAuthProtocol"):
            return RefusedError("pysnmp cannot encrypt here: the package cryptography is missing")
        if name == "RequestTimedOut":
            return NoAnswerError("no answer in time")
        return AnswerError(f"pysnmp: {indication}")

    async def _renew(self) -> None:
        self._engine, self._relay = await asyncio.to_thread(_make_engine, self._credentials)


class PysnmpCursor:
    """Fulfils ``Cursor``."""

    def __init__(self, engine: PysnmpEngine, base: str, repetitions: int) -> None:
        self._engine = engine
        self._prefix = f"{base}."
        self._at = base
        self._repetitions = repetitions

    async def page(self) -> tuple[Rows, bool]:
        numbers: tuple[int, ...] = ()
        if self._repetitions:
            generator, numbers = cmdgen.BulkCommandGeneratorSingleRun(), (0, self._repetitions)
        else:
            generator = cmdgen.NextCommandGeneratorSingleRun()
        rows: Rows = []
        for oid, value in await self._engine.ask(generator, [self._at], *numbers):
            if not oid.startswith(self._prefix) or value is Missing.END_OF_MIB_VIEW:
                return rows, True
            if value is not None and not isinstance(value, Missing):
                rows.append((oid, value))
        if rows:
            self._at = rows[-1][0]
        return rows, not rows


class _RelayAddress(tuple, AbstractTransportAddress):  # type: ignore[type-arg, misc]
    pass


class _Relay(AbstractTransport):  # type: ignore[misc]
    """Keeps what pysnmp wants to send, and whereto it believes that goes."""

    ADDRESS_TYPE = _RelayAddress

    def __init__(self) -> None:
        self.outgoing: list[tuple[bytes, Any]] = []

    def send_message(self, outgoingMessage: Any, transportAddress: Any) -> None:
        self.outgoing.append((bytes(outgoingMessage), transportAddress))


def _make_engine(credentials: Credentials) -> tuple[SnmpEngine, _Relay]:
    engine, relay = SnmpEngine(), _Relay()
    dispatcher = AbstractTransportDispatcher()
    dispatcher.register_transport(_DOMAIN, relay)
    engine.register_transport_dispatcher(dispatcher)
    _configure(engine, credentials)
    return engine, relay


def _configure(engine: SnmpEngine, credentials: Credentials) -> None:
    model = _MODELS[credentials.version]
    if model == 3:
        config.add_v3_user(
            engine,
            credentials.user,
            _AUTH[credentials.auth.protocol] if credentials.auth else config.USM_AUTH_NONE,
            credentials.auth.password.reveal() if credentials.auth else None,
            _PRIV[credentials.priv.protocol] if credentials.priv else config.USM_PRIV_NONE,
            credentials.priv.password.reveal() if credentials.priv else None,
        )
        name, level = credentials.user, credentials.level
    else:
        name, level = "community", "noAuthNoPriv"
        config.add_v1_system(engine, name, credentials.community.reveal() if credentials.community else "")
    config.add_target_parameters(engine, "parameters", name, level, model)
    # In 0.01 s. Its timer only has to forget; it goes on by at most a tenth of a second for each question.
    config.add_target_address(engine, _TARGET, _DOMAIN, _ADDRESS, "parameters", 20, 0)


def _plain(value: Any) -> Value | Missing | None:
    if isinstance(value, rfc1905.NoSuchObject):
        return Missing.NO_SUCH_OBJECT
    if isinstance(value, rfc1905.NoSuchInstance):
        return Missing.NO_SUCH_INSTANCE
    if isinstance(value, rfc1905.EndOfMibView):
        return Missing.END_OF_MIB_VIEW
    if isinstance(value, univ.ObjectIdentifier):
        return ".".join(map(str, value))
    if isinstance(value, rfc1902.IpAddress):
        return str(value.prettyPrint())
    if isinstance(value, rfc1902.Opaque):
        octets = bytes(value)
        number = opaque_float(octets)
        return octets if number is None else number
    if isinstance(value, rfc1902.OctetString):
        return bytes(value)
    if isinstance(value, univ.Null):
        return None
    return int(value)
