"""What an alert comes to for each reader of a shard: the one way that sending, estimating and asking again share.

Most readers share their preferences with many others, so these are decided for once a minute, for all shards, and a
shard's readers are then looked up in a table; only who has something personal, or a cap, is looked at alone.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter

from tocsin.domain.decisions import (
    NOTHING_PERSONAL,
    Audience,
    Decision,
    Limit,
    Standing,
    decide_as,
    limit,
    quiet_until,
    standing,
    standings,
)
from tocsin.domain.deliveries import Ledger, Mark, planned, slots_of
from tocsin.domain.personal import read_personal
from tocsin.domain.preferences import Preferences
from tocsin.domain.subscriptions import SHARD_SIZE
from tocsin.store.profiles import MOST_KEPT, NOBODY, Profiles
from tocsin.store.readers import Readers
from tocsin.store.shards import PERSONAL

# How many alerts' tables a process keeps; one of 50,000 profiles takes about 10 MB.
_MOST_ALERTS = 8

# In a table and in a draft, bytes that no mark has: it depends on what is personal; pending unless a cap is full.
_ASK, _CAPPED = 0xFF, 0xFE
_CAPPED_IS_PENDING = bytes(ord(Mark.PENDING) if byte == _CAPPED else byte for byte in range(256))


@dataclass
class ShardPlan:
    """A mark for each slot, before caps are looked at; `capped` are those among the pending whose cap has the last
    word, by slot; `first_until` is when the first of the deferred is asked again."""

    ledger: Ledger
    capped: Mapping[int, Limit]
    first_until: datetime | None = None

    def cap(self, full: Iterable[int]) -> None:
        """These readers have had as many as they wish."""
        for slot in full:
            self.ledger[slot] = Mark.DAILY_CAP


class Answers:
    """What one alert comes to in one minute, by profile number; in `marks` and `limits` with its bit `PERSONAL` too."""

    def __init__(self, now: datetime) -> None:
        self._begins = now.replace(second=0, microsecond=0)
        self._ends = self._begins + timedelta(minutes=1)
        self.marks = {NOBODY: ord(Mark.NOBODY)}
        self.own: dict[Standing, dict[int, int]] = defaultdict(dict)
        self.decisions: dict[tuple[int, Standing], Decision] = {}
        self.limits: dict[int, Limit] = {}
        self.unlimited: set[int] = set()
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


class Standings(dict[bytes | None, Standing | None]):
    """How a reader stands to one alert at one moment, by what is personal as it is written; None where this program
    cannot read it. Many wrote the same: "until tomorrow at seven", the same story muted for good."""

    def __init__(self, audience: Audience, now: datetime) -> None:
        super().__init__()
        self.now = now
        self._audience = audience

    def __missing__(self, text: bytes | None) -> Standing | None:
        try:
            found = standing(self._audience, read_personal(text or b""), self.now)
        except ValueError:
            found = None
        self[text] = found
        return found


@dataclass(frozen=True)
class Draft:
    """A plan before it is known what is personal in the slots to be `asked`."""

    marks: bytearray
    numbers: Sequence[int]
    asked: Sequence[int]
    answers: Answers
    now: datetime


class Planner:
    """For one alert."""

    def __init__(self, profiles: Profiles, readers: Readers, audience: Audience, table: Table | None = None) -> None:
        self.audience = audience
        self._profiles = profiles
        self._readers = readers
        self._table = table or Table()
        self._sets: dict[int, Preferences | None] = {}
        self._standings: Standings | None = None

    async def load(self, numbers: Iterable[int]) -> None:
        """The sets of these profile numbers, so that `decide`, `limit` and `quiet_until` need no store."""
        # `difference`, since `- self._sets.keys()` would walk through all of them.
        missing = {number & ~PERSONAL for number in numbers}.difference(self._sets, [NOBODY])
        if missing:
            found = await self._profiles.readable(missing)
            self._sets |= {number: found.get(number) for number in missing}

    def decide(self, number: int, personal: bytes, now: datetime) -> Decision | None:
        """Without the cap; None for preferences that this program cannot read."""
        try:
            own = standing(self.audience, read_personal(personal), now)
        except ValueError:
            return None
        return self._decide(self._table.at(now), number & ~PERSONAL, own, now)

    def quiet_until(self, number: int, now: datetime) -> datetime | None:
        """The end of the quiet hours that keep the alert from a reader, whatever else does. They are never personal."""
        return self._quiet_until(self._table.at(now), number & ~PERSONAL, now)

    def limit(self, number: int, now: datetime) -> Limit | None:
        """The cap of who has this number, where this alert counts under it. It is never personal."""
        return self._limit(self._table.at(now), number & ~PERSONAL, now)

    def language(self, number: int) -> str | None:
        """Of who has this number. It is never personal."""
        preferences = self._sets.get(number & ~PERSONAL)
        return preferences.language if preferences else None

    async def plan(
        self, shard: str, numbers: Sequence[int], now: datetime, among: Collection[int] | None = None
    ) -> ShardPlan:
        """For each slot; `among` are the slots of a follow-up's audience, None for everybody."""
        draft = await self.draft(numbers, now, among)
        personal = await self._readers.personal(shard, draft.asked)
        plan = self.finish(draft, personal)
        plan.first_until = self._first_until(draft, plan.ledger)
        return plan

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
        asked = list(slots_of(marks, _ASK))
        await self.load(numbers[slot] for slot in asked)
        return Draft(marks.ljust(SHARD_SIZE, b"\0"), numbers, asked, answers, now)

    def finish(self, draft: Draft, personal: Sequence[bytes | None]) -> ShardPlan:
        """The plan but for its `first_until`, now that it is known what is personal, slot by slot of those asked."""
        marks, numbers, answers, now = draft.marks, draft.numbers, draft.answers, draft.now
        for slot, own in zip(draft.asked, map(self._standings_at(now).__getitem__, personal), strict=True):
            number = numbers[slot] & ~PERSONAL
            if own is None:
                marks[slot] = ord(Mark.SET_ASIDE)
                continue
            mark = answers.own[own].get(number)
            marks[slot] = self._mark(answers, number, own, now) if mark is None else mark
        slots = list(slots_of(marks, _CAPPED))
        limits = map(answers.limits.__getitem__, map(numbers.__getitem__, slots))
        return ShardPlan(Ledger(marks.translate(_CAPPED_IS_PENDING)), dict(zip(slots, limits, strict=True)))

    def _standings_at(self, now: datetime) -> Standings:
        if self._standings is None or self._standings.now != now:
            self._standings = Standings(self.audience, now)
        return self._standings

    def _first_until(self, draft: Draft, ledger: Ledger) -> datetime | None:
        deferred = {draft.numbers[slot] & ~PERSONAL for slot in ledger.slots(Mark.DEFERRED)}
        untils = (self._quiet_until(draft.answers, number, draft.now) for number in deferred)
        return min(filter(None, untils), default=None)

    async def _learn(self, answers: Answers, numbers: set[int], now: datetime) -> None:
        unknown = numbers.difference(answers.marks)
        await self.load(unknown)
        for number in unknown:
            answers.marks[number] = self._common_mark(answers, number, now)

    def _common_mark(self, answers: Answers, number: int, now: datetime) -> int:
        """The byte of all with this number, or _ASK where what is personal makes a difference."""
        shared = number & ~PERSONAL
        common = self._mark(answers, shared, NOTHING_PERSONAL, now)
        if number & PERSONAL and any(
            self._mark(answers, shared, each, now) != common for each in standings(self.audience)
        ):
            return _ASK
        return common

    def _mark(self, answers: Answers, number: int, personal: Standing, now: datetime) -> int:
        decision = self._decide(answers, number, personal, now)
        if decision is None:
            return ord(Mark.SET_ASIDE)
        mark = ord(planned(decision))
        if mark == ord(Mark.PENDING) and self._limit(answers, number, now):
            mark = _CAPPED
        answers.own[personal][number] = mark
        return mark

    def _decide(self, answers: Answers, number: int, personal: Standing, now: datetime) -> Decision | None:
        decision = answers.decisions.get((number, personal))
        if decision is None and (shared := self._sets.get(number)) is not None:
            decision = decide_as(personal, self.audience, shared, now)
            answers.decisions[number, personal] = decision
            if decision.until is not None:
                # Other shards' planners, which may not have read this set, look the mark up and need its end.
                answers.quiet[number] = decision.until
        return decision

    def _quiet_until(self, answers: Answers, number: int, now: datetime) -> datetime | None:
        if number not in answers.quiet and (shared := self._sets.get(number)) is not None:
            answers.quiet[number] = quiet_until(self.audience, shared, now)
        return answers.quiet.get(number)

    def _limit(self, answers: Answers, number: int, now: datetime) -> Limit | None:
        found = answers.limits.get(number)
        if found is not None or number in answers.unlimited:
            return found
        shared = self._sets.get(number)
        found = None if shared is None else limit(self.audience, shared, now)
        if found is not None:
            answers.limits[number] = answers.limits[number | PERSONAL] = found
        elif shared is not None:
            answers.unlimited.add(number)
        return found


class Planners:
    """What one shard's planner found out in a minute, those of the alert's other shards in this process know too."""

    def __init__(self, profiles: Profiles, readers: Readers) -> None:
        self._profiles = profiles
        self._readers = readers
        self._tables: OrderedDict[Audience, Table] = OrderedDict()

    def of(self, audience: Audience) -> Planner:
        table = self._tables.setdefault(audience, Table())
        self._tables.move_to_end(audience)
        if len(self._tables) > _MOST_ALERTS:
            self._tables.popitem(last=False)
        return Planner(self._profiles, self._readers, audience, table)


def _look_up(marks: Mapping[int, int], numbers: Sequence[int]) -> bytearray:
    # Twice nobody before them, since itemgetter gives no tuple for one number alone.
    return bytearray(itemgetter(NOBODY, NOBODY, *numbers)(marks)[2:])
