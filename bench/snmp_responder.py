"""Many simulated devices in one process: an SNMP v2c responder that costs little, for bench/snmp.py.

    python bench/snmp_responder.py --devices 500 --ports 24 --port 1161 --dead 5 --slow 5

Each device is a loopback address, 127.7.x.y, with the system group, ifTable and ifXTable. An answer
is encoded once and then kept, but for the id of the request. On standard input it takes ``stats`` and
answers with one line of JSON: requests, varbinds, and for each address the times at which its polls began.
"""

from __future__ import annotations

import argparse
import heapq
import json
import resource
import selectors
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.misbehaving_snmp import (
    GETBULK,
    Table,
    counter32,
    counter64,
    decode,
    gauge32,
    honest,
    integer,
    octets,
    oid,
    timeticks,
    tlv,
)

_IF, _IFX = "1.3.6.1.2.1.2.2.1", "1.3.6.1.2.1.31.1.1.1"
_SLOW_S = 1.5
# Requests of one poll follow one another more closely than this, polls do not.
_NEW_POLL_S = 8.0


def addresses(devices: int) -> list[str]:
    return [f"127.7.{number // 200 + 1}.{number % 200 + 1}" for number in range(devices)]


def rows(ports: int) -> Mapping[str, bytes]:
    """The same for every device: 7 + 37 for each port."""
    found = {
        "1.3.6.1.2.1.1.1.0": octets(b"simulated switch"),
        "1.3.6.1.2.1.1.2.0": oid("1.3.6.1.4.1.99999.7"),
        "1.3.6.1.2.1.1.3.0": timeticks(8_640_000),
        "1.3.6.1.2.1.1.4.0": octets(b"noc"),
        "1.3.6.1.2.1.1.5.0": octets(b"switch"),
        "1.3.6.1.2.1.1.6.0": octets(b"rack"),
        "1.3.6.1.2.1.2.1.0": integer(ports),
    }
    for port in range(1, ports + 1):
        values = {1: integer(port), 2: octets(b"GigabitEthernet0/%d" % port), 3: integer(6), 4: integer(1500)}
        values |= {5: gauge32(1_000_000_000), 6: octets(bytes([2, 0, 0, 0, port >> 8, port & 255]))}
        values |= {7: integer(1), 8: integer(1), 9: timeticks(100)}
        values |= {column: counter32(port * 1000 + column) for column in range(10, 21)}
        found |= {f"{_IF}.{column}.{port}": value for column, value in values.items()}
        more = {1: octets(b"Gi0/%d" % port)}
        more |= {column: counter32(port * 1000 + column) for column in range(2, 6)}
        more |= {column: counter64(port * 10**10 + column) for column in range(6, 14)}
        more |= {14: integer(1), 15: gauge32(1000), 16: integer(2), 18: octets(b"desk %d" % port)}
        found |= {f"{_IFX}.{column}.{port}": value for column, value in more.items()}
    return found


def head_of(datagram: bytes) -> tuple[bytes, int, bytes]:
    """A v2c request's PDU tag and everything after its request id; and where the id is. Short lengths only
    where they are short: net-snmp writes long ones.
    """
    at = 2 + (datagram[1] & 0x7F if datagram[1] & 0x80 else 0)
    at += 2 + datagram[at + 1]  # version
    at += 2 + datagram[at + 1]  # community
    tag = datagram[at]
    at += 2 + (datagram[at + 1] & 0x7F if datagram[at + 1] & 0x80 else 0)
    end = at + 2 + datagram[at + 1]
    return bytes([tag]) + datagram[end:], tag, datagram[at:end]


class Responder:
    def __init__(self, options: argparse.Namespace) -> None:
        self._table = Table(rows(options.ports))
        self._kept: dict[bytes, tuple[bytes, int]] = {}
        self._later: list[tuple[float, int, socket.socket, bytes, object]] = []
        self._selector = selectors.DefaultSelector()
        self.requests = self.varbinds = 0
        self._begun: dict[str, list[float]] = {}
        self._last: dict[str, float] = {}
        everybody = addresses(options.devices)
        self.dead = set(everybody[:: 100 // options.dead]) if options.dead else set()
        self.slow = set(everybody[1 :: 100 // options.slow]) if options.slow else set()
        for address in everybody:
            one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            one.bind((address, options.port))
            one.setblocking(False)
            self._selector.register(one, selectors.EVENT_READ, address)
        self._selector.register(sys.stdin, selectors.EVENT_READ, "stdin")

    def serve(self) -> None:
        while True:
            wait_s = max(0.0, self._later[0][0] - time.monotonic()) if self._later else None
            for key, _ in self._selector.select(wait_s):
                if key.data == "stdin":
                    if not sys.stdin.readline():
                        return
                    print(json.dumps(self.stats()), flush=True)
                else:
                    assert isinstance(key.fileobj, socket.socket)
                    self._receive(key.fileobj, key.data)
            while self._later and self._later[0][0] <= time.monotonic():
                _, _, one, answer, client = heapq.heappop(self._later)
                one.sendto(answer, client)  # type: ignore[arg-type]

    def stats(self) -> dict[str, object]:
        return {
            "requests": self.requests,
            "varbinds": self.varbinds,
            "begun": self._begun,
            "dead": sorted(self.dead),
            "slow": sorted(self.slow),
        }

    def _receive(self, one: socket.socket, address: str) -> None:
        try:
            while True:
                datagram, client = one.recvfrom(65_535)
                now_s = time.monotonic()
                if now_s - self._last.get(address, -1e9) > _NEW_POLL_S:
                    self._begun.setdefault(address, []).append(now_s)
                self._last[address] = now_s
                self.requests += 1
                if address in self.dead:
                    continue
                answer = self._answer(datagram)
                if address in self.slow:
                    heapq.heappush(self._later, (now_s + _SLOW_S, self.requests, one, answer, client))
                else:
                    one.sendto(answer, client)
        except BlockingIOError:
            return

    def _answer(self, datagram: bytes) -> bytes:
        key, tag, request_id = head_of(datagram)
        kept = self._kept.get(key)
        if kept is None:
            request = decode(datagram)
            if tag == GETBULK and len(request.oids) > 1:
                found = [row for name in request.oids for row in self._table.after(name, request.index)]
                [whole] = [request.response(found[:100])]
            else:
                [whole] = honest(request, self._table)
            answered = head_of(whole)[0][1:]
            kept = self._kept[key] = (answered, len(decode(whole).oids))
        self.varbinds += kept[1]
        pdu = tlv(0xA2, request_id + kept[0])
        return tlv(0x30, integer(1) + octets(b"public") + pdu)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--devices", type=int, default=500)
    parser.add_argument("--ports", type=int, default=24)
    parser.add_argument("--port", type=int, default=1161)
    parser.add_argument("--dead", type=int, default=0, help="per cent that never answer")
    parser.add_argument("--slow", type=int, default=0, help=f"per cent that take {_SLOW_S} s for each answer")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    responder = Responder(options)
    print(json.dumps({"ready": True}), flush=True)
    responder.serve()


if __name__ == "__main__":
    main()
