"""What an alert comes to for each reader of a shard: the one way that sending, estimating and asking again share.

Most readers share their preferences with many others, so these are decided for once a minute, for all shards, and a
shard's readers are then looked up in a table; only who has something personal, or a cap, is looked at alone.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import compress, count
from operator import itemgetter

from pydantic import ValidationError

from tocsin.domain.decisions import (
    Audience,
    Decision,
    Standing,
    cap_day,
    counts,
    decide_as,
    quiet_until,
    standing,
    standings,
)
from tocsin.domain.deliveries import Ledger, Mark, planned
from tocsin.domain.preferences import Preferences
from tocsin.domain.subscriptions import SHARD_SIZE
from tocsin.store.ledgers import Capped, Ledgers
from tocsin.store.profiles import MOST_KEPT, NOBODY, Profiles
from tocsin.store.shards import PERSONAL

# How many alerts' tables a process keeps; one of 50,000 profiles takes about 10 MB.
_MOST_ALERTS = 8

# In a table, and in a draft of a ledger: this reader is looked at alone. No mark has this byte.
_ALONE = 0xFF
_IS_ALONE = bytes(byte == _ALONE for byte in range(256))


@dataclass
class ShardPlan:
    """A mark for each slot, before caps are looked at; `capped` are those among the pending whose cap has the last
    word; `first_until` is when the first of the deferred is asked again."""

    ledger: Ledger
    capped: list[Capped] = field(default_factory=list)
    first_until: datetime | None = None

    def cap(self, full: Iterable[int]) -> None:
        """These readers have had as many as they wish."""
        for slot in full:
            self.ledger[slot] = Mark.DAILY_CAP


class Answers:
    """What one alert comes to in one minute, by profile number; in `marks` with its bit `PERSONAL`. A limit is the
    reader's own day and how many it may hold, None where the alert does not count under a cap."""

    def __init__(self, now: datetime) -> None:
        self._begins = now.replace(second=0, microsecond=0)
        self._ends = self._begins + timedelta(minutes=1)
        self.marks = {NOBODY: ord(Mark.NOBODY)}
        self.decisions: dict[tuple[int, Standing], Decision] = {}
        self.limits: dict[int, tuple[int, int] | None] = {}
        self.quiet: dict[int, datetime | None] = {}

    def hold(self, now: datetime) -> bool:
        """No rule for those who share a set looks at the time of the day more closely than at the minute."""
        return self._begins <= now < self._ends and len(self.decisions) <= MOST_KEPT


class Table:
    """The answers for one alert, made anew each minute."""

    def __init__(self) -> None:
        self._answers: Answers | None = None

    def at(self, now: datetime) -> Answers:
        if self._answers is None or not self._answers.hold(now):
            self._answers = Answers(now)
        return self._answers


@dataclass(frozen=True)
class Draft:
    """A plan before it is known what is `personal` in these slots; of the slots `alone` it says nothing yet."""

    ledger: Ledger
    numbers: Sequence[int]
    alone: Sequence[int]
    personal: Sequence[int]
    answers: Answers
    now: datetime


