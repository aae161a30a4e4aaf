"""Ports for the tests' servers."""

from __future__ import annotations

import errno
import random
import socket

# Below those that systems give to outgoing connections, any of which may take a port between its being found
# free and its being listened on. Random, since tests run side by side.
_LOWEST, _HIGHEST = 10_000, 32_000


def free_port() -> int:
    """A loopback TCP port that is free at this moment."""
    return _free("127.0.0.1", socket.SOCK_STREAM)


def free_udp_port(host: str = "127.0.0.1") -> int:
    """A UDP port of a loopback address that is free at this moment."""
    return _free(host, socket.SOCK_DGRAM)


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
