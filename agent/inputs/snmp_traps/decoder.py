"""Takes notifications apart, and answers informs, with pysnmp's engine; the network is not its."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pysnmp.carrier.base import AbstractTransport, AbstractTransportAddress, AbstractTransportDispatcher
from pysnmp.entity import config
from pysnmp.entity.engine import SnmpEngine
from pysnmp.entity.rfc3413 import ntfrcv
from pysnmp.proto import rfc1155, rfc1902
from pysnmp.proto.error import StatusInformation
from pysnmp.proto.secmod.cache import Cache

from agent.inputs.snmp.credentials import Credentials
from agent.inputs.snmp.message import NotSnmp, read_header
from agent.inputs.snmp.pysnmp_session import _AUTH, _PRIV, _plain
from agent.inputs.snmp.session import Missing
from agent.inputs.snmp_traps.notification import Varbinds

_DOMAIN = config.SNMP_UDP_DOMAIN
_LEVELS = {"noAuthNoPriv": 1, "authNoPriv": 2, "authPriv": 3}
# pysnmp's sign for "whatever the sender's engine is", and the keys for it are of no engine: good for users
# without keys, and for finding that a password is wrong.
_ANY_ENGINE = rfc1902.OctetString(hexValue="0000000000")
_USM, _MIB = "__SNMP-USER-BASED-SM-MIB", "__SNMPv2-MIB"
# Only who knows a password gets a place; each is a few kB.
_MAX_ENGINES = 4_096
# pysnmp says in counters only why it did not take a message (RFC 3414, section 5; RFC 3418).
_REFUSALS = (
    (_MIB, "snmpInBadCommunityNames", "an unknown community"),
    (_USM, "usmStatsUnknownUserNames", "an unknown user"),
    (_USM, "usmStatsWrongDigests", "a wrong authentication password or protocol"),
    (_USM, "usmStatsDecryptionErrors", "a wrong privacy password or protocol"),
    (_USM, "usmStatsUnsupportedSecLevels", "a security level that the user does not have"),
    (_USM, "usmStatsNotInTimeWindows", "a clock that does not fit: it was sent before, or late"),
)
_TOO_LOW = "a security level below the user's"
_STEP_S = 5.0
_DISCOVERY = (_USM, "usmStatsUnknownEngineIDs")


class Decoded(NamedTuple):
    """``varbinds`` of a notification that is taken; else ``refusal`` says why it is not.

    Where both are empty and so is ``malformed``, it was a step before an inform. ``replies`` go back.
    """

    varbinds: Varbinds | None = None
    refusal: str = ""
    malformed: bool = False
    replies: tuple[bytes, ...] = ()


class Decoder:
    """Making one takes a fifth of a second."""

    def __init__(self, credentials: Iterable[Credentials]) -> None:
        self._engine, self._relay = SnmpEngine(), _Relay()
        dispatcher = AbstractTransportDispatcher()
        dispatcher.register_transport(_DOMAIN, self._relay)
        # A sender's clock is forgotten 300 s after a message, in such steps; a message is at most one.
        dispatcher.set_timer_resolution(_STEP_S)
        self._engine.register_transport_dispatcher(dispatcher)
        levels: dict[str, int] = {}
        self._users: list[_User] = []
        self._known: set[bytes] = set()
        for number, one in enumerate(credentials):
            if one.version == "v3":
                self._users.append(_User(self._engine, one))
                levels[one.user] = _LEVELS[one.level]
            elif one.community is not None:
                config.add_v1_system(self._engine, f"community-{number}", one.community.reveal())
        self._receiver = _Receiver(self._engine, levels)
        self._all_sign = min(levels.values(), default=2) > 1
        symbols = self._engine.get_mib_builder().import_symbols
        self._reasons = [(symbols(mib, name)[0], reason) for mib, name, reason in _REFUSALS]
        self._discovery = symbols(*_DISCOVERY)[0]

    def decode(self, datagram: bytes, sender: tuple[str, int], now_s: float) -> Decoded:
        """What is in a datagram, whatever it is. ``now_s`` is a clock that never goes back."""
        if self._is_too_low(datagram):
            return Decoded(refusal=_TOO_LOW)
        self._engine.transport_dispatcher.handle_timer_tick(now_s)
        self._receiver.taken, self._receiver.refusal = None, ""
        self._relay.outgoing.clear()
        before = [int(counter.syntax) for counter, _ in self._reasons]
        discoveries = int(self._discovery.syntax)
        try:
            self._meet(datagram)
            self._engine.message_dispatcher.receive_message(
                self._engine, _DOMAIN, _RelayAddress(sender), datagram
            )
            taken = self._receiver.taken
            varbinds = None if taken is None else [(_oid(name), _value(value)) for name, value in taken]
        except Exception:  # whatever a decoder says of what came from the network
            return Decoded(malformed=True)
        finally:
            # pysnmp keeps what it would need for an answer, and a trap gets none: half a kB each.
            for model in self._engine.security_models.values():
                model._cache = Cache()
        replies = tuple(self._relay.outgoing)
        if varbinds is not None:
            return Decoded(varbinds, replies=replies)
        refusal = self._receiver.refusal
        for (counter, reason), earlier in zip(self._reasons, before, strict=True):
            if int(counter.syntax) != earlier:
                refusal = reason
        if refusal or int(self._discovery.syntax) != discoveries:
            return Decoded(refusal=refusal, replies=replies)
        return Decoded(malformed=True)

    def _is_too_low(self, datagram: bytes) -> bool:
        """Whether it is unsigned, and no user's may be. pysnmp would believe its clock before it is refused,
        and then refuse the traps of the engine in whose name it came.
        """
        try:
            header = read_header(datagram)
        except NotSnmp:
            return False
        if header.version != 3 or not self._all_sign or header.flags & 1:
            return False
        return header.engine_id not in (b"", bytes(self._engine.snmpEngineID))

    def _meet(self, datagram: bytes) -> None:
        """Makes the sender's engine known, in whose name it sends traps, where its digest is right."""
        try:
            header = read_header(datagram)
        except NotSnmp:
            return
        engine_id = header.engine_id
        if not engine_id or engine_id in self._known or len(self._known) >= _MAX_ENGINES:
            return
        digest = datagram[header.auth_at : header.auth_end]
        if any(user.has_signed(datagram, digest, engine_id) for user in self._users):
            self._known.add(engine_id)
            for user in self._users:
                user.add_to(self._engine, engine_id)


