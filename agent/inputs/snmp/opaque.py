"""Floating-point numbers in an Opaque, as net-snmp and UPS makers send them."""

from __future__ import annotations

import math
import struct

_FORMS = {b"\x9f\x78\x04": ">f", b"\x9f\x79\x08": ">d"}
"""Tag and length of NET-SNMP-TC's Float and Double."""


def holds_opaque_float(data: bytes) -> bool:
    """Whether one may stand in these bytes."""
    return b"\x9f\x78\x04" in data or b"\x9f\x79\x08" in data


def opaque_float(octets: bytes) -> float | None:
    """The number in an Opaque's content, None when there is none or it is not finite."""
    form = _FORMS.get(octets[:3])
    if form is None or len(octets) != 3 + struct.calcsize(form):
        return None
    number: float = struct.unpack(form, octets[3:])[0]
    return number if math.isfinite(number) else None
