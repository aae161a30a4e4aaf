"""Routes of the page and of what it is made of."""

from __future__ import annotations

from typing import Annotated, Literal

from litestar import MediaType, Response, Router, get
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery, QueryParameter, SkipValidation

from collector.web.page import Look, Pages, icon, stylesheet
from collector.web.parameters import refuse_unknown
from collector.web.view import Language

PagesDependency = NamedDependency[SkipValidation[Pages]]
Refresh = FromQuery[Literal["on", "off"]]

_CACHED = {"cache-control": "public, max-age=3600"}


@get("/", media_type=MediaType.HTML)
async def show_overview(
    pages: PagesDependency, lang: FromQuery[Language] = "en", refresh: Refresh = "on"
) -> str:
    """Counts, open findings, agents, latest values."""
    return await pages.overview(Look(lang, refresh == "on"))


@get("/findings", media_type=MediaType.HTML)
async def show_findings(
    pages: PagesDependency,
    wanted_state: Annotated[
        Literal["open", "closed", "superseded", "all"], QueryParameter(name="state")
    ] = "open",
    lang: FromQuery[Language] = "en",
    refresh: Refresh = "on",
) -> str:
    """The list of findings in one state."""
    return await pages.findings(Look(lang, refresh == "on"), wanted_state)


@get("/findings/{finding_id:str}", media_type=MediaType.HTML)
async def show_finding(
    pages: PagesDependency,
    finding_id: FromPath[str],
    lang: FromQuery[Language] = "en",
    refresh: Refresh = "on",
) -> str:
    """One finding with its evidence."""
    text = await pages.finding(Look(lang, refresh == "on"), finding_id)
    if text is None:
        raise NotFoundException(f'there is no finding "{finding_id}"')
    return text


@get("/static/setpoint.css", sync_to_thread=False)
def give_stylesheet() -> Response[bytes]:
    """The page's style sheet."""
    return Response(stylesheet(), media_type="text/css; charset=utf-8", headers=_CACHED)


@get(["/static/setpoint.svg", "/favicon.ico"], sync_to_thread=False)
def give_icon() -> Response[bytes]:
    """The page's icon."""
    return Response(icon(), media_type="image/svg+xml", headers=_CACHED)


def page_router() -> Router:
    """The page, which is no part of the API."""
    return Router(
        "/",
        route_handlers=[
            Router(
                "/",
                route_handlers=[show_overview, show_findings, show_finding],
                before_request=refuse_unknown,
            ),
            give_stylesheet,
            give_icon,
        ],
        include_in_schema=False,
    )
