"""A newspaper's page with Tocsin's elements, in a real Chromium on a real API. Offline, Chromium cannot subscribe: its
push service alone is played, as strictly as a browser is."""

import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, BrowserContext, Page, Route

from api.api_served import Reply, Served, bearer
from samples import POINT, base64url

# What a newsroom with a strict policy sends; nothing of ours may need more.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'none'; connect-src 'self'; worker-src 'self'; img-src 'self'"
)

PUSH_SERVICE = """(() => {
  const NAME = "played push service";
  const read = () => JSON.parse(localStorage.getItem(NAME) ?? '{"made": 0, "current": null, "asked": []}');
  const change = (patch) => localStorage.setItem(NAME, JSON.stringify({ ...read(), ...patch }));
  const text = (key) => typeof key === "string" ? key : btoa(String.fromCharCode(...new Uint8Array(key)))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const plain = (key) => key.replaceAll("-", "+").replaceAll("_", "/");
  const buffer = (key) => Uint8Array.from(atob(plain(key)), (char) => char.charCodeAt(0)).buffer;
  const subscription = ({ endpoint, auth, key }) => ({
    endpoint,
    options: { userVisibleOnly: true, applicationServerKey: buffer(key) },
    toJSON: () => ({ endpoint, expirationTime: null, keys: { p256dh: "%(point)s", auth } }),
    unsubscribe: async () => {
      const { refuses } = read();
      change({ refused: refuses ?? null });
      if (refuses === "hangs") await new Promise(() => null);
      if (refuses === "rejects") throw new DOMException("", "NetworkError");
      if (!refuses) change({ current: null });
      return !refuses;
    },
  });
  Object.assign(PushManager.prototype, {
    async getSubscription() {
      const { current } = read();
      return current && subscription(current);
    },
    async subscribe({ userVisibleOnly, applicationServerKey }) {
      const { current, made } = read();
      if (!userVisibleOnly || Notification.permission !== "granted") throw new DOMException("", "NotAllowedError");
      const key = text(applicationServerKey);
      if (current && current.key !== key) throw new DOMException("another key", "InvalidStateError");
      if (current) return subscription(current);
      if (read().outOfReach) await new Promise((resolve) => { self.reached = resolve; });
      const endpoint = `https://fcm.googleapis.com/send/%(name)s-${made}`;
      const next = { endpoint, auth: "AAAAAAAAAAAAAAAAAAAAAA", key };
      change({ current: next, made: made + 1 });
      return subscription(next);
    },
  });
  // The task of the click: what is asked in a later one has lost the click.
  let clicked = false;
  addEventListener("click", (event) => {
    clicked = event.isTrusted;
    setTimeout(() => { clicked = false; });
  }, true);
  let permission = read().permission ?? "%(permission)s";
  Object.defineProperty(Notification, "permission", { get: () => permission });
  Notification.requestPermission = async () => {
    change({ asked: [...read().asked, clicked && navigator.userActivation.isActive] });
    if (permission === "default") permission = "%(answer)s";
    return permission;
  };
  self.played = { read, change };
})();"""


class SdkPage:
    """`page` shows whatever markup is asked for; `asked` are the prompts, true for those within a click."""

    def __init__(self, api: Served, context: BrowserContext, page: Page) -> None:
        self.api, self.context, self.page = api, context, page
        self.requests: list[str] = []
        self.faults: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", lambda said: self._heard(said.text))

    def _heard(self, text: str) -> None:
        if "Content Security Policy" in text:
            self.faults.append(text)

    async def show(self, markup: str, language: str = "en", script: str = "") -> None:
        async def answer(route: Route) -> None:
            html = (
                f'<!doctype html><html lang="{language}"><meta charset="utf-8"><title>A story</title>'
                f'<script type="module" src="{self.api.settings.base_path}/tocsin.js"></script>'
                + ('<script type="module" src="/site.js"></script>' if script else "")
                + f"<body><main><h1>A story</h1>{markup}</main>"
            )
            headers = {"Content-Security-Policy": POLICY}
            await route.fulfill(body=html, content_type="text/html; charset=utf-8", headers=headers)

        async def site(route: Route) -> None:
            await route.fulfill(body=script, content_type="text/javascript")

        await self.page.route("**/story", answer)
        await self.page.route("**/site.js", site)
        await self.page.goto(f"{self.api.origin}/story")

    async def played(self) -> dict[str, Any]:
        found: dict[str, Any] = await self.page.evaluate("played.read()")
        return found

    async def asked(self) -> list[bool]:
        return list((await self.played())["asked"])

    async def record(self) -> dict[str, Any] | None:
        """What the page keeps; the worker's copy must be the same."""
        local, cached = await self.page.evaluate(
            """async () => {
              const base = new URL("./", location.href).href;
              const copy = await (await caches.open("tocsin")).match(`${base}_tocsin/subscription`);
              return [JSON.parse(localStorage.getItem(`tocsin:${base}`)), copy ? await copy.json() : null];
            }"""
        )
        assert local == cached
        return dict(local) if local else None

    async def stored(self) -> dict[str, Any]:
        """The preferences as the service holds them."""
        reply = await self.ask()
        assert reply.status == 200, reply.text
        return dict(reply.json["preferences"])

    async def ask(self) -> Reply:
        record = await self.record()
        assert record is not None
        return await self.api.call("GET", f"/v1/subscriptions/{record['id']}", headers=bearer(record["token"]))

    async def subscribe(self, preferences: dict[str, Any] | None = None) -> None:
        """Without the panel, for tests of what comes after."""
        code = "async (p) => (await (await (await import('/tocsin.js')).Tocsin.connect()).subscribe(p))"
        assert await self.page.evaluate(code, preferences) == "subscribed"


@asynccontextmanager
async def sdk_page(
    browser: Browser, api: Served, permission: str = "granted", answer: str = "granted", **options: Any
) -> AsyncIterator[SdkPage]:
    """A page in a fresh profile. `permission` is the browser's at first, `answer` the reader's to its prompt."""
    given = {"locale": "en-GB", "timezone_id": "Europe/London", **options}
    context = await browser.new_context(**given)
    context.set_default_timeout(15_000)
    values = {
        "point": base64url(POINT),
        "name": secrets.token_hex(6),
        "permission": permission,
        "answer": answer,
    }
    await context.add_init_script(PUSH_SERVICE % values)
    opened = SdkPage(api, context, await context.new_page())
    try:
        yield opened
        assert opened.faults == [], json.dumps(opened.faults)
    finally:
        await context.close()
