"""What a collector answers on an agent's ``ack`` topic: which batches are stored, which are refused."""

from __future__ import annotations

from typing import Annotated

import msgspec


class RejectedBatch(msgspec.Struct, kw_only=True):
    """``readings`` of batch ``id`` were refused. The batch's other readings, if any, are stored."""

    id: str
    reason: str
    # Counted up by the agent, in a column of 64 bits.
    readings: Annotated[int, msgspec.Meta(ge=0, le=1 << 53)] = 0


class Ack(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One message per agent and commit. An agent deletes every batch that is named in either list."""

    stored: list[str] = []
    rejected: list[RejectedBatch] = []


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Ack)


def encode_ack(ack: Ack) -> bytes:
    return _encoder.encode(ack)


def decode_ack(payload: bytes) -> Ack:
    """The ack that the payload says. ValueError when it is none."""
    try:
        return _decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"not an ack: {error}") from None
