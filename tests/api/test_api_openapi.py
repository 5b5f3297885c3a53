"""The OpenAPI document: valid 3.1, complete, and true of the API that serves it."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from api_served import Served, subscription_of
from jsonschema import Draft202012Validator
from openapi_pydantic import OpenAPI

from tocsin.api.routes import ROUTES
from tocsin.domain.alerts import AlertState
from tocsin.domain.deliveries import Mark
from tocsin.domain.progress import Times
from tocsin.domain.subscriptions import Address
from tocsin.simulator.client import SimulatorClient
from tocsin.store.failures import UNREADABLE, Failure
from tocsin.store.ledgers import Window
from tocsin.store.runs import Claim

DESCRIBED = [route for route in ROUTES if route.tag != "pages"]
REQUESTS = {"Action", "PushSubscription", "PushKeys", *(route.body.__name__ for route in DESCRIBED if route.body)}


@pytest.fixture
async def document(api: Served) -> Any:
    return (await api.call("GET", "/openapi.json")).json


def operations(document: Any) -> dict[tuple[str, str], Any]:
    return {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def test_it_is_openapi_3_1(document: Any) -> None:
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
    OpenAPI.model_validate(document)
    for name, schema in document["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        assert re.fullmatch(r"[A-Za-z0-9._-]+", name)


def test_every_reference_leads_somewhere(document: Any) -> None:
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document)):
        place = document
        for name in reference.split("/"):
            place = place[name]


def test_every_route_but_pages_is_in_it_and_no_other(document: Any) -> None:
    assert operations(document).keys() == {(route.method, route.path) for route in DESCRIBED}


def test_every_operation_says_what_it_needs(document: Any) -> None:
    found = operations(document)
    names = [operation["operationId"] for operation in found.values()]
    assert len(set(names)) == len(names)
    for route in DESCRIBED:
        operation = found[route.method, route.path]
        assert operation["summary"]
        assert ("requestBody" in operation) == (route.body is not None)
        secured = [{"apiKey": []}] if route.role else [{"token": []}] if route.token else None
        assert operation.get("security") == ([*(secured or []), {}] if route.local else secured)
        assert ({"401", "403"} <= operation["responses"].keys()) == (route.role is not None)
        assert "503" in operation["responses"] or route.path == "/livez"
        named = {(one["in"], one["name"]) for one in operation["parameters"]}
        assert {("path", name) for name in re.findall(r"{(\w+)}", route.path)} <= named
        assert (("header", "Idempotency-Key") in named) == route.idempotent
        for status, answer in operation["responses"].items():
            kinds = answer.get("content", {}).keys()
            assert status < "400" or status == "503" or kinds == {"application/problem+json"}


def test_a_query_is_described_by_itself(document: Any) -> None:
    operation = operations(document)["GET", "/v1/alerts"]

    assert {one["name"]: one["schema"] for one in operation["parameters"]} == {
        "cursor": {"type": "string", "maxLength": 40},
        "state": {"type": "string", "enum": [str(state) for state in AlertState]},
        "q": {"type": "string", "maxLength": 120, "default": ""},
        "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
    }


def test_every_schema_of_a_request_refuses_unknown_fields(document: Any) -> None:
    schemas = document["components"]["schemas"]
    for name in REQUESTS:
        assert schemas[name]["additionalProperties"] is False, name


async def test_answers_are_as_described(api: Served, document: Any, simulator: SimulatorClient) -> None:
    """The good ways; what else may come is schemathesis' to try."""
    key = (await api.call("GET", "/v1/site")).json["application_server_key"]
    (view,) = await simulator.create_browsers(1, "fcm", key)
    registered = (await api.register(subscription_of(view), {"topic_levels": {"sport": "flash"}})).json
    failure = await set_aside(api, (await api.queue({})).json["id"])
    queued = (await api.queue({"expires_at": "2999-01-01T00:00:00Z", "actions": []})).json
    made = (await api.call("POST", "/v1/keys", {"name": "x", "roles": ["ops"]}, api.editor)).json
    ids = {
        "/v1/subscriptions": registered["id"],
        "/v1/alerts": queued["id"],
        "/v1/keys": made["id"],
        "/v1/topics": "world",
        "/v1/ops/failures": failure,
    }
    token = {"Authorization": f"Bearer {registered['token']}"}
    bodies = {"PATCH": {"topics": ["world"]}, "PUT": {"name": "World"}}
    drafts = await drafts_for_steps(api)

    for route in sorted(DESCRIBED, key=lambda route: route.method == "DELETE"):
        if route.method == "POST" and route.body:
            continue
        path = next((route.path.replace("{id}", ids[part]) for part in ids if route.path.startswith(part)), route.path)
        path = (
            drafts.get((route.method, route.path), path)
            .replace("{queue}", "maintenance")
            .replace("{push_service}", "fcm")
        )
        headers = {**api.editor, "If-Match": "*"} if route.role else token
        reply = await api.call(route.method, path, bodies.get(route.method), headers)
        assert reply.status in route.answers, (route.path, reply.text)
        validate(document, route.method, route.path, reply.status, reply.body)
    for path, answer in (("/v1/alerts", queued), ("/v1/keys", made), ("/v1/subscriptions", registered)):
        status = {"/v1/alerts": 202}.get(path, 201)
        validate(document, "POST", path, status, json.dumps(answer).encode())


async def drafts_for_steps(api: Served) -> dict[tuple[str, str], str]:
    """The path of an alert that is ready for it, for each step before sending."""
    found = {}
    for method, step in (("PATCH", ""), ("POST", "/submit"), ("POST", "/send"), ("POST", "/reject")):
        path = (await api.queue({"state": "draft"})).headers["Location"]
        if step == "/reject":
            assert (await api.call("POST", f"{path}/submit", headers=api.editor)).status == 200
        found[method, "/v1/alerts/{id}" + step] = path + step
    return found


async def set_aside(api: Served, alert_id: str) -> str:
    """A failure that can be replayed: the run of an alert and a ledger that says so."""
    address, store = Address("fcm", 0), api.store
    began_at = await store.runs.now()
    await store.runs.begin(alert_id, {"fcm": 1}, began_at, began_at + timedelta(hours=1))
    claim = await store.runs.claim(["priority"], [])
    assert isinstance(claim, Claim)
    assert await store.ledgers.begin(claim) is not None
    window = Window({alert_id: {address.slot: Mark.SET_ASIDE}}, Times(), {}, plans=True, number=1)
    assert await store.ledgers.write(claim, window, 0) == []
    failure = Failure(alert_id, address, UNREADABLE, 0)
    await store.failures.add([failure])
    return failure.id


def validate(document: Any, method: str, path: str, status: int, body: bytes) -> None:
    content = operations(document)[method, path]["responses"][str(status)].get("content", {})
    if "application/json" in content:
        schema = {**content["application/json"]["schema"], "components": document["components"]}
        Draft202012Validator(schema).validate(json.loads(body))
