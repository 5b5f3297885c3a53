"""JSON at the edge: size, type, form and content are checked in this order, and every fault names its field."""

import asyncio
import json
import re
from collections.abc import Collection, Sequence
from typing import Any, TypeVar

from aiohttp import web
from aiohttp.web_exceptions import HTTPRequestEntityTooLarge
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tocsin.domain.errors import Fault, Invalid, Malformed, TooLarge, UnsupportedMedia

MAX_BODY = 16 * 1024
MAX_NESTING = 8
# More faults help nobody, and each costs ten times its own bytes in the answer.
MAX_FAULTS = 50
# A phone on a bad network takes seconds for 2 KB.
BODY_SECONDS = 10.0

JSON_TYPES = ("application/json", "application/merge-patch+json")
BEACON_TYPES = (*JSON_TYPES, "text/plain")

Model = TypeVar("Model", bound=BaseModel)


async def read_body(request: web.Request, types: Collection[str] = JSON_TYPES) -> bytes:
    """Raises TooLarge, UnsupportedMedia, Malformed, or HTTPRequestTimeout when the caller is too slow."""
    too_large = TooLarge(f"a body has {MAX_BODY:,} bytes at most")
    if (request.content_length or 0) > MAX_BODY:
        raise too_large
    if request.content_type not in types:
        raise UnsupportedMedia("send the body as application/json")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedMedia("send the body without a Content-Encoding")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except HTTPRequestEntityTooLarge:
        raise too_large from None
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    except (web.RequestPayloadError, ConnectionResetError):
        raise Malformed("the body did not arrive whole") from None


def parse_body(raw: bytes, model: type[Model]) -> Model:
    """Raises Malformed or Invalid."""
    _check_form(raw)
    try:
        return model.model_validate_json(raw, strict=True)
    except ValidationError as error:
        raise Invalid(map(fault, error.errors()[:MAX_FAULTS])) from None


def asks_for_draft(raw: bytes) -> bool:
    """Whether this is the body of a draft, whatever else is wrong with it."""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and value.get("state") == "draft"


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
        too_deep = _depth(value) > MAX_NESTING
    except RecursionError:
        too_deep = True
    except ValueError as error:
        place = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        raise Malformed(f"the body is not JSON{place}") from None
    if too_deep:
        raise Malformed(f"the body is nested over {MAX_NESTING} deep")


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise Malformed(f"the body has the key {name[:60]!r} twice")
        found[name] = value
    return found


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
        if part == "[key]":  # pydantic's word for a key at fault; the key itself stands before it
            continue
        field += f"[{part}]" if isinstance(part, int) else f".{part}" if field else str(part)
    if error["type"] == "json_invalid":
        raise Malformed("the body is not JSON")
    messages = {
        "extra_forbidden": "is not a field that is known here",
        "missing": "is missing",
    }
    told = error["msg"].removeprefix("Value error, ")
    message = messages.get(error["type"]) or re.sub(r"^(Input|String|List|Dictionary) should", "should", told)
    return Fault(field or "body", message)
