"""One shard of an alert's run: planned once, then sent window by window until nothing is pending."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from tocsin import clock
from tocsin.domain.alerts import Alert
from tocsin.domain.decisions import Limit
from tocsin.domain.deliveries import UNFINISHED, Ledger, Mark, turned
from tocsin.domain.levels import Level
from tocsin.domain.subscriptions import SHARD_SIZE
from tocsin.planning import ShardPlan
from tocsin.store.failures import UNREADABLE
from tocsin.store.ledgers import Kept, Recipient
from tocsin.store.runs import Claim
from tocsin_workers.letters import Letter
from tocsin_workers.patience import patiently
from tocsin_workers.runtime import Runtime
from tocsin_workers.shard_book import ShardBook
from tocsin_workers.shard_work import ShardWork

# A follow-up waits so long before it looks again whether the alert before it has let go of a shard.
_AFTER_SECONDS = 0.2


class ShardRun(ShardWork):
    def __init__(self, runtime: Runtime, claim: Claim, alert: Alert) -> None:
        super().__init__(runtime, claim)
        self._alert = alert
        self.queue = alert.queue
        self.is_urgent = alert.draft.level is Level.FLASH
        self.max_per_second = alert.draft.max_per_second
        self._ends_at = alert.attempts_end(claim.began_at)
        self._message = runtime.letters.message(alert, claim.began_at)
        self._planner = runtime.planners.of(alert.audience(runtime.settings.time_zone))
        self._deferred_until: datetime | None = None

    async def _open(self) -> bool | None:
        kept = await patiently(lambda: self._store.ledgers.begin(self._claim))
        if kept is None:
            return False
        self._book = ShardBook(kept)
        if kept.ledger is not None:
            self._book.wait(self._alert.id, kept.ledger)
            return None
        return await self._plan(kept)

    async def _plan(self, kept: Kept) -> bool | None:
        """Decides for each reader. Who registered since the run began is passed over."""
        before = _Before()
        if self._alert.root is not None:
            found = await self._before()
            if found is None:
                # Here, since a shard of an alert that is over is given out again whatever its moment.
                await asyncio.sleep(_AFTER_SECONDS)
                return await self._hand_back(clock.now())
            before = found
        first_number = int(self._claim.shard.rpartition(".")[2]) * SHARD_SIZE
        numbers = kept.profile_numbers[: max(0, self._claim.bound - first_number)]
        among = None if self._alert.root is None else before.audience
        plan = await patiently(lambda: self._planner.plan(self._claim.shard, numbers, clock.now(), among))
        if plan.capped:
            full = await self._take(plan.capped)
            if full is None:
                return False
            plan.cap(full)
        if before.latest is not None:
            self._book.replaced(before.latest_id, before.latest)
        self._book.plan(self._alert.id, plan.ledger)
        for slot in plan.ledger.slots(Mark.SET_ASIDE):
            self._set_aside(slot, UNREADABLE, [self._alert.id])
        return await self._keep_plan(plan)

    async def _before(self) -> "_Before | None":
        """What a follow-up takes over here; None while somebody still works for an alert before it."""
        shard, store = self._claim.shard, self._store
        chain = await patiently(lambda: store.alerts.chain(self._alert.chain))
        earlier = chain[: chain.index(self._alert.id)]
        for alert_id in earlier:
            if not await patiently(partial(store.runs.shard_is_settled, alert_id, shard)):
                return None
        # A round may have the old text on its way to some; once it has let go, it leaves the rest to us.
        if await patiently(partial(store.runs.round_in_work, shard)):
            return None
        stands = await patiently(partial(store.alerts.stands, earlier))
        ledgers = await patiently(partial(store.ledgers.ledgers, shard, earlier))
        # Who waits for an alert that was stopped waits for nothing.
        latest = None if stands[earlier[-1]].is_stopped else ledgers.get(earlier[-1])
        return _Before(_had(ledgers, latest), earlier[-1], latest)

    async def _keep_plan(self, plan: ShardPlan) -> bool | None:
        """Where nobody is deferred, the plan is kept with the first window's question."""
        if plan.first_until is None:
            return None
        await self._defer(plan.first_until)
        if not await self._write():
            return False
        await self._defer(plan.first_until)  # a round that looked before the write saw nobody there
        return None

    async def _defer(self, until: datetime) -> None:
        """Some wait here for the end of their quiet hours, or of the alert."""
        due = min(until, self._alert.expires_at(self._claim.began_at))
        await patiently(lambda: self._store.alerts.defers(self._alert.id))
        await patiently(lambda: self._store.runs.defer(self._claim.shard, due))

    async def _take(self, capped: Mapping[int, Limit]) -> set[int] | None:
        full = await patiently(lambda: self._store.ledgers.take_caps(self._claim, capped))
        if full is not None:
            self._book.took({slot: limit.day for slot, limit in capped.items() if slot not in full})
        return full

    async def _letters_for(self, recipients: Sequence[Recipient]) -> list[Letter] | None:
        await patiently(lambda: self._planner.load({recipient.profile_number for recipient in recipients}))
        now = clock.now()
        wanted = [recipient for recipient in recipients if self._still_wanted(recipient, now)]
        capped = {each.slot: limit for each in wanted if (limit := self._planner.limit(each.profile_number, now))}
        full: Collection[int] = ()
        if capped:
            taken = await self._take(capped)
            if taken is None:
                return None
            full = taken
        for slot in full:
            self._book.mark(slot, Mark.TURNED_DAILY_CAP)
        if self._deferred_until is not None:
            await self._defer(self._deferred_until)
        return [
            letter for each in wanted if each.slot not in full and (letter := self._letter(each, self._message, now))
        ]

    def _still_wanted(self, recipient: Recipient, now: datetime) -> bool:
        """By the preferences that stand now; who is not to get it any more is settled here."""
        if recipient.packed is None:
            self._book.mark(recipient.slot, Mark.OPTED_OUT)
            return False
        decision = self._planner.decide(recipient.profile_number, recipient.personal, now)
        if decision is None:
            self._set_aside(recipient.slot, UNREADABLE)
            return False
        mark = turned(decision)
        if mark is Mark.PENDING:
            return True
        if decision.until is not None:
            self._deferred_until = min(filter(None, (self._deferred_until, decision.until)))
        self._book.mark(recipient.slot, mark)
        return False

    def _accepted(self, sent_at: datetime, seconds: Sequence[float]) -> None:
        buckets = self._book.accepted(sent_at, self._alert.begins_at, seconds)
        self._runtime.counting.accepted(self.queue, len(seconds), buckets)

    def _retry(self, slot: int) -> None:
        self._book.mark(slot, Mark.RETRYING)
        self._book.retry_later(slot, clock.now(), self._runtime.settings.retry_seconds)

    async def _hand_back(self, due: datetime) -> bool:
        return await super()._hand_back(min(due, self._ends_at))

    async def _kept(self) -> None:
        await super()._kept()
        if self._deferred_until is not None:
            until, self._deferred_until = self._deferred_until, None
            await self._defer(until)


@dataclass(frozen=True)
class _Before:
    """`audience` are the slots that a follow-up goes to; `latest` is the ledger of the alert that it takes over from,
    None where nobody waits for that."""

    audience: frozenset[int] = frozenset()
    latest_id: str = ""
    latest: Ledger | None = None


def _had(ledgers: Mapping[str, Ledger], latest: Ledger | None) -> frozenset[int]:
    """Who was sent any alert of the chain, or still waits for the latest."""
    had = {slot for ledger in ledgers.values() for slot in ledger.slots(Mark.ACCEPTED)}
    if latest is not None:
        for mark in (Mark.DEFERRED, Mark.CORRECTED, *UNFINISHED):
            had |= set(latest.slots(mark))
    return frozenset(had)
