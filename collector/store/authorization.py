"""How a collector says to a database who it is."""

from __future__ import annotations

import base64

from setpoint.units import Secret


def authorization(
    scheme: str, token: Secret | None, username: str, password: Secret | None
) -> dict[str, str]:
    """The header of every request; none without credentials. ``scheme``: what stands before a token."""
    if token:
        return {"Authorization": f"{scheme} {token.reveal()}"}
    if username:
        pair = f"{username}:{password.reveal() if password else ''}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    return {}
