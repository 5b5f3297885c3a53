"""A shard's readers without their records: what it takes to decide for all of them."""

from collections.abc import Mapping, Sequence
from itertools import compress
from typing import Any, NamedTuple

from tocsin.domain.decisions import Limit
from tocsin.domain.subscriptions import SHARD_SIZE
from tocsin.store.client import Script, Server, answering
from tocsin.store.profiles import unpack_numbers
from tocsin.store.shards import shard_key, shard_keys

# A slot as the store writes it in a hash.
_NAMES = tuple(str(slot).encode() for slot in range(SHARD_SIZE))


class ShardReaders(NamedTuple):
    """`numbers` are the slots' profile numbers with the bit PERSONAL; the others have the few slots that have any."""

    numbers: tuple[int, ...]
    personal: Mapping[bytes, bytes]
    caps: Mapping[bytes, bytes]

    def personal_of(self, slots: Sequence[int]) -> list[bytes | None]:
        return _rows(self.personal, slots)

    def full(self, capped: Mapping[int, Limit], is_full: "CapIsFull") -> list[int]:
        """The slots of these whose readers have had as many as they wish; nothing is taken."""
        rows = zip(_rows(self.caps, list(capped)), capped.values(), strict=True)
        return list(compress(capped, map(is_full.__getitem__, rows)))


class CapIsFull(dict[tuple[bytes | None, Limit], bool]):
    """Whether a row of counts says that a cap is full. Few rows differ: to look one up is faster than to read it."""

    def __missing__(self, key: tuple[bytes | None, Limit]) -> bool:
        row, limit = key
        day, count = map(int, row.split()) if row else (0, 0)
        self[key] = (count if day == limit.day else 0) >= limit.most
        return self[key]


class Readers:
    def __init__(self, server: Server) -> None:
        self._server = server

    async def of_shards(self, sizes: Mapping[str, int]) -> list[ShardReaders]:
        """Of each of these shards, so many slots; in one trip."""
        return await self._server.together(*[_reading(shard, size) for shard, size in sizes.items()])

    async def personal(self, shard: str, slots: Sequence[int]) -> list[bytes | None]:
        """What is personal in these slots."""
        if not slots:
            return []
        # The whole hash: few have rows in it, and to name each slot would take longer than to read the others too.
        async with answering():
            return _rows(await self._server.redis.hgetall(shard_key(shard, "personal")), slots)


def _reading(shard: str, size: int) -> Script[ShardReaders]:
    def read(row: Any) -> ShardReaders:
        packed, personal, caps = row
        return ShardReaders(unpack_numbers(packed, size), _mapping(personal), _mapping(caps))

    return Script("read_readers", shard_keys(shard, "profiles", "personal", "caps"), (), read)


def _mapping(row: Sequence[bytes]) -> dict[bytes, bytes]:
    return dict(zip(row[::2], row[1::2], strict=True))


def _rows(found: Mapping[bytes, bytes], slots: Sequence[int]) -> list[bytes | None]:
    return list(map(found.get, map(_NAMES.__getitem__, slots)))
