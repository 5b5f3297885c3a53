"""The real API over real HTTP in the test's own process, and what tests ask of it again and again."""

import asyncio
import json
import re
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from tocsin.api.app import make_app
from tocsin.api.call import SERVICES
from tocsin.api.services import Services
from tocsin.settings import Settings, load
from tocsin.simulator.models import BrowserView
from tocsin.store.store import Store
from town import ADMIN_KEY, ALERT

NO_ANSWER = aiohttp.ClientTimeout(total=20)


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


class Served:
    """`services` are the API's own; `base` is where it answers, with BASE_PATH; `editor` are the
    headers of one who may do everything."""

    def __init__(self, services: Services, store: Store, session: aiohttp.ClientSession, origin: str) -> None:
        self.services = services
        self.settings = settings = services.settings
        self.store = store
        self.session = session
        self.origin = origin
        self.base = origin + settings.base_path
        self.editor = {"Authorization": f"Bearer {ADMIN_KEY}"}

    @property
    def port(self) -> int:
        return int(self.origin.rpartition(":")[2])

    async def call(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, **options: Any
    ) -> Reply:
        """`body` goes as JSON; anything else by aiohttp's own `data`."""
        if body is not None:
            options["json"] = body
        async with self.session.request(
            method, self.base + path, headers=headers, allow_redirects=False, **options
        ) as response:
            return Reply(response.status, response.headers, await response.read())

    async def topics_set(self) -> None:
        """What the API does first when the store is up, so that no test ends amid it."""
        async with asyncio.timeout(10):
            while not (await self.call("GET", "/v1/site")).json["topics"]:
                await asyncio.sleep(0.01)

    async def register(self, subscription: Any, preferences: Any = None, token: str = "", **more: Any) -> Reply:
        body = {"subscription": subscription, "preferences": preferences or {}, **more}
        return await self.call("POST", "/v1/subscriptions", body, bearer(token) if token else None)

    async def queue(self, changes: Mapping[str, Any] | None = None, key: str | None = None) -> Reply:
        return await self.call("POST", "/v1/alerts", {**ALERT, **(changes or {})}, self.with_key(key))

    def with_key(self, key: str | None = None) -> dict[str, str]:
        return {**self.editor, "Idempotency-Key": key or secrets.token_urlsafe(16)}

    async def api_key(self, *roles: str) -> dict[str, str]:
        """The headers of a caller with these roles."""
        reply = await self.call("POST", "/v1/keys", {"name": "for a test", "roles": list(roles)}, self.editor)
        assert reply.status == 201, reply.text
        return bearer(reply.json["key"])

    @asynccontextmanager
    async def nothing_kept(self) -> AsyncIterator[None]:
        """Fails when the store holds anything else afterwards."""
        before = await self.kept()
        yield
        after = await self.kept()
        changed_keys = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
        assert changed_keys == set(), changed_keys

    async def kept(self) -> dict[bytes, Any]:
        """All that the store holds, but the counters of rates and what any API sets up when it starts."""
        redis, passed_over = self.store.server.redis, (b"rates", b"{site}:")
        keys = sorted([key async for key in redis.scan_iter(count=1000) if not key.startswith(passed_over)])
        return {key: await self._value(key) for key in keys}

    async def _value(self, key: bytes) -> Any:
        """What a key holds. Not its DUMP: that has a hash in the order of its table, and each read of one that
        grew moves it on a little."""
        redis = self.store.server.redis
        match await redis.type(key):
            case b"string":
                return await redis.get(key)
            case b"hash":
                return await redis.hgetall(key)
            case b"set":
                return await redis.smembers(key)
            case b"zset":
                return await redis.zrange(key, 0, -1, withscores=True)
            case b"none":  # it went since it was listed
                return None
            case kind:
                raise AssertionError(f"{key!r} is a {kind!r}, which the store is not known to use")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def subscription_of(view: BrowserView) -> dict[str, Any]:
    return view.subscription.model_dump(mode="json")


def assert_problem(reply: Reply, status: int, code: str, *fields: str) -> None:
    """RFC 9457 with our code; `fields` are exactly those that `errors` names."""
    assert reply.status == status, reply.body
    assert reply.headers["Content-Type"].startswith("application/problem+json")
    assert reply.headers["Cache-Control"] == "no-store"
    problem = reply.json
    assert (problem["status"], problem["code"]) == (status, code), problem
    assert problem["type"]
    assert problem["title"]
    assert problem["detail"]
    assert set(problem) <= {"type", "title", "status", "code", "detail", "errors"}
    assert sorted(fault["field"] for fault in problem.get("errors", ())) == sorted(fields), problem
    assert all(fault["message"] for fault in problem.get("errors", ()))
    for trace in ("Traceback", 'File "', "pydantic", "tocsin.", "redis"):
        assert trace not in reply.text


def served_settings(servers: Settings, folder: Path, **given: Any) -> Settings:
    """Those of a test's API, on the servers of the tests; `given` goes before all."""
    usual: dict[str, Any] = {
        "data_dir": folder,
        "store_url": servers.store,
        "broker_url": servers.broker,
        "prekey_url": servers.prekey_server,
        "admin_key": ADMIN_KEY,
        "subscribe_rate": "off",
        "alert_rate": "off",
        "request_seconds": 2.0,
        "public_url": "https://news.example",
        "link_check": False,
    }
    return load(**{**usual, **given})


def changed(settings: Settings, **changes: Any) -> Settings:
    """`model_copy` would copy what was derived from the old values along."""
    return load(**{**settings.model_dump(), **changes})


@asynccontextmanager
async def serve(settings: Settings) -> AsyncIterator[Served]:
    """On a free port of the loopback; its topics are set when this begins."""
    runner = web.AppRunner(make_app(settings), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with (
            Store(settings) as store,
            aiohttp.ClientSession(timeout=NO_ANSWER) as session,
        ):
            served = Served(runner.app[SERVICES], store, session, origin)
            if (await served.call("GET", "/readyz")).status == 200:
                await served.topics_set()
            yield served
    finally:
        await runner.cleanup()


async def raw_call(api: Served, line: str, headers: bytes = b"", body: bytes = b"") -> bytes:
    """What comes back for bytes that no client library would send; `line` is method and path."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(f"{line} HTTP/1.1\r\nHost: news.example\r\nConnection: close\r\n".encode() + headers + b"\r\n" + body)
    try:
        async with asyncio.timeout(20):
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            return head + (await reader.readexactly(int(length[1])) if length else b"")
    finally:
        writer.close()
        await writer.wait_closed()
