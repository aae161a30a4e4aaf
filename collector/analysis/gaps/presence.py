"""Who reports, who went silent, and who never reported."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from collector.analysis.gaps.rules import LEAST_SPACINGS, every_ms
from collector.analysis.review import Review, SubjectReview, Window
from setpoint.plan import PlanPoint
from setpoint.reading import Subject

# What may be the cause of many gaps at once, widest first: a host that polls, then the device it polls.
ROOT_TAGS = ("host", "device", "tool")

# A batch, a reconnect and a commit take their seconds; below this nobody is called silent.
LEAST_PATIENCE_MS = 90_000
_PATIENCE_WITHOUT_SPACING_MS = 60_000


class Presence(Enum):
    REPORTING = "it reports"
    SILENT = "it went silent"
    NEVER = "it never reported"
    WAITING = "it has not been expected for long enough"
    AWAY = "it is not expected now, and it reported while it was"
    UNKNOWN = "it is not known how often it reports"


def is_said_of_the_silent(point: PlanPoint, reviewed: SubjectReview) -> bool:
    """Whether its newest sample is what an agent says of a device that does not answer: no sign of life."""
    if point.measurement != "snmp_device" or point.field == "uptime_s":
        return False
    return point.field != "up" or reviewed.statistics.last == 0


def newest_ms(reviewed: SubjectReview) -> int | None:
    """The time of the subject's newest sample, in the window or before it."""
    return reviewed.last_ms if reviewed.last_ms is not None else reviewed.statistics.last_ms


def patience_ms(every: int | None) -> int:
    """How old the newest sample may be before its subject is silent."""
    return max(LEAST_SPACINGS * (every or 0), LEAST_PATIENCE_MS)


def first_wait_ms(every: int | None) -> int:
    """How long a first sample is waited for."""
    return LEAST_SPACINGS * every if every else _PATIENCE_WITHOUT_SPACING_MS


def presence(reviewed: SubjectReview, window: Window) -> Presence:
    """The subject's presence at the end of the window.

    A sample that is newer than a past window's end shows that the subject reports now.
    """
    newest, every = newest_ms(reviewed), every_ms(reviewed)
    if newest is None:
        return Presence.NEVER
    patience = patience_ms(every)
    if window.end_ms - newest <= patience:
        return Presence.REPORTING
    if every is None:
        return Presence.UNKNOWN
    # Silence before it was expected is none, and at a period's beginning it is not the end of an old one. Nor
    # is silence while it is not expected: outside its calendar, in maintenance, behind something silent.
    if expected_since_ms(reviewed, window, newest) > patience:
        return Presence.SILENT
    return Presence.AWAY if window.end_ms - reviewed.since_ms > patience else Presence.WAITING


def expected_since_ms(reviewed: SubjectReview, window: Window, moment_ms: int) -> int:
    """For how long the subject has been expected after a moment."""
    spans = ((reviewed.since_ms, window.end_ms),) if reviewed.spans is None else reviewed.spans
    return sum(max(0, end - max(start, moment_ms)) for start, end in spans)


def roots(tags: Mapping[str, str]) -> list[Subject]:
    """What the subject with these tags depends on, widest first."""
    return [((tag, tags[tag]),) for tag in ROOT_TAGS if tag in tags]


def silent_roots(review: Review) -> set[Subject]:
    """The hosts, devices and tools that went silent as a whole: something planned of them is silent, and
    either nothing planned of them reports, or nothing at all has arrived from them since.

    The second half is for hosts with slow inputs. What reports once an hour is not late for three hours,
    but it is no sign of life either.
    """
    stopped: dict[Subject, int] = {}
    reporting: set[Subject] = set()
    for reviewed in review.points:
        for subject in reviewed.subjects:
            now = presence(subject, review.window)
            if now is Presence.SILENT:
                # What was on its way when the host died may arrive with a later time than this subject had.
                until = (newest_ms(subject) or 0) + patience_ms(every_ms(subject)) // 2
                for root in roots(subject.tags):
                    stopped[root] = max(stopped.get(root, until), until)
            elif now is Presence.REPORTING and not is_said_of_the_silent(reviewed.point, subject):
                reporting.update(roots(subject.tags))
    signs = _last_signs(review)
    return {root for root, until in stopped.items() if root not in reporting or signs.get(root, 0) <= until}


def _last_signs(review: Review) -> dict[Subject, int]:
    """When anything, planned or not, was last seen of each host, device and tool."""
    signs: dict[Subject, int] = {(("host", name),): heard_ms for name, heard_ms in review.agents.items()}
    for series in review.series:
        for root in roots(dict(series.key.tags)):
            signs[root] = max(signs.get(root, series.last_ms), series.last_ms)
    for reviewed in review.points:
        for subject in reviewed.subjects:
            for root in roots(subject.tags):
                signs[root] = max(signs.get(root, 0), newest_ms(subject) or 0)
    return signs
