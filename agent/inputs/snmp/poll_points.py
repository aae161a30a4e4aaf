"""Turns what was read of a device into points that say whose they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from setpoint.reading import FieldValue, Point
from setpoint.threshold import THRESHOLD, THRESHOLD_SOURCE, Matcher, read_subject, write_subject


def device_point(*, up: bool, uptime_s: float | None, poll_s: float, requests: int, varbinds: int) -> Point:
    """``snmp_device`` of one poll."""
    fields: dict[str, FieldValue] = {
        "up": int(up),
        "poll_s": round(poll_s, 4),
        "requests": requests,
        "varbinds": varbinds,
    }
    if uptime_s is not None:
        fields["uptime_s"] = uptime_s
    return Point("snmp_device", {}, fields)


def threshold_source(points: Sequence[Point], every_s: float) -> Point:
    """What tells that thresholds which are missing among these points are no longer the device's."""
    count = sum(point.measurement == THRESHOLD for point in points)
    fields: dict[str, FieldValue] = {
        "rules": count,
        "thresholds": count,
        "without": 0,
        "unreadable": 0,
        "failed_parts": 0,
        "every_s": float(every_s),
    }
    return Point(THRESHOLD_SOURCE, {}, fields)


def of_device(point: Point, device: str, tags: Mapping[str, str], time_ms: int) -> Point:
    """The point with the device's tags and the time. A device is the source of its thresholds."""
    own = {**tags, "device": device, **point.tags}
    if point.measurement in (THRESHOLD, THRESHOLD_SOURCE):
        own["source"] = device
    if point.measurement == THRESHOLD:
        matchers = read_subject(point.tags["subject"])
        own["subject"] = write_subject([*matchers, Matcher("device", "=", device)])
    return Point(point.measurement, own, point.fields, time_ms)
