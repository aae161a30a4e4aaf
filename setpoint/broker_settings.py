"""How to reach the MQTT broker: the same keys for agents and collectors."""

from __future__ import annotations

import ssl
from collections.abc import Sequence

import msgspec

from setpoint.units import Duration, Secret


class TlsSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """``ca``: the file with the authority that signed the broker's certificate (the system's, when unset).
    ``certificate`` and ``key``: this client's own, where the broker asks for one.
    """

    ca: str | None = None
    certificate: str | None = None
    key: str | None = None

    def problems(self) -> Sequence[tuple[str, str]]:
        if self.key and not self.certificate:
            return [("key", "a key without a certificate; set certificate as well")]
        return ()


class BrokerSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Address and credential of the broker. ``username`` is the agent's name when unset."""

    host: str = "127.0.0.1"
    port: int = 1883
    username: str | None = None
    password: Secret | None = None
    keepalive: Duration = Duration(30_000)
    tls: TlsSettings | None = None

    def problems(self) -> Sequence[tuple[str, str]]:
        if not 1 <= self.port <= 65535:
            return [("port", f"expected a port number from 1 to 65535, got {self.port}")]
        if self.keepalive < 1000:
            return [("keepalive", f"expected at least 1s, got {self.keepalive}")]
        return ()

    def tls_context(self) -> ssl.SSLContext | None:
        """The TLS context that the settings ask for; None for plain TCP. OSError when a file is missing."""
        if self.tls is None:
            return None
        context = ssl.create_default_context(cafile=self.tls.ca)
        if self.tls.certificate:
            context.load_cert_chain(self.tls.certificate, self.tls.key)
        return context

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"
