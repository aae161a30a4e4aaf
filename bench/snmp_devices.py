"""The simulated devices of bench/snmp_responder.py, as a process of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from tests.ports import free_udp_port
from tests.servers import ROOT


class Responder:
    """The simulated devices, as a process."""

    def __init__(self, devices: int, ports: int, *flags: str) -> None:
        self.port = free_udp_port("127.7.1.1")
        numbers = ["--devices", str(devices), "--ports", str(ports), "--port", str(self.port)]
        self._process = subprocess.Popen(
            [sys.executable, str(ROOT / "bench" / "snmp_responder.py"), *numbers, *flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._line()

    def stats(self) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write("stats\n")
        self._process.stdin.flush()
        return self._line()

    def _line(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()
