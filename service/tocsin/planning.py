"""What an alert comes to for each reader of a shard: the one way that sending, estimating and asking again share."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import ValidationError

from tocsin.domain.decisions import Audience, Decision, Verdict, cap_day, counts, decide, quiet_until
from tocsin.domain.deliveries import Mark, planned
from tocsin.domain.preferences import Preferences
from tocsin.store.ledgers import Capped, Ledgers
from tocsin.store.profiles import NOBODY, Profiles
from tocsin.store.shards import PERSONAL


@dataclass
class ShardPlan:
    """A mark for each slot, before caps are looked at; `capped` are those among the pending whose cap has the last
    word; `first_until` is when the first of the deferred is asked again."""

    marks: list[Mark] = field(default_factory=list)
    capped: list[Capped] = field(default_factory=list)
    first_until: datetime | None = None

    def cap(self, full: Collection[int]) -> None:
        """These readers have had as many as they wish."""
        for slot in full:
            self.marks[slot] = Mark.DAILY_CAP


class Planner:
    """For one alert. Most readers share their preferences with many others, so these are decided for once a minute:
    no rule looks at a time of the day more closely."""

    def __init__(self, profiles: Profiles, ledgers: Ledgers, audience: Audience) -> None:
        self.audience = audience
        self._profiles = profiles
        self._ledgers = ledgers
        self._sets: dict[int, Preferences | None] = {}
        self._decided: dict[int, Decision | None] = {}
        self._quiet: dict[int, datetime | None] = {}
        self._minute: datetime | None = None

    async def load(self, numbers: Iterable[int]) -> None:
        """The sets of these profile numbers, so that all else here needs no store."""
        missing = {number & ~PERSONAL for number in numbers} - self._sets.keys() - {NOBODY}
        if missing:
            found = await self._profiles.readable(missing)
            self._sets |= {number: found.get(number) for number in missing}

    def preferences(self, number: int, personal: bytes) -> Preferences | None:
        """None for what a newer version wrote."""
        shared = self._sets.get(number & ~PERSONAL)
        if shared is None or not personal:
            return shared
        try:
            return shared.with_personal(personal)
        except ValidationError:
            return None

    def decide(self, number: int, personal: bytes, now: datetime) -> Decision | None:
        """Without the cap; None for preferences that this program cannot read."""
        if personal:
            mine = self.preferences(number, personal)
            return None if mine is None else decide(self.audience, mine, now)
        self._look_at(now)
        number &= ~PERSONAL
        if number not in self._decided:
            shared = self._sets.get(number)
            self._decided[number] = None if shared is None else decide(self.audience, shared, now)
        return self._decided[number]

    def quiet_until(self, number: int, now: datetime) -> datetime | None:
        """The end of the quiet hours that keep the alert from a reader, whatever else does. They are never personal."""
        self._look_at(now)
        number &= ~PERSONAL
        if number not in self._quiet:
            shared = self._sets.get(number)
            self._quiet[number] = None if shared is None else quiet_until(self.audience, shared, now)
        return self._quiet[number]

    def _look_at(self, now: datetime) -> None:
        """What was found in another minute is forgotten."""
        minute = now.replace(second=0, microsecond=0)
        if minute != self._minute:
            self._minute, self._decided, self._quiet = minute, {}, {}

    def cap(self, slot: int, number: int, personal: bytes, now: datetime) -> Capped | None:
        """The reader's cap, where this alert counts under it."""
        mine = self.preferences(number, personal)
        if mine is None or mine.daily_cap is None or not counts(self.audience, mine):
            return None
        return Capped(slot, cap_day(self.audience, mine, now), mine.daily_cap.count)

    async def plan(
        self, shard: str, numbers: Sequence[int], now: datetime, among: Collection[int] | None = None
    ) -> ShardPlan:
        """For each slot; `among` are the slots of a follow-up's audience, None for everybody."""
        await self.load(set(numbers))
        flagged = [slot for slot, number in enumerate(numbers) if number & PERSONAL]
        personal = await self._ledgers.personal(shard, flagged)
        plan = ShardPlan()
        for slot, number in enumerate(numbers):
            mark, own = Mark.NOBODY, personal.get(slot, b"")
            if number != NOBODY:
                if among is not None and slot not in among:
                    mark = Mark.OUTSIDE
                else:
                    mark = self._plan_one(plan, slot, number, own, now)
            plan.marks.append(mark)
        return plan

    def _plan_one(self, plan: ShardPlan, slot: int, number: int, personal: bytes, now: datetime) -> Mark:
        decision = self.decide(number, personal, now)
        if decision is None:
            return Mark.SET_ASIDE
        if decision.verdict is Verdict.SEND and (capped := self.cap(slot, number, personal, now)):
            plan.capped.append(capped)
        if decision.until is not None and (plan.first_until is None or decision.until < plan.first_until):
            plan.first_until = decision.until
        return planned(decision)
