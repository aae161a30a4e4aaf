"""Whom a client of HTTPS believes."""

from __future__ import annotations

import ssl


class Trust:
    """``ca_file``: the authorities to trust instead of the system's. ``anybody``: trusts whoever answers."""

    def __init__(self, ca_file: str | None, anybody: bool) -> None:
        self._ca_file = ca_file
        self._anybody = anybody
        self._context: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext:
        """Made when first needed: the system's authorities take a megabyte and 20 ms to load. OSError."""
        if self._context is None:
            context = ssl.create_default_context(cafile=self._ca_file)
            if self._anybody:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            self._context = context
        return self._context
