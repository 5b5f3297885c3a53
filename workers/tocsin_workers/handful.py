"""What a worker has in hand: a shard, or several of one alert where few in each follow it.

A shard of ten readers costs as many trips to the store as one of a thousand has windows. So where the first is found to
have few, others are claimed beside it and share its trips: they are opened together, a window goes through as many of
them as it has room for, and they are let go together. Each keeps its own ledger, lease and epoch.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial

import structlog

from tocsin import clock
from tocsin.domain.deliveries import Mark
from tocsin.domain.errors import Unavailable
from tocsin.domain.pace import WindowReport
from tocsin.store.ledgers import Kept, Recipient
from tocsin.store.runs import Checked, Go, Release
from tocsin.store.windows import Asked, Opened, Paced, Part, Turned
from tocsin_workers.letters import Letter
from tocsin_workers.patience import patiently
from tocsin_workers.runtime import Runtime
from tocsin_workers.shard_work import ShardWork

log = structlog.get_logger()

# Shards are claimed beside the first up to so many, while those who wait in them are not more than so many windows.
_MOST_SHARDS = 32
_MOST_WINDOWS = 4

Slots = Mapping[ShardWork, Sequence[int]]


def count(slots: Slots) -> int:
    return sum(map(len, slots.values()))


class Handful:
    """`works` are those in hand; `checked` is when the store was last asked whether they are, by the clock that never
    goes back; `was_last` whether the last shard of the run was let go here."""

    def __init__(self, runtime: Runtime, first: ShardWork) -> None:
        self._runtime = runtime
        self._store = runtime.store
        self.first = first
        self.lane = first.claim.lane
        self.works: list[ShardWork] = []
        self.checked = 0.0
        self.was_last = False
        self._let_go: list[Release] = []

    # -- how it begins

    async def open(self) -> None:
        first, ledgers = self.first, self._store.ledgers
        await self._take_up([first], [await patiently(partial(ledgers.begin, first.claim))])
        others = await self._claim_beside()
        if others:
            claims = [work.claim for work in others]
            await self._take_up(others, await patiently(partial(ledgers.begin_all, claims)))
            await self._keep_a_handful()

    async def _take_up(self, works: Sequence[ShardWork], found: Sequence[Kept | None]) -> None:
        for work, kept in zip(works, found, strict=True):
            try:
                if kept is not None and await work.open(kept):
                    self.works.append(work)
            except Exception:
                log.exception("shard given up", alert=work.claim.alert_id, shard=work.claim.shard)

    async def _claim_beside(self) -> list[ShardWork]:
        first = self.first
        if not self.works or first.goes_alone or self._runtime.hands_back():
            return []
        most = min(_MOST_SHARDS, self._most_readers // max(1, len(first.book.waiting))) - 1
        if most < 1:
            return []
        try:
            claims = await self._store.runs.claim_beside(first.claim, most)
        except Unavailable as error:
            log.warning("no claim", error=error.detail)
            return []
        return list(map(first.beside, claims))

    @property
    def _most_readers(self) -> int:
        return _MOST_WINDOWS * self._runtime.settings.window

    async def _keep_a_handful(self) -> None:
        """The first may have been an exception: who waits in the others is known only now."""
        readers, over = 0, []
        for work in self.works:
            readers += len(work.book.waiting)
            if readers > self._most_readers and work is not self.first:
                over.append(work)
        if over:
            await self.part_with(over, clock.now())

    # -- windows

    def next(self, most: int) -> Slots:
        """Whose turn it is, shard by shard. One whose holders died goes alone, after those with fewer deaths, who else
        would wait for another lease with each death, and be suspected with the one who kills."""
        now = clock.now()
        found: dict[ShardWork, Sequence[int]] = {}
        for work in sorted(self.works, key=lambda work: work.book.deaths):
            slots = work.book.next_slots(now, most)
            if slots and work.book.deaths:
                return found or {work: slots}
            if slots:
                found[work] = slots
                most -= len(slots)
            if most <= 0:
                break
        return found

    async def turn(self, report: WindowReport | None, slots: Slots | None) -> Turned:
        """Keeps what was sent and what is planned, lets go what is done with, and asks for the next window."""
        if not self.first.heeds:  # else the time counts from when `heed` asked, which was before
            self.checked = time.monotonic()
        writing = [work for work in self.works if work.owes]
        done, let_go = [work.done() for work in writing], list(self._let_go)
        asked = None if not slots else self._asked(slots)
        turn = partial(self._store.windows.turn, self.lane[1], done, report, asked, let_go)
        turned: Turned = await patiently(turn)
        self._was_released(let_go, turned.was_last)
        for work, is_kept in zip(writing, turned.kept, strict=True):
            await self._was_written(work, is_kept)
        for work in slots or ():  # after what was written, which cleared the notes of the window before
            work.is_noted = True
        if slots and turned.opened:
            self._drop(work for work, its in zip(slots, turned.opened.recipients, strict=True) if its is None)
        return turned

    def _asked(self, slots: Slots) -> Asked:
        first = self.first
        repeats = sum(sum(map(work.book.is_repeat, its)) for work, its in slots.items())
        return Asked(
            [Part(work.claim, its) for work, its in slots.items()],
            [work.claim for work in self.works],
            Paced(first.paced_as, first.max_per_second, repeats),
        )

    def granted(self, opened: Opened, asked: Slots) -> dict[ShardWork, list[Recipient]]:
        """Those of these slots that the pace allows to be sent to now, as they stand."""
        again: list[tuple[ShardWork, Recipient]] = []
        first: list[tuple[ShardWork, Recipient]] = []
        for work, recipients in zip(asked, opened.recipients, strict=True):
            if work not in self.works or work.claim.shard in opened.checked.lost:
                continue
            for each in recipients or ():
                (again if work.book.is_repeat(each.slot) else first).append((work, each))
        granted: dict[ShardWork, list[Recipient]] = {}
        for work, each in (*again[: opened.grant.retries], *first[: opened.grant.first]):
            granted.setdefault(work, []).append(each)
        return granted

    async def letters_for(
        self, granted: Mapping[ShardWork, Sequence[Recipient]]
    ) -> list[tuple[ShardWork, list[Letter]]]:
        """Of each shard what goes to whom. What goes wrong in one costs the others nothing: its lease lapses."""
        letters: list[tuple[ShardWork, list[Letter]]] = []
        for work, recipients in granted.items():
            its = None
            try:
                its = await work.letters_for(recipients)
            except Exception:
                log.exception("shard given up", alert=work.claim.alert_id, shard=work.claim.shard)
            if its is None:
                self._drop([work])
            else:
                letters.append((work, its))
        return letters

    def _drop(self, works: Iterable[ShardWork]) -> None:
        """These are not in hand any more."""
        leaving = list(works)
        self.works = [work for work in self.works if work not in leaving]

    # -- what the store says

    async def check(self) -> Checked:
        self.checked = time.monotonic()
        if not self.works:
            return Checked(Go.LOST, clock.now(), frozenset())
        return await patiently(partial(self._store.runs.check_all, [work.claim for work in self.works]))

    async def may_go_on(self) -> bool:
        checked = await self.check()
        return checked.go is Go.GO and not checked.lost and not await self.heed()

    async def heed(self) -> bool:
        """Whether an editor's word has reached anybody that a check does not see; who it settles is written."""
        heard = [work for work in self.works if work.heeds and await work.heed()]
        await self.write(heard)
        return bool(heard)

    async def obey(self, checked: Checked) -> None:
        """What follows from a check."""
        await self.lose(checked)
        if checked.go in _ENDS:
            # The alert was stopped or corrected, or its time is over: whoever still waited for it is marked so.
            for work in self.works:
                work.book.settle_all(_ENDS[checked.go])
            await self.part_with(self.works)
        elif checked.go is Go.HELD:
            await self.part_with(self.works, checked.held_until)

    async def lose(self, checked: Checked) -> None:
        """Shards whose lease has lapsed: somebody else may be at them."""
        lost = [work for work in self.works if checked.go is Go.LOST or work.claim.shard in checked.lost]
        await self.write([work for work in lost if work.owes])
        self._drop(lost)

    # -- how it ends

    async def write(self, works: Sequence[ShardWork]) -> None:
        """Keeps their books in one trip."""
        if not works:
            return
        turn = partial(self._store.windows.turn, self.lane[1], [work.done() for work in works])
        turned: Turned = await patiently(turn)
        for work, is_kept in zip(works, turned.kept, strict=True):
            await self._was_written(work, is_kept)

    async def _was_written(self, work: ShardWork, is_kept: bool) -> None:
        """A shard that is not ours any more is left as it is; one that is done with is let go with the next trip."""
        if is_kept:
            await work.kept()
        if is_kept and not work.is_over:
            return
        if work in self.works:
            self.works.remove(work)
            if is_kept:
                self._let_go.append(work.release(None))

    async def part_with(self, works: Sequence[ShardWork], due: datetime | None = None) -> None:
        """Writes what is not in the store yet, and lets these go: due then or when a retry is, or finished."""
        leaving = list(works)
        await self.write([work for work in leaving if work.owes])
        self._let_go += [work.release(due) for work in self.works if work in leaving]
        self._drop(leaving)
        await self.release()

    async def release(self) -> None:
        """Nothing that is done with is kept any longer."""
        if self._let_go:
            let_go = list(self._let_go)
            self._was_released(let_go, await patiently(partial(self._store.runs.release, let_go)))

    def _was_released(self, let_go: Sequence[Release], was_last: bool) -> None:
        self._let_go = self._let_go[len(let_go) :]
        self.was_last = self.was_last or was_last


_ENDS = {Go.ENDED: Mark.EXPIRED, Go.STOPPED: Mark.STOPPED, Go.CORRECTED: Mark.CORRECTED}
