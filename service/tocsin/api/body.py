"""JSON at the edge: size, type, form and content are checked in this order, and every fault names its field."""

import json
from collections.abc import Sequence
from typing import Any, TypeVar

from aiohttp import web
from aiohttp.web_exceptions import HTTPRequestEntityTooLarge
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tocsin.domain.errors import Fault, Invalid, Malformed, TooLarge, UnsupportedMedia

MAX_BODY = 16 * 1024
MAX_NESTING = 8

Model = TypeVar("Model", bound=BaseModel)


async def parse_body(request: web.Request, model: type[Model]) -> Model:
    """Raises TooLarge, UnsupportedMedia, Malformed or Invalid."""
    try:
        raw = await request.read()
    except HTTPRequestEntityTooLarge:
        raise TooLarge(f"a body has {MAX_BODY:,} bytes at most") from None
    if request.content_type not in ("application/json", "application/merge-patch+json"):
        raise UnsupportedMedia("send the body as application/json")
    _check_form(raw)
    try:
        return model.model_validate_json(raw, strict=True)
    except ValidationError as error:
        raise Invalid(map(fault, error.errors())) from None


def parse_query(request: web.Request, model: type[Model]) -> Model:
    """Raises Invalid. A parameter that is there twice is refused, too."""
    repeated = [name for name in request.query if len(request.query.getall(name)) > 1]
    if repeated:
        raise Invalid.at(repeated[0], "is there twice")
    try:
        return model.model_validate(dict(request.query))
    except ValidationError as error:
        raise Invalid(map(fault, error.errors())) from None


def _check_form(raw: bytes) -> None:
    """What a lenient reader would let pass: a key twice, deep nesting, NaN, bytes that are not UTF-8."""
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError:
        raise Malformed(f"the body is nested over {MAX_NESTING} deep") from None
    except ValueError as error:
        place = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        raise Malformed(f"the body is not JSON{place}") from None
    if _depth(value) > MAX_NESTING:
        raise Malformed(f"the body is nested over {MAX_NESTING} deep")


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise Malformed(f"the body has the key {name[:60]!r} twice")
    return dict(pairs)


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


def fault(error: ErrorDetails) -> Fault:
    """pydantic's fault in our words."""
    field = ""
    for part in error["loc"]:
        field += f"[{part}]" if isinstance(part, int) else f".{part}" if field else str(part)
    if error["type"] == "json_invalid":
        raise Malformed("the body is not JSON")
    messages = {
        "extra_forbidden": "is not a field that is known here",
        "missing": "is missing",
    }
    message = messages.get(error["type"]) or error["msg"].removeprefix("Value error, ").replace(
        "Input should", "should"
    )
    return Fault(field or "body", message)
