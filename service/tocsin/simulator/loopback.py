"""Only this machine drives the simulator: requests must name a loopback host.

Listening on loopback is not enough. A web page whose name is made to resolve to 127.0.0.1 (DNS rebinding) could send
requests here with that name in `Host`, and read the answers.
"""

from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})


@web.middleware
async def require_loopback_host(request: web.Request, handler: Handler) -> web.StreamResponse:
    if not _is_loopback(request.host):
        raise web.HTTPForbidden(text="only loopback hosts are served")
    return await handler(request)


def is_from_page(request: web.Request) -> bool:
    """A web page asks, not a browser for itself: browsers say so."""
    return urlsplit(request.headers.get("Origin", "")).scheme in {"http", "https"}


def _is_loopback(host: str) -> bool:
    try:
        return urlsplit(f"//{host}").hostname in LOOPBACK_NAMES
    except ValueError:
        return False
