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
from tocsin.planning import Planner, ShardPlan
from tocsin.store.failures import UNREADABLE
from tocsin.store.ledgers import Kept, Recipient
from tocsin.store.runs import Claim, Release
from tocsin_workers.letters import Letter
from tocsin_workers.patience import patiently
from tocsin_workers.runtime import Runtime
from tocsin_workers.shard_book import ShardBook
from tocsin_workers.shard_work import ShardWork

# A follow-up waits so long before it looks again whether the alert before it has let go of a shard.
_AFTER_SECONDS = 0.2


class ShardRun(ShardWork):
    def __init__(self, runtime: Runtime, claim: Claim, alert: Alert, planner: Planner | None = None) -> None:
        super().__init__(runtime, claim)
        self._alert = alert
        # What a follow-up takes over is asked shard by shard, and may have to be waited for.
        self.goes_alone = alert.root is not None
        self.queue = alert.queue
        self.is_urgent = alert.draft.level is Level.FLASH
        self.max_per_second = alert.draft.max_per_second
        self._ends_at = alert.attempts_end(claim.began_at)
        self._message = runtime.letters.message(alert, claim.began_at)
        self._planner = planner or runtime.planners.of(alert.audience(runtime.settings.time_zone))
        self._deferred_until: datetime | None = None

    def beside(self, claim: Claim) -> "ShardRun":
        return ShardRun(self._runtime, claim, self._alert, self._planner)

    async def open(self, kept: Kept) -> bool:
        self.book = ShardBook(kept)
        if kept.ledger is not None:
            self.book.wait(self._alert.id, kept.ledger)
            return True
        return await self._plan(kept)

    async def _plan(self, kept: Kept) -> bool:
        """Decides for each reader. Who registered since the run began is passed over."""
        before = _Before()
        if self._alert.root is not None:
            found = await self._before()
            if found is None:
                # Here, since a shard of an alert that is over is given out again whatever its moment.
                await asyncio.sleep(_AFTER_SECONDS)
                await patiently(partial(self._store.runs.hand_back, self.claim, clock.now()))
                return False
            before = found
        first_number = int(self.claim.shard.rpartition(".")[2]) * SHARD_SIZE
        numbers = kept.profile_numbers[: max(0, self.claim.bound - first_number)]
        among = None if self._alert.root is None else before.audience
        plan = await patiently(lambda: self._planner.plan(self.claim.shard, numbers, clock.now(), among))
        if plan.capped:
            full = await self._take(plan.capped)
            if full is None:
                return False
            plan.cap(full)
        if before.latest is not None:
            self.book.replaced(before.latest_id, before.latest)
        self.book.plan(self._alert.id, plan.ledger)
        for slot in plan.ledger.slots(Mark.SET_ASIDE):
            self._set_aside(slot, UNREADABLE, [self._alert.id])
        return await self._keep_plan(plan)

    async def _before(self) -> "_Before | None":
        """What a follow-up takes over here; None while somebody still works for an alert before it."""
        shard, store = self.claim.shard, self._store
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

    async def _keep_plan(self, plan: ShardPlan) -> bool:
        """Where nobody is deferred, the plan is kept with the first window's question."""
        if plan.first_until is None:
            return True
        await self._defer(plan.first_until)
        if not await self.write():
            return False
        await self._defer(plan.first_until)  # a round that looked before the write saw nobody there
        return True

    async def _defer(self, until: datetime) -> None:
        """Some wait here for the end of their quiet hours, or of the alert."""
        due = min(until, self._alert.expires_at(self.claim.began_at))
        await patiently(lambda: self._store.alerts.defers(self._alert.id))
        await patiently(lambda: self._store.runs.defer(self.claim.shard, due))

    async def _take(self, capped: Mapping[int, Limit]) -> set[int] | None:
        full = await patiently(lambda: self._store.ledgers.take_caps(self.claim, capped))
        if full is not None:
            self.book.took({slot: limit.day for slot, limit in capped.items() if slot not in full})
        return full

    async def letters_for(self, recipients: Sequence[Recipient]) -> list[Letter] | None:
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
            self.book.mark(slot, Mark.TURNED_DAILY_CAP)
        if self._deferred_until is not None:
            await self._defer(self._deferred_until)
        return [
            letter for each in wanted if each.slot not in full and (letter := self._letter(each, self._message, now))
        ]

    def _still_wanted(self, recipient: Recipient, now: datetime) -> bool:
        """By the preferences that stand now; who is not to get it any more is settled here."""
        if recipient.packed is None:
            self.book.mark(recipient.slot, Mark.OPTED_OUT)
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
        self.book.mark(recipient.slot, mark)
        return False

    def _accepted(self, sent_at: datetime, seconds: Sequence[float]) -> None:
        buckets = self.book.accepted(sent_at, self._alert.begins_at, seconds)
        self._runtime.counting.accepted(self.queue, len(seconds), buckets)

    def _retry(self, slot: int) -> None:
        self.book.mark(slot, Mark.RETRYING)
        super()._retry(slot)

    def release(self, due: datetime | None) -> Release:
        claim, at = super().release(due)
        return Release(claim, at and min(at, self._ends_at))

    async def kept(self) -> None:
        await super().kept()
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
