"""Pages of PUBLIC_URL and ALLOWED_ORIGINS may call the readers' API, and no other page may; editors' calls never."""

import re
from collections.abc import AsyncIterator

import pytest
from api_served import Served, assert_problem, changed, serve

from tocsin.api.route import Route
from tocsin.api.routes import ROUTES
from tocsin.domain.errors import Misconfigured
from tocsin.settings import load

OURS, PARTNER, STRANGER = "https://news.example", "https://partner.example", "https://evil.example"
READERS = [route for route in ROUTES if route.readers]
OTHERS = [route for route in ROUTES if not route.readers]


def named(route: Route) -> str:
    return f"{route.method} {route.path}"


@pytest.fixture(scope="module")
async def shared_cors(shared_api: Served) -> AsyncIterator[Served]:
    async with serve(changed(shared_api.settings, allowed_origins=(PARTNER,))) as served:
        yield served


@pytest.fixture
def cors(api: Served, shared_cors: Served) -> Served:
    """One that the pages of a partner may call too, on the store of `api`."""
    return shared_cors


def preflight(origin: str, method: str, headers: str = "authorization,content-type") -> dict[str, str]:
    asked = {"Origin": origin, "Access-Control-Request-Method": method}
    return {**asked, "Access-Control-Request-Headers": headers} if headers else asked


def address(route: Route) -> str:
    return re.sub(r"{\w+}", "x", route.path)


@pytest.mark.parametrize("route", READERS, ids=named)
async def test_a_preflight_lets_the_pages_call(cors: Served, route: Route) -> None:
    for origin in (OURS, PARTNER):
        reply = await cors.call("OPTIONS", address(route), headers=preflight(origin, route.method))

        assert reply.status == 200
        assert reply.headers["Access-Control-Allow-Origin"] == origin
        assert reply.headers["Access-Control-Allow-Methods"] == route.method
        assert set(reply.headers["Access-Control-Allow-Headers"].lower().split(",")) == {
            "authorization",
            "content-type",
        }
        assert "Access-Control-Allow-Credentials" not in reply.headers


@pytest.mark.parametrize("route", READERS, ids=named)
@pytest.mark.parametrize(
    "asked",
    [
        preflight(STRANGER, "{method}"),
        preflight("null", "{method}"),
        preflight(f"{OURS}.evil.example", "{method}"),
        preflight(OURS, "PUT"),
        preflight(OURS, "{method}", "x-other"),
    ],
    ids=["stranger", "null", "suffix", "method", "header"],
)
async def test_a_preflight_refuses_all_else(cors: Served, route: Route, asked: dict[str, str]) -> None:
    headers = {name: value.replace("{method}", route.method) for name, value in asked.items()}

    reply = await cors.call("OPTIONS", address(route), headers=headers)

    assert_problem(reply, 403, "forbidden")
    assert "Access-Control-Allow-Origin" not in reply.headers


async def test_the_answer_names_the_origin_that_asked_even_when_it_refuses(cors: Served) -> None:
    for origin in (OURS, PARTNER):
        for method, path, status in (
            ("GET", "/v1/site", 200),
            ("GET", "/v1/subscriptions/x", 404),
            ("POST", "/v1/subscriptions", 415),
        ):
            reply = await cors.call(method, path, headers={"Origin": origin})
            assert reply.status == status
            assert reply.headers["Access-Control-Allow-Origin"] == origin
            assert set(reply.headers["Access-Control-Expose-Headers"].split(",")) == {"ETag", "Retry-After"}
            assert "Access-Control-Allow-Credentials" not in reply.headers


async def test_a_cache_between_keeps_origins_apart(cors: Served) -> None:
    first = await cors.call("GET", "/v1/site", headers={"Origin": OURS})
    again = await cors.call("GET", "/v1/site", headers={"Origin": PARTNER, "If-None-Match": first.headers["ETag"]})

    assert (first.headers["Vary"], again.headers["Vary"]) == ("Origin", "Origin")
    assert again.status == 304
    assert again.headers["Access-Control-Allow-Origin"] == PARTNER


@pytest.mark.parametrize("path", ["/v1/site", "/v1/subscriptions/x"])
async def test_another_origin_is_told_nothing(cors: Served, path: str) -> None:
    for origin in (STRANGER, "null"):
        reply = await cors.call("GET", path, headers={"Origin": origin})
        assert not [name for name in reply.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize("route", OTHERS, ids=named)
async def test_all_other_routes_know_no_cors(cors: Served, route: Route) -> None:
    asked = await cors.call("OPTIONS", address(route), headers=preflight(OURS, route.method))
    called = await cors.call(route.method, address(route), headers={**cors.editor, "Origin": OURS})

    assert_problem(asked, 405, "method_not_allowed")
    for reply in (asked, called):
        assert not [name for name in reply.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("https://www.example.com/", "as https://www.example.com: use that"),
        ("https://WWW.example.com", "as https://www.example.com: use that"),
        ("https://www.example.com:443", "as https://www.example.com: use that"),
        ("http://www.example.com:80", "as http://www.example.com: use that"),
    ],
)
def test_an_origin_that_no_browser_writes_is_refused_at_the_start(written: str, told: str) -> None:
    with pytest.raises(Misconfigured, match=f"TOCSIN_ALLOWED_ORIGINS.*{told}"):
        load(allowed_origins=(written,))


def test_another_port_is_part_of_an_origin() -> None:
    origins = ("http://www.example.com:443", "https://www.example.com:8443")
    assert load(allowed_origins=origins).allowed_origins == origins


@pytest.mark.parametrize("written", ["https://News.Example", "https://news.example:443", "HTTPS://news.example/"])
async def test_our_own_pages_may_call_however_the_address_is_written(api: Served, written: str) -> None:
    settings = load(**{**api.settings.model_dump(), "public_url": written})
    async with serve(settings) as served:
        reply = await served.call("GET", "/v1/site", headers={"Origin": OURS})
        worker = (await served.call("GET", "/sw.js")).text

    assert reply.headers["Access-Control-Allow-Origin"] == OURS == settings.origin
    assert f"{OURS}/" in worker


def test_a_path_belongs_into_base_path() -> None:
    with pytest.raises(Misconfigured, match=r"TOCSIN_PUBLIC_URL.*BASE_PATH"):
        load(public_url="https://news.example/alerts")
