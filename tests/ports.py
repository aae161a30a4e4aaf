"""Ports for the tests' servers."""

from __future__ import annotations

import errno
import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager

# Below those that systems give to outgoing connections, any of which may take a port between its being found
# free and its being listened on. Random, since tests run side by side.
_LOWEST, _HIGHEST = 10_000, 32_000


def free_port() -> int:
    """A loopback TCP port that is free at this moment."""
    return _free("127.0.0.1", socket.SOCK_STREAM)


def free_udp_port(host: str = "127.0.0.1") -> int:
    """A UDP port of a loopback address that is free at this moment."""
    return _free(host, socket.SOCK_DGRAM)


@contextmanager
def full_port() -> Iterator[int]:
    """A port whose queue of connections is full: the kernel drops further attempts, as a firewall would."""
    waiting = []
    with socket.socket() as listener:
        listener.bind(("0.0.0.0", 0))
        listener.listen(0)
        address = ("127.0.0.1", listener.getsockname()[1])
        try:
            while True:
                connection = socket.socket()
                waiting.append(connection)
                connection.settimeout(0.5)
                connection.connect(address)
                assert len(waiting) < 100, "the queue has no end"
        except TimeoutError:
            yield address[1]
        finally:
            for connection in waiting:
                connection.close()


def _free(host: str, kind: socket.SocketKind) -> int:
    dice = random.SystemRandom()
    while True:
        port = dice.randrange(_LOWEST, _HIGHEST)
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind) as probe:
            try:
                probe.bind((host, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                return port
