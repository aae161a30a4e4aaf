"""What can be set about the embedded broker: ``embedded_broker`` in ``collector.yaml``."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path

import msgspec

from setpoint.units import Size


class EmbeddedBrokerSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """``listen``: address and port. ``certificate`` and ``key``: PEM files; with them the port speaks TLS.

    ``max_message``: a client that sends a larger one is disconnected.
    """

    listen: str = "127.0.0.1:1883"
    certificate: str | None = None
    key: str | None = None
    max_message: Size = Size(8_000_000)

    def problems(self) -> Sequence[tuple[str, str]]:
        found = []
        try:
            parse_listen(self.listen)
        except ValueError as error:
            found.append(("listen", str(error)))
        if (self.certificate is None) != (self.key is None):
            missing, given = ("key", "certificate") if self.certificate else ("certificate", "key")
            found.append((missing, f"{given} is set, so {missing} is needed as well"))
        return found

    def tls_context(self) -> ssl.SSLContext | None:
        """The TLS context that the settings ask for; None for plain TCP. OSError when a file is no good."""
        if self.certificate is None or self.key is None:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            context.load_cert_chain(self.certificate, self.key)
        except OSError as error:
            # OpenSSL's own text names no file.
            reason = error.strerror or error
            raise OSError(f"certificate {self.certificate} with key {self.key}: {reason}") from None
        return context


def parse_listen(text: str) -> tuple[str, int]:
    """Host and port of ``127.0.0.1:1883`` or ``[::1]:1883``. ValueError when it is neither."""
    host, colon, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not (colon and bare and port.isascii() and port.isdigit() and int(port) <= 65535):
        raise ValueError(f'expected an address and port such as "127.0.0.1:1883", got "{text}"')
    if ":" in bare and bare == host:
        raise ValueError(f'expected brackets around an IPv6 address, as in "[::1]:1883", got "{text}"')
    return bare, int(port)


def credentials_path(data: Path) -> Path:
    """Where the users of the broker are, in the collector's data folder."""
    return data / "broker" / "credentials"
