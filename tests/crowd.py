"""Readers of every kind, drawn by chance and always the same: most share their wishes with many."""

import random
from collections.abc import Sequence
from typing import Any

Wants = dict[str, Any]

TOPICS = ["world", "politics", "business", "sport", "culture", "science"]
STORIES = ["aleppo", "budget", "election", "flood"]
ZONES = ["Europe/London", "Europe/Berlin", "America/New_York", "America/St_Johns", "Asia/Kolkata", "Asia/Kathmandu",
         "Australia/Lord_Howe", "Pacific/Auckland"]  # fmt: skip
NIGHTS = [("22:00", "07:00"), ("23:00", "06:30"), ("21:30", "08:00"), ("00:00", "05:00"), ("01:30", "09:00"),
          ("12:00", "14:00"), ("20:00", "19:00")]  # fmt: skip
LANGUAGES = ["en", "en-GB", "en-US", "de", "pt-BR"]
HOSTS = {
    "fcm.googleapis.com": 62,
    "updates.push.services.mozilla.com": 13,
    "web.push.apple.com": 17,
    "db5.notify.windows.com": 8,
}


class Crowd:
    """`moments` are those at which pauses and choices of stories may end, as ISO texts."""

    def __init__(self, seed: int, moments: Sequence[str], sets: int = 1_500) -> None:
        self._chance = random.Random(seed)
        self._moments = moments
        self._sets = [self._shared() for _ in range(sets)]

    def wants(self) -> Wants:
        """A reader's preferences; every fourth reader has something personal."""
        wants = dict(self._chance.choice(self._sets))
        return wants if self._chance.random() < 0.75 else {**wants, **self._personal()}

    def host(self) -> str:
        """Where the browser has its push service."""
        [host] = self._chance.choices(list(HOSTS), list(HOSTS.values()))
        return host

    def _shared(self) -> Wants:
        chance = self._chance
        wants: Wants = {"topics": sorted(chance.sample(TOPICS, chance.choice([0, 1, 1, 2, 2, 3, 4])))}
        if chance.random() < 0.5:
            wants["min_level"] = chance.choices(["update", "breaking", "flash"], [3, 3, 1])[0]
        if chance.random() < 0.2:
            wants["topic_levels"] = {chance.choice(TOPICS): chance.choice(["update", "breaking", "flash"])}
        if chance.random() < 0.7:
            wants["time_zone"] = chance.choice(ZONES)
        if chance.random() < 0.5:
            wants["quiet_hours"] = self._quiet_hours()
        if chance.random() < 0.35:
            wants["daily_cap"] = {"count": chance.choice([0, 1, 1, 2, 2, 3, 5]), **self._zone_of_its_own()}
            if chance.random() < 0.4:
                wants["daily_cap"]["flash_exempt"] = True
        if chance.random() < 0.4:
            wants["language"] = chance.choice(LANGUAGES)
        return wants

    def _quiet_hours(self) -> Wants:
        chance = self._chance
        start, end = chance.choice(NIGHTS)
        hours: Wants = {"start": start, "end": end, **self._zone_of_its_own()}
        if chance.random() < 0.4:
            hours["wake_for"] = chance.choice(["flash", "flash", "breaking", "update"])
        if chance.random() < 0.25:
            hours["then"] = "drop"
        return hours

    def _zone_of_its_own(self) -> Wants:
        return {"time_zone": self._chance.choice(ZONES)} if self._chance.random() < 0.15 else {}

    def _personal(self) -> Wants:
        chance, wants = self._chance, {}
        if chance.random() < 0.3:
            wants["snoozed_until"] = chance.choice(self._moments)
        if chance.random() < 0.5:
            wants["followed_stories"] = self._stories()
        if chance.random() < 0.5:
            wants["muted_stories"] = self._stories()
        return wants

    def _stories(self) -> list[Any]:
        chance = self._chance
        return [
            story if chance.random() < 0.5 else {"story": story, "until": chance.choice(self._moments)}
            for story in chance.sample(STORIES, chance.choice([1, 1, 2]))
        ]
