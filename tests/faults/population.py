"""The readers of a town, what each of them asked for, and who should get an alert by a plain reading of that."""

import asyncio
import base64
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import aiohttp

from tocsin.simulator.models import BrowserView
from town import Town

BROWSERS = 2_000
SHARES = {"fcm": 0.7, "mozilla": 0.1, "apple": 0.1, "wns": 0.1}
AT_ONCE = 50

# Of each hundred readers so many ask for this. A new kind is a line here, and a line in `wants` if it has a new rule.
KINDS: Sequence[tuple[int, Mapping[str, Any]]] = (
    (40, {"topics": ["world"]}),
    (15, {"topics": ["world", "sport"]}),
    (10, {"topics": ["politics", "world"], "min_level": "breaking"}),
    (8, {"topics": ["world"], "topic_levels": {"world": "breaking"}}),
    (5, {"topics": ["world"], "min_level": "flash"}),
    (5, {"topics": ["world"], "min_level": "flash", "topic_levels": {"world": "update"}}),
    (12, {"topics": ["sport"]}),
    (5, {"topics": []}),
)

LEVELS = ("update", "breaking", "flash")


def wants(preferences: Mapping[str, Any], alert: Mapping[str, Any]) -> bool:
    """Whether a reader with these preferences is to get this alert: written anew, from the documentation alone."""
    own, general = preferences.get("topic_levels", {}), preferences.get("min_level", "update")
    return any(
        LEVELS.index(alert["level"]) >= LEVELS.index(own.get(topic, general))
        for topic in alert["topics"]
        if topic in preferences["topics"]
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


class Population:
    """Registered once for a town; `mend` brings back what a fault removed."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.readers: dict[str, Reader] = {}

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
