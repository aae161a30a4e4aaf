"""The HTTP API of rollups."""

from __future__ import annotations

from litestar import Router, get

from collector.rollups.progress import RollupProgress
from collector.web.api import View
from collector.web.parameters import refuse_unknown


@get("/", summary="How far hours are rolled up")
async def get_rollups(view: View) -> RollupProgress:
    """By plan point: since when and until when, and how many hours are to follow."""
    return await view.rollups()


def rollups_router() -> Router:
    """What is at ``/api/rollups``."""
    return Router("/api/rollups", route_handlers=[get_rollups], before_request=refuse_unknown)