class Planner:
    """For one alert."""

    def __init__(self, profiles: Profiles, ledgers: Ledgers, audience: Audience, table: Table | None = None) -> None:
        self.audience = audience
        self._profiles = profiles
        self._ledgers = ledgers
        self._table = table or Table()
        self._sets: dict[int, Preferences | None] = {}

    async def load(self, numbers: Iterable[int]) -> None:
        """The sets of these profile numbers, so that `decide`, `cap` and `quiet_until` need no store."""
        missing = {number & ~PERSONAL for number in numbers} - self._sets.keys() - {NOBODY}
        if missing:
            found = await self._profiles.readable(missing)
            self._sets |= {number: found.get(number) for number in missing}

    def decide(self, number: int, personal: bytes, now: datetime) -> Decision | None:
        """Without the cap; None for preferences that this program cannot read."""
        return self._decide(self._table.at(now), number & ~PERSONAL, personal, now)

    def quiet_until(self, number: int, now: datetime) -> datetime | None:
        """The end of the quiet hours that keep the alert from a reader, whatever else does. They are never personal."""
        return self._quiet_until(self._table.at(now), number & ~PERSONAL, now)

    def cap(self, slot: int, number: int, now: datetime) -> Capped | None:
        """The reader's cap, where this alert counts under it."""
        limit = self._limit(self._table.at(now), number & ~PERSONAL, now)
        return None if limit is None else Capped(slot, *limit)

    async def plan(
        self, shard: str, numbers: Sequence[int], now: datetime, among: Collection[int] | None = None
    ) -> ShardPlan:
        """For each slot; `among` are the slots of a follow-up's audience, None for everybody."""
        draft = await self.draft(numbers, now, among)
        return self.finish(draft, await self._ledgers.personal(shard, draft.personal))

    async def draft(self, numbers: Sequence[int], now: datetime, among: Collection[int] | None = None) -> Draft:
        """The part of `plan` that looks at nobody's own record."""
        answers = self._table.at(now)
        try:
            marks = _look_up(answers.marks, numbers)
        except KeyError:
            await self._learn(answers, set(numbers), now)
            marks = _look_up(answers.marks, numbers)
        if among is not None:
            for slot, number in enumerate(numbers):
                if number != NOBODY and slot not in among:
                    marks[slot] = ord(Mark.OUTSIDE)
        alone = list(compress(count(), marks.translate(_IS_ALONE)))
        personal = [slot for slot in alone if numbers[slot] & PERSONAL]
        await self.load(numbers[slot] for slot in personal)
        return Draft(Ledger(marks.ljust(SHARD_SIZE, b"\0")), numbers, alone, personal, answers, now)

    def finish(self, draft: Draft, personal: Mapping[int, bytes]) -> ShardPlan:
        """The plan, now that it is known what is personal, by slot."""
        plan, answers, now = ShardPlan(draft.ledger), draft.answers, draft.now
        for slot in draft.alone:
            number = draft.numbers[slot]
            mark = Mark.PENDING
            if number & PERSONAL:
                number &= ~PERSONAL
                mark = _mark_of(self._decide(answers, number, personal.get(slot, b""), now))
            if mark is Mark.PENDING and (limit := self._limit(answers, number, now)):
                plan.capped.append(Capped(slot, *limit))
            plan.ledger[slot] = mark
        deferred = {draft.numbers[slot] & ~PERSONAL for slot in plan.ledger.slots(Mark.DEFERRED)}
        untils = (self._quiet_until(answers, number, now) for number in deferred)
        plan.first_until = min(filter(None, untils), default=None)
        return plan

    async def _learn(self, answers: Answers, numbers: Collection[int], now: datetime) -> None:
        unknown = numbers - answers.marks.keys()
        await self.load(unknown)
        for number in unknown:
            answers.marks[number] = self._common(answers, number, now)

    def _common(self, answers: Answers, number: int, now: datetime) -> int:
        """The mark of all with this number, or _ALONE where they differ in it, or may."""
        shared = number & ~PERSONAL
        if number & PERSONAL:
            every = (self._decide_as(answers, shared, each, now) for each in standings(self.audience))
            first = next(every)
            if any(each != first for each in every):
                return _ALONE
        mark = _mark_of(self._decide(answers, shared, b"", now))
        return _ALONE if mark is Mark.PENDING and self._limit(answers, shared, now) else ord(mark)

    def _decide(self, answers: Answers, number: int, personal: bytes, now: datetime) -> Decision | None:
        if not personal:
            return self._decide_as(answers, number, Standing(), now)
        try:
            mine = Preferences.model_validate_json(personal)
        except ValidationError:
            return None
        return self._decide_as(answers, number, standing(self.audience, mine, now), now)

    def _decide_as(self, answers: Answers, number: int, personal: Standing, now: datetime) -> Decision | None:
        decision = answers.decisions.get((number, personal))
        if decision is None and (shared := self._sets.get(number)) is not None:
            decision = decide_as(personal, self.audience, shared, now)
            answers.decisions[number, personal] = decision
        return decision

    def _quiet_until(self, answers: Answers, number: int, now: datetime) -> datetime | None:
        if number not in answers.quiet:
            shared = self._sets.get(number)
            if shared is None:
                return None
            answers.quiet[number] = quiet_until(self.audience, shared, now)
        return answers.quiet[number]

    def _limit(self, answers: Answers, number: int, now: datetime) -> tuple[int, int] | None:
        if number not in answers.limits:
            shared = self._sets.get(number)
            if shared is None:
                return None
            limit = None
            if shared.daily_cap is not None and counts(self.audience, shared):
                limit = cap_day(self.audience, shared, now), shared.daily_cap.count
            answers.limits[number] = limit
        return answers.limits[number]


class Planners:
    """What one shard's planner found out in a minute, those of the alert's other shards in this process know too."""

    def __init__(self, profiles: Profiles, ledgers: Ledgers) -> None:
        self._profiles = profiles
        self._ledgers = ledgers
        self._tables: OrderedDict[Audience, Table] = OrderedDict()

    def of(self, audience: Audience) -> Planner:
        table = self._tables.setdefault(audience, Table())
        self._tables.move_to_end(audience)
        if len(self._tables) > _MOST_ALERTS:
            self._tables.popitem(last=False)
        return Planner(self._profiles, self._ledgers, audience, table)


def _look_up(marks: Mapping[int, int], numbers: Sequence[int]) -> bytearray:
    # Twice nobody before them, since itemgetter gives no tuple for one number alone.
    return bytearray(itemgetter(NOBODY, NOBODY, *numbers)(marks)[2:])


def _mark_of(decision: Decision | None) -> Mark:
    return Mark.SET_ASIDE if decision is None else planned(decision)
