"""Counts notifications, and says how many of them may be read and written down."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from agent.inputs.snmp_traps.notification import Notification
from setpoint.reading import FieldValue, Point

# Decoding one with pysnmp takes 0.5 ms, of SNMPv3 with authPriv 1.7 ms: a storm is let to cost 5 to 17 % of a
# core, and one sender a fifth of that.
_READ_PER_S, _READ_BURST = 100.0, 500
_SENDER_READ_PER_S, _SENDER_READ_BURST = 20.0, 200
# Sender addresses can be forged, and an OID can be any: what is remembered of them is bounded.
_MAX_SENDERS, _MAX_KEYS, _MAX_PENDING = 4_096, 1_000, 2_000
_OTHER = "other"


@dataclass(slots=True)
class _Bucket:
    """Fills evenly with what may be spent."""

    size: float
    per_s: float
    level: float
    at_s: float

    def take(self, now_s: float) -> bool:
        self.level = min(self.size, self.level + (now_s - self.at_s) * self.per_s)
        self.at_s = now_s
        if self.level < 1:
            return False
        self.level -= 1
        return True


class Tally:
    """``now_s`` is a clock that never goes back, ``time_ms`` the wall clock."""

    def __init__(self, max_events: int, now_s: float) -> None:
        self._max_events = max_events
        self._counts: Counter[tuple[str, str]] = Counter()
        self._events: dict[tuple[str, str, int], Point] = {}
        self._senders: OrderedDict[str, tuple[_Bucket, _Bucket]] = OrderedDict()
        self._read = _Bucket(_READ_BURST, _READ_PER_S, _READ_BURST, now_s)
        self.received = self.taken = self.refused = self.malformed = self.unread = self.only_counted = 0

    def may_read(self, source: str, now_s: float) -> bool:
        """Whether a datagram that came is to be decoded; else it is counted as not read."""
        self.received += 1
        if self._buckets(source, now_s)[0].take(now_s) and self._read.take(now_s):
            return True
        self.unread += 1
        return False

    def take(self, source: str, device: str, what: Notification, now_s: float, time_ms: int) -> None:
        """Counts a notification, and keeps what it says unless its sender has said enough."""
        self.taken += 1
        key = (device, what.trap)
        if key not in self._counts and len(self._counts) >= _MAX_KEYS:
            key = (_OTHER, _OTHER)
        self._counts[key] += 1
        if len(self._events) >= _MAX_PENDING or not self._buckets(source, now_s)[1].take(now_s):
            self.only_counted += 1
            return
        fields: dict[str, FieldValue] = {"event": what.text or what.trap}
        if what.if_index is not None:
            fields["if_index"] = what.if_index
        if what.if_name:
            fields["if_name"] = what.if_name
        while (*key, time_ms) in self._events:  # two at one time would be one point
            time_ms += 1
        tags = {"device": key[0], "trap": key[1]}
        self._events[*key, time_ms] = Point("snmp_trap", tags, fields, time_ms)

    def fetch(self) -> Iterator[Point]:
        """What was said since the last call, and how often each was said since the start."""
        events, self._events = self._events, {}
        yield from events.values()
        for (device, trap), count in self._counts.items():
            yield Point("snmp_trap", {"device": device, "trap": trap}, {"count": count})

    def of_the_receiver(self, port: int) -> Point:
        """Counters of all that came since the start."""
        fields = {
            name: getattr(self, name)
            for name in ("received", "taken", "refused", "malformed", "unread", "only_counted")
        }
        return Point("snmp_trap_receiver", {"port": str(port)}, fields)

    def _buckets(self, source: str, now_s: float) -> tuple[_Bucket, _Bucket]:
        found = self._senders.pop(source, None)
        if found is None:
            if len(self._senders) >= _MAX_SENDERS:
                self._senders.popitem(last=False)
            found = (
                _Bucket(_SENDER_READ_BURST, _SENDER_READ_PER_S, _SENDER_READ_BURST, now_s),
                _Bucket(self._max_events, self._max_events / 60, self._max_events, now_s),
            )
        self._senders[source] = found
        return found
