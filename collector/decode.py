"""Payload to batch: what an agent or another publisher sent, as columns for the store; or why not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from collector.admission import Admission, Limits
from collector.columns import LineCache
from collector.content import Content
from collector.decoded import Decoded, Rejection
from collector.payload import PayloadError, unpack
from collector.series import SeriesTable

__all__ = ["Decoded", "Decoder", "Limits", "Rejection"]

# Far more than there are agents; topics of other publishers may be many.
_MAX_PUBLISHERS = 20_000


class _Publisher(NamedTuple):
    """What is kept of a publisher from payload to payload."""

    admission: Admission
    cache: LineCache


class Decoder:
    """Decodes the payloads of all publishers, one at a time."""

    def __init__(self, series: SeriesTable, limits: Limits | None = None, agents: Iterable[str] = ()) -> None:
        """``agents``: names of agents that were heard before; no other publisher may claim their hosts."""
        self._series = series
        self._limits = limits or Limits()
        self._agents = set(agents)
        self._publishers: dict[tuple[str, str, bool], _Publisher] = {}

    def decode(
        self, site: str, agent: str, payload: bytes, received_ms: int, *, enrolled: bool = True
    ) -> Decoded:
        """The batch that the payload holds, and what was refused. Never raises, whatever was sent.

        ``enrolled``: it came on an agent's own topic. Then every line must carry the agent's name as its
        tag ``host``. A line without a time gets the time of receipt, but not in a batch with a header:
        sent once more, it would be another reading.
        """
        try:
            header, body = unpack(
                payload,
                enrolled=enrolled,
                max_payload_bytes=self._limits.payload_bytes,
                max_body_bytes=self._limits.body_bytes,
            )
        except PayloadError as error:
            return Decoded(rejected=Rejection(error.fault, str(error)))
        lines = body.count(b"\n")
        if lines > self._limits.lines:
            text = f"{lines} lines, at most {self._limits.lines} allowed"
            return Decoded(rejected=Rejection("too-many-lines", text))
        publisher = self._publisher(site, agent, enrolled)
        content = Content(*publisher, self._limits, received_ms, needs_time=header is not None)
        content.read(body)
        decoded = content.decoded
        if decoded.rejected_lines and not content.accepted_lines:
            decoded.reject_all()
        else:
            decoded.batch = content.batch(site, agent, header)
        return decoded

    def _publisher(self, site: str, agent: str, enrolled: bool) -> _Publisher:
        key = (site, agent, enrolled)
        known = self._publishers.get(key)
        if known is not None:
            return known
        if enrolled and agent not in self._agents:
            self._agents.add(agent)
            for (_, _, is_agent), other in self._publishers.items():
                if not is_agent:
                    # It may have learned lines that claim the host of this agent, unknown until now.
                    other.cache.clear()
        if len(self._publishers) >= _MAX_PUBLISHERS:
            del self._publishers[next(iter(self._publishers))]
        admission = Admission(agent, agent if enrolled else None, self._agents, self._series, self._limits)
        self._publishers[key] = _Publisher(admission, LineCache())
        return self._publishers[key]
