"""The readers of a town, what each of them asked for, and who should get an alert by a plain reading of that."""

import asyncio
import base64
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

from tocsin.simulator.models import BrowserView, LogLine
from town import Town

BROWSERS = 2_000
SHARES = {"fcm": 0.7, "mozilla": 0.1, "apple": 0.1, "wns": 0.1}
AT_ONCE = 50

NOW = datetime.now(UTC)
# Quiet for hours to come, also where a fault moves the clock by one.
QUIET = {"start": f"{NOW - timedelta(hours=4):%H:%M}", "end": f"{NOW + timedelta(hours=8):%H:%M}", "time_zone": "UTC"}
SNOOZED = f"{NOW + timedelta(days=2):%Y-%m-%dT%H:%M:%SZ}"

# Of each hundred readers so many ask for this. A new kind is a line here, and a rule in `wants` if it brings one.
KINDS: Sequence[tuple[int, Mapping[str, Any]]] = (
    (36, {"topics": ["world"]}),
    (14, {"topics": ["world", "sport"]}),
    (8, {"topics": ["politics", "world"], "min_level": "breaking"}),
    (6, {"topics": ["world"], "topic_levels": {"world": "breaking"}}),
    (4, {"topics": ["world"], "min_level": "flash"}),
    (4, {"topics": ["world"], "min_level": "flash", "topic_levels": {"world": "update"}}),
    (8, {"topics": ["world"], "daily_cap": {"count": 1_000}}),
    (2, {"topics": ["world"], "daily_cap": {"count": 0, "flash_exempt": True}}),
    (2, {"topics": ["world"], "quiet_hours": {**QUIET, "wake_for": "flash", "then": "drop"}}),
    (1, {"topics": ["world"], "quiet_hours": {**QUIET, "then": "defer"}}),
    (1, {"topics": ["world"], "snoozed_until": SNOOZED}),
    (2, {"topics": ["world"], "muted_stories": ["aleppo"]}),
    (2, {"topics": ["sport"], "followed_stories": ["aleppo"], "min_level": "flash"}),
    (3, {"topics": ["world"], "language": "en"}),
    (5, {"topics": ["sport"]}),
    (2, {"topics": []}),
)

LEVELS = ("update", "breaking", "flash")


def wants(asked: Mapping[str, Any], alert: Mapping[str, Any]) -> bool:
    """Whether a reader who asked for this is to get this alert now: written anew, from the documentation alone."""
    level, story = LEVELS.index(alert["level"]), alert.get("story")
    follows = story is not None and story in asked.get("followed_stories", ())
    topics = [topic for topic in alert["topics"] if topic in asked["topics"]]
    languages = {language for language in (alert.get("language"), asked.get("language")) if language}
    own, general = asked.get("topic_levels", {}), asked.get("min_level", "update")
    quiet, cap = asked.get("quiet_hours"), asked.get("daily_cap")
    is_flash = alert["level"] == "flash"
    return (
        (bool(topics) or follows)
        and len(languages) < 2
        and (story is None or story not in asked.get("muted_stories", ()))
        and "snoozed_until" not in asked
        and (follows or any(level >= LEVELS.index(own.get(topic, general)) for topic in topics))
        and (quiet is None or (quiet.get("wake_for") == "flash" and is_flash))
        and (cap is None or cap["count"] > 0 or (cap["flash_exempt"] and is_flash))
    )


@dataclass(frozen=True)
class Reader:
    """A simulated browser and what it told Tocsin; `shard` is where Tocsin keeps it."""

    view: BrowserView
    preferences: Mapping[str, Any]
    id: str
    token: str
    shard: str

    @property
    def browser(self) -> str:
        return self.view.id

    @property
    def push_service(self) -> str:
        return str(self.view.push_service)


class MessageKeys:
    """The salts of all messages that reached a push service, and what each was used for (RFC 8188 §4.1)."""

    def __init__(self) -> None:
        self._tags: dict[str, str] = {}
        self.reused = 0

    def see(self, lines: Iterable[LogLine]) -> None:
        """The same bytes again are the same message; another tag under one salt is a nonce that was used twice."""
        for line in lines:
            if line.sealed is not None:
                salt, tag = line.sealed[:32], line.sealed[32:]
                self.reused += self._tags.setdefault(salt, tag) != tag


class Population:
    """Registered once for a town; `mend` brings back what a fault removed."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.readers: dict[str, Reader] = {}
        self.keys = MessageKeys()

    @classmethod
    async def settle(cls, town: Town, browsers: int = BROWSERS) -> "Population":
        """Through the API, as real browsers come."""
        population = cls(town)
        _, site = await town.call("GET", "/v1/site")
        views = await town.simulator.create_browsers(browsers, SHARES, site["application_server_key"])
        kinds = [preferences for parts, preferences in KINDS for _ in range(parts)]
        # Views come push service by push service; a step of 37 (prime to 100) gives each of them every kind.
        asked = [(view, kinds[place * 37 % len(kinds)]) for place, view in enumerate(views)]
        for first in range(0, len(asked), AT_ONCE):
            await asyncio.gather(*(population.register(*each) for each in asked[first : first + AT_ONCE]))
        return population

    async def register(self, view: BrowserView, preferences: Mapping[str, Any]) -> None:
        registered = await self.town.register(view, dict(preferences))
        kept = await self.town.store.subscriptions.get(base64.urlsafe_b64decode(registered["id"] + "=="))
        assert kept is not None
        self.readers[view.id] = Reader(view, preferences, registered["id"], registered["token"], kept.address.shard)

    def eligible(self, alert: Mapping[str, Any]) -> set[str]:
        """The browsers that are to get it."""
        return {browser for browser, reader in self.readers.items() if wants(reader.preferences, alert)}

    def counts(self) -> Counter[str]:
        return Counter(reader.push_service for reader in self.readers.values())

    async def missing(self) -> set[str]:
        """Browsers that Tocsin does not know any more, by its own word for each."""
        found: set[str] = set()
        browsers = list(self.readers)
        for first in range(0, len(browsers), AT_ONCE):
            part = browsers[first : first + AT_ONCE]
            known = await asyncio.gather(*(self._is_known(self.readers[browser]) for browser in part))
            found.update(browser for browser, is_known in zip(part, known, strict=True) if not is_known)
        return found

    async def _is_known(self, reader: Reader) -> bool:
        headers = {"Authorization": f"Bearer {reader.token}"}
        status, _ = await self.town.call("GET", f"/v1/subscriptions/{reader.id}", headers=headers)
        return status == 200

    async def mend(self, browsers: Iterable[str]) -> None:
        """Registers these again, as their pages would at the next visit."""
        for browser in browsers:
            reader = self.readers[browser]
            await self.register(reader.view, reader.preferences)

    async def change(self, browser: str, preferences: Mapping[str, Any]) -> None:
        """A reader changes their mind."""
        reader = self.readers[browser]
        headers = {"Authorization": f"Bearer {reader.token}"}
        path = f"/v1/subscriptions/{reader.id}/preferences"
        status, _ = await self.town.call("PATCH", path, dict(preferences), headers)
        if status != 200:
            raise aiohttp.ClientError(f"preferences: {status}")
        self.readers[browser] = replace(reader, preferences={**reader.preferences, **preferences})
