"""Errors as clients see them: one form, and never a trace of the program."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException, ValidationException

from collector.store.base import StoreUnavailable

log = logging.getLogger(__name__)


def answer_error(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """``{"error": {"status": 404, "message": "..."}}``."""
    status, message, headers = 500, "an error inside the collector; its log has more", None
    if isinstance(error, ValidationException):
        status, message = 400, _what_is_wrong(error)
    elif isinstance(error, HTTPException) and error.status_code < 500:
        status, message, headers = error.status_code, error.detail, error.headers
        if not message or message == HTTPStatus(status).phrase:
            message = _USUAL.get(status, HTTPStatus(status).phrase)
    elif isinstance(error, HTTPException):
        status, message = error.status_code, error.detail
    elif isinstance(error, StoreUnavailable):
        status, message = 503, "the store does not answer now"
    if status == 500:
        log.error("%s %s: %r", request.method, request.url.path, error, exc_info=error)
    return Response(
        {"error": {"status": status, "message": message}},
        status_code=status,
        headers=headers,
        media_type=MediaType.JSON,
    )


_USUAL = {
    404: "there is nothing at this path; /schema/openapi.json lists what there is",
    405: "this path answers GET only",
}


def _what_is_wrong(error: ValidationException) -> str:
    details = error.extra if isinstance(error.extra, list) else []
    parts = [f"{d['key']}: {d['message']}" for d in details if isinstance(d, dict) and "key" in d]
    return "; ".join(parts) or error.detail
