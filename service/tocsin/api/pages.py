"""Pages and static files, as the package ships them."""

from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files

from aiohttp import web
from pydantic import BaseModel

from tocsin import __version__
from tocsin.api.call import OPENAPI, Call
from tocsin.domain.errors import NotFound
from tocsin.web import PAGE_HEADERS, Asset, render
from tocsin.web import asset as find_asset
from tocsin.web import manifest as named_manifest
from tocsin.web import service_worker as worker_of

Handler = Callable[[Call[BaseModel]], Awaitable[web.Response]]

# RapiDoc writes styles of its own into the page; its script and our start-up script are files.
DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_DOCS_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{site} – the HTTP API</title>
<link rel="icon" href="{base}/assets/icon.svg" type="image/svg+xml">
<script type="module" src="{base}/docs/rapidoc-min.js"></script>
</head>
<body>
<rapi-doc spec-url="{base}/openapi.json" render-style="read" load-fonts="false" show-header="false"
  allow-server-selection="false" theme="light" primary-color="#9c2f1f" regular-font="system-ui, sans-serif"
  mono-font="ui-monospace, monospace"></rapi-doc>
</body>
</html>
"""


def page(name: str) -> Handler:
    async def show(call: Call[BaseModel]) -> web.Response:
        settings = call.services.settings
        html = render(
            name,
            settings.language,
            settings.privacy_url,
            settings.elsewhere,
            base_path=settings.base_path,
            site_name=settings.site_name,
            version=__version__,
        )
        response = web.Response(body=html.encode(), headers={**PAGE_HEADERS, "Vary": "Accept-Encoding"})
        response.enable_compression()
        return response

    return show


def root_asset(name: str) -> Handler:
    async def send(call: Call[BaseModel]) -> web.Response:
        return _send(call, find_asset(name))

    return send


async def service_worker(call: Call[BaseModel]) -> web.Response:
    settings = call.services.settings
    return _send(call, worker_of(f"{settings.url}/", settings.reader_url, settings.notices))


async def asset(call: Call[BaseModel]) -> web.Response:
    return _send(call, find_asset(call.path["name"]))


async def manifest(call: Call[BaseModel]) -> web.Response:
    settings = call.services.settings
    return _send(call, named_manifest(settings.site_name, settings.language))


def _send(call: Call[BaseModel], found: Asset | None) -> web.Response:
    if found is None:
        raise NotFound("there is no such file")
    return _cached(call, found.body, found.content_type, found.etag, found.headers)


def _cached(
    call: Call[BaseModel], body: bytes, content_type: str, etag: str, headers: Mapping[str, str]
) -> web.Response:
    headers = {**headers, "ETag": etag, "Vary": "Origin, Accept-Encoding"}
    if call.has(etag.strip('"')):
        return web.Response(status=304, headers=headers)
    response = web.Response(body=body, headers={**headers, "Content-Type": content_type})
    response.enable_compression()
    return response


async def openapi(call: Call[BaseModel]) -> web.Response:
    document = call.request.app[OPENAPI]
    etag = f'"{sha256(document).hexdigest()[:32]}"'
    return _cached(call, document, "application/json", etag, {"X-Content-Type-Options": "nosniff"})


async def docs(call: Call[BaseModel]) -> web.Response:
    settings = call.services.settings
    html = _DOCS_PAGE.replace("{base}", settings.base_path).replace("{site}", "Tocsin")
    return web.Response(body=html.encode(), headers={**PAGE_HEADERS, "Content-Security-Policy": DOCS_POLICY})


async def docs_asset(call: Call[BaseModel]) -> web.Response:
    if call.path["name"] != "rapidoc-min.js":
        raise NotFound("there is no such file")
    body, etag = _rapidoc()
    return _cached(call, body, "text/javascript; charset=utf-8", etag, {"X-Content-Type-Options": "nosniff"})


@cache
def _rapidoc() -> tuple[bytes, str]:
    body = (files("openapi_ui_bundles.rapidoc") / "vendor" / "rapidoc-min.js").read_bytes()
    return body, f'"{sha256(body).hexdigest()[:32]}"'
