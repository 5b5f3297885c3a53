"""What a reader's page has to show: a month of news, a reader with choices of their own, and what became of alerts."""

import json
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, NamedTuple

from aiohttp import web
from playwright.async_api import Browser, BrowserContext
from reader_news import MONTH, NEWS, POLITICS, SITE_NAMES, SPORT, TOPICS, WORLD

from samples import an_alert
from tocsin import clock
from tocsin.api.app import make_app
from tocsin.domain.alerts import AlertState
from tocsin.domain.topics import Topic
from tocsin.settings import load
from tocsin.store.alerts import BEGUN, LEDGERS, alert_key
from town import Town

CHOICES: dict[str, Any] = {"topics": [WORLD, POLITICS, SPORT], "topic_levels": {SPORT: "breaking"},
                           "muted_stories": ["harbour-strike"]}  # fmt: skip
# Set when all is sent: whatever the hour, what became of alerts is the same.
LATER_CHOICES: dict[str, Any] = {
    "quiet_hours": {"start": "22:30", "end": "06:30", "wake_for": "flash", "then": "defer"},
    "daily_cap": {"count": 6, "flash_exempt": True},
    "followed_stories": ["budget"],
    "time_zone": "Europe/London",
}


class Scene(NamedTuple):
    """`url` is where the pages are; `subscription` what a browser would get of its push service; `reader` its id."""

    town: Town
    url: str
    language: str
    subscription: Mapping[str, Any]
    reader: Mapping[str, str]

    async def visitor(self, browser: Browser, subscribed: bool, granted: bool = True, **options: Any) -> BrowserContext:
        """A reader in a browser of their own. Chromium reaches no push service here: one of the simulator's browsers
        lends it its subscription, which the API registers as any other."""
        locale = {"en": "en-GB", "ar": "ar"}[self.language]
        context = await browser.new_context(locale=locale, timezone_id="Europe/London", **options)
        if granted:
            await context.grant_permissions(["notifications"], origin=self.url)
        await context.add_init_script(f"({LENT})({json.dumps(self.subscription)}, {json.dumps(subscribed)})")
        return context


LENT = """(given, subscribed) => {
  const plain = (text) => atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  const buffer = (text) => Uint8Array.from(plain(text), (c) => c.charCodeAt(0)).buffer;
  const lent = {
    endpoint: given.endpoint,
    options: { userVisibleOnly: true, applicationServerKey: buffer(given.key) },
    toJSON: () => ({ endpoint: given.endpoint, expirationTime: null, keys: given.keys }),
    unsubscribe: async () => { subscribed = false; return true; },
  };
  PushManager.prototype.getSubscription = async () => (subscribed ? lent : null);
  PushManager.prototype.subscribe = async () => { subscribed = true; return lent; };
}"""


async def month_of_news(town: Town) -> None:
    """Alerts of weeks ago, as the store keeps them."""
    now, number = clock.now(), 0
    for topic, counts in MONTH.items():
        for level, count in zip(("flash", "breaking", "update"), counts, strict=True):
            for place in range(count):
                began_at = now - timedelta(days=7.5 + 22 * (place + 0.5) / count)
                alert = an_alert(now=began_at, topics=[topic], level=level, headline=f"Of weeks ago, {number}")
                await town.store.alerts.queue(alert, secrets.token_urlsafe(16))
                await town.store.runs.begin(alert.id, {}, began_at, began_at + timedelta(days=1))
                await town.store.alerts.close(alert.id, AlertState.SENT, {"deferred": 0}, 0, None)
                number += 1
    # What became of each reader of them is forgotten, as the reconciler sees to.
    await town.store.server.redis.delete(LEDGERS)
    # The first alert of all.
    alert = an_alert(now=now - timedelta(days=40))
    await town.store.alerts.queue(alert, secrets.token_urlsafe(16), AlertState.DRAFT)


async def week_of_news(town: Town, language: str) -> None:
    """Really sent, by the workers; then moved to when they would have been."""
    for news in NEWS[language][::-1]:
        words: dict[str, Any] = {**news._asdict(), "topics": list(news.topics), "undo_seconds": 0}
        del words["hours_ago"]
        if news.story is None:
            del words["story"]
        sent = await town.ended((await town.send(**words))["id"])
        began_ms = clock.milliseconds(clock.now() - timedelta(hours=news.hours_ago))
        redis = town.store.server.redis
        await redis.hset(alert_key(sent["id"]), "began_ms", str(began_ms))
        await redis.zadd(BEGUN, {sent["id"]: began_ms})
        await redis.zadd(LEDGERS, {sent["id"]: began_ms})


@asynccontextmanager
async def opened_scene(town: Town, language: str = "en") -> AsyncIterator[Scene]:
    """The pages of a site in that language, with news, on the town's store."""
    named = [
        Topic(id=key, name=name, description=text, default=key == WORLD)
        for key, (name, text) in TOPICS[language].items()
    ]
    before = await town.store.topics.all()
    await town.store.topics.replace(named)
    try:
        await month_of_news(town)
        (view,) = await town.subscribe(1, CHOICES)
        reader = await town.register(view, CHOICES)
        await week_of_news(town, language)
        bearer = {"Authorization": f"Bearer {reader['token']}"}
        await town.call("PATCH", f"/v1/subscriptions/{reader['id']}/preferences", LATER_CHOICES, bearer)
        _, site = await town.call("GET", "/v1/site")
        given = view.subscription.model_dump(mode="json")
        lent = {"endpoint": given["endpoint"], "keys": given["keys"], "key": site["application_server_key"]}
        async with served(town, language=language, site_name=SITE_NAMES[language]) as url:
            yield Scene(town, url, language, lent, reader)
    finally:
        await town.store.topics.replace(before)


@asynccontextmanager
async def served(town: Town, **changes: Any) -> AsyncIterator[str]:
    """Another API on the town's store, with other settings."""
    settings = load(**{**town.settings.model_dump(), **changes})
    runner = web.AppRunner(make_app(settings), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}{settings.base_path}"
    finally:
        await runner.cleanup()
