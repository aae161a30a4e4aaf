"""What the input asks of an SNMP engine, and what can go wrong: the same for every engine."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


class Missing(enum.Enum):
    """Why there is no value: RFC 3416, section 3 (for v1, noSuchName is NO_SUCH_OBJECT)."""

    NO_SUCH_OBJECT = "noSuchObject"
    NO_SUCH_INSTANCE = "noSuchInstance"
    END_OF_MIB_VIEW = "endOfMibView"


Value = int | float | bytes | str
"""An integer, counter, gauge or time ticks; a float from an Opaque; octets; an OID or address as text."""

Rows = list[tuple[str, Value]]
"""(numeric OID without a leading dot, value), in the order of the device."""


class SessionError(Exception):
    """A device could not be asked; the text says what happened, for people, without any secret."""


class NoAnswerError(SessionError):
    """Nothing came within the time and the retries."""


class RefusedError(SessionError):
    """The device, or the protocol, says that these credentials will not do."""


class AnswerError(SessionError):
    """An answer came, and it cannot be used: an error-status, or what no device should send."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long, how often and how much a device is asked.

    ``timeout_s``: for one answer; each of the ``retries`` gets as long again. ``deadline_s``: for one call of
    a session. ``max_rows``: of one table. ``max_repetitions``: rows asked for at once; devices that cannot
    do that are asked for fewer.
    """

    timeout_s: float = 2.0
    retries: int = 1
    deadline_s: float = 30.0
    max_rows: int = 100_000
    max_repetitions: int = 30


@dataclass(slots=True)
class Cost:
    """What was asked so far: requests sent (retries too) and variable bindings received."""

    requests: int = 0
    retries: int = 0
    varbinds: int = 0


class Session(Protocol):
    """One device. One call at a time; every call ends by the session's deadline, with a SessionError."""

    cost: Cost

    async def get(self, oids: Sequence[str]) -> Mapping[str, Value | Missing]:
        """The value of every OID that was asked for, split into as many requests as the device needs."""

    async def walk(self, base: str) -> Rows:
        """All below the OID, which itself is left out; empty where the device has nothing there.

        A table that does not end, or whose OIDs do not increase, is cut off: what came until then is
        returned, and ``complaints`` says so.
        """

    @property
    def complaints(self) -> Sequence[str]:
        """What the device did wrong that it was possible to go on after, each once."""

    async def close(self) -> None:
        """Gives up the socket."""
