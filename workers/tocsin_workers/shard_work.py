"""One shard in hand: who waits in it, what goes to whom, and what became of them. `Work` works it off."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

import structlog

from tocsin import clock
from tocsin.domain.deliveries import MARK_OF, Answer, Mark, Outcome, Rule
from tocsin.domain.errors import UnknownRecord
from tocsin.domain.subscriptions import Address
from tocsin.store.failures import KILLED_ITS_WORKER, UNREADABLE, Failure
from tocsin.store.ledgers import Kept, Recipient
from tocsin.store.runs import Claim, Release
from tocsin.store.windows import Done
from tocsin_workers.letters import Letter, Message
from tocsin_workers.patience import patiently
from tocsin_workers.runtime import Runtime
from tocsin_workers.shard_book import ShardBook

log = structlog.get_logger()


class ShardWork:
    """What is settled, and with which message, is for `ShardRun` (an alert) and `RoundRun` (those who were deferred) to
    say."""

    queue = ""
    is_urgent = False
    max_per_second: int | None = None
    heeds = False
    """Whether `heed` has anything to ask before each window."""
    goes_alone = True
    """Whether no other shard may be worked on beside this one."""

    is_noted = False
    """Whether any of its slots are noted as being tried, which its next write clears."""

    def __init__(self, runtime: Runtime, claim: Claim) -> None:
        self._runtime = runtime
        self._store = runtime.store
        self.claim = claim
        self.keyring = runtime.keyrings.empty()
        self.paced_as = claim.alert_id
        self.book: ShardBook
        self._gone: list[tuple[int, bytes]] = []
        self._failures: list[Failure] = []

    async def open(self, kept: Kept) -> bool:
        """Makes the book, planning the shard where that is yet to be done; False where the shard was let go."""
        raise NotImplementedError

    def beside(self, claim: Claim) -> "ShardWork":
        """The same work in another shard."""
        raise NotImplementedError

    async def heed(self) -> bool:
        """Settles whoever an editor's word has reached that a check does not see; True where there was any."""
        return False

    async def letters_for(self, recipients: Sequence[Recipient]) -> list[Letter] | None:
        """What goes to whom of these; the others are settled. None when the shard is not ours any more."""
        raise NotImplementedError

    def served(self, slot: int) -> tuple[str, ...] | None:
        """The alerts that were in the message for this slot; None for all that it waits for."""
        return None

    def _accepted(self, sent_at: datetime, seconds: Sequence[float]) -> None:
        """Notes when these were accepted, each so long after `sent_at`."""
        raise NotImplementedError

    def _retry(self, slot: int) -> None:
        self.book.retry_later(slot, clock.now(), self._runtime.settings.retry_seconds)

    @property
    def owes(self) -> bool:
        """Whether there is anything to write."""
        return self.is_noted or self.book.is_changed

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do in it, and that is written."""
        return not self.book.waiting and not self.owes

    def done(self) -> Done:
        """What is to be written; `kept` says that it is."""
        return Done(self.claim, self.book.window(self._gone), clock.milliseconds(clock.now()))

    async def kept(self) -> None:
        """What the book said is in the store."""
        self.book.written()
        self.is_noted, self._gone = False, []
        if self._failures:
            failures, self._failures = self._failures, []
            await patiently(partial(self._store.failures.add, failures))

    async def write(self) -> bool:
        """Keeps the book; False when the shard is not ours any more.

        What was done is told again until it is kept: it must not be done twice.
        """
        if await patiently(partial(self._store.ledgers.write, *self.done())) is None:
            return False
        await self.kept()
        return True

    def release(self, due: datetime | None) -> Release:
        """Finished where nobody waits, else due at this moment or, without one, when a retry is."""
        return Release(self.claim, (due or self.book.first_retry) if self.book.waiting else None)

    def _letter(self, recipient: Recipient, message: Message, now: datetime) -> Letter | None:
        """None where nothing can go to a recipient, who is settled here."""
        assert recipient.packed is not None  # noqa: S101 (who is not there any more was settled before)
        try:
            letter = self._runtime.letters.write(recipient.slot, recipient.packed, message, now, self.keyring)
        except (UnknownRecord, ValueError):
            # One record that cannot be read must not cost the others of its shard the alert. It stays as it is.
            self._set_aside(recipient.slot, UNREADABLE)
            return None
        if isinstance(letter, Mark):
            self.book.mark(recipient.slot, letter)
            return None
        return letter

    def settle(
        self, letters: Sequence[Letter], answers: Sequence[Answer], rules: Sequence[Rule], sent_at: datetime
    ) -> None:
        """Marks what became of each."""
        seconds = []
        for letter, answer, rule in zip(letters, answers, rules, strict=True):
            if rule.retry:
                self._retry(letter.slot)
                continue
            self.book.mark(letter.slot, MARK_OF[rule.outcome], self.served(letter.slot))
            if rule.outcome is Outcome.ACCEPTED:
                seconds.append(answer.seconds)
            elif rule.outcome is Outcome.GONE:
                self._gone.append((letter.slot, letter.packed))
        self._accepted(sent_at, seconds)

    def set_poisonous_aside(self) -> bool:
        """True where a recipient was found who kills its workers."""
        slot = self.book.poisonous
        if slot is not None:
            self._set_aside(slot, KILLED_ITS_WORKER)
        return slot is not None

    def _set_aside(self, slot: int, reason: str, alert_ids: Sequence[str] | None = None) -> None:
        """For all alerts that the slot waits for, or for these: an operator sees it, and can have it tried again."""
        for alert_id in self.book.waiting.get(slot, ()) if alert_ids is None else alert_ids:
            log.warning("set aside", alert=alert_id, shard=self.claim.shard, slot=slot, reason=reason)
            address, now_ms = Address.of(self.claim.shard, slot), clock.milliseconds(clock.now())
            self._failures.append(Failure(alert_id, address, reason, now_ms))
        self.book.mark(slot, Mark.SET_ASIDE, alert_ids)
