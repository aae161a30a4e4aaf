"""Reads what the plan of a device asks for."""

from __future__ import annotations

from agent.inputs.snmp.device_plan import DevicePlan, Part
from agent.inputs.snmp.session import Session
from setpoint.reading import Point


async def read(session: Session, plan: DevicePlan, part: Part) -> list[Point]:
    """The points of a part, without the tags ``host`` and ``device``, and without a time.

    What the device does not answer (a module that was pulled, a sensor that has no value) is left out.
    SessionError when it does not answer at all.
    """
    planned = plan.part(part)
    oids = list(dict.fromkeys(oid for point in planned for oid in point.oids.values()))
    if not oids:
        return []
    answered = await session.get(oids)
    points = []
    for point in planned:
        fields = point.fields({name: answered.get(oid) for name, oid in point.oids.items()})
        if fields:
            points.append(Point(point.measurement, point.tags, fields))
    return points
