"""The retained message on an agent's ``status`` topic."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

# Whoever shows a status divides, compares and subtracts these, also as floats.
_Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]


class Status(msgspec.Struct, kw_only=True, omit_defaults=True):
    """``state`` is "offline" in the last will and after a clean stop; ``since_ms`` is UTC milliseconds.

    ``inputs`` maps each input's label to its interval in milliseconds.
    """

    state: Literal["online", "offline"]
    since_ms: _Milliseconds
    reason: str = ""
    version: str = ""
    epoch: str = ""
    platform: str = ""
    inputs: dict[str, _Milliseconds] = {}


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Status)


def encode_status(status: Status) -> bytes:
    return _encoder.encode(status)


def decode_status(payload: bytes) -> Status:
    """The status that the payload says. ValueError when it is none."""
    try:
        return _decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"not a status: {error}") from None
