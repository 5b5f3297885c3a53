"""A newsroom's website on real TLS, for alerts to link to, with every way in which a page can not be there."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from tocsin.simulator.authority import Authority

HOST = "news.example.com"
SITE = f"https://{HOST}"


class Newsroom:
    """`asked` counts requests as `HEAD /path`; `answer` lets those go on that wait at `/slow`."""

    def __init__(self, ca_file: Path, port: int) -> None:
        self.ca_file = ca_file
        self.port = port
        self.connect_to = f"{HOST}:443:127.0.0.1:{port}"
        self.asked: Counter[str] = Counter()
        self.answer = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked[f"{request.method} {request.path}"] += 1
        word, _, rest = request.path[1:].partition("/")
        if word == "slow":
            await self.answer.wait()
            return web.Response(status=int(rest))
        if word == "hop":
            count = int(rest)
            return web.Response(status=302, headers={"Location": f"/hop/{count - 1}" if count else "/200"})
        if word == "to":
            return web.Response(status=301, headers={"Location": request.query["url"]})
        if word == "get":
            return web.Response(status=405 if request.method == "HEAD" else int(rest))
        if word == "endless":
            return await self._endless(request)
        return web.Response(status=int(word), text="page")

    async def _endless(self, request: web.Request) -> web.StreamResponse:
        if request.method == "HEAD":
            return web.Response(status=501)
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(1_024))


@asynccontextmanager
async def open_newsroom(folder: Path) -> AsyncIterator[Newsroom]:
    authority = Authority(folder)
    application = web.Application()
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)

    async def handle(request: web.Request) -> web.StreamResponse:
        return await newsroom.handle(request)

    application.router.add_route("*", "/{path:.*}", handle)
    await runner.setup()
    context = authority.server_context(HOST)
    context.set_alpn_protocols(["http/1.1"])  # aiohttp speaks no other
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    newsroom = Newsroom(authority.ca_file, runner.addresses[0][1])
    try:
        yield newsroom
    finally:
        newsroom.answer.set()
        await runner.cleanup()
