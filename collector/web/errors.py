"""Errors as clients see them: one form, and never a trace of the program."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException, ValidationException

from collector.store.base import StoreUnavailable
from collector.web.page import Look, Pages

log = logging.getLogger(__name__)


class Errors:
    """Answers errors: programs get ``{"error": {"status": 404, "message": "..."}}``, browsers a page."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def answer(self, request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        status, message = _status_and_message(error)
        headers = error.headers if isinstance(error, HTTPException) else None
        if status == 500:
            log.error("%s %s: %r", request.method, request.url.path, error, exc_info=error)
        if _is_page(request):
            look = Look("zh" if request.query_params.get("lang") == "zh" else "en")
            text = self._pages.error(look, status, message)
            return Response(text, status_code=status, headers=headers, media_type=MediaType.HTML)
        return Response(
            {"error": {"status": status, "message": message}},
            status_code=status,
            headers=headers,
            media_type=MediaType.JSON,
        )


def _status_and_message(error: Exception) -> tuple[int, str]:
    if isinstance(error, ValidationException):
        return 400, _what_is_wrong(error)
    if isinstance(error, RecursionError):
        return 400, "what was sent is nested too deeply"
    if isinstance(error, StoreUnavailable):
        return 503, "the store does not answer now; try again later"
    if not isinstance(error, HTTPException) or error.status_code == 500:
        return 500, "an error inside the collector; its log says more"
    status, message = error.status_code, error.detail
    if not message or message == HTTPStatus(status).phrase:
        message = _USUAL.get(status, HTTPStatus(status).phrase)
    return status, message


def _is_page(request: Request[Any, Any, Any]) -> bool:
    """Whether a person asks with a browser, and not a program, or a person who asks as one."""
    asked_by_browser = "text/html" in request.headers.get("accept", "")
    return asked_by_browser and not request.url.path.startswith(("/api/", "/healthz", "/metrics", "/schema"))


_USUAL = {
    404: "there is nothing at this address; /schema/openapi.json lists what there is",
    405: "this address answers GET only",
}


def _what_is_wrong(error: ValidationException) -> str:
    details = error.extra if isinstance(error.extra, list) else []
    parts = [f"{d['key']}: {d['message']}" for d in details if isinstance(d, dict) and "key" in d]
    return "; ".join(parts) or error.detail
