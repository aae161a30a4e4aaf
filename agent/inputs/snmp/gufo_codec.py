"""gufo-snmp as an encoder and decoder of datagrams.

gufo-snmp sends and receives on a socket of its own. Its file descriptor is pointed to one end of a socket
pair here, so that what it sends can be looked at and sent again, and what came is looked at before it
decodes it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import TypeVar

from gufo.snmp import NoSuchInstance, SnmpError
from gufo.snmp._fast import SnmpV1ClientSocket, SnmpV2cClientSocket, SnmpV3ClientSocket

from agent.inputs.snmp.credentials import Credentials
from agent.inputs.snmp.session import AnswerError

T = TypeVar("T")
Socket = SnmpV1ClientSocket | SnmpV2cClientSocket | SnmpV3ClientSocket

# What gufo-snmp 0.13 has room for; of a longer datagram it reads the beginning.
MAX_REPLY = 4080
# The discard port: connecting a UDP socket sends nothing, and the socket is replaced at once.
_NOWHERE = "127.0.0.1:9"


class TooLong(Exception):
    """A request that gufo-snmp has no room for."""


class End(Exception):
    """A walk is over, or was answered with an error-status: gufo-snmp tells no difference."""


class GufoCodec:
    """One device's ``socket`` of gufo-snmp; v3 starts without a user, to learn the engine's id."""

    def __init__(self, credentials: Credentials) -> None:
        self._inside, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        with theirs:
            self._inside.setblocking(False)
            theirs.setblocking(False)
            self.socket = _client_socket(credentials)
            os.dup2(theirs.fileno(), self.socket.get_fd(), inheritable=False)

    def close(self) -> None:
        self._inside.close()
        del self.socket  # closes its descriptor

    def encode(self, send: Callable[[], None]) -> bytes:
        """The datagram that a ``send_…`` of the socket makes. TooLong, ValueError for what is no OID."""
        try:
            send()
        except SnmpError as error:
            if "out of buffer" in str(error):
                raise TooLong from None
            raise ValueError(f"cannot be asked for: {error}") from None
        return self._inside.recv(MAX_REPLY + 1)

    def decode(self, datagram: bytes, receive: Callable[[], T]) -> T:
        """What a ``recv_…`` of the socket makes of the datagram.

        End, NoSuchInstance, BlockingIOError when it is an answer to something else, AnswerError when it
        cannot be decoded.
        """
        self._inside.send(datagram)
        try:
            return receive()
        except StopAsyncIteration:
            raise End from None
        except (NoSuchInstance, BlockingIOError):
            raise
        except SnmpError as error:
            raise AnswerError(f"an answer that cannot be decoded: {error}") from None
        except BaseException as error:
            # Its decoder panics where an array ends too early; a panic is no Exception.
            if type(error).__name__ != "PanicException":
                raise
            raise AnswerError(f"an answer that cannot be decoded: {error}") from None


def _client_socket(credentials: Credentials) -> Socket:
    if credentials.version == "v3":
        return SnmpV3ClientSocket(_NOWHERE, b"", "", 0, b"", 0, b"", 0, 0, 0, 0)
    community = credentials.community.reveal() if credentials.community else ""
    kind = SnmpV1ClientSocket if credentials.version == "v1" else SnmpV2cClientSocket
    return kind(_NOWHERE, community, 0, 0, 0, 0)
