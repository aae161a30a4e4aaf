"""How a device is asked: version, and community or user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from setpoint.units import Secret

AuthProtocol = Literal["md5", "sha", "sha224", "sha256", "sha384", "sha512"]
PrivProtocol = Literal["des", "aes128", "aes192", "aes256", "aes192c", "aes256c"]

# RFC 3414, section 11.2; agents refuse to store shorter ones.
_MIN_PASSWORD = 8


class Auth(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """``protocol``: RFC 3414's (`md5`, `sha`) or RFC 7860's."""

    protocol: AuthProtocol
    password: Secret


class Priv(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """``protocol``: `aes192` and `aes256` lengthen a short key as Blumenthal's draft has it (net-snmp, gufo),
    `aes192c` and `aes256c` as Reeder's (Cisco, and most vendors).
    """

    protocol: PrivProtocol
    password: Secret


class Credentials(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """``version``: of SNMP. ``community``: for v1 and v2c. ``user``, ``auth``, ``priv``, ``context``: for v3;
    without ``priv`` nothing is encrypted, without ``auth`` nobody has to prove who they are.
    """

    version: Literal["v1", "v2c", "v3"] = "v2c"
    community: Secret | None = None
    user: str = ""
    auth: Auth | None = None
    priv: Priv | None = None
    context: str = ""

    def problems(self) -> Sequence[tuple[str, str]]:
        return self._problems_of_a_user() if self.version == "v3" else self._problems_of_a_community()

    def _problems_of_a_community(self) -> list[tuple[str, str]]:
        found = []
        if not self.community:
            found.append(("community", f"missing, {self.version} needs it"))
        for name in ("user", "auth", "priv", "context"):
            if getattr(self, name):
                found.append((name, f"is for v3, and the version is {self.version}; add `version: v3`"))
        return found

    def _problems_of_a_user(self) -> list[tuple[str, str]]:
        found = []
        if self.community is not None:
            found.append(("community", "is for v1 and v2c, and the version is v3; expected user"))
        if not self.user:
            found.append(("user", "missing, v3 needs it"))
        elif len(self.user.encode()) > 32:
            found.append(("user", f"expected at most 32 bytes, got {len(self.user.encode())}"))
        if self.priv is not None and self.auth is None:
            found.append(("priv", "needs auth as well: SNMPv3 encrypts only what is authenticated"))
        for name, key in (("auth", self.auth), ("priv", self.priv)):
            if key is not None and len(key.password.reveal().encode()) < _MIN_PASSWORD:
                found.append((f"{name}.password", f"expected at least {_MIN_PASSWORD} characters"))
        return found

    @property
    def level(self) -> str:
        """What SNMPv3 calls the security level: ``noAuthNoPriv``, ``authNoPriv``, ``authPriv``."""
        return ("auth" if self.auth else "noAuth") + ("Priv" if self.priv else "NoPriv")
