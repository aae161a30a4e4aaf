"""How ``setpoint agents`` hands passwords over: lines for an ``agent.yaml``, a table, or a folder."""

from __future__ import annotations

import csv
import ipaddress
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from collector.broker.settings import EmbeddedBrokerSettings, parse_listen
from setpoint.broker_settings import BrokerSettings

UNKNOWN_HOST = "ADDRESS-OF-THE-BROKER"
_UNKNOWN_CA = "FILE-OF-THE-CA"
_TLS_PORT = 8883
_PLAIN_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PLAIN_YAML = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")
_YAML_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})


class Credential(NamedTuple):
    """What one agent connects with."""

    name: str
    site: str
    password: str


class Address(NamedTuple):
    """Where agents reach the broker, as far as it can be known here. ``ca``: empty for the system's, None
    without TLS.
    """

    host: str
    port: int
    ca: str | None

    def with_asked(self, host_and_port: str | None, ca: str | None) -> Address:
        """This address with what was asked for on the command line. ValueError when that is no address."""
        host, port = self.host, self.port
        if ca and self.ca is None and port == BrokerSettings().port:
            port = _TLS_PORT
        if host_and_port:
            host, port = _split(host_and_port, port)
        return Address(host, port, ca or self.ca)


def embedded_address(settings: EmbeddedBrokerSettings) -> Address:
    """Where the embedded broker is reached."""
    host, port = parse_listen(settings.listen)
    return Address(_from_elsewhere(host), port, _UNKNOWN_CA if settings.certificate else None)


def broker_address(settings: BrokerSettings) -> Address:
    """Where the broker is that the collector itself connects to."""
    ca = None if settings.tls is None else settings.tls.ca or ""
    return Address(_from_elsewhere(settings.host), settings.port, ca)


def agent_yaml(credential: Credential, address: Address) -> str:
    """The two lines of an ``agent.yaml`` that make it this agent."""
    parts = [f"host: {_yaml(address.host)}", f"port: {address.port}"]
    if address.ca is not None:
        parts.append(f"tls: {{ca: {json.dumps(address.ca)}}}" if address.ca else "tls: {}")
    parts.append(f"password: {json.dumps(credential.password)}")
    return (
        f"agent: {{name: {_yaml(credential.name)}, site: {_yaml(credential.site)}}}\n"
        f"broker: {{{', '.join(parts)}}}\n"
    )


@contextmanager
def credentials_out(path: Path, address: Address) -> Iterator[Callable[[Iterable[Credential]], None]]:
    """Opens ``path`` for credentials, before any is made; what it gives writes them.

    A name that ends in ``.csv`` becomes a table, any other a folder with one file for each agent; nobody else
    may read either. FileExistsError when there is something already. After an error nothing is left.
    """
    if path.suffix.lower() == ".csv":
        with _new_private_file(path) as file:
            yield lambda credentials: csv.writer(file, lineterminator="\n").writerows(
                [Credential._fields, *credentials]
            )
        return
    path.mkdir(mode=0o700)
    try:
        yield lambda credentials: _write_folder(path, credentials, address)
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise


def _write_folder(folder: Path, credentials: Iterable[Credential], address: Address) -> None:
    for credential in credentials:
        with _new_private_file(folder / f"{credential.name}.yaml") as file:
            file.write(agent_yaml(credential, address))


@contextmanager
def _new_private_file(path: Path) -> Iterator[IO[str]]:
    """A new file of mode 0600, on the disk at the end of the block, or gone again after an error."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _split(text: str, port: int) -> tuple[str, int]:
    """Host and port of ``mqtt.example.org:8883``; the port may be missing."""
    try:
        if text.count(":") == 1 or text.startswith("["):
            host, port = parse_listen(text)
        else:
            host = text
    except ValueError:
        host = ""
    if not (_PLAIN_HOST.fullmatch(host) or _is_ip(host)):
        raise ValueError(
            f'--address: expected a name or address such as "mqtt.example.org:8883", got "{text}"'
        )
    return host, port


def _from_elsewhere(host: str) -> str:
    """The host, or a placeholder where it means this machine, or all of its addresses."""
    if host == "localhost":
        return UNKNOWN_HOST
    if not _is_ip(host):
        return host
    address = ipaddress.ip_address(host)
    return UNKNOWN_HOST if address.is_loopback or address.is_unspecified else host


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _yaml(text: str) -> str:
    """A name as YAML that reads back as text, which ``7`` and ``on`` would not."""
    plain = _PLAIN_YAML.fullmatch(text) and text.lower() not in _YAML_WORDS
    return text if plain else json.dumps(text)
