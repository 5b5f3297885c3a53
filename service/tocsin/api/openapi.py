"""The OpenAPI 3.1 document, made from the table of routes and the models that the routes name."""

import re
from typing import Any

from openapi_pydantic import OpenAPI
from openapi_pydantic.util import PydanticSchema, construct_open_api_with_schema_class
from pydantic import BaseModel

from tocsin import __version__
from tocsin.api.models import Problem
from tocsin.api.route import Route

_PROBLEMS = {
    400: "No JSON, nested over 8 deep, or a key twice",
    401: "No API key, or an unknown one",
    403: "The key lacks the role",
    404: "Not here, or not this caller's",
    409: "Does not fit the present state",
    410: "Erased on request and stays away (`ended`): subscribe anew for another endpoint, without `replaces`",
    412: "If-Match names another version than the present one",
    413: "Over 16 KiB",
    415: "Not sent as JSON",
    422: "Content; each field at fault is named",
    408: "The body did not arrive in time",
    428: "If-Match is missing: the ETag of the version that is to be changed",
    429: "Over a rate; wait for Retry-After seconds",
    502: "The push service did not take it",
    503: "The store does not answer, repeat; or too busy for receipts (`overloaded`), do not",
}


def document(routes: tuple[Route, ...], base_path: str) -> bytes:
    """The document as JSON."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        if route.tag != "pages":
            paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    described = OpenAPI.model_validate(
        {
            "openapi": "3.1.1",
            "info": {
                "title": "Tocsin",
                "version": __version__,
                "summary": "Breaking-news alerts over Web Push",
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "servers": [{"url": base_path or "/"}],
            "paths": paths,
            "components": {
                "securitySchemes": {
                    "apiKey": {"type": "http", "scheme": "bearer", "description": "An API key with the route's role"},
                    "token": {"type": "http", "scheme": "bearer", "description": "A subscription's own token"},
                }
            },
        }
    )
    whole = construct_open_api_with_schema_class(described)
    return whole.model_dump_json(by_alias=True, exclude_none=True, indent=2).encode()


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": route.handler.__name__,
        "tags": [route.tag],
        "parameters": _parameters(route),
        "responses": {str(status): _answer(model) for status, model in route.answers.items()},
    }
    for status in _problems(route):
        operation["responses"].setdefault(str(status), _problem(status))
    if route.body:
        operation["requestBody"] = {"required": True, "content": _body(route.body, route.beacon)}
    if route.role:
        operation["security"] = [{"apiKey": []}, *([{}] if route.local else [])]
        unless = ", unless it comes from this machine and through no proxy" if route.local else ""
        drafts = '; for `"state": "draft"`, `reporter` is enough' if route.drafts else ""
        operation["description"] = f"Needs the role `{route.role}`{unless}{drafts}."
    elif route.token:
        operation["security"] = [{"token": []}]
    return operation


def _parameters(route: Route) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", route.path)
    ]
    if route.idempotent:
        schema = {"type": "string", "minLength": 16, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"}
        found.append({"name": "Idempotency-Key", "in": "header", "required": True, "schema": schema})
    if route.if_match:
        required = route.if_match == "required"
        found.append({"name": "If-Match", "in": "header", "required": required, "schema": {"type": "string"}})
    if route.query:
        described = route.query.model_json_schema(ref_template="{model}")
        for name, schema in described["properties"].items():
            found.append({"name": name, "in": "query", "schema": _plain(schema, described.get("$defs", {}))})
    return found


def _plain(schema: dict[str, Any], definitions: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A parameter's schema by itself: a query has no null, and no definitions beside it."""
    chosen = next((one for one in schema.get("anyOf", ()) if one.get("type") != "null"), schema)
    chosen = definitions.get(chosen.get("$ref", ""), chosen)
    return {key: value for key, value in chosen.items() if key not in ("title", "description")}


def _problems(route: Route) -> list[int]:
    statuses = [503, *route.problems]
    if route.body:
        statuses += [400, 408, 413, 415, 422]
    if route.role:
        statuses += [401, 403]
    if route.if_match:
        statuses += [412, 428] if route.if_match == "required" else [412]
    if "{" in route.path or route.token:
        statuses.append(404)
    if route.idempotent or route.query:
        statuses.append(422)
    if route.tag in ("readers", "editors") and not route.beacon and route.method in ("POST", "PATCH"):
        statuses += [409, 429]
    return sorted(set(statuses))


def _answer(model: type[BaseModel] | None) -> dict[str, Any]:
    return {"description": "Done", **({"content": _json(model)} if model else {})}


def _problem(status: int) -> dict[str, Any]:
    content: dict[str, Any] = {"application/problem+json": {"schema": PydanticSchema(schema_class=Problem)}}
    return {"description": _PROBLEMS[status], "content": content}


def _body(model: type[BaseModel], beacon: bool) -> dict[str, Any]:
    content = _json(model)
    return {**content, "text/plain": next(iter(content.values()))} if beacon else content


def _json(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": PydanticSchema(schema_class=model)}}
