"""Real SNMP agents for tests: net-snmp's snmpd and snmpsim, on loopback and without privileges."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from agent.inputs.snmp.credentials import Auth, Credentials, Priv
from setpoint.units import Secret
from tests.misbehaving_snmp import GET, NULL, integer, octets, tlv, varbinds
from tests.ports import free_udp_port
from tests.servers import ServerProcess, require

# Setpoint's name and net-snmp's.
AUTH = {
    "md5": "MD5",
    "sha": "SHA",
    "sha224": "SHA-224",
    "sha256": "SHA-256",
    "sha384": "SHA-384",
    "sha512": "SHA-512",
}
PRIV = {
    "des": "DES",
    "aes128": "AES",
    "aes192": "AES-192",
    "aes256": "AES-256",
    "aes192c": "AES-192-C",
    "aes256c": "AES-256-C",
}
COMMUNITY = "public"
# Below it snmpd has nine texts of 900 bytes, together more than fits into an SNMPv3 answer.
LONG = "1.3.6.1.4.1.99999.1"
PASSWORD = "correct horse"


def by_community(version: str = "v2c", community: str = COMMUNITY) -> Credentials:
    return Credentials(version=version, community=Secret(community))  # type: ignore[arg-type]


def by_user(
    auth: str = "",
    priv: str = "",
    *,
    user: str = "",
    auth_password: str = PASSWORD,
    priv_password: str = PASSWORD,
    context: str = "",
) -> Credentials:
    """The credentials of the user that ``Snmpd`` has for these protocols."""
    return Credentials(
        version="v3",
        user=user or user_name(auth, priv),
        auth=Auth(protocol=auth, password=Secret(auth_password)) if auth else None,  # type: ignore[arg-type]
        priv=Priv(protocol=priv, password=Secret(priv_password)) if priv else None,  # type: ignore[arg-type]
        context=context,
    )


def user_name(auth: str, priv: str) -> str:
    return f"user-{auth or 'none'}-{priv or 'none'}"


def answers(host: str, port: int, community: str = COMMUNITY) -> bool:
    """Whether an agent answers a GET of sysUpTime with this community."""
    bindings = varbinds([("1.3.6.1.2.1.1.3.0", NULL)])
    pdu = tlv(GET, integer(1) + integer(0) + integer(0) + bindings)
    request = tlv(0x30, integer(1) + octets(community.encode()) + pdu)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.settimeout(0.2)
        probe.connect((host, port))
        probe.send(request)
        return bool(probe.recv(65_535))
    return False


class Snmpd(ServerProcess):
    """net-snmp's agent with a user for every pair of algorithms, see ``by_user``."""

    name = "snmpd"

    def __init__(self, folder: Path, *, host: str = "127.0.0.1", port: int | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        port = port or free_udp_port(host)
        address = f"udp6:[{host}]:{port}" if ":" in host else f"udp:{host}:{port}"
        lines = [f"agentaddress {address}", f"rocommunity {COMMUNITY}", f"rocommunity6 {COMMUNITY}"]
        for auth in ("", *AUTH):
            for priv in ("", *PRIV) if auth else ("",):
                user, secret = user_name(auth, priv), f'"{PASSWORD}"'
                keys = [AUTH[auth], secret] if auth else []
                keys += [PRIV[priv], secret] if priv else []
                level = "priv" if priv else "auth" if auth else "noauth"
                lines += [" ".join(["createUser", user, *keys]), f"rouser {user} {level}"]
        lines += [f"override {LONG}.{index} octet_str {str(index) * 900}" for index in range(1, 10)]
        config = folder / "snmpd.conf"
        config.write_text("\n".join(lines) + "\n")
        super().__init__(
            [require("snmpd"), "-f", "-Lo", "-C", "-c", config, "-I", "-smux"],
            host=host,
            port=port,
            log=folder / "snmpd.log",
            env={"SNMP_PERSISTENT_DIR": str(folder / "persistent"), "MIBS": "", "MIBDIRS": str(folder)},
            ready=lambda: answers(host, port),
        )


class Snmpsim(ServerProcess):
    """snmpsim with recordings: the community, or the context, is the name of a file in ``data``."""

    name = "snmpsim"

    def __init__(self, folder: Path, data: Path, community: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        port = free_udp_port()
        program = Path(sys.executable).with_name("snmpsim-command-responder")
        argv: list[str | Path] = [
            sys.executable,
            program,
            f"--data-dir={data}",
            f"--cache-dir={folder / 'cache'}",
            f"--agent-udpv4-endpoint=127.0.0.1:{port}",
            "--v3-user=simulated",
            f"--v3-auth-key={PASSWORD}",
            "--v3-auth-proto=SHA",
            f"--v3-priv-key={PASSWORD}",
            "--v3-priv-proto=AES",
        ]
        if os.geteuid() == 0:
            argv += ["--process-user=root", "--process-group=root"]
        super().__init__(
            argv,
            port=port,
            log=folder / "snmpsim.log",
            ready=lambda: answers("127.0.0.1", port, community),
        )


class AlteringProxy:
    """Passes datagrams between one client and an agent; ``alter`` says what comes in place of an answer."""

    def __init__(self, port: int, alter: Callable[[bytes], Sequence[bytes]]) -> None:
        self._front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._front.bind(("127.0.0.1", 0))
        self._back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._back.connect(("127.0.0.1", port))
        self._alter = alter
        self.port: int = self._front.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        client = None
        with contextlib.suppress(OSError, ValueError):  # closed
            while True:
                ready, _, _ = select.select([self._front, self._back], [], [])
                if self._front in ready:
                    request, client = self._front.recvfrom(65_535)
                    if not request:
                        return
                    self._back.send(request)
                if self._back in ready and client is not None:
                    for answer in self._alter(self._back.recv(65_535)):
                        self._front.sendto(answer, client)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        for one in (self._front, self._back):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._thread.join(10)


def write_recording(path: Path, rows: Mapping[str, tuple[str, str]]) -> None:
    """A file of snmpsim's: OID to (BER tag as snmpsim writes it, value)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = sorted(rows.items(), key=lambda row: [int(part) for part in row[0].split(".")])
    path.write_text("".join(f"{oid}|{tag}|{value}\n" for oid, (tag, value) in lines))
