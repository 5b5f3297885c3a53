"""Simulated browsers subscribe through the API, an alert goes out, and both sides' accounts are compared."""

import asyncio
import random
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import aiohttp
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tocsin import clock
from tocsin.domain.decisions import Audience, Verdict, decide
from tocsin.domain.errors import TocsinError
from tocsin.domain.levels import Level
from tocsin.domain.preferences import Preferences
from tocsin.settings import Settings
from tocsin.simulator.client import SimulatorClient

# About how readers' browsers are spread.
SHARES = {"fcm": 0.62, "mozilla": 0.13, "apple": 0.17, "wns": 0.08}
ALERT_SECONDS = 600
_AT_ONCE = 32

ALERT: dict[str, Any] = {
    "headline": "River bursts its banks: old town is being evacuated",
    "body": "Trams 3 and 7 stop; the school on the hill takes people in.",
    "url": "https://news.example.com/flood",
    "topics": ["world"],
    "level": "breaking",
}


class Rehearsal:
    """Registers simulated browsers through the API, sends an alert, and compares both sides' accounts."""

    def __init__(self, settings: Settings, key: str, control_url: str, console: Console) -> None:
        self._settings = settings
        self._key = key
        self._console = console
        self._simulator = SimulatorClient(control_url)
        self._chance = random.Random(1812)  # noqa: S311 (the same audience each time, no secret)
        self._wants: dict[str, Preferences] = {}

    async def __aenter__(self) -> "Rehearsal":
        self._session = aiohttp.ClientSession(self._settings.url, connector=aiohttp.TCPConnector(limit=_AT_ONCE))
        await self._simulator.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._simulator.close()
        await self._session.close()

    async def play(self, browsers: int) -> bool:
        await self._subscribe(browsers)
        alert = await self._send()
        received = await self._simulator.received(alert["id"])
        return self._tell(alert, received)

    async def _subscribe(self, count: int) -> None:
        site = await self._get("/v1/site")
        topics = [topic["id"] for topic in site["topics"]]
        views = await self._simulator.create_browsers(count, SHARES, site["application_server_key"])
        waiting = iter(views)
        with _Bar(self._console, "Browsers subscribe", count) as advance:

            async def subscribe_rest() -> None:
                for view in waiting:
                    wanted = self._draw(topics)
                    self._wants[view.id] = wanted
                    body = {
                        "subscription": view.subscription.model_dump(mode="json"),
                        "preferences": wanted.model_dump(mode="json"),
                    }
                    await self._post("/v1/subscriptions", body)
                    advance(1)

            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(_AT_ONCE):
                        group.create_task(subscribe_rest())
            except* TocsinError as failures:
                raise failures.exceptions[0] from None

    def _draw(self, topics: list[str]) -> Preferences:
        """Many readers share a set: few topics, a level, now and then one of its own for a topic."""
        chosen = sorted(self._chance.sample(topics, self._chance.randint(1, min(3, len(topics)))))
        level = self._chance.choices(list(Level), weights=[1, 3, 6])[0]
        levels = {chosen[0]: Level.FLASH} if self._chance.random() < 0.1 else {}
        return Preferences(topics=tuple(chosen), min_level=level, topic_levels=levels)

    async def _send(self) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._key}", "Idempotency-Key": f"demo-{clock.now().timestamp():.6f}"}
        alert = await self._post("/v1/alerts", ALERT, headers)
        with _Bar(self._console, "Alert", None) as advance:
            done = 0
            async with asyncio.timeout(ALERT_SECONDS):
                while alert["ended_at"] is None:
                    await asyncio.sleep(0.1)
                    alert = await self._get(f"/v1/alerts/{alert['id']}", headers)
                    progress = alert["progress"]
                    advance(progress["accepted"] - done, progress["eligible"])
                    done = progress["accepted"]
        return alert

    def _tell(self, alert: Mapping[str, Any], received: Mapping[str, int]) -> bool:
        progress = alert["progress"]
        audience = Audience(frozenset(ALERT["topics"]), Level(str(ALERT["level"])))
        now = clock.now()
        verdicts = {browser: decide(audience, wants, now).verdict for browser, wants in self._wants.items()}
        wanted = {browser for browser, verdict in verdicts.items() if verdict is Verdict.SEND}
        followers = sum(verdict is not Verdict.OUTSIDE for verdict in verdicts.values())
        once = sum(received.get(browser) == 1 for browser in wanted)
        against = len(received.keys() - wanted)
        skipped = ", ".join(f"{reason} {count:,}" for reason, count in progress["skipped"].items()) or "none"
        seconds = datetime.fromisoformat(alert["ended_at"]) - datetime.fromisoformat(alert["created_at"])
        took = f"{seconds.total_seconds():.2f}"
        if progress["accepted"]:
            took += f" (half within {progress['p50_seconds']:.2f}, 99 % within {progress['p99_seconds']:.2f})"
        lines = [
            ("Headline", alert["headline"]),
            ("Followers", f"{followers:,} of {len(self._wants):,} browsers follow {', '.join(ALERT['topics'])}"),
            ("Skipped", skipped),
            ("Eligible", f"{progress['eligible']:,}"),
            ("Accepted", f"{progress['accepted']:,} by the push services"),
            ("Unaccounted", f"{progress['unaccounted']:,}"),
            ("Seconds", took),
            ("Browsers say", f"{once:,} got it once, as they wanted; {against:,} got what they did not want"),
        ]
        self._console.print()
        for label, text in lines:
            self._console.print(f"  {label:<13} {text}", highlight=False)
        return (
            progress["accepted"] == progress["eligible"] == len(wanted) == once
            and progress["eligible"] + sum(progress["skipped"].values()) == followers
            and progress["unaccounted"] == 0
            and against == 0
        )

    async def _get(self, path: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        async with self._session.get(self._settings.base_path + path, headers=headers) as response:
            return await _json(response)

    async def _post(self, path: str, body: Any, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        async with self._session.post(self._settings.base_path + path, json=body, headers=headers) as response:
            return await _json(response)


class _Bar:
    """A progress bar; the block gets a function to move it on."""

    def __init__(self, console: Console, label: str, total: int | None) -> None:
        columns = (TextColumn("{task.description:<20}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=console)
        self._task = self._progress.add_task(label, total=total)

    def __enter__(self) -> "_Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, steps: int, total: int | None = None) -> None:
        self._progress.update(self._task, advance=steps, total=total)


async def _json(response: aiohttp.ClientResponse) -> dict[str, Any]:
    body: dict[str, Any] = await response.json(content_type=None)
    if response.status >= 400:
        raise TocsinError(f"{response.method} {response.url.path}: {body.get('detail', response.status)}")
    return body
