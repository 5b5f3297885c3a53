"""What holds for every route: who may call it, what it says on caching, how it refuses, what it never sends."""

import re
from collections.abc import AsyncIterator

import pytest
from api_served import Served, assert_problem, bearer, changed, raw_call, serve

from tocsin.api.route import Route
from tocsin.api.routes import ROUTES
from tocsin.domain.roles import Role
from tocsin.settings import Settings

GUARDED = [route for route in ROUTES if route.role and not route.local]
READABLE = [route for route in ROUTES if route.method == "GET"]
# With the open ones told by name, a new route without a role cannot slip in.
OPEN = {
    ("GET", "/v1/site"),
    ("POST", "/v1/subscriptions"),
    ("GET", "/v1/subscriptions/{id}"),
    ("PATCH", "/v1/subscriptions/{id}/preferences"),
    ("DELETE", "/v1/subscriptions/{id}"),
    ("POST", "/v1/subscriptions/{id}/test"),
    ("GET", "/v1/subscriptions/{id}/history"),
    ("GET", "/v1/subscriptions/{id}/export"),
    ("POST", "/v1/receipts"),
    ("GET", "/v1/alerts/recent"),
    ("GET", "/livez"),
    ("GET", "/readyz"),
}


def named(route: Route) -> str:
    return f"{route.method} {route.path}"


def address(route: Route) -> str:
    names = {
        "id": "no-such-id",
        "queue": "no-such-queue",
        "push_service": "no-such-push-service",
        "name": "base.css" if route.path.startswith("/assets") else "rapidoc-min.js",
    }
    return re.sub(r"{(\w+)}", lambda found: names[found[1]], route.path)


def test_whatever_is_not_open_to_all_needs_a_role() -> None:
    assert {(route.method, route.path) for route in ROUTES if route.tag != "pages" and not route.role} == OPEN


def test_tokens_are_asked_for_wherever_a_subscription_is_named() -> None:
    assert all(route.token for route in ROUTES if route.path.startswith("/v1/subscriptions/{id}"))


def test_only_readers_calls_are_open_to_other_sites() -> None:
    open_to_sites = {route.path for route in ROUTES if route.readers}
    assert open_to_sites == {
        "/v1/site",
        "/v1/subscriptions",
        "/v1/subscriptions/{id}",
        "/v1/subscriptions/{id}/preferences",
        "/v1/subscriptions/{id}/test",
        "/v1/subscriptions/{id}/history",
        "/v1/subscriptions/{id}/export",
        "/v1/receipts",
        "/v1/alerts/recent",
        "/sw.js",
        "/tocsin-data.js",
        "/tocsin-quiet.js",
        "/tocsin.d.ts",
        "/tocsin.js",
        "/assets/{name}",
    }


@pytest.mark.parametrize("route", GUARDED, ids=named)
async def test_no_key_and_a_wrong_key_are_401(api: Served, route: Route) -> None:
    for headers in ({}, bearer("tk_0123_abc"), bearer("x" * 40), {"Authorization": "Basic YTpi"}, bearer("tk__")):
        reply = await api.call(route.method, address(route), headers=headers)
        assert_problem(reply, 401, "unauthorized")
        assert reply.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("route", GUARDED, ids=named)
async def test_a_key_without_the_role_is_403(api: Served, route: Route) -> None:
    others = [str(role) for role in Role if role not in (route.role, Role.ADMIN)]
    for headers in (await api.api_key(*others), await api.api_key("reporter")):
        assert_problem(await api.call(route.method, address(route), headers=headers), 403, "forbidden")


@pytest.mark.parametrize("route", GUARDED, ids=named)
async def test_the_role_and_admin_pass(api: Served, route: Route) -> None:
    assert route.role
    for role in (str(route.role), "admin"):
        reply = await api.call(route.method, address(route), headers=await api.api_key(role))
        assert reply.status in (200, 404, 415), reply.text


async def test_bytes_that_are_no_text_are_no_key(api: Served) -> None:
    for route in (*GUARDED, *(route for route in ROUTES if route.token)):
        answer = await raw_call(api, f"{route.method} {address(route)}", b"Authorization: Bearer tk_\xff\xfe_\xff\r\n")
        assert answer.startswith((b"HTTP/1.1 401", b"HTTP/1.1 404", b"HTTP/1.1 415")), answer


