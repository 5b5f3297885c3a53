"""One shard of a run: planned once, then sent window by window until nothing is pending."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from tocsin import clock
from tocsin.domain.alerts import Alert
from tocsin.domain.decisions import decide
from tocsin.domain.deliveries import MARK_OF, Answer, Mark, Outcome, classify, planned
from tocsin.domain.errors import Unavailable
from tocsin.domain.subscriptions import SHARD_SIZE, Address, endpoint_digest
from tocsin.store.ledgers import Recipient
from tocsin.store.profiles import NOBODY
from tocsin.store.runs import Claim, Go
from tocsin_workers.letters import Letter, Letters
from tocsin_workers.runtime import Runtime
from tocsin_workers.shard_book import ShardBook

_STORE_PAUSE = 0.2


class ShardRun:
    """`work` leaves every recipient with a mark, or hands the shard back for the rest of it."""

    def __init__(self, runtime: Runtime, claim: Claim, alert: Alert) -> None:
        self._runtime = runtime
        self._store = runtime.store
        self._claim = claim
        self._alert = alert
        self._attempts_end = alert.attempts_end(claim.began_at)
        self._letters = Letters(alert, claim.began_at, runtime.application_server, runtime.settings)
        self._first_number = int(claim.shard.rpartition(".")[2]) * SHARD_SIZE
        self._wanted: dict[int, Mark] = {NOBODY: Mark.NOBODY}

    async def work(self) -> bool:
        """True where this was the last shard of the run."""
        book = await self._open()
        last: bool | None = None if book else False
        while book is not None and last is None:
            wanted = len(book.next_slots(clock.now(), self._runtime.settings.window))
            # The checks come after the wait for permits: a stop or the end may have come meanwhile.
            permits = await self._runtime.permits.take(max(1, wanted))
            try:
                last = await self._step(book, permits)
            finally:
                await self._runtime.permits.give_back(permits)
        return bool(last)

    async def _step(self, book: ShardBook, permits: int) -> bool | None:
        """One window, where there is one to send; None to go on, else whether this was the last shard of the run."""
        now = clock.now()
        if now >= self._attempts_end:
            return await self._end_all(book, Mark.EXPIRED)
        go, held_until = await self._store.runs.check(self._claim)
        if go is Go.LOST:
            return False
        if go is Go.STOPPED:
            return await self._end_all(book, Mark.STOPPED)
        if go is Go.HELD:
            return await self._hand_back(held_until)
        if self._runtime.stopping():
            return await self._hand_back(now)
        slots = book.next_slots(now, permits)
        if not slots:
            return await self._rest(book)
        return None if await self._window(book, slots) else False

    async def _open(self) -> ShardBook | None:
        """The shard as the last claim left it, or planned now; None when a later claim was here before us."""
        kept = await self._store.ledgers.begin(self._claim)
        if kept is None:
            return None
        if kept.ledger is not None and kept.counts is not None:
            return ShardBook(kept.ledger, kept.counts, kept.retries)
        book = await self._plan(kept.profile_numbers)
        return book if await self._write(book) else None

    async def _plan(self, profile_numbers: Sequence[int]) -> ShardBook:
        """Decides for each reader, once for each set of preferences. Who registered since the run began is passed."""
        bound = await self._store.runs.bound(self._claim)
        numbers = profile_numbers[: max(0, bound - self._first_number)]
        await self._decide_for(set(numbers))
        return ShardBook.planned([self._wanted[number] for number in numbers], SHARD_SIZE)

    async def _decide_for(self, numbers: set[int]) -> None:
        """Fills the table of what each set of preferences comes to; a set that is not known is nobody's."""
        new = numbers - self._wanted.keys()
        profiles = await self._store.profiles.get(new) if new else {}
        now = clock.now()
        for number in new:
            preferences = profiles.get(number)
            mark = Mark.NOBODY if preferences is None else planned(decide(self._alert.audience, preferences, now))
            self._wanted[number] = mark

    async def _window(self, book: ShardBook, slots: Sequence[int]) -> bool:
        """Sends to these slots as they stand now and records it; False when the shard is not ours any more."""
        recipients = await self._store.ledgers.read(self._claim, slots)
        if recipients is None:
            return False
        await self._decide_for({recipient.profile_number for recipient in recipients})
        now = clock.now()
        letters = [letter for recipient in recipients if (letter := self._letter(book, recipient, now))]
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
        if recipient.packed is None or self._wanted[recipient.profile_number] is not Mark.PENDING:
            book.mark(recipient.slot, Mark.OPTED_OUT)
            return None
        letter = self._letters.write(recipient.slot, recipient.packed, now)
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
            await self._store.runs.hold(self._claim.push_service, until)

    async def _write(self, book: ShardBook, gone: Sequence[Letter] = ()) -> bool:
        """Keeps the book, and deletes the gone in the same write; False when the shard is not ours any more."""
        rows = [(letter.slot, letter.packed, letter.envelope.url) for letter in gone]
        while True:
            try:
                dropped = await self._store.ledgers.write(self._claim, book.ledger, book.counts, book.retries, rows)
                break
            except Unavailable:
                # A store that is away for a while must not make us send twice: it is told again what was done.
                await asyncio.sleep(_STORE_PAUSE)
        if dropped is None:
            return False
        now_ms = clock.milliseconds(clock.now())
        for slot, _, endpoint in rows:
            if slot in dropped:
                address = Address(self._claim.push_service, self._first_number + slot)
                await self._store.subscriptions.forget(address, endpoint_digest(endpoint), now_ms)
        return True

    async def _end_all(self, book: ShardBook, mark: Mark) -> bool:
        """The alert was stopped or its time is over: whoever still waited for it is marked so."""
        book.mark_unfinished(mark)
        return await self._write(book) and await self._store.runs.finish(self._claim)

    async def _rest(self, book: ShardBook) -> bool:
        """Nothing can be sent now: the shard is finished, or due again with its first retry."""
        if book.first_retry is None:
            return await self._store.runs.finish(self._claim)
        return await self._hand_back(book.first_retry)

    async def _hand_back(self, due: datetime) -> bool:
        await self._store.runs.hand_back(self._claim, min(due, self._attempts_end))
        return False
