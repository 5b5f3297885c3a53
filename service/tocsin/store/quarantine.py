"""Those whom a push service called gone (404, 410): set aside first, deleted when no storm speaks against it.

A storm of them is more likely the push service's mistake, or ours, than readers who all left within minutes (G7). So
nobody is deleted at once: who is in quarantine is sent nothing, and comes back whole where an operator restores it, or
where the browser itself comes again with the same endpoint.
"""

from dataclasses import dataclass

from tocsin.domain.subscriptions import Address, Record
from tocsin.store.client import Server, answering
from tocsin.store.shards import shard_key, shard_keys

# What stands before the record: the number of its preferences, and when it was called gone (ms since 1970, digits).
HEAD = 4 + 13
MOMENT = slice(4, HEAD)
# What a deletion takes along or asks, in the order of `drop_quarantined`.
_BESIDE = ("personal", "caps", "consents", "moves", "seen", "unreached")


@dataclass(frozen=True)
class Gone:
    """`since_ms` is when the push service said so."""

    address: Address
    since_ms: int


class Quarantine:
    def __init__(self, server: Server) -> None:
        self._server = server

    async def add(self, address: Address, packed: bytes, now_ms: int) -> bool:
        """False where another record stands there by now, or none."""
        keys = shard_keys(address.shard, "records", "profiles", "quarantine")
        return bool(await self._server.run("quarantine_record", keys, address.slot, packed, f"{now_ms:013d}"))

    async def of(self, shard: str) -> list[Gone]:
        async with answering():
            rows = await self._server.redis.hgetall(shard_key(shard, "quarantine"))
        return [Gone(Address.of(shard, int(slot)), int(row[MOMENT])) for slot, row in rows.items()]

    async def record(self, address: Address) -> Record | None:
        async with answering():
            row = await self._server.redis.hget(shard_key(address.shard, "quarantine"), str(address.slot))
        return Record.unpack(row[HEAD:]) if row else None

    async def restore(self, address: Address, digest: bytes | None = None) -> bool:
        """Back as it was; False where nobody is in quarantine there, or another than the one of this digest."""
        if digest is not None:
            record = await self.record(address)
            if record is None or record.digest != digest:
                return False
        keys = shard_keys(address.shard, "records", "profiles", "quarantine")
        return bool(await self._server.run("restore_record", keys, address.slot))

    async def drop(self, address: Address) -> bytes | None:
        """Deletes the record; its digest is for the index to forget, and is noted in the shard until then."""
        record = await self.record(address)
        if record is None:
            return None
        keys = shard_keys(address.shard, "quarantine", "gone", *_BESIDE)
        dropped = await self._server.run("drop_quarantined", keys, address.slot, record.pack(), record.digest)
        return record.digest if dropped else None
