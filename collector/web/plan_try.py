"""The HTTP API that replays a setting over history."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Router, get
from litestar.exceptions import NotFoundException, ValidationException
from litestar.params import FromQuery, QueryParameter

from collector.plan_try import CannotTry, Tried, TryQuery, UnknownPoint
from collector.web.api import Readers, Tags, View
from collector.web.parameters import parse_span, tags_asked
from setpoint.limits import Comparison

_USUAL_MS: Final = 30 * 86_400_000
_LEVEL: Final = (
    'JSON: {"high": 90} for above, {"low": 10} for below, both for outside, {"equal": 1}, {"unequal": 0}; '
    'with "for_ms" for how long it lasts before it counts'
)
Level = Annotated[str | None, QueryParameter(description=_LEVEL)]


@get("/", summary="What another threshold would have said", tags_as_parameters=True)
async def get_plan_try(
    request: Request[Any, Any, Any],
    view: View,
    sample_readers: Readers,
    point: FromQuery[str],
    warning: Level = None,
    critical: Level = None,
    tags: Tags = None,  # noqa: ARG001
    start: FromQuery[str | None] = None,
    end: FromQuery[str | None] = None,
) -> Tried:
    """Episodes under the present and the tried setting, in the last 30 days without ``start`` and ``end``."""
    if warning is None and critical is None:
        raise ValidationException("expected a warning or a critical level to try")
    start_ms, end_ms = parse_span(start, end, view.clock_ms(), _USUAL_MS)
    query = TryQuery(
        point,
        parse_level(warning, "warning"),
        parse_level(critical, "critical"),
        tags_asked(request),
        start_ms,
        end_ms,
    )
    try:
        async with sample_readers:
            return await asyncio.to_thread(view.replay, query)
    except UnknownPoint as error:
        raise NotFoundException(str(error)) from None
    except CannotTry as error:
        raise ValidationException(str(error)) from None


def parse_level(text: str | None, name: str) -> Comparison | None:
    """The level in the JSON text. ValidationException when it is none."""
    if text is None:
        return None
    try:
        level = msgspec.json.decode(text, type=Comparison)
    except msgspec.DecodeError as error:
        raise ValidationException(f"{name}: expected {_LEVEL}; {error}") from None
    ranged = level.high is not None or level.low is not None
    kinds = ranged + (level.equal is not None) + (level.unequal is not None)
    if kinds != 1 or level.for_ms < 0:
        raise ValidationException(f"{name}: expected {_LEVEL}")
    if level.high is not None and level.low is not None and level.low >= level.high:
        raise ValidationException(f"{name}: expected a low level that is below the high one")
    return level


def plan_try_router() -> Router:
    """Below ``/api/plan/try``."""
    return Router("/api/plan/try", route_handlers=[get_plan_try])
