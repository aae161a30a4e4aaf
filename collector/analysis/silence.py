"""When a host or a device was silent as a whole, and who was behind it meanwhile."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from setpoint.spans import Span, Spans, merged, overlap


@dataclass(slots=True)
class Signs:
    """The signs of life of one subject: ``runs`` from first to last sample, in order of time, in which
    samples are no further apart than the shortest patience there is with its host. ``patience_ms``: how long
    its next sample is waited for; None where the plan does not say how often it reports.
    """

    patience_ms: int | None
    newest_ms: int | None
    runs: list[Span] = field(default_factory=list)

    def last_until(self, moment_ms: int) -> int | None:
        """Its newest sample up to a moment at which no run is under way."""
        index = bisect_right(self.runs, (moment_ms, moment_ms))
        return self.runs[index - 1][1] if index else None


def silent_spans(signs: Sequence[Signs], start_ms: int, end_ms: int) -> Spans:
    """When in [start_ms, end_ms) something with these signs of life was silent.

    Silent is the time from one sign, whichever it is, to the next, if meanwhile something became late that
    had been reporting. What came before the first sign is not known, and not silence.
    """
    patiences = [one.patience_ms for one in signs if one.patience_ms is not None]
    if not patiences:
        return ()
    alive = _joined([run for one in signs for run in one.runs], min(patiences))
    window = ((start_ms, end_ms),) if start_ms < end_ms else ()
    if not alive:
        # It has reported in its life, and not since the period began.
        newest_ms = max((one.newest_ms for one in signs if one.newest_ms is not None), default=end_ms)
        return window if newest_ms < start_ms and end_ms - newest_ms > max(patiences) else ()
    ends = [*(first for first, _ in alive[1:]), end_ms]
    gaps = [(last, until) for (_, last), until in zip(alive, ends, strict=True) if last < until]
    silent = merged(gap for gap in gaps if any(_became_late(one, gap) for one in signs))
    return overlap(silent, window)


def _became_late(one: Signs, gap: Span) -> bool:
    if one.patience_ms is None or gap[1] - gap[0] <= one.patience_ms:
        return False
    last_ms = one.last_until(gap[0])
    return last_ms is not None and gap[0] - last_ms <= one.patience_ms


def _joined(runs: Sequence[Span], patience_ms: int) -> list[Span]:
    found: list[Span] = []
    for first, last in sorted(runs):
        if found and first - found[-1][1] <= patience_ms:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return found


@dataclass(frozen=True, slots=True)
class Masks:
    """``masked``: when each host or device was behind something silent. ``behind``: those that were, by the
    name of what was silent.
    """

    masked: Mapping[str, Spans]
    behind: Mapping[str, Sequence[str]]


NO_MASKS = Masks({}, {})


def masks_of(depends_on: Mapping[str, Sequence[str]], silent_of: Callable[[str], Spans | None]) -> Masks:
    """Who is masked when. A host is while all that it depends on is silent; what nobody measures
    (``silent_of`` gives None) counts as silent while it is masked itself. ``depends_on`` has no cycles.
    """
    masks: dict[str, Spans] = {}
    silent: dict[str, Spans | None] = {}

    def silence(name: str) -> Spans:
        if name not in silent:
            silent[name] = silent_of(name)
        known = silent[name]
        return mask(name) if known is None else known

    def mask(name: str) -> Spans:
        if name not in masks:
            others = [silence(other) for other in depends_on.get(name, ())]
            common: Spans = others[0] if others else ()
            for other in others[1:]:
                common = overlap(common, other)
            masks[name] = common
        return masks[name]

    def causes(name: str) -> set[str]:
        found: set[str] = set()
        for other in depends_on.get(name, ()):
            found |= causes(other) if mask(other) else {other} & {one for one in silent if silent[one]}
        return found

    behind: dict[str, list[str]] = {}
    for name in sorted(depends_on):
        if mask(name):
            for cause in causes(name):
                behind.setdefault(cause, []).append(name)
    return Masks({name: spans for name, spans in masks.items() if spans}, behind)
