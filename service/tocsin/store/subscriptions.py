"""Subscriptions: a record in its shard, a profile number beside it, and an index entry that names it.

Registering spans slots: a number is reserved and its shard told whom to expect there, the index names it (`pending`),
record and profile are written, the index says `ready`. A crash between two steps leaves what a repeat of the same call,
or the reconciler, completes. Who is expected is written once: after a deletion nobody who was slow can do it again.
"""

import hmac
from collections.abc import Awaitable
from dataclasses import dataclass, replace

import structlog

from tocsin.domain.consent import Consent
from tocsin.domain.errors import Changed, UnknownRecord
from tocsin.domain.preferences import Preferences
from tocsin.domain.subscriptions import Address, Record, Subscription
from tocsin.store import index as entries
from tocsin.store.client import answering
from tocsin.store.index import Entry
from tocsin.store.leaving import Leaving
from tocsin.store.numbers import Reservation
from tocsin.store.profiles import NUMBER
from tocsin.store.reading import Kept, Seen
from tocsin.store.shards import PERSONAL, shard_key, shard_keys

# What its callers know by name.
__all__ = ["Elsewhere", "Kept", "Seen", "Subscriptions"]

log = structlog.get_logger()

# What a new record begins with or without, in the order of `put_record`.
_FRESH = ("personal", "caps", "consents", "seen")
_REGISTERING = "this browser is being registered by another call; repeat it"
_CHANGED = "this subscription was changed by another call; repeat it"


@dataclass(frozen=True)
class Elsewhere:
    """What a dump tells of a browser that subscribed elsewhere: when (seconds since 1970), and to what it agreed."""

    created: int
    consent: Consent | None = None


