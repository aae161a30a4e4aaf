"""Maintenance that people enter: who may, and what it may say."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Router, get, post
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException, NotFoundException, PermissionDeniedException
from litestar.params import FromPath, JSONBody, SkipValidation

from collector.register import Register
from collector.web.api import View
from collector.web.parameters import refuse_unknown
from collector.web.security import is_local
from setpoint.maintenance import Announced

Downtimes = NamedDependency[SkipValidation[Register]]

_DAY_MS: Final = 86_400_000
_LONGEST_MS: Final = 366 * _DAY_MS


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    """Maintenance to be entered. ``hosts`` is the name of a host or device, or a glob. Without ``from_ms`` it
    begins now.
    """

    hosts: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500, pattern=r"\S")]
    duration_ms: Annotated[int, msgspec.Meta(ge=1, le=_LONGEST_MS)]
    from_ms: Annotated[int, msgspec.Meta(ge=0, le=1 << 50)] | None = None


class MaintenanceAnswer(msgspec.Struct):
    """All that was entered beside the plan, in order of its start."""

    time_ms: int
    maintenance: list[Announced]


@get("/", summary="Maintenance that was entered beside the plan")
async def get_maintenance(view: View, register: Downtimes) -> MaintenanceAnswer:
    return MaintenanceAnswer(view.clock_ms(), await asyncio.to_thread(register.maintenance))


@post("/", summary="Enter maintenance", status_code=201)
async def add_maintenance(
    request: Request[Any, Any, Any], view: View, register: Downtimes, data: JSONBody[Asked]
) -> Announced:
    """For programs on the collector's own machine."""
    _refuse_others(request)
    now_ms = view.clock_ms()
    from_ms = now_ms if data.from_ms is None else data.from_ms
    return await asyncio.to_thread(
        register.add_maintenance, data.hosts, data.reason.strip(), from_ms, from_ms + data.duration_ms, now_ms
    )


@post("/{number:int}/end", summary="Let maintenance end now", status_code=200)
async def end_maintenance(
    request: Request[Any, Any, Any], view: View, register: Downtimes, number: FromPath[int]
) -> Announced:
    """For programs on the collector's own machine. One that has not begun yet will not be."""
    _refuse_others(request)
    now_ms = view.clock_ms()
    known = {one.id: one for one in await asyncio.to_thread(register.maintenance)}
    if number not in known:
        raise NotFoundException(f"there is no maintenance {number}")
    if known[number].to_ms <= now_ms:
        raise HTTPException(status_code=409, detail=f"maintenance {number} is over")
    ended = await asyncio.to_thread(register.end_maintenance, number, now_ms)
    return ended or known[number]


def _refuse_others(request: Request[Any, Any, Any]) -> None:
    # A browser asks before it sends JSON to somebody else's site; forms and plain text it just sends.
    if not is_local(request) or request.content_type[0] != "application/json":
        raise PermissionDeniedException(
            "maintenance is entered as JSON by programs on the collector's own machine only"
        )


def taking_maintenance(register: Register | None) -> Register:
    """The register. HTTPException where there is none."""
    if register is None:
        raise HTTPException(status_code=503, detail="this collector takes no maintenance")
    return register


def maintenance_router() -> Router:
    """What is at /api/maintenance."""
    return Router(
        "/api/maintenance",
        route_handlers=[get_maintenance, add_maintenance, end_maintenance],
        before_request=refuse_unknown,
    )
