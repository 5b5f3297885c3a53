"""One shard in hand: its windows, one after another, until nothing is left that can be sent now."""

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple

import structlog

from tocsin import clock
from tocsin.domain.deliveries import MARK_OF, Answer, Mark, Outcome, classify
from tocsin.domain.errors import UnknownRecord
from tocsin.domain.pace import WindowReport
from tocsin.domain.subscriptions import Address
from tocsin.store.failures import KILLED_ITS_WORKER, UNREADABLE, Failure
from tocsin.store.ledgers import Recipient
from tocsin.store.runs import Claim, Go
from tocsin.store.windows import Asked, Done, Opened, Paced, Turned
from tocsin_workers.letters import Letter, Message
from tocsin_workers.patience import patiently
from tocsin_workers.runtime import Runtime
from tocsin_workers.shard_book import ShardBook
from tocsin_workers.telling import Telling

log = structlog.get_logger()

# What was checked so long ago (the process was paused, or the store was slow) is checked again before a request.
_CHECK_HOLDS_SECONDS = 0.4

# Prekeys are taken for so many windows at once.
_KEYS_AHEAD = 4

# A pause of the pace is waited for with the shard in hand, if it is no longer than this.
_SHORT_PAUSE_SECONDS = 1.0


class ShardWork:
    """`work` settles every recipient, or hands the shard back for the rest of it. What is settled, and with which
    message, is for `ShardRun` (an alert) and `RoundRun` (those who were deferred) to say."""

    queue = ""
    is_urgent = False
    max_per_second: int | None = None
    heeds = False
    """Whether `_heed` has anything to ask before each window."""

    def __init__(self, runtime: Runtime, claim: Claim) -> None:
        self._runtime = runtime
        self._store = runtime.store
        self._claim = claim
        self._keyring = runtime.keyrings.empty()
        self._checked = 0.0
        self._held_until = claim.began_at
        self._pause = 0.0
        self._permits = 0
        self._started = False
        self._paced_as = claim.alert_id
        self._failures: list[Failure] = []
        self._book: ShardBook

    async def work(self) -> bool:
        """True where this was the last shard of its run."""
        permits = self._runtime.permits
        permits.join(self._claim.lane, self.is_urgent)
        try:
            return await self._work()
        finally:
            permits.leave(self._claim.lane, self.is_urgent, self._started)

    async def _work(self) -> bool:
        last = await self._open()
        while last is None:
            if self._pause:
                await self._rest_for_pace()
            wanted = len(self._book.next_slots(clock.now(), self._runtime.settings.window))
            if not wanted:
                return await self._rest()
            # What is checked comes after the wait for permits: a stop or the end may have come meanwhile.
            self._permits = await self._take_permits(wanted)
            try:
                last = await self._step()
            finally:
                await self._runtime.permits.give_back(self._claim.lane, self._permits)
        return last

    async def _take_permits(self, wanted: int) -> int:
        permits, lane = self._runtime.permits, self._claim.lane
        taken = await permits.take(lane, wanted, self.is_urgent)
        if not self._started:
            self._started = True
            permits.started(lane)
        return taken

    async def _rest_for_pace(self) -> None:
        """Meanwhile nobody has to wait for this shard, however urgent it is."""
        permits, lane = self._runtime.permits, self._claim.lane
        permits.pause(lane, self.is_urgent)
        try:
            await asyncio.sleep(self._pause)
        finally:
            permits.go_on(lane, self.is_urgent)
            self._pause = 0.0

    async def _open(self) -> bool | None:
        """Makes the book, planning the shard where that is yet to be done; not None where there is nothing to do."""
        raise NotImplementedError

    async def _letters_for(self, recipients: Sequence[Recipient]) -> list[Letter] | None:
        """What goes to whom of these; the others are settled. None when the shard is not ours any more."""
        raise NotImplementedError

    def _accepted(self, sent_at: datetime, seconds: Sequence[float]) -> None:
        """Notes when these were accepted, each so long after `sent_at`."""
        raise NotImplementedError

    def _retry(self, slot: int) -> None:
        raise NotImplementedError

    def _served(self, slot: int) -> tuple[str, ...] | None:
        """The alerts that were in the message for this slot; None for all that it waits for."""
        return None

    async def _step(self) -> bool | None:
        """One window, where it may be sent; None to go on, else whether this was the last shard of the run."""
        self._checked = time.monotonic()
        if await self._heed() and not await self._write():
            return False
        now = clock.now()
        if self._runtime.hands_back():
            return await self._hand_back(now)
        if (poisonous := self._book.poisonous) is not None:
            self._set_aside(poisonous, KILLED_ITS_WORKER)
            return None if await self._write() else False
        if not self._permits:  # something urgent is at work: the lease is renewed
            return await self._obey(await self._check())
        slots = self._book.next_slots(now, self._permits)
        return await self._windows(slots) if slots else None

    async def _windows(self, slots: Sequence[int]) -> bool | None:
        """One window after another, each asked for with what became of the last, while these permits may be kept."""
        asked: Asked | None = self._asked(slots)
        turned = await self._turn(None, asked)
        while turned.is_kept and asked is not None and turned.opened is not None:
            granted = self._granted(turned.opened, asked.slots)
            if turned.opened.go is not Go.GO or not granted:
                return await self._not_now(turned.opened)
            sent = await self._send(granted)
            if sent is None:
                return False
            asked = self._ahead()
            turned = await self._turn(sent, asked)
            if asked is not None:  # what was sent is recorded, so the next window's permits are enough
                await self._spare(self._permits - len(asked.slots))
            await self._runtime.counting.write_if_due()
        return None if turned.is_kept else False

    async def _turn(self, sent: "_Sent | None", asked: Asked | None) -> Turned:
        """Keeps what was sent, or else what is planned, and asks for the next window."""
        if not self.heeds:  # else the time counts from when `_heed` asked, which was before
            self._checked = time.monotonic()
        done = report = None
        if sent is not None or self._book.is_changed:
            done = Done(self._book.window(sent.gone if sent else ()), clock.milliseconds(clock.now()))
        if sent is not None:
            report = sent.report
        turned: Turned = await patiently(partial(self._store.windows.turn, self._claim, done, report, asked))
        if done is not None and turned.is_kept:
            await self._kept()
        if not turned.is_kept and turned.opened is not None and turned.opened.grant.total:
            await self._tell(WindowReport(unsent=turned.opened.grant.total))
        return turned

    def _asked(self, slots: Sequence[int]) -> Asked:
        repeats = sum(map(self._book.is_repeat, slots))
        return Asked(slots, Paced(self._paced_as, self.max_per_second, repeats))

    async def _spare(self, permits: int) -> None:
        if permits > 0:
            self._permits -= permits
            await self._runtime.permits.spare(self._claim.lane, permits)

    def _ahead(self) -> Asked | None:
        """The next window, unless something else comes first."""
        if self.heeds or self._runtime.hands_back() or self._book.poisonous is not None:
            return None
        now = clock.now()
        wanted = len(self._book.next_slots(now, self._runtime.settings.window))
        if not wanted or not self._runtime.permits.may_keep(self._claim.lane, self._permits, wanted, self.is_urgent):
            return None
        return self._asked(self._book.next_slots(now, self._permits))

    async def _not_now(self, opened: Opened) -> bool | None:
        """What follows where none of a window may go: None to go on, else whether this was the last of the run."""
        self._held_until, grant = opened.held_until, opened.grant
        if grant.total:
            await self._tell(WindowReport(unsent=grant.total))
        if opened.go in _ENDS:
            return await self._obey(opened.go)
        if not await self._write():  # they are noted as being tried, and were not
            return False
        if opened.go is not Go.GO:
            return await self._obey(opened.go)
        self._held_until = grant.until or clock.now()
        self._pause = max(0.01, grant.seconds) if grant.seconds <= _SHORT_PAUSE_SECONDS else 0.0
        return None if self._pause else await self._hand_back(self._held_until)

    def _granted(self, opened: Opened, slots: Sequence[int]) -> list[Recipient]:
        """Those of these slots that the pace allows to be sent to now, as they stand."""
        if opened.recipients is None:
            return []
        again = [each for each in opened.recipients if self._book.is_repeat(each.slot)]
        first = [each for each in opened.recipients if not self._book.is_repeat(each.slot)]
        return [*again[: opened.grant.retries], *first[: opened.grant.first]]

    async def _obey(self, go: Go) -> bool | None:
        """What follows from a check: None to go on."""
        if go is Go.LOST:
            return False
        if go in _ENDS:
            return await self._end_all(_ENDS[go])
        return await self._hand_back(self._held_until) if go is Go.HELD else None

    async def _tell(self, report: WindowReport) -> None:
        await patiently(partial(self._store.pace.report, self._claim.push_service, report))

    async def _may_go_on(self) -> bool:
        return await self._check() is Go.GO and not await self._heed()

    async def _heed(self) -> bool:
        """Settles whoever an editor's word has reached that a check does not see; True where there was any."""
        return False

    async def _check(self) -> Go:
        self._checked = time.monotonic()
        go, self._held_until = await patiently(lambda: self._store.runs.check(self._claim))
        return go

    async def _send(self, recipients: Sequence[Recipient]) -> "_Sent | None":
        """Sends to these and settles them in the book; None when the shard is not ours any more."""
        await self._take_keys([each.slot for each in recipients])
        letters = await self._letters_for(recipients)
        if letters is None:
            await self._tell(WindowReport(unsent=len(recipients)))
            return None
        if time.monotonic() - self._checked > _CHECK_HOLDS_SECONDS and not await self._may_go_on():
            # The next window's check says what follows from it; for the pace nothing was sent.
            return _Sent(WindowReport(unsent=len(recipients)))
        now = clock.now()
        if letters:
            self._book.first_request(now)
        repeats = [self._book.is_repeat(letter.slot) for letter in letters]
        telling = Telling(self._tell, partial(self._runtime.permits.prove, self._claim.push_service), repeats)
        envelopes = [letter.envelope for letter in letters]
        answers = await telling.while_sending(self._runtime.sender.send(envelopes, telling.heard))
        gone = self._settle(letters, answers, now)
        return _Sent(telling.rest(unsent=len(recipients) - len(letters)), gone)

    async def _take_keys(self, slots: Sequence[int]) -> None:
        """Those of the next windows with them: what is not used in the end is lost, and made anew."""
        if not all(map(self._keyring.knows, slots)):
            ahead = self._book.next_slots(clock.now(), _KEYS_AHEAD * len(slots))
            wanted = [slot for slot in {*slots, *ahead} if not self._keyring.knows(slot)]
            await self._runtime.keyrings.take(self._keyring, self._claim.shard, wanted)

    def _letter(self, recipient: Recipient, message: Message, now: datetime) -> Letter | None:
        """None where nothing can go to a recipient, who is settled here."""
        assert recipient.packed is not None  # noqa: S101 (who is not there any more was settled before)
        try:
            letter = self._runtime.letters.write(recipient.slot, recipient.packed, message, now, self._keyring)
        except (UnknownRecord, ValueError):
            # One record that cannot be read must not cost the others of its shard the alert. It stays as it is.
            self._set_aside(recipient.slot, UNREADABLE)
            return None
        if isinstance(letter, Mark):
            self._book.mark(recipient.slot, letter)
            return None
        return letter

    def _settle(
        self, letters: Sequence[Letter], answers: Sequence[Answer], sent_at: datetime
    ) -> list[tuple[int, bytes]]:
        """Marks what became of each; gives slot and record of the gone."""
        rules = [classify(answer) for answer in answers]
        self._runtime.counting.answers(self._claim.push_service, answers, rules)
        gone, seconds = [], []
        for letter, answer, rule in zip(letters, answers, rules, strict=True):
            if rule.retry:
                self._retry(letter.slot)
                continue
            self._book.mark(letter.slot, MARK_OF[rule.outcome], self._served(letter.slot))
            if rule.outcome is Outcome.ACCEPTED:
                seconds.append(answer.seconds)
            elif rule.outcome is Outcome.GONE:
                gone.append((letter.slot, letter.packed))
        self._accepted(sent_at, seconds)
        return gone

    def _set_aside(self, slot: int, reason: str, alert_ids: Sequence[str] | None = None) -> None:
        """For all alerts that the slot waits for, or for these: an operator sees it, and can have it tried again."""
        for alert_id in self._book.waiting.get(slot, ()) if alert_ids is None else alert_ids:
            log.warning("set aside", alert=alert_id, shard=self._claim.shard, slot=slot, reason=reason)
            address, now_ms = Address.of(self._claim.shard, slot), clock.milliseconds(clock.now())
            self._failures.append(Failure(alert_id, address, reason, now_ms))
        self._book.mark(slot, Mark.SET_ASIDE, alert_ids)

    async def _write(self) -> bool:
        """Keeps the book; False when the shard is not ours any more.

        What was done is told again until it is kept: it must not be done twice.
        """
        window, now_ms = self._book.window(), clock.milliseconds(clock.now())
        if await patiently(lambda: self._store.ledgers.write(self._claim, window, now_ms)) is None:
            return False
        await self._kept()
        return True

    async def _kept(self) -> None:
        """What the book said is in the store."""
        self._book.written()
        if self._failures:
            failures, self._failures = self._failures, []
            await patiently(lambda: self._store.failures.add(failures))

    async def _end_all(self, mark: Mark) -> bool:
        """The alert was stopped or corrected, or its time is over: whoever still waited for it is marked so."""
        self._book.settle_all(mark)
        return await self._write() and await self._finish()

    async def _rest(self) -> bool:
        """Nothing can be sent now: the shard is finished, or due again at a moment."""
        due = self._book.first_retry
        if due is not None:
            # Of an alert that was stopped or is over a shard is given out again whatever its moment.
            ended = await self._obey(await self._check())
            return await self._hand_back(due) if ended is None else ended
        return await self._keep() and await self._finish()

    async def _keep(self) -> bool:
        """What is not in the store yet, such as a plan; False when the shard is not ours any more."""
        return not self._book.is_changed or await self._write()

    async def _hand_back(self, due: datetime) -> bool:
        if not await self._keep():
            return False
        await patiently(lambda: self._store.runs.hand_back(self._claim, due))
        return False

    async def _finish(self) -> bool:
        return await patiently(lambda: self._store.runs.finish(self._claim))


class _Sent(NamedTuple):
    """What a window brought: for the pace, and slot and record of the gone."""

    report: WindowReport
    gone: Sequence[tuple[int, bytes]] = ()


_ENDS = {Go.ENDED: Mark.EXPIRED, Go.STOPPED: Mark.STOPPED, Go.CORRECTED: Mark.CORRECTED}
