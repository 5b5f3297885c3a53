"""A newsroom's own site on an origin of its own, which takes Tocsin in as docs/integrate.md says."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiohttp import web

TYPES = {"html": "text/html", "js": "text/javascript"}


class Site:
    """`files` are served by their paths, and can be changed by a test."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self.origin = ""

    def becomes(self, files: Mapping[str, str]) -> None:
        self.files = dict(files)

    async def answer(self, request: web.Request) -> web.Response:
        path = request.path.removesuffix("/") + "/index.html" if request.path.endswith("/") else request.path
        text = self.files.get(path)
        if text is None:
            raise web.HTTPNotFound
        return web.Response(text=text, content_type=TYPES[path.rpartition(".")[2]])


@asynccontextmanager
async def open_site() -> AsyncIterator[Site]:
    site = Site()
    application = web.Application()
    application.router.add_get("/{path:.*}", site.answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    site.origin = f"http://localhost:{runner.addresses[0][1]}"
    try:
        yield site
    finally:
        await runner.cleanup()
