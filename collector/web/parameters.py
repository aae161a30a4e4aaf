"""Query parameters: what they may be, and that there are no others."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from litestar import Request
from litestar.exceptions import ValidationException
from litestar.params import QueryParameter

MAX_LIMIT: Final = 10_000
MAX_SPAN_MS: Final = 366 * 86_400_000

Limit = Annotated[int, QueryParameter(ge=1, le=MAX_LIMIT, description="The most that is answered.")]


def known_parameters(request: Request[Any, Any, Any]) -> set[str]:
    """The names of the query parameters that the handler of the request declares."""
    return {
        field.kwarg_definition.name or field.name
        for field in request.route_handler.parsed_fn_signature.parameters.values()
        if isinstance(field.kwarg_definition, QueryParameter)
    }


def refuse_unknown(request: Request[Any, Any, Any]) -> None:
    """A misspelt filter that is passed over would answer with everything. ValidationException for one."""
    if request.route_handler.opt.get("tags_as_parameters"):
        return
    unknown = sorted(set(request.query_params) - known_parameters(request))
    if unknown:
        raise ValidationException(f'unknown query parameter "{unknown[0]}"')


def tags_asked(request: Request[Any, Any, Any]) -> dict[str, str]:
    """Tags of the request: every parameter that the handler does not declare is one, as in ``host=mon-01``.

    ``tag=key=value`` is for those whose name is also that of a parameter.
    """
    tags = parse_tags(request.query_params.getall("tag", []))
    known = known_parameters(request)
    for key, value in request.query_params.multi_items():
        if key not in known:
            tags[key] = value
    return tags


def parse_time(text: str, name: str) -> int:
    """UTC milliseconds, from milliseconds or ISO 8601 (without an offset: UTC)."""
    try:
        if text.lstrip("-").isdigit():
            return int(text)
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValidationException(
            f"{name}: expected ISO 8601 such as 2026-10-01T08:00:00Z, or milliseconds since 1970, "
            f'got "{text}"'
        ) from None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def parse_span(start: str | None, end: str | None, now_ms: int, usual_ms: int) -> tuple[int, int]:
    """(start, end) in UTC milliseconds; without ``end`` up to now, without ``start`` the usual length."""
    end_ms = now_ms if end is None else parse_time(end, "end")
    start_ms = end_ms - usual_ms if start is None else parse_time(start, "start")
    if start_ms >= end_ms:
        raise ValidationException("start: expected a time before end")
    if end_ms - start_ms > MAX_SPAN_MS:
        raise ValidationException(f"expected at most {MAX_SPAN_MS // 86_400_000} days between start and end")
    return start_ms, end_ms


def parse_tags(texts: Sequence[str]) -> dict[str, str]:
    """Tags from ``key=value`` texts."""
    tags = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise ValidationException(f'tag: expected key=value, got "{text}"')
        tags[key] = value
    return tags


def parse_metric(text: str) -> tuple[str, str]:
    """Measurement and field of ``measurement.field``."""
    measurement, dot, field = text.partition(".")
    if not (measurement and dot and field):
        raise ValidationException(
            f'metric: expected measurement.field, such as cpu.usage_active, got "{text}"'
        )
    return measurement, field
