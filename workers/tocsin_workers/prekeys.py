"""Fills the stock of prekeys while there is nothing to send, shard by shard and in slices of a few milliseconds."""

import math
import random
import time
from collections.abc import Awaitable, Callable, Mapping

import structlog

from tocsin import clock
from tocsin.domain.errors import Unavailable, UnknownRecord
from tocsin.domain.subscriptions import SHARD_SIZE, Record
from tocsin.push.encryption import derive
from tocsin.push.prekeys import ENTRY_SIZE, HEAD, KEEP_DAYS, Seal, day_of, head_of
from tocsin.store.prekeys import Leave, Prekeys
from tocsin.store.store import Store
from tocsin_workers.counting import Counting
from tocsin_workers.keyring import Keyrings

log = structlog.get_logger()

# So long an alert that comes may have to share a core with us; then we look whether one has come.
_SLICE_SECONDS = 0.01
# What is older is made anew, so that none gets too old between two looks.
_RENEW_DAYS = KEEP_DAYS - 1
# A shard that lacked some and got none holds records that nothing can be made for.
_AGAIN_SECONDS = 60.0
# Every shard is looked at so often, for entries of readers who left or have other keys.
_LOOK_SECONDS = 3_600.0
_LOOKS_AT_ONCE = 20

_NONE = bytes(ENTRY_SIZE)


class Stock:
    """`stopping` says whether this process is to end."""

    def __init__(
        self, store: Store, prekeys: Prekeys, keyrings: Keyrings, counting: Counting, stopping: Callable[[], bool]
    ) -> None:
        self._store = store
        self._prekeys = prekeys
        self._keyrings = keyrings
        self._counting = counting
        self._stopping = stopping
        self._told: str | None = None
        self._barren: dict[str, float] = {}
        self._looked: dict[str, float] = {}

    async def fill(self, seconds: float) -> None:
        """For so long at most, and for as long as nothing is to be sent. Whatever fails is left to the next time."""
        ends = time.monotonic() + seconds

        async def may_go_on() -> bool:
            return time.monotonic() < ends and not self._stopping() and await self._store.idleness.is_idle()

        if not self._prekeys.layers or not await may_go_on() or not await self._server_is_right():
            return
        try:
            lacking, others = await self._due()
            for shard in dict.fromkeys((*lacking, *others)):
                if not await may_go_on():
                    break
                made = await self._fill(shard, may_go_on)
                if made == 0 and shard in lacking:
                    self._barren[shard] = time.monotonic()
        except Unavailable as error:
            log.warning("no prekeys are made", reason=error.detail)
        await self._counting.write_if_due()

    async def _server_is_right(self) -> bool:
        """One that could bring back what was used is left alone, and an operator is told once."""
        try:
            fault = await self._prekeys.fault()
        except Unavailable as error:
            fault = error.detail
        if fault and fault != self._told:
            log.warning("no prekeys are made", reason=fault)
        self._told = fault
        return fault is None

    async def _due(self) -> tuple[list[str], list[str]]:
        """Shards that lack some, in any order, so that several processes seldom meet; and a few others."""
        shards, now = await self._store.numbers.shards(), time.monotonic()
        have, wanted = await self._prekeys.stock(shards), await self._store.subscriptions.sizes(shards)
        lacking = [
            shard
            for shard, stock, size in zip(shards, have, wanted, strict=True)
            if stock < size * self._prekeys.layers and now - self._barren.get(shard, -math.inf) > _AGAIN_SECONDS
        ]
        random.shuffle(lacking)
        others = [shard for shard in shards if now - self._looked.get(shard, -math.inf) > _LOOK_SECONDS]
        return lacking, others[:_LOOKS_AT_ONCE]

    async def _fill(self, shard: str, may_go_on: Callable[[], Awaitable[bool]]) -> int | None:
        """How many were made; None where another is at it, or it was interrupted: what was made by then is kept."""
        leave = await self._prekeys.claim(shard)
        if leave is None:
            return None
        records, seal = await self._store.subscriptions.records(shard), await self._keyrings.seal(leave.life)
        making, whole = Making(leave, records, seal, day_of(clock.now())), True
        while whole and making.slice():
            whole = await may_go_on()
        if await self._prekeys.put(leave, making.made):
            self._counting.prekeys_made(making.count)
        if not whole:
            return None
        self._looked[shard] = time.monotonic()
        return making.count


class Making:
    """The prekeys that one shard lacks. `made` are entries by layer and slot, zeros where one is to go."""

    def __init__(self, leave: Leave, records: Mapping[int, bytes], seal: Seal, today: int) -> None:
        self.count = 0
        self.made = [
            {slot: _NONE for slot in range(SHARD_SIZE) if slot not in records and any(heads[slot])}
            for heads in leave.heads
        ]
        self._leave = leave
        self._seal = seal
        self._today = today
        self._left = iter(records.items())

    def slice(self) -> bool:
        """Goes on for some milliseconds; False when nothing is left."""
        ends = time.monotonic() + _SLICE_SECONDS
        for slot, packed in self._left:
            try:
                self._make(slot, Record.unpack(packed))
            except (UnknownRecord, ValueError):
                continue  # whoever sends to it tells an operator
            if time.monotonic() > ends:
                return True
        return False

    def _make(self, slot: int, record: Record) -> None:
        keys = record.p256dh, record.auth
        for heads, entries in zip(self._leave.heads, self.made, strict=True):
            day, _ = HEAD.unpack(heads[slot])
            if not 0 <= self._today - day < _RENEW_DAYS or heads[slot] != head_of(*keys, day):
                entries[slot] = self._seal.close(derive(*keys), *keys, self._today)
                self.count += 1
