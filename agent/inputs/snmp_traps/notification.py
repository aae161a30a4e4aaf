"""What a trap or an inform says, in names and text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.inputs.snmp.session import Value
from agent.inputs.snmp.value import text_of

_SYS_UPTIME = "1.3.6.1.2.1.1.3.0"
_TRAP_OID = "1.3.6.1.6.3.1.1.4.1.0"
_TRAP_ADDRESS = "1.3.6.1.6.3.18.1.3.0"
_TRAP_COMMUNITY = "1.3.6.1.6.3.18.1.4.0"
_TRAP_ENTERPRISE = "1.3.6.1.6.3.1.1.4.3.0"
# Said elsewhere, or not to be shown: a v1 trap's community is put among the variables (RFC 3584, 3.1).
_LEFT_OUT = frozenset({_SYS_UPTIME, _TRAP_OID, _TRAP_ADDRESS, _TRAP_COMMUNITY, _TRAP_ENTERPRISE})

_MAX_IF_INDEX = 2**31 - 1  # RFC 2863, InterfaceIndex
_MAX_VARBINDS, _MAX_VALUE, _MAX_TEXT = 32, 200, 1_000

TRAPS = {
    "1.3.6.1.6.3.1.1.5.1": "coldStart",
    "1.3.6.1.6.3.1.1.5.2": "warmStart",
    "1.3.6.1.6.3.1.1.5.3": "linkDown",
    "1.3.6.1.6.3.1.1.5.4": "linkUp",
    "1.3.6.1.6.3.1.1.5.5": "authenticationFailure",
    "1.3.6.1.6.3.1.1.5.6": "egpNeighborLoss",
    "1.3.6.1.2.1.16.0.1": "risingAlarm",
    "1.3.6.1.2.1.16.0.2": "fallingAlarm",
}
"""RFC 3418 (SNMPv2-MIB), RFC 2863 (IF-MIB), RFC 2819 (RMON-MIB)."""

_IF_INDEX, _IF_DESCR = "1.3.6.1.2.1.2.2.1.1", "1.3.6.1.2.1.2.2.1.2"
_IF_NAME = "1.3.6.1.2.1.31.1.1.1.1"
_COLUMNS = {
    _IF_INDEX: "ifIndex",
    _IF_DESCR: "ifDescr",
    _IF_NAME: "ifName",
    "1.3.6.1.2.1.2.2.1.3": "ifType",
    "1.3.6.1.2.1.2.2.1.7": "ifAdminStatus",
    "1.3.6.1.2.1.2.2.1.8": "ifOperStatus",
    "1.3.6.1.2.1.31.1.1.1.18": "ifAlias",
    "1.3.6.1.2.1.16.3.1.1.1": "alarmIndex",
    "1.3.6.1.2.1.16.3.1.1.3": "alarmVariable",
    "1.3.6.1.2.1.16.3.1.1.4": "alarmSampleType",
    "1.3.6.1.2.1.16.3.1.1.5": "alarmValue",
    "1.3.6.1.2.1.16.3.1.1.7": "alarmRisingThreshold",
    "1.3.6.1.2.1.16.3.1.1.8": "alarmFallingThreshold",
}

Varbinds = Sequence[tuple[str, Value | None]]


@dataclass(frozen=True, slots=True)
class Notification:
    """``trap``: its name, else its OID. ``text``: its variables on one line, of bounded length."""

    trap: str
    text: str
    if_index: int | None = None
    if_name: str = ""


def read_notification(varbinds: Varbinds, source: str) -> Notification | None:
    """What the variables of an SNMPv2 notification say; None when they do not say which it is.

    ``source`` is where it came from: another address that it names as its origin is in the text.
    """
    values = dict(varbinds)
    oid = values.get(_TRAP_OID)
    if not isinstance(oid, str):
        return None
    texts = []
    origin = values.get(_TRAP_ADDRESS)
    if isinstance(origin, str) and origin not in (source, "0.0.0.0"):
        texts.append(f"agent={origin}")
    if_index, if_name, if_descr = None, "", ""
    for name, value in varbinds:
        if name in _LEFT_OUT:
            continue
        column, label = _label(name)
        if column == _IF_INDEX and isinstance(value, int) and 0 < value <= _MAX_IF_INDEX:
            if_index = value
        elif column == _IF_NAME:
            if_name = _shown(value)
        elif column == _IF_DESCR:
            if_descr = _shown(value)
        if len(texts) < _MAX_VARBINDS:
            texts.append(f"{label}={_shown(value)}")
    text = " ".join(texts)
    if len(text) > _MAX_TEXT:
        text = f"{text[: _MAX_TEXT - 1]}…"
    return Notification(TRAPS.get(oid, oid), text, if_index, if_name or if_descr)


def _label(oid: str) -> tuple[str, str]:
    """The column that it is a row of, and how it is written."""
    column, _, row = oid.rpartition(".")
    name = _COLUMNS.get(column)
    return (column, f"{name}.{row}") if name else ("", oid)


def _shown(value: Value | None) -> str:
    """Text where octets are text, else hexadecimal; without control characters, and not too long."""
    if isinstance(value, bytes):
        try:
            whole = value.decode()
        except UnicodeDecodeError:
            whole = ""
        if not whole.rstrip("\0").replace("\n", " ").replace("\r", " ").replace("\t", " ").isprintable():
            whole = ""
        text = text_of(whole) if whole else value[:_MAX_VALUE].hex()
    else:
        text = "".join(letter for letter in text_of(value) if letter.isprintable())
    return text if len(text) <= _MAX_VALUE else f"{text[: _MAX_VALUE - 1]}…"
