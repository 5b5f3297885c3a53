"""The aiohttp application: the table of routes, CORS for readers, problems as JSON."""

from collections.abc import AsyncIterator

import aiohttp_cors
from aiohttp import web
from aiohttp.typedefs import Handler

from tocsin.api.body import MAX_BODY
from tocsin.api.call import OPENAPI, SERVICES
from tocsin.api.errors import problems
from tocsin.api.openapi import document
from tocsin.api.routes import ROUTES
from tocsin.api.services import services
from tocsin.settings import Settings

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Server": "Tocsin",  # aiohttp's own names its version
}


@web.middleware
async def safe_headers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What pages set for themselves stays; everything else is data and may do nothing."""
    response = await handler(request)
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def make_app(settings: Settings) -> web.Application:
    app = web.Application(middlewares=[safe_headers, problems], client_max_size=MAX_BODY)
    app[OPENAPI] = document(ROUTES, settings.base_path)

    async def keep_services(_: web.Application) -> AsyncIterator[None]:
        async with services(settings) as made:
            app[SERVICES] = made
            yield

    app.cleanup_ctx.append(keep_services)
    options = aiohttp_cors.ResourceOptions(  # type: ignore[no-untyped-call]
        allow_headers=("Authorization", "Content-Type"), expose_headers=("ETag", "Retry-After"), max_age=86_400
    )
    origins = dict.fromkeys((settings.origin, *settings.allowed_origins), options)
    cors = aiohttp_cors.setup(app)
    # One resource for each path: a preflight asks the first that there is, and must find every method there.
    paths = dict.fromkeys(route.path for route in ROUTES)
    resources = {path: app.router.add_resource(settings.base_path + path) for path in paths}
    for route in ROUTES:
        handler = route.bound()
        added = resources[route.path].add_route(route.method, handler)
        if route.method == "GET":
            resources[route.path].add_route("HEAD", handler)
        if route.readers:
            cors.add(added, {origin: _with_method(options, route.method) for origin in origins})
    if settings.base_path:
        app.router.add_get(settings.base_path, _with_slash)
    return app


async def _with_slash(request: web.Request) -> web.Response:
    """Readers type the path without its last slash."""
    return web.Response(status=308, headers={"Location": f"{request.path}/", "Cache-Control": "no-cache"})


def _with_method(options: aiohttp_cors.ResourceOptions, method: str) -> aiohttp_cors.ResourceOptions:
    return options._replace(allow_methods=frozenset({method}))
