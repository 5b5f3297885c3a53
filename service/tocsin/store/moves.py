"""A browser whose subscription changed keeps its number: that of its new endpoint takes the place of its record.

So whatever stands by numbers goes with it: preferences, snooze and stories, the count under a cap, consent, and its
byte in each ledger, also in that of an alert on its way. The index spans slots, so what is to be done is noted in the
shard first, whole, and anybody may finish it: the caller, the next one who asks, or the reconciler. While the note is
there nobody else gets the slot, and nobody is deleted from it.
"""

from dataclasses import dataclass

from tocsin.clock import milliseconds, now
from tocsin.domain.subscriptions import Address, Record
from tocsin.store import index as entries
from tocsin.store.client import Server, answering
from tocsin.store.index import Index
from tocsin.store.log import Log
from tocsin.store.shards import shard_key, shard_keys

_DIGEST = 16


@dataclass(frozen=True)
class _Move:
    """As it is noted: `old` is the digest that the index is to forget, `new` the packed record."""

    old: bytes
    new: bytes

    @classmethod
    def unpack(cls, row: bytes) -> "_Move":
        return cls(row[:_DIGEST], row[_DIGEST:])

    def pack(self) -> bytes:
        return self.old + self.new


class Moves:
    def __init__(self, server: Server) -> None:
        self._server = server
        self._index = Index(server)
        self._log = Log(server)

    async def begin(self, address: Address, packed: bytes, digest: bytes, new: Record) -> bool:
        """Notes it; False where another record stands there by now, or another move is on its way."""
        row = _Move(digest, new.pack()).pack()
        keys = shard_keys(address.shard, "records", "moves")
        return bool(await self._server.run("begin_move", keys, address.slot, packed, row))

    async def finish(self, address: Address) -> bool:
        """Whether a move that was noted here is done; one whose new endpoint has a number of its own is given up.

        Any number may do this at once, and again: each step is a compare-and-set.
        """
        async with answering():
            row = await self._server.redis.hget(shard_key(address.shard, "moves"), str(address.slot))
        if not row:
            return False
        move = _Move.unpack(row)
        digest = Record.unpack(move.new).digest
        named, ready = entries.pending(address), entries.ready(address)
        entry = await self._index.swap(digest, entries.NONE, named)
        if entry.address != address:
            await self._forget(address, row)
            return False
        keys = shard_keys(address.shard, "records", "profiles", "quarantine", "moves")
        if not await self._server.run("move_record", keys, address.slot, row, move.new):
            # Another hand finished it or gave it up; which of both says the entry: only the first makes it ready.
            left = await self._index.swap(digest, named, entries.NONE)
            return left.ready and left.address == address
        await self._index.swap(digest, named, ready)
        await self._index.swap(move.old, ready, entries.NONE)
        await self._log.erased(milliseconds(now()))  # the old endpoint
        await self._forget(address, row)
        return True

    async def unname(self, address: Address, digest: bytes) -> None:
        """Takes back the name of an endpoint that nobody reserved and no move is on its way to: a hand that was late
        gave it, and died before it saw that the move was over. Nobody could register it again."""
        async with answering():
            noted = await self._server.redis.hexists(shard_key(address.shard, "moves"), str(address.slot))
        if not noted:
            await self._index.swap(digest, entries.pending(address), entries.NONE)

    async def _forget(self, address: Address, row: bytes) -> None:
        await self._server.run("end_move", [shard_key(address.shard, "moves")], address.slot, row)