@pytest.mark.parametrize("route", READABLE, ids=named)
async def test_every_answer_states_its_caching_and_is_safe(api: Served, route: Route) -> None:
    reply = await api.call("GET", address(route), headers=api.editor)

    assert reply.headers["Cache-Control"] == ("no-store" if reply.status == 404 else route.cache)
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in reply.headers["Content-Security-Policy"]
    assert "Set-Cookie" not in reply.headers
    assert reply.headers["Server"] == "Tocsin"


@pytest.mark.parametrize("route", READABLE, ids=named)
async def test_head_is_get_without_a_body(api: Served, route: Route) -> None:
    got, asked = [await api.call(method, address(route), headers=api.editor) for method in ("GET", "HEAD")]

    assert (asked.status, asked.body) == (got.status, b"")
    assert asked.headers["Content-Type"] == got.headers["Content-Type"]


@pytest.mark.parametrize(
    "path", ["/nowhere", "/v1", "/v1/site/", "/v1/alerts/x/y/z", "//", "/v1/../v2", "/assets/", "/docs/../docs/x"]
)
async def test_an_unknown_path_is_told_as_a_problem(api: Served, path: str) -> None:
    assert_problem(await api.call("GET", path), 404, "not_found")


@pytest.mark.parametrize("path", ["/assets/../pages.py", "/assets/%2e%2e%2fpages.py", "/assets/x.css", "/docs/x.js"])
async def test_no_other_file_is_reached(api: Served, path: str) -> None:
    assert_problem(await api.call("GET", path), 404, "not_found")


async def test_a_method_that_is_not_there_is_told_with_those_that_are(api: Served) -> None:
    for method, path, allowed in (
        ("PUT", "/v1/alerts", {"GET", "HEAD", "POST"}),
        ("POST", "/v1/subscriptions/x", {"GET", "HEAD", "DELETE", "OPTIONS"}),
        ("PATCH", "/metrics", {"GET", "HEAD"}),
    ):
        reply = await api.call(method, path)
        assert_problem(reply, 405, "method_not_allowed")
        assert set(reply.headers["Allow"].split(",")) == allowed


@pytest.mark.parametrize("path", ["/v1/alerts/", "/v1/subscriptions/", "/v1/keys/", "/v1/topics/"])
async def test_ids_of_any_form_are_just_unknown(api: Served, path: str) -> None:
    method = "DELETE" if path == "/v1/keys/" else "GET"
    for odd in ("%00", "%ff", "%ED%A0%80", "a%2Fb", "%F0%9F%94%94", "x" * 2_000, "AAAAAAAAAAAAAAAAAAAAAA", "{id}", "*"):
        assert_problem(await api.call(method, path + odd, headers=api.editor), 404, "not_found")


@pytest.fixture
async def under_a_path(settings: Settings) -> AsyncIterator[Served]:
    async with serve(changed(settings, base_path="/news/alerts")) as served:
        yield served


async def test_everything_lives_under_the_base_path(under_a_path: Served) -> None:
    for route in ROUTES:
        if route.method == "GET" and "{id}" not in route.path:
            assert (await under_a_path.call("GET", address(route), headers=under_a_path.editor)).status == 200, route
    for path in ("/v1/site", "/", "/livez"):
        async with under_a_path.session.get(under_a_path.origin + path) as response:
            assert response.status == 404
    queued = await under_a_path.queue()
    assert queued.headers["Location"] == f"/news/alerts/v1/alerts/{queued.json['id']}"
    await under_a_path.queue()
    page = await under_a_path.call("GET", "/v1/alerts?limit=1", headers=under_a_path.editor)
    assert page.headers["Link"].startswith("</news/alerts/v1/alerts?")
    assert (await under_a_path.call("GET", "/openapi.json")).json["servers"] == [{"url": "/news/alerts"}]
    assert "/news/alerts/docs/rapidoc-min.js" in (await under_a_path.call("GET", "/docs")).text
