"""How the control interface reads requests, and how it says no: RFC 9457, naming the fields at fault."""

from collections.abc import Sequence
from typing import TypeVar

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import BaseModel, ValidationError

ModelT = TypeVar("ModelT", bound=BaseModel)


class ControlError(Exception):
    """A request that cannot be done. `errors` are pairs of field and detail."""

    status = 500
    code = "error"

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{field}: {detail}" for field, detail in errors))
        self.errors = errors


class Invalid(ControlError):
    """The content is wrong."""

    status = 422
    code = "invalid"


class UnsupportedMediaType(ControlError):
    """Not JSON: what forms of a web page could send is not read at all."""

    status = 415
    code = "unsupported_media_type"


class NotFound(ControlError):
    """Nothing has this name."""

    status = 404
    code = "not_found"

    def __init__(self, field: str, detail: str) -> None:
        super().__init__([(field, detail)])


class Conflict(ControlError):
    """The thing is not in a state for this."""

    status = 409
    code = "conflict"

    def __init__(self, field: str, detail: str) -> None:
        super().__init__([(field, detail)])


async def read_body(request: web.Request, model: type[ModelT]) -> ModelT:
    if request.content_type != "application/json":
        raise UnsupportedMediaType([("Content-Type", "application/json is needed")])
    try:
        return model.model_validate_json(await request.read())
    except ValidationError as error:
        raise Invalid(_fields(error)) from error


def read_query(request: web.Request, model: type[ModelT]) -> ModelT:
    try:
        return model.model_validate(dict(request.query))
    except ValidationError as error:
        raise Invalid(_fields(error)) from error


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ControlError as error:
        return _problem(error.status, error.code, str(error), error.errors)
    except web.HTTPClientError as error:
        return _problem(error.status, error.reason.lower().replace(" ", "_"), error.text or error.reason, [])


def _problem(status: int, code: str, detail: str, errors: Sequence[tuple[str, str]]) -> web.Response:
    return web.json_response(
        {
            "type": "about:blank",
            "status": status,
            "code": code,
            "detail": detail,
            "errors": [{"field": field, "detail": text} for field, text in errors],
        },
        status=status,
        content_type="application/problem+json",
    )


def _fields(error: ValidationError) -> list[tuple[str, str]]:
    return [(".".join(str(part) for part in item["loc"]) or "body", item["msg"]) for item in error.errors()]
