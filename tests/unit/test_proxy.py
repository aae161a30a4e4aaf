"""The network that tests break breaks in the way that they ask for."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.proxy import CuttableProxy


@pytest.fixture
def echo() -> Iterator[tuple[str, int]]:
    """A server that sends back what it gets."""

    def answer(peer: socket.socket) -> None:
        with contextlib.suppress(OSError), peer:
            while data := peer.recv(65536):
                peer.sendall(data)

    def accept() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(peer,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def proxy(echo: tuple[str, int]) -> Iterator[CuttableProxy]:
    with CuttableProxy(*echo) as proxy:
        yield proxy


def connected(proxy: CuttableProxy) -> socket.socket:
    return socket.create_connection((proxy.host, proxy.port), timeout=5)


def test_it_forwards_both_ways_until_the_end(proxy: CuttableProxy) -> None:
    with connected(proxy) as peer:
        peer.sendall(b"hello")
        assert peer.recv(5) == b"hello"
        peer.shutdown(socket.SHUT_WR)
        assert peer.recv(1) == b""
    assert proxy.forwarded_bytes == {"to_server": 5, "to_client": 5}


def test_a_cut_resets_and_refuses_until_healed(proxy: CuttableProxy) -> None:
    with connected(proxy) as peer:
        peer.sendall(b"hello")
        assert peer.recv(5) == b"hello"
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            peer.recv(1)
    with pytest.raises(ConnectionRefusedError):
        connected(proxy)
    proxy.heal()
    with connected(proxy) as peer:
        peer.sendall(b"again")
        assert peer.recv(5) == b"again"


def test_a_stall_holds_everything_back_until_healed(proxy: CuttableProxy) -> None:
    with connected(proxy) as before:
        proxy.stall()
        with connected(proxy) as during:
            for peer in (before, during):
                peer.sendall(b"held")
                peer.settimeout(0.2)
                with pytest.raises(TimeoutError):
                    peer.recv(1)
            proxy.heal()
            for peer in (before, during):
                peer.settimeout(5)
                assert peer.recv(4) == b"held"


def test_a_stall_may_hold_back_the_answers_only(proxy: CuttableProxy) -> None:
    with connected(proxy) as peer:
        proxy.stall("to_client")
        peer.sendall(b"asked")
        peer.settimeout(0.2)
        with pytest.raises(TimeoutError):
            peer.recv(1)
        assert proxy.forwarded_bytes == {"to_server": 5, "to_client": 0}
        proxy.heal()
        peer.settimeout(5)
        assert peer.recv(5) == b"asked"


def test_a_stalled_connection_can_be_cut(proxy: CuttableProxy) -> None:
    with connected(proxy) as peer:
        peer.sendall(b"hello")
        assert peer.recv(5) == b"hello"
        proxy.stall()
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            peer.recv(1)
