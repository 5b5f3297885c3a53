"""Ledgers of alerts that are over are kept packed: a fifth of the room, and nobody changes them any more.

What is packed can still be read by everybody, and no script writes into it. A run's own records go with it: when its
readers had it is in the alert's totals, which stay.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tocsin.domain.deliveries import Ledger, is_packed
from tocsin.store.alerts import LEDGERS, OPEN, PREFIX, alert_key
from tocsin.store.client import Script, Server, answering
from tocsin.store.ledgers import ledger_key, run_key, taken_key
from tocsin.store.numbers import shards_below

# An alert rests so long after its end, and after the end of its attempts where somebody may be tried again: whoever saw
# it open has long since let go of it.
REST_MS = 600_000
_SHARDS_AT_ONCE = 100
_DONE = b"done"


class Packing:
    def __init__(self, server: Server) -> None:
        self._server = server

    async def due(self, now_ms: int) -> list[str]:
        """Alerts whose ledgers can be packed now and are not, oldest first; one whose packing was broken off too."""
        async with answering(), self._server.redis.pipeline(transaction=False) as pipe:
            ids = [row.decode() for row in await self._server.redis.zrange(LEDGERS, 0, -1)]
            for alert_id in ids:
                pipe.hget(alert_key(alert_id), "packed")
            packed = await pipe.execute()
        return [
            alert_id
            for alert_id, state in zip(ids, packed, strict=True)
            if state != _DONE and await self._start(alert_id, now_ms)
        ]

    async def _start(self, alert_id: str, now_ms: int) -> bool:
        keys = [alert_key(alert_id), OPEN]
        return bool(await self._server.run("start_packing", keys, alert_id, now_ms, REST_MS))

    async def pack(self, alert_id: str, bounds: Mapping[str, int]) -> None:
        """All of a started alert's ledgers, some at a time; may be broken off anywhere and done again."""
        for push_service, bound in bounds.items():
            shards = shards_below(push_service, bound)
            for first in range(0, len(shards), _SHARDS_AT_ONCE):
                await self._pack(alert_id, shards[first : first + _SHARDS_AT_ONCE])
        async with answering(), self._server.redis.pipeline(transaction=True) as pipe:
            pipe.unlink(*(f"{PREFIX}{name}:{alert_id}" for name in ("epochs", "again")))
            pipe.hset(alert_key(alert_id), "packed", _DONE)
            await pipe.execute()

    async def _pack(self, alert_id: str, shards: Sequence[str]) -> None:
        async with answering(), self._server.redis.pipeline(transaction=False) as pipe:
            for shard in shards:
                pipe.get(ledger_key(shard, alert_id))
            rows = await pipe.execute()
        await self._server.together(
            *(_packing(shard, alert_id, row or b"") for shard, row in zip(shards, rows, strict=True))
        )


def _packing(shard: str, alert_id: str, row: bytes) -> Script[Any]:
    """Of a shard that was never planned, and of a ledger that is packed, there is only the run to forget."""
    keys = [name(shard, alert_id) for name in (ledger_key, run_key, taken_key)]
    packed = Ledger(row).packed() if row and not is_packed(row) else row
    return Script("pack_ledger", keys, [row, packed], bool)
