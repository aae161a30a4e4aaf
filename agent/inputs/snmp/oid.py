"""Numeric OIDs in profiles: as they stand, below a group, below the product's own number."""

from __future__ import annotations

import re

_OID = re.compile(r"\d+(\.\d+)*")
_ABSOLUTE = ("1.3.6.1.", "1.0.8802.", "1.2.840.")
_PRODUCT = re.compile(r"\{sys_object_id(?:\.0-(\d+))?\}((?:\.\d+)*)")


def is_oid(text: str) -> bool:
    """Whether the text is a numeric OID (and not an expression)."""
    return _OID.fullmatch(text) is not None


def is_absolute(oid: str) -> bool:
    """Whether the OID stands by itself; any other is below something."""
    return is_oid(oid) and oid.startswith(_ABSOLUTE)


def is_place(under: str) -> bool:
    """Whether a group can be there: an OID that stands by itself, or one below the product's number."""
    return is_absolute(under) or _PRODUCT.fullmatch(under) is not None


def placed(under: str, sys_object_id: str) -> str:
    """Where a group is: ``{sys_object_id}`` stands for the device's own, ``{sys_object_id.0-8}`` for its
    first nine numbers. Some vendors give every product a copy of their MIB below its number.
    """
    product = _PRODUCT.fullmatch(under)
    if product is None:
        return under
    numbers = sys_object_id.split(".")
    cut = numbers if product[1] is None else numbers[: int(product[1]) + 1]
    return ".".join(cut) + product[2]


def absolute(oid: str, under: str) -> str:
    """The OID itself, or below ``under`` when it is relative."""
    return oid if not under or oid.startswith(_ABSOLUTE) else f"{under}.{oid}"
