"""One shard of a run: planned once, then sent window by window until nothing is pending."""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from tocsin import clock
from tocsin.domain.alerts import Alert
from tocsin.domain.decisions import decide
from tocsin.domain.deliveries import MARK_OF, Answer, Mark, Outcome, classify, planned
from tocsin.domain.errors import UnknownRecord
from tocsin.domain.subscriptions import SHARD_SIZE, Address, endpoint_digest
from tocsin.store.ledgers import Recipient
from tocsin.store.profiles import NOBODY
from tocsin.store.runs import Claim, Go
from tocsin_workers.letters import Letter, Letters
from tocsin_workers.patience import patiently
from tocsin_workers.runtime import Runtime
from tocsin_workers.shard_book import ShardBook

log = structlog.get_logger()

# What was checked so long ago (the process was paused, or the store was slow) is checked again before a request.
_CHECK_HOLDS_SECONDS = 0.4


class ShardRun:
    """`work` leaves every recipient with a mark, or hands the shard back for the rest of it."""

    def __init__(self, runtime: Runtime, claim: Claim, alert: Alert) -> None:
        self._runtime = runtime
        self._store = runtime.store
        self._claim = claim
        self._alert = alert
        self._attempts_end = alert.attempts_end(claim.began_at)
        self._checked = 0.0
        self._held_until = claim.began_at
        self._letters = Letters(alert, claim.began_at, runtime.application_server, runtime.settings)
        self._first_number = int(claim.shard.rpartition(".")[2]) * SHARD_SIZE
        self._wanted: dict[int, Mark] = {NOBODY: Mark.NOBODY}

    async def work(self) -> bool:
        """True where this was the last shard of the run."""
        book = await self._open()
        last: bool | None = None
        while book is not None and last is None:
            wanted = len(book.next_slots(clock.now(), self._runtime.settings.window))
            # The checks come after the wait for permits: a stop or the end may have come meanwhile.
            push_service = self._claim.push_service
            permits = await self._runtime.permits.take(push_service, max(1, wanted))
            try:
                last = await self._step(book, permits)
            finally:
                await self._runtime.permits.give_back(push_service, permits)
        return bool(last)

    async def _step(self, book: ShardBook, permits: int) -> bool | None:
        """One window, where there is one to send; None to go on, else whether this was the last shard of the run."""
        now = clock.now()
        go = await self._check()
        if go is Go.LOST:
            return False
        if go is Go.ENDED:
            return await self._end_all(book, Mark.EXPIRED)
        if go is Go.STOPPED:
            return await self._end_all(book, Mark.STOPPED)
        if go is Go.HELD:
            return await self._hand_back(self._held_until)
        if self._runtime.stopping():
            return await self._hand_back(now)
        slots = book.next_slots(now, permits)
        if not slots:
            return await self._rest(book)
        return None if await self._window(book, slots) else False

    async def _check(self) -> Go:
        self._checked = time.monotonic()
        go, self._held_until = await patiently(lambda: self._store.runs.check(self._claim))
        return go

    async def _open(self) -> ShardBook | None:
        """The shard as the last claim left it, or planned now; None when a later claim was here before us."""
        kept = await patiently(lambda: self._store.ledgers.begin(self._claim))
        if kept is None:
            return None
        if kept.ledger is not None and kept.counts is not None:
            return ShardBook(kept.ledger, kept.counts, kept.retries)
        book = await self._plan(kept.profile_numbers)
        return book if await self._write(book) else None

    async def _plan(self, profile_numbers: Sequence[int]) -> ShardBook:
        """Decides for each reader, once for each set of preferences. Who registered since the run began is passed."""
        bound = await patiently(lambda: self._store.runs.bound(self._claim))
        numbers = profile_numbers[: max(0, bound - self._first_number)]
        await self._decide_for(set(numbers))
        return ShardBook.planned([self._wanted[number] for number in numbers], SHARD_SIZE)

    async def _decide_for(self, numbers: set[int]) -> None:
        """Fills the table of what each set of preferences comes to; a set that cannot be read is set aside."""
        new = numbers - self._wanted.keys()
        profiles = await patiently(lambda: self._store.profiles.readable(new)) if new else {}
        now = clock.now()
        for number in new:
            preferences = profiles.get(number)
            mark = Mark.SET_ASIDE if preferences is None else planned(decide(self._alert.audience, preferences, now))
            self._wanted[number] = mark

    async def _window(self, book: ShardBook, slots: Sequence[int]) -> bool:
        """Sends to these slots as they stand now and records it; False when the shard is not ours any more."""
        recipients = await patiently(lambda: self._store.ledgers.read(self._claim, slots))
        if recipients is None:
            return False
        await self._decide_for({recipient.profile_number for recipient in recipients})
        now = clock.now()
        letters = [letter for recipient in recipients if (letter := self._letter(book, recipient, now))]
        if time.monotonic() - self._checked > _CHECK_HOLDS_SECONDS and await self._check() is not Go.GO:
            return True  # the next step says what follows from it
        if letters:
            book.first_request(now)
        answers = await self._runtime.sender.send([letter.envelope for letter in letters])
        outcomes = [self._settle(book, letter, answer) for letter, answer in zip(letters, answers, strict=True)]
        pairs = list(zip(answers, outcomes, strict=True))
        seconds = [answer.seconds for answer, outcome in pairs if outcome is Outcome.ACCEPTED]
        self._runtime.counting.accepted(self._alert.queue, book.accepted(now, self._alert.queued_at, seconds))
        gone = [letter for letter, outcome in zip(letters, outcomes, strict=True) if outcome is Outcome.GONE]
        if not await self._write(book, gone):
            return False
        await self._hold(pairs)
        await self._runtime.counting.write_if_due()
        return True

    def _letter(self, book: ShardBook, recipient: Recipient, now: datetime) -> Letter | None:
        """What goes to a recipient; None for one who is not to get it any more, who is marked here."""
        wanted = self._wanted[recipient.profile_number]
        if recipient.packed is None or wanted is not Mark.PENDING:
            book.mark(recipient.slot, Mark.SET_ASIDE if wanted is Mark.SET_ASIDE else Mark.OPTED_OUT)
            return None
        try:
            letter = self._letters.write(recipient.slot, recipient.packed, now)
        except (UnknownRecord, ValueError) as error:
            # One record that cannot be read must not cost the others of its shard the alert. It stays as it is.
            log.warning(
                "set aside", alert=self._alert.id, shard=self._claim.shard, slot=recipient.slot, error=str(error)
            )
            book.mark(recipient.slot, Mark.SET_ASIDE)
            return None
        if letter is None:
            book.mark(recipient.slot, Mark.REJECTED)
        return letter

    def _settle(self, book: ShardBook, letter: Letter, answer: Answer) -> Outcome:
        rule = classify(answer)
        self._runtime.counting.answer(self._claim.push_service, answer, rule.outcome)
        if rule.retry:
            book.retry_later(letter.slot, clock.now(), self._runtime.settings.retry_seconds)
        else:
            book.mark(letter.slot, MARK_OF[rule.outcome])
        return rule.outcome

    async def _hold(self, pairs: Sequence[tuple[Answer, Outcome]]) -> None:
        """A push service that throttles, or that says when to come back, is left alone by all workers until then."""
        waits = [
            answer.retry_after or self._runtime.settings.retry_seconds
            for answer, outcome in pairs
            if outcome is Outcome.THROTTLED or (outcome is Outcome.FAILED and answer.retry_after)
        ]
        if waits:
            until = clock.now() + timedelta(seconds=max(waits))
            await patiently(lambda: self._store.runs.hold(self._claim.push_service, until))

    async def _write(self, book: ShardBook, gone: Sequence[Letter] = ()) -> bool:
        """Keeps the book, and deletes the gone in the same write; False when the shard is not ours any more."""
        rows = [(letter.slot, letter.packed, letter.envelope.url) for letter in gone]
        counts = book.counts
        # What was done is told again until it is kept: it must not be done twice.
        dropped = await patiently(
            lambda: self._store.ledgers.write(self._claim, book.ledger, counts, book.retries, rows)
        )
        if dropped is None:
            return False
        now_ms = clock.milliseconds(clock.now())
        for slot, _, endpoint in rows:
            if slot in dropped:
                await self._forget(slot, endpoint_digest(endpoint), now_ms)
        return True

    async def _forget(self, slot: int, digest: bytes, now_ms: int) -> None:
        address = Address(self._claim.push_service, self._first_number + slot)
        await patiently(lambda: self._store.subscriptions.forget(address, digest, now_ms))

    async def _end_all(self, book: ShardBook, mark: Mark) -> bool:
        """The alert was stopped or its time is over: whoever still waited for it is marked so."""
        book.mark_unfinished(mark)
        return await self._write(book) and await self._finish()

    async def _rest(self, book: ShardBook) -> bool:
        """Nothing can be sent now: the shard is finished, or due again with its first retry."""
        if book.first_retry is None:
            return await self._finish()
        return await self._hand_back(book.first_retry)

    async def _hand_back(self, due: datetime) -> bool:
        await patiently(lambda: self._store.runs.hand_back(self._claim, min(due, self._attempts_end)))
        return False

    async def _finish(self) -> bool:
        return await patiently(lambda: self._store.runs.finish(self._claim))
