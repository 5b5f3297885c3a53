"""Subscriptions: a record in its shard, a profile number beside it, and an index entry that names it.

Registering spans slots: a number is reserved, the index names it (`pending`), record and profile are written, the index
says `ready`. A crash between two steps leaves what a repeat of the same call, or the reconciler, completes.
"""

from dataclasses import dataclass, replace

from tocsin.domain.errors import Conflict
from tocsin.domain.preferences import Preferences
from tocsin.domain.subscriptions import SHARD_SIZE, Address, Record, Subscription
from tocsin.store import index as entries
from tocsin.store.client import Server, answering
from tocsin.store.index import Entry, Index
from tocsin.store.numbers import Numbers
from tocsin.store.profiles import NOBODY, NUMBER, Profiles


@dataclass(frozen=True)
class Kept:
    """A subscription as it is kept: `packed` is the record's bytes, for compare-and-set."""

    address: Address
    record: Record
    packed: bytes
    preferences: Preferences


def shard_keys(shard: str) -> tuple[str, str, str]:
    """Records (hash, slot → packed), profiles (string, 4 bytes a slot) and gone (hash, slot → digest)."""
    return f"{{{shard}}}:records", f"{{{shard}}}:profiles", f"{{{shard}}}:gone"


class Subscriptions:
    def __init__(self, server: Server, profiles: Profiles, numbers: Numbers) -> None:
        self._server = server
        self._profiles = profiles
        self._numbers = numbers
        self._index = Index(server)

    async def get(self, digest: bytes) -> Kept | None:
        entry = await self._index.get(digest)
        return await self._read(entry.address, digest) if entry.address and entry.ready else None

    async def add(
        self, subscription: Subscription, preferences: Preferences, key_id: bytes, now_ms: int, reusable_before_ms: int
    ) -> Kept:
        """Keeps a subscription whose endpoint is not known yet. Raises Conflict when another call was quicker."""
        digest = subscription.digest
        entry = await self._index.get(digest)
        if entry.address is None or entry.ready:  # a ready entry without a record is what a deletion left behind
            number = await self._numbers.reserve(subscription.endpoint.push_service, digest, now_ms, reusable_before_ms)
            address = Address(subscription.endpoint.push_service, number)
            entry = await self._index.swap(digest, entry.raw, entries.pending(address))
            if entry.address != address:
                await self._give_up(address, now_ms)
                raise Conflict("this browser is being registered by another call; repeat it")
        return await self._complete(entry, subscription, preferences, key_id, now_ms)

    async def _complete(
        self, entry: Entry, subscription: Subscription, preferences: Preferences, key_id: bytes, now_ms: int
    ) -> Kept:
        address = entry.address
        assert address is not None  # noqa: S101 (for the type checker: both callers saw one)
        record = Record(
            subscription.endpoint.url, subscription.p256dh, subscription.auth, key_id, created=now_ms // 1000
        )
        await self._put(address, record, preferences)
        entry = await self._index.swap(subscription.digest, entries.pending(address), entries.ready(address))
        if entry.address != address:
            # Paused for over a minute in between: the number was taken back, so this record must not be sent to.
            await self._drop(address, record.pack(), subscription.digest)
            raise Conflict("this browser is being registered by another call; repeat it")
        await self._numbers.settled(address.push_service, address.number)
        return Kept(address, record, record.pack(), preferences)

    async def _give_up(self, address: Address, now_ms: int) -> None:
        await self._numbers.free(address.push_service, address.number, now_ms)
        await self._numbers.settled(address.push_service, address.number)

    async def set_keys(self, kept: Kept, subscription: Subscription, key_id: bytes) -> Kept:
        """The same browser with new keys, or one that subscribed again with another application server key."""
        record = replace(kept.record, p256dh=subscription.p256dh, auth=subscription.auth, vapid_key_id=key_id)
        await self._put(kept.address, record, kept.preferences)
        return replace(kept, record=record, packed=record.pack())

    async def set_preferences(self, kept: Kept, preferences: Preferences) -> Kept:
        """Raises Conflict when the subscription was deleted or got other keys meanwhile."""
        number = await self._profiles.number(preferences)
        records, profiles, _ = shard_keys(kept.address.shard)
        slot, packed_number = kept.address.slot, NUMBER.pack(number)
        if not await self._server.run("set_profile", [records, profiles], slot, kept.packed, packed_number):
            raise Conflict("this subscription was changed by another call; repeat it")
        return replace(kept, preferences=preferences)

    async def delete(self, kept: Kept, now_ms: int) -> None:
        """No request to this browser starts after this."""
        await self._drop(kept.address, kept.packed, kept.record.digest)
        await self.forget(kept.address, kept.record.digest, now_ms)

    async def forget(self, address: Address, digest: bytes, now_ms: int) -> None:
        """The rest of a deletion: index entry, number, and the note that they are to be cleaned up."""
        await self._index.swap(digest, entries.ready(address), entries.NONE)
        await self._numbers.free(address.push_service, address.number, now_ms)
        async with answering():
            await self._server.redis.hdel(shard_keys(address.shard)[2], str(address.slot))

    async def mend(self, now_ms: int) -> int:
        """What crashes left half done: reservations are completed or taken back, deletions finished. Gives how many."""
        mended = 0
        for left in await self._numbers.stale_reservations(now_ms):
            address = Address(left.push_service, left.number)
            entry = await self._index.get(left.digest)
            kept = await self._read(address, left.digest)
            if entry.address == address and kept is not None:
                await self._index.swap(left.digest, entries.pending(address), entries.ready(address))
                await self._numbers.settled(left.push_service, left.number)
            else:
                await self._index.swap(left.digest, entries.pending(address), entries.NONE)
                if kept is not None:
                    await self._drop(address, kept.packed, left.digest)
                    await self.forget(address, left.digest, now_ms)
                await self._give_up(address, now_ms)
            mended += 1
        for push_service, bound in (await self._numbers.bounds()).items():
            for shard_number in range((bound + SHARD_SIZE - 1) // SHARD_SIZE):
                async with answering():
                    gone = await self._server.redis.hgetall(shard_keys(f"{push_service}.{shard_number}")[2])
                for slot, digest in gone.items():
                    await self.forget(Address(push_service, shard_number * SHARD_SIZE + int(slot)), digest, now_ms)
                    mended += 1
        return mended

    async def _read(self, address: Address, digest: bytes) -> Kept | None:
        records, profiles, _ = shard_keys(address.shard)
        start = address.slot * NUMBER.size
        async with answering():
            packed = await self._server.redis.hget(records, str(address.slot))
            number_bytes = await self._server.redis.getrange(profiles, start, start + NUMBER.size - 1)
        if packed is None:
            return None
        record = Record.unpack(packed)
        if record.digest != digest:  # the number has another owner by now
            return None
        number = NUMBER.unpack(number_bytes.ljust(NUMBER.size, b"\0"))[0]
        preferences = (await self._profiles.get({number})).get(number)
        return None if number == NOBODY or preferences is None else Kept(address, record, packed, preferences)

    async def _put(self, address: Address, record: Record, preferences: Preferences) -> None:
        number = await self._profiles.number(preferences)
        await self._server.run(
            "put_record", shard_keys(address.shard), address.slot, record.pack(), NUMBER.pack(number)
        )

    async def _drop(self, address: Address, packed: bytes, digest: bytes) -> None:
        await self._server.run("drop_record", shard_keys(address.shard), address.slot, packed, digest)
