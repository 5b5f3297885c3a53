"""What is in hand is worked off: one window after another, until nothing is left that can be sent now."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from functools import partial

from tocsin import clock
from tocsin.domain.deliveries import classify
from tocsin.domain.pace import Grant, WindowReport
from tocsin.store.ledgers import Recipient
from tocsin.store.runs import Go
from tocsin.store.windows import Opened
from tocsin_workers.handful import Handful, Slots, count
from tocsin_workers.keyring import Wanted
from tocsin_workers.patience import patiently
from tocsin_workers.runtime import Runtime
from tocsin_workers.shard_work import ShardWork
from tocsin_workers.telling import Telling

# What was checked so long ago (the process was paused, or the store was slow) is checked again before a request.
_CHECK_HOLDS_SECONDS = 0.4

# Prekeys are taken for so many windows at once.
_KEYS_AHEAD = 4

# A pause of the pace is waited for with the shards in hand, if it is no longer than this.
_SHORT_PAUSE_SECONDS = 1.0


class Work:
    """`work` settles every recipient of a shard, and of those claimed beside it, or hands them back for the rest."""

    def __init__(self, runtime: Runtime, first: ShardWork) -> None:
        self._runtime = runtime
        self._permits = runtime.permits
        self._lane, self._is_urgent = first.claim.lane, first.is_urgent
        self.hand = Handful(runtime, first)
        self._held = 0
        self._started = False
        self._pause = 0.0

    async def work(self) -> bool:
        """True where the last shard of the run was among these."""
        self._permits.join(self._lane, self._is_urgent)
        try:
            await self.hand.open()
            await self._work()
        finally:
            self._permits.leave(self._lane, self._is_urgent, self._started)
        return self.hand.was_last

    async def _work(self) -> None:
        while self.hand.works:
            if self._pause:
                await self._rest_for_pace()
            wanted = count(self.hand.next(self._runtime.settings.window))
            if not wanted:
                await self._rest()
                return
            # What is checked comes after the wait for permits: a stop or the end may have come meanwhile.
            self._held = await self._take_permits(wanted)
            try:
                await self._step()
            finally:
                await self._permits.give_back(self._lane, self._held)
        await self.hand.release()

    async def _take_permits(self, wanted: int) -> int:
        taken = await self._permits.take(self._lane, wanted, self._is_urgent)
        if not self._started:
            self._started = True
            self._permits.started(self._lane)
        return taken

    async def _spare(self, permits: int) -> None:
        if permits > 0:
            self._held -= permits
            await self._permits.spare(self._lane, permits)

    async def _rest_for_pace(self) -> None:
        """Meanwhile nobody has to wait for these shards, however urgent they are."""
        self._permits.pause(self._lane, self._is_urgent)
        try:
            await self.hand.release()
            await asyncio.sleep(self._pause)
        finally:
            self._permits.go_on(self._lane, self._is_urgent)
            self._pause = 0.0

    async def _rest(self) -> None:
        """Nothing can be sent now: each shard is finished, or due again when a retry is."""
        if any(work.book.waiting for work in self.hand.works):
            # Of an alert that was stopped or is over a shard is given out again whatever its moment.
            await self.hand.obey(await self.hand.check())
        await self.hand.part_with(self.hand.works)

    async def _step(self) -> None:
        """Windows, where they may be sent."""
        hand = self.hand
        hand.checked = time.monotonic()
        await hand.heed()
        if self._runtime.hands_back():
            await hand.part_with(hand.works, clock.now())
            return
        if poisoned := [work for work in hand.works if work.set_poisonous_aside()]:
            await hand.write(poisoned)
        elif not self._held:  # something urgent is at work: the leases are renewed of those that wait for it
            await hand.release()
            await hand.obey(await hand.check())
        elif slots := hand.next(self._held):
            await self._windows(slots)

    async def _windows(self, slots: Slots) -> None:
        """One window after another, each asked for with what became of the last, while these permits may be kept."""
        hand = self.hand
        asked: Slots | None = slots
        turned = await hand.turn(None, asked)
        while asked is not None and turned.opened is not None:
            opened, granted = turned.opened, hand.granted(turned.opened, asked)
            await hand.lose(opened.checked)
            if opened.checked.go is not Go.GO or not granted:
                await self._not_now(opened)
                return
            report = await self._send(granted, opened.grant.total)
            asked = self._ahead()
            turned = await hand.turn(report, asked)
            if asked is not None:  # what was sent is recorded, so the next window's permits are enough
                await self._spare(self._held - count(asked))
            await self._runtime.counting.write_if_due()

    def _ahead(self) -> Slots | None:
        """The next window, unless something else comes first."""
        hand = self.hand
        if hand.first.heeds or self._runtime.hands_back():
            return None
        if any(work.book.poisonous is not None for work in hand.works):
            return None
        slots = hand.next(self._runtime.settings.window)
        wanted = count(slots)
        if not wanted or not self._permits.may_keep(self._lane, self._held, wanted, self._is_urgent):
            return None
        return slots if wanted <= self._held else hand.next(self._held)

    async def _not_now(self, opened: Opened) -> None:
        """What follows where none of a window may go."""
        hand, grant = self.hand, opened.grant
        if grant.total:
            await self._tell(WindowReport(unsent=grant.total))
        if opened.checked.go in (Go.GO, Go.HELD):  # they are noted as being tried, and were not
            await hand.write([work for work in hand.works if work.owes])
        if opened.checked.go is Go.GO:
            await self._wait_for_pace(grant)
        else:
            await hand.obey(opened.checked)

    async def _wait_for_pace(self, grant: Grant) -> None:
        if grant.seconds <= _SHORT_PAUSE_SECONDS:
            self._pause = max(0.01, grant.seconds)
        else:
            await self.hand.part_with(self.hand.works, grant.until)

    async def _send(self, granted: Mapping[ShardWork, Sequence[Recipient]], total: int) -> WindowReport:
        """Sends to these, of `total` who were granted, and settles them in their books."""
        hand = self.hand
        await self._take_keys({work: [each.slot for each in recipients] for work, recipients in granted.items()})
        letters = await hand.letters_for(granted)
        if time.monotonic() - hand.checked > _CHECK_HOLDS_SECONDS and not await hand.may_go_on():
            # The next window's check says what follows from it; for the pace nothing was sent.
            return WindowReport(unsent=total)
        now = clock.now()
        for work, its in letters:
            if its:
                work.book.first_request(now)
        repeats = [work.book.is_repeat(letter.slot) for work, its in letters for letter in its]
        envelopes = [letter.envelope for _, its in letters for letter in its]
        telling = Telling(self._tell, partial(self._permits.prove, self._lane[1]), repeats)
        answers = await telling.while_sending(self._runtime.sender.send(envelopes, telling.heard))
        rules = [classify(answer) for answer in answers]
        self._runtime.counting.answers(self._lane[1], answers, rules)
        at = 0
        for work, its in letters:
            mine = slice(at, at + len(its))
            work.settle(its, answers[mine], rules[mine], now)
            at += len(its)
        return telling.rest(unsent=total - len(envelopes))

    async def _take_keys(self, slots: Slots) -> None:
        """Those of the next windows with them: what is not used in the end is lost, and made anew."""
        if all(work.keyring.knows(slot) for work, its in slots.items() for slot in its):
            return
        ahead = self.hand.next(_KEYS_AHEAD * count(slots))
        wanted = []
        for work in {**slots, **ahead}:
            known, its = work.keyring.knows, {*slots.get(work, ()), *ahead.get(work, ())}
            if unknown := [slot for slot in its if not known(slot)]:
                wanted.append(Wanted(work.keyring, work.claim.shard, unknown))
        await self._runtime.keyrings.take(wanted)

    async def _tell(self, report: WindowReport) -> None:
        await patiently(partial(self._runtime.store.pace.report, self._lane[1], report))