class Subscriptions(Leaving):
    async def add(
        self,
        subscription: Subscription,
        preferences: Preferences,
        key_id: bytes,
        now_ms: int,
        reusable_before_ms: int,
        seen: Seen | None = None,
        elsewhere: Elsewhere | None = None,
    ) -> Kept:
        """Keeps a subscription whose endpoint is not known yet; of several calls at once all end with one number.

        `seen` spares a look: what it says may be old, since nothing is taken that is not as it says. `elsewhere` is
        given for one out of a dump, which is no word of the browser: where another call was quicker, whom that call
        kept stays as they are. Raises Changed when a browser's own call was, with other keys,
        and Ended for one that was erased on request.
        """
        digest = subscription.digest
        entry = (seen or await self.look(digest)).entry
        if entry.address:
            # Whom a push service called gone, and who comes again with the same endpoint, is not.
            await self._quarantine.restore(entry.address, digest)
        # A ready entry without a record is what a deletion left behind; with one, another call was quicker.
        if entry.address is None or (entry.ready and await self._read(entry.address, digest) is None):
            number = await self._numbers.reserve(subscription.endpoint.push_service, digest, now_ms, reusable_before_ms)
            address = Address(subscription.endpoint.push_service, number)
            expect = ("HSET", shard_key(address.shard, "expected"), str(address.slot), digest)
            entry = await self._index.swap(digest, entry.raw, entries.pending(address), before=expect)
            if entry.address != address:
                await self._give_up(address, now_ms)
        kept = await self._complete(entry, subscription, preferences, key_id, now_ms, elsewhere)
        await self.confirm(kept, digest, now_ms)
        return kept

    async def _complete(
        self,
        entry: Entry,
        subscription: Subscription,
        preferences: Preferences,
        key_id: bytes,
        now_ms: int,
        elsewhere: Elsewhere | None = None,
    ) -> Kept:
        made = elsewhere or Elsewhere(now_ms // 1000)
        record = Record(subscription.endpoint.url, subscription.p256dh, subscription.auth, key_id, made.created)
        address, digest = entry.address, subscription.digest
        kept = await self._put(address, record, preferences, made.consent) if address else None
        if kept is None and address and await self._moves.finish(address):  # the number came along, see `move`
            kept = await self._read(address, digest)
        if address is None or kept is None:
            if address and not await self._numbers.is_reserved(address.push_service, address.number):
                await self._moves.unname(address, digest)
            raise Changed(_REGISTERING)
        if not entry.ready:
            entry = await self._index.swap(digest, entries.pending(address), entries.ready(address))
            if entry.address != address:  # paused for over a minute in between: the number is being taken back
                raise Changed(_REGISTERING)
            await self._numbers.settled(address.push_service, address.number)
        return kept if elsewhere else await self._agree(kept, record, preferences, subscription)

    async def _put(
        self, address: Address, record: Record, preferences: Preferences, consent: Consent | None
    ) -> Kept | None:
        """The first record of this browser at this number, ours or that of another call; None where it left again."""
        number, packed = await self._number(preferences), record.pack()
        personal = preferences.personal.encode()
        keys = shard_keys(address.shard, "records", "profiles", "gone", "expected", *_FRESH)
        given = consent.pack() if consent else b""
        arguments = (address.slot, packed, NUMBER.pack(number), record.digest, personal, given)
        if today := int(await self._server.run("put_record", keys, *arguments)):
            return Kept(address, record, packed, preferences, number, personal, consent, seen=today)
        return await self._read(address, record.digest)

    async def _number(self, preferences: Preferences) -> int:
        return await self._profiles.number(preferences) | (PERSONAL if preferences.personal else 0)

    async def _agree(self, kept: Kept, record: Record, preferences: Preferences, subscription: Subscription) -> Kept:
        """Another call may have been quicker. It was the same browser's, if it has the same secret."""
        if not hmac.compare_digest(kept.record.auth, record.auth):
            raise Changed(_REGISTERING)
        if (kept.record.p256dh, kept.record.vapid_key_id) != (record.p256dh, record.vapid_key_id):
            kept = await self.set_keys(kept, subscription, record.vapid_key_id)
        return kept if kept.preferences == preferences else await self.set_preferences(kept, preferences)

    async def _give_up(self, address: Address, now_ms: int) -> None:
        await self._expect_nobody(address)
        await self._numbers.free(address.push_service, address.number, now_ms)
        await self._numbers.settled(address.push_service, address.number)

    async def _expect_nobody(self, address: Address) -> None:
        async with answering():
            await self._server.redis.hdel(shard_key(address.shard, "expected"), str(address.slot))

    async def set_keys(self, kept: Kept, subscription: Subscription, key_id: bytes) -> Kept:
        """The same browser with new keys, or one that subscribed again with another application server key.

        Raises Changed when the subscription was deleted or got other keys meanwhile: a record that no index entry
        names would be sent to for ever.
        """
        record = replace(kept.record, p256dh=subscription.p256dh, auth=subscription.auth, vapid_key_id=key_id)
        changed = replace(kept, record=record, packed=record.pack())
        records = shard_key(kept.address.shard, "records")
        if not await self._server.run("swap_record", [records], kept.address.slot, kept.packed, changed.packed):
            raise Changed(_CHANGED)
        return changed

    async def set_preferences(self, kept: Kept, preferences: Preferences) -> Kept:
        """Raises Changed when the subscription was deleted, or got other keys or preferences meanwhile: a merge patch
        was made for those that were seen, and would undo the other's."""
        number, personal = await self._number(preferences), preferences.personal.encode()
        keys = shard_keys(kept.address.shard, "records", "profiles", "personal")
        seen = [NUMBER.pack(kept.profile_number), kept.personal]
        wanted = [NUMBER.pack(number), personal]
        if not await self._server.run("set_profile", keys, kept.address.slot, kept.packed, *seen, *wanted):
            raise Changed(_CHANGED)
        return replace(kept, preferences=preferences, profile_number=number, personal=personal)

    async def set_consent(self, kept: Kept, consent: Consent | None) -> Kept:
        """Raises Changed when the subscription was deleted or got other keys meanwhile."""
        keys = shard_keys(kept.address.shard, "records", "consents")
        packed = consent.pack() if consent else b""
        if not await self._server.run("set_consent", keys, kept.address.slot, kept.packed, packed):
            raise Changed(_CHANGED)
        return replace(kept, consent=consent)

    async def take_back_consent(self, kept: Kept, now_ms: int) -> Kept:
        """What was told under it goes too. Raises Changed as `set_consent` does."""
        changed = await self.set_consent(kept, None)
        await self._erasing.forget_receipts(kept.address, now_ms)
        return changed

    async def move(self, old: Kept, subscription: Subscription, key_id: bytes) -> Kept | None:
        """The same browser with another endpoint, with all that is known of it (see `moves`).

        None where it cannot keep its number: the new endpoint is of another push service, or has a number of its own.
        Raises Changed when the old subscription was changed meanwhile.
        """
        if old.address.push_service != subscription.endpoint.push_service:
            return None
        record = replace(
            old.record,
            endpoint=subscription.endpoint.url,
            p256dh=subscription.p256dh,
            auth=subscription.auth,
            vapid_key_id=key_id,
            token_counter=0,
        )
        if not await self._moves.begin(old.address, old.packed, old.record.digest, record):
            await self._moves.finish(old.address)
            raise Changed(_CHANGED)
        return await self._read(old.address, record.digest) if await self._moves.finish(old.address) else None

    async def carry_over(self, old: Kept, kept: Kept) -> Kept:
        """What stands beside the preferences of the old one goes to the new one, which has a number of its own."""
        async with answering():
            count = await self._server.redis.hget(shard_key(old.address.shard, "caps"), str(old.address.slot))
        keys = shard_keys(kept.address.shard, "records", "caps", "consents")
        consent = old.consent.pack() if old.consent else b""
        if not await self._server.run("carry_over", keys, kept.address.slot, kept.packed, count or b"", consent):
            raise Changed(_CHANGED)
        return replace(kept, consent=kept.consent or old.consent)

    async def mend(self, now_ms: int) -> int:
        """What crashes left half done: reservations are completed or taken back, deletions finished. Gives how many."""
        mended = 0
        for left in await self._numbers.stale_reservations(now_ms):
            mended += await _readable(self._mend_reservation(left, now_ms), Address(left.push_service, left.number))
        for shard in await self._numbers.shards():
            async with answering(), self._server.redis.pipeline(transaction=False) as pipe:
                pipe.hkeys(shard_key(shard, "moves"))
                pipe.hgetall(shard_key(shard, "gone"))
                moves, gone = await pipe.execute()
            for slot in moves:
                address = Address.of(shard, int(slot))
                mended += await _readable(self._moves.finish(address), address)
            for slot, digest in gone.items():
                await self.forget(Address.of(shard, int(slot)), digest, now_ms)
                mended += 1
        return mended

    async def _mend_reservation(self, left: Reservation, now_ms: int) -> bool:
        """False where there was nothing to mend."""
        address = Address(left.push_service, left.number)
        entry = await self._index.get(left.digest)
        if entry.address == address and await self._packed(address, left.digest):
            await self._index.swap(left.digest, entries.pending(address), entries.ready(address))
            await self._numbers.settled(left.push_service, left.number)
            return True
        entry = await self._index.swap(left.digest, entries.pending(address), entries.NONE)
        if entry.address == address:  # a repeat completed it since we looked: the number is in use
            await self._numbers.settled(left.push_service, left.number)
            return False
        await self._expect_nobody(address)
        if packed := await self._packed(address, left.digest):  # what is not there now will not come
            await self._drop(address, packed, left.digest)
            await self.forget(address, left.digest, now_ms)
        if await self._is_taken(address):  # by the same browser with another endpoint, see `move`
            await self._numbers.settled(left.push_service, left.number)
            return False
        await self._give_up(address, now_ms)
        return True

    async def _is_taken(self, address: Address) -> bool:
        async with answering(), self._server.redis.pipeline(transaction=True) as pipe:
            for key in shard_keys(address.shard, "records", "quarantine"):
                pipe.hexists(key, str(address.slot))
            return any(await pipe.execute())

    async def come_back(self, digest: bytes) -> Kept | None:
        """One whom a push service called gone, as it was: it comes again with the same endpoint."""
        entry = await self._index.get(digest)
        back = entry.address and await self._quarantine.restore(entry.address, digest)
        return await self._read(entry.address, digest) if entry.address and back else None


async def _readable(step: Awaitable[bool], address: Address) -> bool:
    """A record that a newer version wrote stays as it is, and costs no other."""
    try:
        return await step
    except (UnknownRecord, ValueError):
        log.error("record in an unknown form", push_service=address.push_service, number=address.number)  # noqa: TRY400
        return False
