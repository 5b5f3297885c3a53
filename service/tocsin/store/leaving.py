"""How a subscription ends: by its reader, its operator, its push service or its silence.

The record goes first, with all that its shard holds beside it; a note stands there until the rest is gone, too.
"""

from tocsin.domain.errors import Ended
from tocsin.domain.subscriptions import Address
from tocsin.store import index as entries
from tocsin.store.activity import pack_day
from tocsin.store.client import Server, answering
from tocsin.store.erasing import Erasing
from tocsin.store.moves import Moves
from tocsin.store.numbers import Numbers
from tocsin.store.profiles import Profiles
from tocsin.store.quarantine import Quarantine
from tocsin.store.reading import Kept, Reading
from tocsin.store.shards import shard_key, shard_keys

# What a deletion takes along or asks, in the order of `drop_record`.
_BESIDE = ("personal", "caps", "quarantine", "consents", "moves", "seen", "unreached")


class Leaving(Reading):
    def __init__(self, server: Server, profiles: Profiles, numbers: Numbers, quarantine: Quarantine) -> None:
        super().__init__(server, profiles, quarantine)
        self._numbers = numbers
        self._moves = Moves(server)
        self._erasing = Erasing(server)

    async def delete(self, kept: Kept, now_ms: int) -> bool:
        """No request to this endpoint starts after this. False where its browser is not here by it any more: it has
        another endpoint by now and with it another id, and its number is in use; or another call deleted it."""
        digest, packed = kept.record.digest, kept.packed
        while not await self._drop(kept.address, packed, digest):
            if await self._moves.finish(kept.address):
                return False
            # It got other keys or was called gone since: with its index entry gone it could never be deleted again.
            packed = await self._packed(kept.address, digest)
            if not packed:
                return False
        await self.forget(kept.address, digest, now_ms)
        return True

    async def delete_silent(self, kept: Kept, now_ms: int) -> bool:
        """False where its browser was heard of, or changed, since it was read."""
        if not await self._drop(kept.address, kept.packed, kept.record.digest, kept.seen):
            return False
        await self.forget(kept.address, kept.record.digest, now_ms)
        return True

    async def delete_quarantined(self, address: Address, now_ms: int) -> bool:
        """One whom a push service called gone, for good; False where it is not there any more."""
        digest = await self._quarantine.drop(address)
        if digest is not None:
            await self.forget(address, digest, now_ms)
        return digest is not None

    async def erase(self, digest: bytes, now_ms: int) -> Address | None:
        """On its reader's request to the operator: it stays away, whatever its page does (see `suppression`). Gives
        where it was, and None where it is not here."""
        while True:
            kept = await self.get(digest)
            address = kept.address if kept else await self.find_quarantined(digest)
            if address is None:
                return None
            await self._suppression.add(digest)
            if kept and await self.delete(kept, now_ms):
                return address
            if kept is None and await self.delete_quarantined(address, now_ms):
                return address
            await self._moves.finish(address)

    async def confirm(self, kept: Kept, digest: bytes, now_ms: int) -> None:
        """Whoever is erased on request is put on the list first. So one that was registered meanwhile, and that this
        did not find, finds itself there: it is deleted again. Raises Ended."""
        try:
            await self._suppression.refuse(digest)
        except Ended:
            await self.delete(kept, now_ms)
            raise

    async def forget(self, address: Address, digest: bytes, now_ms: int) -> None:
        """The rest of a deletion: what stands by the number, index entry, number, and the note that they are to be
        cleaned up."""
        await self._erasing.forget(address, now_ms)
        await self._index.swap(digest, entries.ready(address), entries.NONE)
        await self._numbers.free(address.push_service, address.number, now_ms)
        async with answering():
            await self._server.redis.hdel(shard_key(address.shard, "gone"), str(address.slot))

    async def _drop(self, address: Address, packed: bytes, digest: bytes, seen: int | None = None) -> bool:
        """False where another record stands there, or none, or where the browser was heard of after the day `seen`."""
        keys = shard_keys(address.shard, "records", "profiles", "gone", *_BESIDE)
        day = b"" if seen is None else pack_day(seen)
        return bool(await self._server.run("drop_record", keys, address.slot, packed, digest, day))
