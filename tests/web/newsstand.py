"""A newsroom's site on one origin, the real API on another, and a real Chromium that reads them."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import BrowserContext, CDPSession, Page, Worker, expect

from samples import POINT, base64url
from tocsin.api.app import make_app
from tocsin.api.call import SERVICES
from tocsin.api.services import Services
from tocsin.settings import Settings, load
from town import ADMIN_KEY, free_port

EXAMPLES = Path(__file__).parents[2] / "examples"
WRITTEN = "https://alerts.example.com"

# A push service that needs no network: what it gives is a subscription like any other.
SUBSCRIBING = f"""(() => {{
  const endpoint = "https://fcm.googleapis.com/send/" + location.port + "-" + (self.tocsinRound ?? "");
  const keys = {{ p256dh: "{base64url(POINT)}", auth: "{base64url(bytes(16))}" }};
  let current = null;
  const decoded = (key) => atob(key.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = (key) => typeof key === "string" ? Uint8Array.from(decoded(key), (char) => char.charCodeAt(0)) : key;
  const made = (key) => ({{
    endpoint, options: {{ applicationServerKey: bytes(key).buffer }},
    toJSON: () => ({{ endpoint, expirationTime: null, keys }}),
    unsubscribe: async () => {{ current = null; return true; }},
  }});
  PushManager.prototype.subscribe = async ({{ applicationServerKey }}) => (current ??= made(applicationServerKey));
  PushManager.prototype.getSubscription = async () => current;
}})()"""

# What the browser took from the worker. Its own list, getNotifications(), now and then forgets one just shown.
WRITE_DOWN = """() => {
  self.shown = [];
  const { prototype } = ServiceWorkerRegistration;
  const show = prototype.showNotification;
  prototype.showNotification = async function (title, options) {
    await show.call(this, title, options);
    self.shown.push({ title, ...options });
  };
}"""

# What waits for seconds in the worker waits for tenths.
HASTE = """() => {
  const wait = self.setTimeout;
  self.setTimeout = (work, milliseconds) => wait(work, milliseconds / 10);
}"""

# A script cannot make a trusted click, so the event is our own, and what it would open is written down.
HAPPENS = """async ([type, { notification, action = "", ...more }]) => {
  const opened = [];
  const work = [];
  ExtendableEvent.prototype.waitUntil = (promise) => { work.push(promise); };
  Object.defineProperty(self, "clients", { configurable: true, value: {
    matchAll: async () => [{ url: "https://herald.example/open", focus: async () => opened.push("focused") }],
    openWindow: async (url) => opened.push(url),
  } });
  const event = new ExtendableEvent(type);
  const given = { ...more, action, notification: { ...notification, close() {} } };
  for (const [name, value] of Object.entries(given)) Object.defineProperty(event, name, { value });
  self.dispatchEvent(event);
  await Promise.all(work);
  return opened;
}"""


STORY = "https://herald.example/a"


def push(alert: str, title: str = "Rates up", about: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A payload as the service sends it."""
    tocsin = {"alert": alert, "level": "breaking", "topics": ["world"], **(about or {})}
    shown = {"title": title, "body": "B", "navigate": STORY, "tag": "a1", "silent": False, "data": {"tocsin": tocsin}}
    return {"web_push": 8030, "notification": {**shown, **more}}


class Reader:
    """A browser's page of one site with its worker."""

    def __init__(self, page: Page, cdp: CDPSession, worker: Worker, registration: dict[str, Any]) -> None:
        self.page, self.worker = page, worker
        self._cdp, self._registration = cdp, registration

    async def push(self, data: Any = "") -> None:
        """Text as it is, anything else as JSON; "" is a push without a payload."""
        origin = self._registration["scopeURL"].split("/", 3)
        message = {
            "origin": "/".join(origin[:3]),
            "registrationId": self._registration["registrationId"],
            "data": data if isinstance(data, str) else json.dumps(data),
        }
        await self._cdp.send("ServiceWorker.deliverPushMessage", message)

    async def shown(self, count: int = 1) -> list[dict[str, Any]]:
        """What came onto the screen since this was asked last, when there is so much of it."""
        async with asyncio.timeout(20):
            while await self.worker.evaluate("self.shown.length") < count:
                await asyncio.sleep(0.02)
        found: list[dict[str, Any]] = await self.worker.evaluate("self.shown.splice(0)")
        assert len(found) == count, found
        return found

    async def pushed(self, data: Any = "") -> dict[str, Any]:
        """The one notification that this push shows."""
        await self.push(data)
        [notification] = await self.shown()
        return notification

    async def happens(self, event: str, notification: dict[str, Any], action: str = "") -> list[str]:
        """What is opened by it, once all is done that the event asks for."""
        opened: list[str] = await self.worker.evaluate(
            HAPPENS, [event, {"notification": notification, "action": action}]
        )
        return opened

    async def on_screen(self, *titles: str) -> None:
        """Waits until these are there, and nothing else; the browser's list is a little late now and then."""
        script = "async () => (await self.registration.getNotifications()).map(({ title }) => title).sort()"
        async with asyncio.timeout(20):
            while await self.worker.evaluate(script) != sorted(titles):
                await asyncio.sleep(0.02)

    async def kept(self) -> dict[str, Any]:
        """The record that the page keeps for the worker."""
        script = """async () => {
          const cache = await caches.open("tocsin");
          const found = (await cache.keys()).find(({ url }) => url.endsWith("_tocsin/subscription"));
          return found ? (await cache.match(found)).json() : null;
        }"""
        async with asyncio.timeout(20):
            while not (record := await self.page.evaluate(script)):
                await asyncio.sleep(0.02)
        return dict(record)


async def subscribe(page: Page) -> None:
    """By hand: the button, the panel as it is offered, the browser's prompt."""
    await page.get_by_role("button", name="Get alerts").click()
    await page.get_by_role("button", name="Turn on alerts").click()
    await expect(page.get_by_text("Alerts are on")).to_be_visible(timeout=20_000)


@asynccontextmanager
async def reading(browser: BrowserContext, url: str, go: Callable[[Page], Awaitable[None]]) -> AsyncIterator[Reader]:
    """`go` does what a reader does on the page until there is a worker."""
    page = await browser.new_page()
    page.set_default_timeout(20_000)
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    registrations: dict[str, dict[str, Any]] = {}
    cdp = await browser.new_cdp_session(page)

    def note(event: dict[str, Any]) -> None:
        registrations.update((each["registrationId"], each) for each in event["registrations"])

    cdp.on("ServiceWorker.workerRegistrationUpdated", note)
    await cdp.send("ServiceWorker.enable")
    await page.add_init_script(SUBSCRIBING)
    origin = "/".join(url.split("/", 3)[:3])
    await browser.grant_permissions(["notifications"], origin=origin)
    try:
        await page.goto(url)
        await go(page)
        async with asyncio.timeout(20):
            while not (found := [each for each in browser.service_workers if each.url.startswith(origin)]):
                await asyncio.sleep(0.02)
        [mine] = [each for each in registrations.values() if each["scopeURL"].startswith(origin)]
        # The newest: where one has taken over from another, that may still be ending.
        await found[-1].evaluate(WRITE_DOWN)
        yield Reader(page, cdp, found[-1], mine)
    finally:
        await page.close()


def site_of(example: str, service: str, policy: str = "") -> web.Application:
    """The files of an example, or of a folder, for this service; `policy` comes with each, `{alerts}` its origin."""
    origin = "/".join(service.split("/")[:3])

    async def file(request: web.Request) -> web.Response:
        path = EXAMPLES / example / (request.match_info["path"] or "index.html")
        if not path.is_file():
            raise web.HTTPNotFound
        types = {".html": "text/html", ".js": "text/javascript", ".webmanifest": "application/manifest+json"}
        headers = {"Content-Security-Policy": policy.replace("{alerts}", origin)} if policy else {}
        text = path.read_text().replace(WRITTEN, service)
        return web.Response(text=text, content_type=types[path.suffix], headers=headers)

    files = web.Application()
    files.router.add_get("/{path:.*}", file)
    return files


class Newsstand:
    """`asked` are the calls of the API as `POST /v1/receipts 204`, `told` those that said which page they came from."""

    def __init__(self, settings: Settings, services: Services, site: str) -> None:
        self.settings, self.services, self.site = settings, services, site
        self.asked: list[str] = []
        self.told: list[str] = []

    def times(self, call: str) -> int:
        return sum(line.startswith(call) for line in self.asked)

    async def until_asked(self, call: str, times: int = 1) -> None:
        async with asyncio.timeout(20):
            while self.times(call) < times:
                await asyncio.sleep(0.02)


@asynccontextmanager
async def open_newsstand(
    servers: Settings, folder: Path, example: str, policy: str = "", **given: Any
) -> AsyncIterator[Newsstand]:
    """The API under `localhost`, the files of an example under 127.0.0.1, `policy` on each of them."""
    site_port, port = free_port(), free_port()
    site = f"http://127.0.0.1:{site_port}"
    usual: dict[str, Any] = {
        "data_dir": folder,
        "store_url": servers.store,
        "broker_url": servers.broker,
        "prekey_url": servers.prekey_server,
        "admin_key": ADMIN_KEY,
        "subscribe_rate": "off",
        "link_check": False,
        "public_url": f"http://localhost:{port}",
        "port": port,
        "allowed_origins": (site,),
    }
    settings = load(**{**usual, **given})

    async def note(request: web.Request, response: web.StreamResponse) -> None:
        newsstand.asked.append(f"{request.method} {request.path_qs} {response.status}")
        if "Referer" in request.headers:
            newsstand.told.append(request.path)

    application = make_app(settings)
    application.on_response_prepare.append(note)
    files = site_of(example, settings.url, policy)
    runners = [web.AppRunner(each, access_log=None, shutdown_timeout=0.1) for each in (application, files)]
    try:
        for runner, address in zip(runners, (("127.0.0.1", port), ("127.0.0.1", site_port)), strict=True):
            await runner.setup()
            await web.TCPSite(runner, *address).start()
        await application[SERVICES].setting_up  # until then the site has no topics
        newsstand = Newsstand(settings, application[SERVICES], site)
        yield newsstand
    finally:
        for runner in runners:
            await runner.cleanup()
