"""Every subscription, shard by shard: for counts, and for whoever takes them all along."""

from collections import Counter
from collections.abc import AsyncIterator

from tocsin.domain.subscriptions import Address
from tocsin.store.client import answering
from tocsin.store.shards import shard_key
from tocsin.store.store import Store

# Where a record's key id stands, see `Record`.
_KEY_ID = slice(1, 5)


async def by_key(store: Store) -> Counter[bytes]:
    """How many subscribed with which VAPID key, by the keys' ids; those in quarantine are not counted."""
    found: Counter[bytes] = Counter()
    for shard in await store.numbers.shards():
        async with answering():
            rows = await store.server.redis.hvals(shard_key(shard, "records"))
        found.update(bytes(row[_KEY_ID]) for row in rows)
    return found


async def everyone(store: Store) -> AsyncIterator[tuple[Address, bytes]]:
    """Where each is and its packed record, as it was when its shard was read."""
    for shard in await store.numbers.shards():
        for slot, packed in sorted((await store.subscriptions.records(shard)).items()):
            yield Address.of(shard, slot), packed
