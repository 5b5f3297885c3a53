"""From the first schema to the second: each shard's ledger out of the hash of its run, into a key of its own.

The first version kept, in the hash of a shard's run, the ledger and its account, written whole with each window. Since
two hands may settle readers of one ledger (a run, and the round of those who were deferred), a ledger is a string that
is written slot by slot, and of the account only what no ledger says is kept: how many were eligible, and the times.
"""

import asyncio
import json
from collections.abc import Callable

from tocsin.domain.errors import Misconfigured
from tocsin.domain.progress import Times
from tocsin.store.alerts import LEDGERS, PREFIX
from tocsin.store.client import Server, answering
from tocsin.store.ledgers import dump_times, ledger_key, run_key
from tocsin.store.numbers import shards_below

# A line for people who watch.
Told = Callable[[str], None]

_LOOK_SECONDS = 0.2
# A lease that ends so much later than any that there was has been renewed, or is new.
_RENEWED_MS = 1_000
_AT_ONCE = 200


async def ledgers_apart(server: Server, told: Told) -> dict[str, int]:
    """Raises Misconfigured where a worker is at work: one of the first version would write the old form again."""
    await _until_nobody_works(server, told)
    async with answering():
        alert_ids = [row.decode() for row in await server.redis.zrange(LEDGERS, 0, -1)]
    moved = 0
    for place, alert_id in enumerate(alert_ids, start=1):
        async with answering():
            bounds = await server.redis.hgetall(f"{PREFIX}bounds:{alert_id}")
        shards = [shard for name, bound in bounds.items() for shard in shards_below(name.decode(), int(bound))]
        mine = 0
        for first in range(0, len(shards), _AT_ONCE):
            mine += await _move(server, alert_id, shards[first : first + _AT_ONCE])
        moved += mine
        told(f"alert {place} of {len(alert_ids)}: {mine} of {len(shards)} ledgers moved")
    return {"alerts": len(alert_ids), "ledgers": moved}


async def _move(server: Server, alert_id: str, shards: list[str]) -> int:
    async with answering(), server.redis.pipeline(transaction=False) as pipe:
        for shard in shards:
            pipe.hmget(run_key(shard, alert_id), "ledger", "counts")
        rows = await pipe.execute()
    moved = 0
    for shard, (ledger, counts) in zip(shards, rows, strict=True):
        if ledger and counts:
            keys = [run_key(shard, alert_id), ledger_key(shard, alert_id)]
            moved += await server.run("move_ledger", keys, counts, *_account(counts))
    return moved


def _account(counts: bytes) -> tuple[int, str]:
    """What is kept of an account of the first version."""
    row = json.loads(counts)
    buckets = {int(bucket): count for bucket, count in row["times"].items()}
    return row["eligible"], dump_times(Times(buckets, row["within"], row["first_ms"], row["first_request_ms"]))


async def _until_nobody_works(server: Server, told: Told) -> None:
    """Leases of workers that were killed lapse within half a minute."""
    latest = None
    while (until := await _last_lease(server)) is not None:
        if latest is None:
            told("a worker was at work a moment ago: waiting until its lease lapses")
            latest = until
        if until > latest + _RENEWED_MS:
            raise Misconfigured("workers are at work on the store: end all parts of Tocsin, then repeat this")
        await asyncio.sleep(_LOOK_SECONDS)


async def _last_lease(server: Server) -> float | None:
    """When the last of all leases that have not lapsed ends (ms since 1970)."""
    ends: list[float] = []
    async with answering():
        seconds, microseconds = await server.redis.time()
        now_ms = int(seconds) * 1000 + int(microseconds) // 1000
        async for key in server.redis.scan_iter(match=f"{PREFIX}leased:*", count=1_000):
            rows = await server.redis.zrange(key, now_ms, "+inf", byscore=True, withscores=True)
            ends += [until for _, until in rows]
    return max(ends, default=None)