class _User:
    """A user whose keys are made for one engine after the other."""

    def __init__(self, engine: SnmpEngine, one: Credentials) -> None:
        auth = _AUTH[one.auth.protocol] if one.auth else config.USM_AUTH_NONE
        priv = _PRIV[one.priv.protocol] if one.priv else config.USM_PRIV_NONE
        self._name, self._auth, self._priv = one.user, auth, priv
        self._service = config.AUTH_SERVICES[auth]
        self._auth_key = self._service.hash_passphrase(one.auth.password.reveal()) if one.auth else None
        self._priv_key = (
            config.PRIV_SERVICES[priv].hash_passphrase(auth, one.priv.password.reveal()) if one.priv else None
        )
        self.add_to(engine, None)
        self.add_to(engine, bytes(_ANY_ENGINE))

    def has_signed(self, datagram: bytes, digest: bytes, engine_id: bytes) -> bool:
        if self._auth_key is None or not digest:
            return False
        key = self._service.localize_key(self._auth_key, rfc1902.OctetString(engine_id))
        try:
            self._service.authenticate_incoming_message(key, rfc1902.OctetString(digest), datagram)
        except StatusInformation:
            return False
        return True

    def add_to(self, engine: SnmpEngine, engine_id: bytes | None) -> None:
        """Makes it a user of that engine; None is the own one, which informs are sent to."""
        config.add_v3_user(
            engine,
            self._name,
            self._auth,
            self._auth_key,
            self._priv,
            self._priv_key,
            securityEngineId=None if engine_id is None else rfc1902.OctetString(engine_id),
            authKeyType=config.USM_KEY_TYPE_MASTER,
            privKeyType=config.USM_KEY_TYPE_MASTER,
        )


class _Receiver(ntfrcv.NotificationReceiver):  # type: ignore[misc]
    """Keeps the variables of what came. It takes no user's message below the user's security level: pysnmp
    leaves that to access control, which a receiver does not have.
    """

    def __init__(self, engine: SnmpEngine, levels: Mapping[str, int]) -> None:
        self._levels = levels
        self.taken: Any = None
        self.refusal = ""
        super().__init__(engine, self._keep)

    def process_pdu(
        self, engine: Any, model: Any, security: Any, name: Any, level: Any, *others: Any
    ) -> None:
        if int(model) == 3 and int(level) < self._levels.get(str(name), 4):
            self.refusal = _TOO_LOW
            return
        super().process_pdu(engine, model, security, name, level, *others)

    def _keep(self, *arguments: Any) -> None:
        self.taken = arguments[4]


class _RelayAddress(tuple, AbstractTransportAddress):  # type: ignore[type-arg, misc]
    pass


class _Relay(AbstractTransport):  # type: ignore[misc]
    """Keeps what pysnmp wants to send; it answers nobody but the sender of what is being decoded."""

    ADDRESS_TYPE = _RelayAddress

    def __init__(self) -> None:
        self.outgoing: list[bytes] = []

    def send_message(self, outgoingMessage: Any, _transportAddress: Any) -> None:
        self.outgoing.append(bytes(outgoingMessage))


def _oid(name: Any) -> str:
    return ".".join(map(str, name))


def _value(value: Any) -> Any:
    if isinstance(value, rfc1155.IpAddress):  # of a v1 trap
        return str(value.prettyPrint())
    plain = _plain(value)
    return None if isinstance(plain, Missing) else plain
