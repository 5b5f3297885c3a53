"""The day on which a browser was last heard of, two bytes a slot: by its own calls, or by its push service's word.

Days are counted from 1970; 0 is unknown, for whoever registered before there were such days.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence

from tocsin.domain.deliveries import Mark
from tocsin.domain.subscriptions import SHARD_SIZE, Address
from tocsin.store.client import Server, answering
from tocsin.store.ledgers import Ledgers
from tocsin.store.numbers import shards_below
from tocsin.store.profiles import NOBODY, unpack_numbers
from tocsin.store.shards import shard_key, shard_keys

DAY_MS = 86_400_000
_DAY = struct.Struct("<H")
_STORM = "{site}:inactive-storm"
_SHARDS_AT_ONCE = 100


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

    async def seen(self, address: Address, packed: bytes, day: int) -> None:
        """The browser of this record called; nothing where another stands there by now, or a later day."""
        keys = shard_keys(address.shard, "records", "seen")
        await self._server.run("note_seen", keys, address.slot, packed, pack_day(day))

    async def reached(self, alert_id: str, bounds: Mapping[str, int], day: int) -> None:
        """Whoever this alert was accepted for was there on that day: said before its ledgers are forgotten."""
        shards = [shard for each in bounds.items() for shard in shards_below(*each)]
        for first in range(0, len(shards), _SHARDS_AT_ONCE):
            some = shards[first : first + _SHARDS_AT_ONCE]
            for shard, ledgers in zip(some, await self._ledgers.of_shards(some, [alert_id]), strict=True):
                if alert_id in ledgers:
                    await self.raise_to(shard, ledgers[alert_id].slots(Mark.ACCEPTED), day)

    async def raise_to(self, shard: str, slots: Iterable[int], day: int) -> None:
        """No earlier day than this for these, where anybody is there."""
        packed = b"".join(_DAY.pack(slot) for slot in slots)
        if packed:
            await self._server.run("raise_seen", shard_keys(shard, "profiles", "seen"), day, packed)

    async def days(self, shard: str) -> dict[int, int]:
        """The day of each slot with somebody in it."""
        async with answering():
            profiles, seen = await self._server.redis.mget(shard_keys(shard, "profiles", "seen"))
        days = struct.unpack(f"<{SHARD_SIZE}H", (seen or b"").ljust(SHARD_SIZE * _DAY.size, b"\0"))
        numbers: Sequence[int] = unpack_numbers(profiles or b"", SHARD_SIZE)
        return {slot: days[slot] for slot, number in enumerate(numbers) if number != NOBODY}

    async def day_at(self, address: Address) -> int:
        async with answering():
            at = address.slot * _DAY.size
            row = await self._server.redis.getrange(shard_key(address.shard, "seen"), at, at + _DAY.size - 1)
        return unpack_day(row)

    async def storm(self) -> int | None:
        """The day on which it was noticed that suspiciously many are silent; None where they are not."""
        async with answering():
            day = await self._server.redis.get(_STORM)
        return None if day is None else int(day)

    async def note_storm(self, day: int | None) -> None:
        async with answering():
            await (self._server.redis.unlink(_STORM) if day is None else self._server.redis.set(_STORM, day))
