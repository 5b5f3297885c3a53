"""One shard of a run: planned once, then sent window by window until nothing is pending."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from tocsin import clock
from tocsin.domain.alerts import Alert
from tocsin.domain.decisions import decide
from tocsin.domain.deliveries import MARK_OF, UNFINISHED, Answer, Ledger, Mark, Outcome, classify, planned
from tocsin.domain.preferences import Preferences
from tocsin.domain.progress import WITHIN, ShardCounts, time_bucket
from tocsin.domain.subscriptions import SHARD_SIZE, Address, endpoint_digest
from tocsin.store.ledgers import Recipient, Retry
from tocsin.store.profiles import NOBODY
from tocsin.store.runs import Claim, Go
from tocsin_workers.letters import Letter, Letters
from tocsin_workers.runtime import Runtime

MOST_RETRY_SECONDS = 300.0


class ShardRun:
    """`work` leaves every recipient with a mark, or hands the shard back for the rest of it."""

    def __init__(self, runtime: Runtime, claim: Claim, alert: Alert) -> None:
        self._runtime = runtime
        self._claim = claim
        self._alert = alert
        self._attempts_end = alert.attempts_end(claim.began_at)
        self._letters = Letters(alert, claim.began_at, runtime.application_server, runtime.settings)
        self._ledger = Ledger(b"")
        self._counts = ShardCounts(0, {}, {})
        self._retries: dict[int, Retry] = {}
        self._wanted: dict[int, Mark] = {NOBODY: Mark.NOBODY}

    async def work(self) -> bool:
        """True where this was the last shard of the run."""
        if not await self._open():
            return False
        while True:
            now = clock.now()
            if now >= self._attempts_end:
                return await self._end_all(Mark.EXPIRED)
            go, held_until = await self._runtime.store.runs.check(self._claim)
            if go is Go.LOST:
                return False
            if go is Go.STOPPED:
                return await self._end_all(Mark.STOPPED)
            if go is Go.HELD:
                return await self._hand_back(held_until)
            if self._runtime.stopping():
                return await self._hand_back(now)
            slots = self._next_slots(now)
            if not slots:
                return await self._rest()
            permits = await self._runtime.permits.take()
            try:
                if not await self._window(slots[:permits]):
                    return False
            finally:
                await self._runtime.permits.give_back(permits)

    async def _open(self) -> bool:
        kept = await self._runtime.store.ledgers.begin(self._claim)
        if kept is None:
            return False
        self._retries = kept.retries
        if kept.ledger is None or kept.counts is None:
            return await self._plan(kept.profile_numbers)
        self._ledger, self._counts = kept.ledger, kept.counts
        return True

    async def _plan(self, profile_numbers: Sequence[int]) -> bool:
        """Decides for each reader, once for each set of preferences, and writes the first ledger."""
        bound = await self._runtime.store.runs.bound(self._claim)
        first = int(self._claim.shard.rpartition(".")[2]) * SHARD_SIZE
        numbers = profile_numbers[: max(0, bound - first)]
        await self._decide_for(set(numbers))
        marks = "".join(self._wanted[number] for number in numbers)
        self._ledger = Ledger(marks.encode("latin-1").ljust(SHARD_SIZE, b"\0"))
        self._counts = ShardCounts.of(self._ledger, self._ledger.eligible)
        return await self._write()

    async def _decide_for(self, numbers: set[int]) -> None:
        """Fills the table of what each set of preferences comes to; a set nobody knows any more is nobody's."""
        new = numbers - self._wanted.keys()
        if not new:
            return
        profiles: dict[int, Preferences] = await self._runtime.store.profiles.get(new)
        now = clock.now()
        for number in new:
            known = number in profiles
            self._wanted[number] = (
                planned(decide(self._alert.audience, profiles[number], now)) if known else Mark.NOBODY
            )

    def _next_slots(self, now: datetime) -> list[int]:
        """Retries that are due, then those not tried yet; a window at most."""
        now_ms = clock.milliseconds(now)
        due = [slot for slot, retry in self._retries.items() if retry.due_ms <= now_ms]
        for slot in self._ledger.slots(Mark.PENDING):
            if len(due) >= self._runtime.settings.window:
                break
            due.append(slot)
        return due[: self._runtime.settings.window]

    async def _window(self, slots: Sequence[int]) -> bool:
        """Sends to these slots as they stand now and records it; False when the shard is not ours any more."""
        recipients = await self._runtime.store.ledgers.read(self._claim, slots)
        if recipients is None:
            return False
        await self._decide_for({recipient.profile_number for recipient in recipients})
        now = clock.now()
        letters = [letter for recipient in recipients if (letter := self._letter(recipient, now))]
        if letters and self._counts.first_request_ms is None:
            self._counts = replace(self._counts, first_request_ms=clock.milliseconds(now))
        answers = await self._runtime.sender.send([letter.envelope for letter in letters])
        outcomes = [self._settle(letter, answer) for letter, answer in zip(letters, answers, strict=True)]
        self._count_times(now, answers, outcomes)
        gone = [letter for letter, outcome in zip(letters, outcomes, strict=True) if outcome is Outcome.GONE]
        if not await self._write(gone):
            return False
        await self._hold(answers, outcomes)
        await self._runtime.counting.write_if_due()
        return True

    def _letter(self, recipient: Recipient, now: datetime) -> Letter | None:
        """What goes to a recipient; None for one who is not to get it any more, who is marked here."""
        if recipient.packed is None or self._wanted[recipient.profile_number] is not Mark.PENDING:
            self._mark(recipient.slot, Mark.OPTED_OUT)
            return None
        letter = self._letters.write(recipient.slot, recipient.packed, now)
        if letter is None:
            self._mark(recipient.slot, Mark.REJECTED)
        return letter

    def _mark(self, slot: int, mark: Mark) -> None:
        self._ledger[slot] = mark
        self._retries.pop(slot, None)

    def _settle(self, letter: Letter, answer: Answer) -> Outcome:
        rule = classify(answer)
        self._runtime.counting.answer(self._claim.push_service, answer, rule.outcome)
        if not rule.retry:
            self._mark(letter.slot, MARK_OF[rule.outcome])
            return rule.outcome
        attempts = self._retries[letter.slot].attempts + 1 if letter.slot in self._retries else 1
        most = min(MOST_RETRY_SECONDS, self._runtime.settings.retry_seconds * 2 ** (attempts - 1))
        # Full jitter: a push service that comes back is not met by all retries at once.
        due = clock.now() + timedelta(seconds=random.uniform(0, most))  # noqa: S311 (no secret)
        self._ledger[letter.slot] = Mark.RETRYING
        self._retries[letter.slot] = Retry(attempts, clock.milliseconds(due))
        return rule.outcome

    def _count_times(self, sent_at: datetime, answers: Sequence[Answer], outcomes: Sequence[Outcome]) -> None:
        since_queued = (sent_at - self._alert.queued_at).total_seconds()
        times = [
            answer.seconds for answer, outcome in zip(answers, outcomes, strict=True) if outcome is Outcome.ACCEPTED
        ]
        if not times:
            return
        buckets = Counter(time_bucket(since_queued + seconds) for seconds in times)
        first_ms = clock.milliseconds(sent_at + timedelta(seconds=min(times)))
        self._counts = replace(
            self._counts,
            times=Counter(self._counts.times) + buckets,
            within=self._counts.within + sum(since_queued + seconds <= WITHIN for seconds in times),
            first_ms=first_ms if self._counts.first_ms is None else min(first_ms, self._counts.first_ms),
        )
        self._runtime.counting.accepted(self._alert.queue, buckets)

    async def _hold(self, answers: Sequence[Answer], outcomes: Sequence[Outcome]) -> None:
        """A push service that throttles, or that says when to come back, is left alone by all workers until then."""
        waits = [
            answer.retry_after or self._runtime.settings.retry_seconds
            for answer, outcome in zip(answers, outcomes, strict=True)
            if outcome is Outcome.THROTTLED or (outcome is Outcome.FAILED and answer.retry_after)
        ]
        if waits:
            until = clock.now() + timedelta(seconds=max(waits))
            await self._runtime.store.runs.hold(self._claim.push_service, until)

    async def _write(self, gone: Sequence[Letter] = ()) -> bool:
        self._counts = ShardCounts.of(self._ledger, self._counts.eligible, self._counts)
        dropped = await self._runtime.store.ledgers.write(
            self._claim,
            self._ledger,
            self._counts,
            self._retries,
            [(letter.slot, letter.packed, letter.envelope.url) for letter in gone],
        )
        if dropped is None:
            return False
        for letter in gone:
            if letter.slot in dropped:
                await self._forget(letter)
        return True

    async def _forget(self, letter: Letter) -> None:
        number = int(self._claim.shard.rpartition(".")[2]) * SHARD_SIZE + letter.slot
        address = Address(self._claim.push_service, number)
        digest = endpoint_digest(letter.envelope.url)
        await self._runtime.store.subscriptions.forget(address, digest, clock.milliseconds(clock.now()))

    async def _end_all(self, mark: Mark) -> bool:
        """The alert was stopped or its time is over: whoever still waited for it is marked so."""
        for unfinished in UNFINISHED:
            for slot in list(self._ledger.slots(unfinished)):
                self._mark(slot, mark)
        return await self._write() and await self._runtime.store.runs.finish(self._claim)

    async def _rest(self) -> bool:
        """Nothing can be sent now: the shard is finished, or due again with its first retry."""
        if not self._retries:
            return await self._runtime.store.runs.finish(self._claim)
        due_ms = min(retry.due_ms for retry in self._retries.values())
        return await self._hand_back(min(clock.from_milliseconds(due_ms), self._attempts_end))

    async def _hand_back(self, due: datetime) -> bool:
        await self._runtime.store.runs.hand_back(self._claim, min(due, self._attempts_end))
        return False
