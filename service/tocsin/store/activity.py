"""The day on which a browser was last heard of, by its own calls or by its push service's word; and that of the first
alert since then that did not reach it. Two bytes a slot each.

Days are counted from 1970, by the store's clock; 0 is none. A day on which an alert did not arrive counts for nothing
once the browser was heard of on that day or later.
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tocsin.domain.deliveries import Mark
from tocsin.domain.subscriptions import SHARD_SIZE, Address
from tocsin.store.alerts import LEDGERS
from tocsin.store.client import Server, answering
from tocsin.store.ledgers import Ledgers
from tocsin.store.numbers import shards_below
from tocsin.store.profiles import NOBODY, unpack_numbers
from tocsin.store.shards import shard_key, shard_keys

DAY_MS = 86_400_000
# An alert was for the reader, and did not reach the browser.
UNREACHED = (Mark.REJECTED, Mark.NO_KEY, Mark.EXPIRED)
_DAY = struct.Struct("<H")
_STORM = "{site}:inactive-storm"
_SHARDS_AT_ONCE = 100


@dataclass(frozen=True)
class Silence:
    """Of a shard: how many are there, and since which day alerts do not reach some of them."""

    everybody: int
    since: Mapping[int, int]


def day_of(now_ms: int) -> int:
    return now_ms // DAY_MS


def pack_day(day: int) -> bytes:
    return _DAY.pack(day)


def unpack_day(packed: bytes) -> int:
    day: int = _DAY.unpack(packed.ljust(_DAY.size, b"\0"))[0]
    return day


class Activity:
    def __init__(self, server: Server, ledgers: Ledgers) -> None:
        self._server = server
        self._ledgers = ledgers

    async def seen(self, address: Address, packed: bytes) -> bool:
        """The browser of this record called; False where another record stands there by now, or none."""
        keys = shard_keys(address.shard, "records", "seen")
        return bool(await self._server.run("note_seen", keys, address.slot, packed))

    async def note(self, alert_id: str, bounds: Mapping[str, int], day: int) -> None:
        """Whom this alert reached on that day, and whom not: said before its ledgers are forgotten."""
        shards = [shard for each in bounds.items() for shard in shards_below(*each)]
        for first in range(0, len(shards), _SHARDS_AT_ONCE):
            some = shards[first : first + _SHARDS_AT_ONCE]
            for shard, ledgers in zip(some, await self._ledgers.of_shards(some, [alert_id]), strict=True):
                if alert_id in ledgers:
                    ledger = ledgers[alert_id]
                    await self.reached(shard, ledger.slots(Mark.ACCEPTED), day)
                    await self.not_reached(shard, [slot for mark in UNREACHED for slot in ledger.slots(mark)], day)

    async def reached(self, shard: str, slots: Iterable[int], day: int) -> None:
        """They were heard of on this day, or later; where anybody is there."""
        if packed := _pack(slots):
            await self._server.run("raise_seen", shard_keys(shard, "profiles", "seen"), day, packed)

    async def not_reached(self, shard: str, slots: Iterable[int], day: int) -> None:
        """The first of such days since they were heard of stands."""
        if packed := _pack(slots):
            await self._server.run("note_unreached", shard_keys(shard, "profiles", "seen", "unreached"), day, packed)

    async def silence(self, shard: str) -> Silence:
        async with answering():
            profiles, *rows = await self._server.redis.mget(shard_keys(shard, "profiles", "seen", "unreached"))
        seen, unreached = (
            struct.unpack(f"<{SHARD_SIZE}H", (row or b"").ljust(SHARD_SIZE * _DAY.size, b"\0")) for row in rows
        )
        there = [slot for slot, number in enumerate(unpack_numbers(profiles or b"", SHARD_SIZE)) if number != NOBODY]
        return Silence(len(there), {slot: unreached[slot] for slot in there if unreached[slot] > seen[slot]})

    async def not_reached_on(self, address: Address) -> int:
        """As it is noted, also of one who is in quarantine."""
        async with answering():
            at = address.slot * _DAY.size
            row = await self._server.redis.getrange(shard_key(address.shard, "unreached"), at, at + _DAY.size - 1)
        return unpack_day(row)

    async def runs(self) -> dict[str, int]:
        """The alerts of which it is still known what became of each reader, and the day on which each began."""
        async with answering():
            rows = await self._server.redis.zrange(LEDGERS, 0, -1, withscores=True)
        return {row.decode(): day_of(int(began_ms)) for row, began_ms in rows}

    async def storm(self) -> int | None:
        """The day on which it was noticed that suspiciously many are silent; None where they are not."""
        async with answering():
            day = await self._server.redis.get(_STORM)
        return None if day is None else int(day)

    async def note_storm(self, day: int | None) -> None:
        async with answering():
            await (self._server.redis.unlink(_STORM) if day is None else self._server.redis.set(_STORM, day))


def _pack(slots: Iterable[int]) -> bytes:
    return b"".join(_DAY.pack(slot) for slot in slots)
