"""What is kept of whom: found by the digest of an endpoint, or looked through shard by shard."""

from collections.abc import Sequence
from dataclasses import dataclass

from tocsin.domain.consent import Consent
from tocsin.domain.errors import UnknownRecord
from tocsin.domain.preferences import Preferences
from tocsin.domain.subscriptions import Address, Record
from tocsin.store.activity import unpack_day
from tocsin.store.client import Server, answering
from tocsin.store.index import Entry, Index
from tocsin.store.profiles import NOBODY, NUMBER, Profiles
from tocsin.store.quarantine import HEAD, MOMENT, Quarantine
from tocsin.store.shards import PERSONAL, shard_key, shard_keys
from tocsin.store.suppression import Suppression


@dataclass(frozen=True)
class Kept:
    """A subscription as it is kept: `packed` is the record's bytes, `profile_number` the number of its preferences with
    the bit `PERSONAL`, `personal` its own row of them; all three for compare-and-set. `consent` is None where none was
    given, `seen` the day on which the browser was last heard of (see `activity`)."""

    address: Address
    record: Record
    packed: bytes
    preferences: Preferences
    profile_number: int
    personal: bytes
    consent: Consent | None = None
    seen: int = 0


@dataclass(frozen=True)
class Seen:
    """What the index says of a digest, and who is kept there."""

    entry: Entry
    kept: Kept | None


class Reading:
    """Nothing here changes anything."""

    def __init__(self, server: Server, profiles: Profiles, quarantine: Quarantine) -> None:
        self._server = server
        self._profiles = profiles
        self._quarantine = quarantine
        self._index = Index(server)
        self._suppression = Suppression(server)

    async def get(self, digest: bytes) -> Kept | None:
        return await self._at(await self._index.get(digest), digest)

    async def look(self, digest: bytes) -> Seen:
        """For whoever registers. Raises Ended for one that was erased on request."""
        await self._suppression.refuse(digest)
        entry = await self._index.get(digest)
        return Seen(entry, await self._at(entry, digest))

    async def _at(self, entry: Entry, digest: bytes) -> Kept | None:
        return await self._read(entry.address, digest) if entry.address and entry.ready else None

    async def find_quarantined(self, digest: bytes) -> Address | None:
        """Where one stands whom a push service called gone and who is not deleted yet."""
        entry = await self._index.get(digest)
        known = entry.address and entry.ready and await self._quarantine.record(entry.address)
        return entry.address if known and known.digest == digest else None

    async def away(self, digest: bytes) -> tuple[Kept, int] | None:
        """One whom a push service called gone and who is not deleted yet; and when it did (ms since 1970)."""
        address = (await self._index.get(digest)).address
        if address is None:
            return None
        async with answering(), self._server.redis.pipeline(transaction=True) as pipe:
            for key in shard_keys(address.shard, "quarantine", "personal", "consents"):
                pipe.hget(key, str(address.slot))
            pipe.getrange(shard_key(address.shard, "seen"), 2 * address.slot, 2 * address.slot + 1)
            row, personal, consent, seen = await pipe.execute()
        if row is None:
            return None
        number = row[: NUMBER.size]
        kept = await self._kept(address, digest, row[HEAD:], number, personal or b"", consent or b"", seen)
        return (kept, int(row[MOMENT])) if kept else None

    async def record_at(self, address: Address) -> Record | None:
        """Raises UnknownRecord for one that a newer version wrote."""
        async with answering():
            packed = await self._server.redis.hget(shard_key(address.shard, "records"), str(address.slot))
        return Record.unpack(packed) if packed else None

    async def records(self, shard: str) -> dict[int, bytes]:
        """All of a shard, packed, by slot."""
        async with answering():
            rows = await self._server.redis.hgetall(shard_key(shard, "records"))
        return {int(slot): packed for slot, packed in rows.items()}

    async def sizes(self, shards: Sequence[str]) -> list[int]:
        """How many records each of these shards has."""
        async with answering(), self._server.redis.pipeline(transaction=False) as pipe:
            for shard in shards:
                pipe.hlen(shard_key(shard, "records"))
            return [int(size) for size in await pipe.execute()]

    async def counted(self, address: Address) -> tuple[int, int] | None:
        """Under the cap of who is there: a day (since 1970) and how many alerts counted on it."""
        async with answering():
            row = await self._server.redis.hget(shard_key(address.shard, "caps"), str(address.slot))
        if row is None:
            return None
        day, _, count = row.decode().partition(" ")
        return int(day), int(count)

    async def _read(self, address: Address, digest: bytes) -> Kept | None:
        keys = shard_keys(address.shard, "records", "profiles", "personal", "consents", "seen")
        row = await self._server.run("read_record", keys, address.slot)
        if row is None:
            return None
        packed, number, personal, consent, seen = row
        return await self._kept(address, digest, packed, number, personal, consent, seen)

    async def _kept(
        self,
        address: Address,
        digest: bytes,
        packed: bytes,
        packed_number: bytes,
        personal: bytes,
        consent: bytes,
        seen: bytes,
    ) -> Kept | None:
        record = Record.unpack(packed)
        if record.digest != digest:  # the number has another owner by now
            return None
        number = NUMBER.unpack(packed_number.ljust(NUMBER.size, b"\0"))[0]
        shared = number & ~PERSONAL
        preferences = (await self._profiles.get({shared})).get(shared)
        if shared == NOBODY or preferences is None:
            return None
        try:
            whole = preferences.with_personal(personal)
        except ValueError:
            raise UnknownRecord("personal preferences have a form that this program does not know") from None
        return Kept(address, record, packed, whole, number, personal, Consent.unpack(consent), unpack_day(seen))

    async def _packed(self, address: Address, digest: bytes) -> bytes:
        """Its record, in quarantine too; empty where there is none."""
        async with answering(), self._server.redis.pipeline(transaction=True) as pipe:
            for key in shard_keys(address.shard, "records", "quarantine"):
                pipe.hget(key, str(address.slot))
            packed, quarantined = await pipe.execute()
        found: bytes = packed or (quarantined or b"")[HEAD:]
        return found if found and Record.unpack(found).digest == digest else b""
