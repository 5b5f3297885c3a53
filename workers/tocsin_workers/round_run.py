"""The round of a shard: readers whose quiet hours are over get what waited for them, decided again, as one message."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog

from tocsin import clock
from tocsin.domain.alerts import Alert, AlertState
from tocsin.domain.decisions import Limit, Verdict
from tocsin.domain.deliveries import Ledger, Mark, turned
from tocsin.domain.errors import NotFound
from tocsin.domain.queues import STANDARD
from tocsin.planning import Planner
from tocsin.store.alerts import AlertStatus
from tocsin.store.failures import UNREADABLE
from tocsin.store.ledgers import Kept, Recipient
from tocsin.store.runs import START_MS, Claim
from tocsin_workers.letters import Letter, Message
from tocsin_workers.patience import patiently
from tocsin_workers.runtime import Runtime
from tocsin_workers.shard_book import ShardBook
from tocsin_workers.shard_work import ShardWork

log = structlog.get_logger()


class RoundRun(ShardWork):
    """Who is deferred is written in the ledgers of the alerts alone; this reads them and says when it is due again."""

    queue = STANDARD
    heeds = True

    def __init__(self, runtime: Runtime, claim: Claim) -> None:
        super().__init__(runtime, claim)
        self._alerts: dict[str, _Waited] = {}
        self._messages: dict[tuple[tuple[str, ...], str | None], Message] = {}
        self._serves: dict[int, tuple[str, ...]] = {}

    async def open(self, kept: Kept) -> bool:
        self.book = ShardBook(kept)
        now = clock.now()
        statuses = await self._statuses()
        ids = [status.alert.id for status in statuses]
        ledgers = await patiently(lambda: self._store.ledgers.ledgers(self.claim.shard, ids))
        for status in statuses:
            if ledger := ledgers.get(status.alert.id):
                self._take_up(status, ledger, await self._had_before(status.alert), now)
        self.book.forget_retries()
        if self.book.is_changed and not await self.write():
            return False
        await self._look_ahead(kept.profile_numbers, now)
        return True

    async def _statuses(self) -> list[AlertStatus]:
        """The alerts for which anybody waits, newest first; one that is corrected is left to its follow-up."""
        found = []
        for alert_id in await patiently(self._store.alerts.deferring):
            try:
                status = await patiently(partial(self._store.alerts.get, alert_id))
            except (ValueError, NotFound):  # a newer version wrote it: left to a worker that can read it
                log.error("alert in an unknown form", alert=alert_id)  # noqa: TRY400
                continue
            # A follow-up takes over whoever waits, but from an alert that was stopped nobody.
            is_ours = status.corrected_by is None or status.state is AlertState.STOPPED
            if is_ours and status.began_at is not None:
                found.append(status)
        return sorted(found, key=lambda status: status.alert.begins_at, reverse=True)

    async def _had_before(self, alert: Alert) -> frozenset[int]:
        """Of a follow-up: the slots of those who had an earlier text of its chain."""
        if alert.root is None:
            return frozenset()
        chain = await patiently(partial(self._store.alerts.chain, alert.root))
        earlier = chain[: chain.index(alert.id)]
        ledgers = await patiently(partial(self._store.ledgers.ledgers, self.claim.shard, earlier))
        return frozenset(slot for ledger in ledgers.values() for slot in ledger.slots(Mark.ACCEPTED))

    def _take_up(self, status: AlertStatus, ledger: Ledger, had_before: frozenset[int], now: datetime) -> None:
        alert = status.alert
        assert status.began_at is not None  # noqa: S101 (see _statuses)
        ends_at = alert.expires_at(status.began_at)
        audience = alert.audience(self._runtime.settings.time_zone)
        planner = self._runtime.planners.of(audience)
        self._alerts[alert.id] = _Waited(alert, status.began_at, ends_at, planner, had_before)
        rate = alert.draft.max_per_second
        if rate is not None and rate < (self.max_per_second or math.inf):
            self.max_per_second, self.paced_as = rate, alert.id
        over = None
        if status.state is AlertState.STOPPED:
            over = Mark.STOPPED
        elif ends_at <= now:
            over = Mark.EXPIRED
        for slot in ledger.slots(Mark.DEFERRED):
            self.book.waiting[slot] = (*self.book.waiting.get(slot, ()), alert.id)
            if over is not None:
                self.book.mark(slot, over, [alert.id])

    async def heed(self) -> bool:
        """A stop settles its readers; one that was corrected is left to its follow-up."""
        ids = {alert_id for waiting in self.book.waiting.values() for alert_id in waiting}
        stands = await patiently(partial(self._store.alerts.stands, sorted(ids)))
        over = {alert_id for alert_id, stand in stands.items() if stand.is_stopped or stand.is_corrected}
        for slot, waiting in list(self.book.waiting.items()):
            for alert_id in over.intersection(waiting):
                if stands[alert_id].is_stopped:
                    self.book.mark(slot, Mark.STOPPED, [alert_id])
                else:
                    self.book.leave_to_another(slot, alert_id)
        return bool(over)

    async def _look_ahead(self, numbers: Sequence[int], now: datetime) -> None:
        """Who still has quiet hours need not be looked at in a window."""
        await self._load({numbers[slot] for slot in self.book.waiting})
        for slot, alert_ids in self.book.waiting.items():
            due = [self._asked_again(alert_id, numbers[slot], now) for alert_id in alert_ids]
            if None not in due:
                self.book.not_before(slot, min(filter(None, due)))

    async def _load(self, numbers: set[int]) -> None:
        for waited in self._alerts.values():
            await patiently(partial(waited.planner.load, numbers))

    def _asked_again(self, alert_id: str, number: int, now: datetime) -> datetime | None:
        """When a reader is to be asked about an alert again; None for now.

        Not before the quiet hours end: a round that comes earlier, for others, must not settle what a pause, a mute or
        a followed story that ends before then would say now.
        """
        waited = self._alerts[alert_id]
        until = waited.planner.quiet_until(number, now)
        return None if until is None else min(until, waited.ends_at)

    async def letters_for(self, recipients: Sequence[Recipient]) -> list[Letter] | None:
        await self._load({recipient.profile_number for recipient in recipients})
        now = clock.now()
        ready = {each.slot: self._ready(each, now) for each in recipients}
        counted = {each.slot: self._counted(each, ready[each.slot], now) for each in recipients}
        capped = {slot: counts.limit for slot, counts in counted.items() if counts.limit is not None}
        full = await patiently(partial(self._store.ledgers.take_caps, self.claim, capped)) if capped else set()
        if full is None:
            return None
        self.book.took({slot: limit.day for slot, limit in capped.items() if slot not in full})
        letters = []
        for each in recipients:
            serves = ready[each.slot]
            if each.slot in full:
                self.book.mark(each.slot, Mark.TURNED_DAILY_CAP, counted[each.slot].alert_ids)
                serves = tuple(name for name in serves if name not in counted[each.slot].alert_ids)
            self._serves[each.slot] = serves
            if serves and (letter := self._letter(each, self._message(serves, each.profile_number), now)):
                letters.append(letter)
        return letters

    def _ready(self, recipient: Recipient, now: datetime) -> tuple[str, ...]:
        """The alerts that go to this reader now, newest first; the others are settled, or wait on."""
        if recipient.packed is None:
            self.book.mark(recipient.slot, Mark.OPTED_OUT)
            return ()
        ready: list[str] = []
        again: list[datetime] = []
        for alert_id in self.book.waiting[recipient.slot]:
            waited = self._alerts[alert_id]
            if waited.ends_at <= now + timedelta(milliseconds=START_MS):
                self.book.mark(recipient.slot, Mark.EXPIRED, [alert_id])
                continue
            if due := self._asked_again(alert_id, recipient.profile_number, now):
                again.append(due)
                continue
            decision = waited.planner.decide(recipient.profile_number, recipient.personal, now)
            if decision is None:
                self._set_aside(recipient.slot, UNREADABLE, [alert_id])
            elif decision.verdict is Verdict.SEND:
                ready.append(alert_id)
            else:
                self.book.mark(recipient.slot, turned(decision), [alert_id])
        if again:
            self.book.not_before(recipient.slot, min(again))
        # A wrong text on the screen is replaced by its own correction, under its own tag: no summary can do that.
        alone = [alert_id for alert_id in ready if recipient.slot in self._alerts[alert_id].had_before]
        return tuple(alone[-1:] or ready)

    def _counted(self, recipient: Recipient, ready: Sequence[str], now: datetime) -> "_Counted":
        """Those of these alerts that count under the reader's cap: together they count once."""
        limits = {
            alert_id: limit
            for alert_id in ready
            if (limit := self._alerts[alert_id].planner.limit(recipient.profile_number, now))
        }
        return _Counted(tuple(limits), next(iter(limits.values()), None))

    def _message(self, alert_ids: tuple[str, ...], number: int) -> Message:
        """The same for all readers of one language who waited for the same."""
        settings = self._runtime.settings
        waited = [self._alerts[alert_id] for alert_id in alert_ids]
        newest = waited[0]
        language = newest.planner.language(number) if len(waited) > 1 else None
        if (alert_ids, language) not in self._messages:
            if len(waited) == 1:
                message = Message.of(newest.alert, newest.began_at, settings.receipts_asked)
            else:
                ends_at = max(each.ends_at for each in waited)
                alerts = [each.alert for each in waited]
                message = Message.summing_up(alerts, ends_at, settings, language)
            self._messages[alert_ids, language] = message
        return self._messages[alert_ids, language]

    def served(self, slot: int) -> tuple[str, ...]:
        return self._serves[slot]

    def _accepted(self, sent_at: datetime, seconds: Sequence[float]) -> None:
        # They wished to have it later, so how long it took says nothing.
        self._runtime.counting.accepted(self.queue, len(seconds))


@dataclass(frozen=True)
class _Waited:
    alert: Alert
    began_at: datetime
    ends_at: datetime
    planner: Planner
    had_before: frozenset[int]


@dataclass(frozen=True)
class _Counted:
    alert_ids: tuple[str, ...]
    limit: Limit | None
