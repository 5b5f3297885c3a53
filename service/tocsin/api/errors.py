"""The one mapping from our errors to HTTP: problem+json (RFC 9457) with a stable `code` and the fields at fault."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from tocsin.domain import errors
from tocsin.domain.alerts import to_json

log = structlog.get_logger()

STATUSES: Mapping[type[errors.TocsinError], HTTPStatus] = {
    errors.Malformed: HTTPStatus.BAD_REQUEST,
    errors.Unauthorized: HTTPStatus.UNAUTHORIZED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.Ended: HTTPStatus.GONE,
    errors.Stale: HTTPStatus.PRECONDITION_FAILED,
    errors.VersionNeeded: HTTPStatus.PRECONDITION_REQUIRED,
    errors.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.UnsupportedMedia: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.Invalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.TooMany: HTTPStatus.TOO_MANY_REQUESTS,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}

# A store that was restarted is back within seconds.
_UNAVAILABLE_RETRY_AFTER = 2


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """No traceback reaches a user: what is not ours to explain is logged and told as 500."""
    try:
        return await handler(request)
    except errors.TocsinError as error:
        return of_error(error)
    except web.HTTPException as error:
        if error.status < HTTPStatus.BAD_REQUEST:
            raise
        return _of_http(error)
    except Exception:
        log.exception("request failed", method=request.method, route=_route(request))
        detail = "Something went wrong here; it has been logged."
        return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", detail)


def of_error(error: errors.TocsinError) -> web.Response:
    status = next((STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES), None)
    if status is None:
        log.error("request failed", error=error.detail)
        return problem(HTTPStatus.INTERNAL_SERVER_ERROR, error.code, "Something went wrong here; it has been logged.")
    extra: dict[str, Any] = {}
    headers: dict[str, str] = {}
    if isinstance(error, errors.Invalid):
        extra["errors"] = [{"field": fault.field, "message": fault.message} for fault in error.faults]
    if isinstance(error, errors.TooMany):
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, errors.Unavailable):
        headers["Retry-After"] = str(_UNAVAILABLE_RETRY_AFTER)
    if isinstance(error, errors.Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    return problem(status, error.code, error.detail, extra, headers)


def problem(
    status: HTTPStatus,
    code: str,
    detail: str,
    extra: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    body = {"type": "about:blank", "title": status.phrase, "status": int(status), "code": code, "detail": detail}
    return web.Response(
        status=status,
        text=to_json(body | dict(extra or {})),
        content_type="application/problem+json",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def _of_http(error: web.HTTPException) -> web.Response:
    """aiohttp's own refusals: no such path, no such method, a header that is too long."""
    status = HTTPStatus(error.status)
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    return problem(status, status.phrase.lower().replace(" ", "_"), status.description or status.phrase, None, headers)


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource else "unknown"
