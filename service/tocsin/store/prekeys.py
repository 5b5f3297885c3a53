"""Prekeys in their server: strings of fixed width, one for each shard and layer.

An entry is handed out once. It is overwritten by the script that reads it; a `put` needs a leave that it uses up, so
that one that arrives twice does nothing; and nothing here repeats a call. What a dump, a replica or a fail-over could
bring back was closed for another life of the server (run id and replication id), and is dropped.
"""

import asyncio
import hashlib
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import starmap
from typing import Any

import structlog

from tocsin.domain.errors import Unavailable
from tocsin.domain.subscriptions import SHARD_SIZE, Address
from tocsin.store.client import Argument, Script, Server, answering
from tocsin.store.health import keeping_fault
from tocsin.store.shards import shard_key

log = structlog.get_logger()

# An alert does not wait longer than this for what is there to save it time; then it asks no more for a while.
TAKE_SECONDS = 0.1
REST_SECONDS = 3.0
MAKE_SECONDS = 1.0
# More than filling a shard takes, so that no two fill the same one.
LEAVE_MS = 10_000
KEEP_SECONDS = 7 * 86_400

# What the entries' seals are made from is in the store: the prekey server's memory alone opens nothing.
SEALS = "{site}:prekey-secret"
# A shard's string begins with its stock in digits and the life of the server that it was written in.
_STOCK_DIGITS, _SHARD_HEAD_SIZE = 8, 48
_ENTRY_SIZE = 128
_HEAD_SIZE = 4


@dataclass(frozen=True)
class Taken:
    """Entries by slot, and the life of the server that they were closed for."""

    life: bytes = b""
    entries: Mapping[int, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Leave:
    """To fill a shard once. `heads` are the first 4 bytes of entries by layer and slot, zeros where there is none."""

    shard: str
    token: str
    life: bytes
    heads: Sequence[Sequence[bytes]]


class Prekeys:
    """`layers` is how many a subscription may have."""

    def __init__(self, url: str, layers: int) -> None:
        self.layers = layers
        # No call is repeated: whether a lost one was done is not known, and a put done twice would revive used keys.
        self._taking = Server(url, TAKE_SECONDS, retries=0)
        self._making = Server(url, MAKE_SECONDS, retries=0)
        self._asks_from = 0.0
        self._is_away = False

    async def take(self, wanted: Mapping[str, Iterable[int]]) -> list[Taken]:
        """What there is for these slots of each shard. Whatever is wrong with the server, the answer is that there is
        nothing."""
        nothing = [Taken()] * len(wanted)
        if not self.layers or time.monotonic() < self._asks_from:
            return nothing
        try:
            found = await self._taking.together(*starmap(self._take, wanted.items()))
        except (Unavailable, RuntimeError) as error:
            self._asks_from = time.monotonic() + REST_SECONDS
            if not self._is_away:
                log.warning("no prekeys for a while", error=str(error))
            self._is_away = True
            return nothing
        self._is_away = False
        return found

    def _take(self, shard: str, slots: Iterable[int]) -> Script[Taken]:
        arguments = [number for run in _runs(slots) for number in (run.start, len(run))]
        return Script("take_prekeys", self._keys(shard), arguments, _taken)

    async def drop(self, address: Address) -> None:
        """Those of a browser that is not there any more; whatever stays is dropped when the shard is looked through."""
        for _ in range(self.layers):
            await self.take({address.shard: [address.slot]})

    async def held(self, address: Address) -> int:
        """How many lie there for one browser."""
        start = _SHARD_HEAD_SIZE + address.slot * _ENTRY_SIZE
        async with answering(), self._making.redis.pipeline(transaction=False) as pipe:
            for key in self._keys(address.shard):
                pipe.getrange(key, start, start + _HEAD_SIZE - 1)
            return sum(bool(row.strip(b"\0")) for row in await pipe.execute())

    async def prepare(self) -> None:
        """So that the first window does not wait for a connection."""
        if self.layers:
            await self._taking.prepare(["take_prekeys"])

    async def claim(self, shard: str) -> Leave | None:
        """None while another has it, and where the server has a copy or cannot say who it is."""
        token = secrets.token_urlsafe(16)
        found = await self._making.run("claim_prekeys", [_leave_key(shard), *self._keys(shard)], token, LEAVE_MS)
        return Leave(shard, token, found[0], list(map(_heads, found[1:]))) if found else None

    async def put(self, leave: Leave, made: Sequence[Mapping[int, bytes]]) -> bool:
        """By layer, the entries of slots; zeros take one away. False where the leave was used up or has lapsed."""
        arguments: list[Argument] = [
            argument
            for layer, entries in enumerate(made, 1)
            for run in _runs(entries)
            for argument in (layer, run.start, b"".join(entries[slot] for slot in run))
        ]
        keys = [_leave_key(leave.shard), *self._keys(leave.shard)]
        return bool(await self._making.run("put_prekeys", keys, leave.token, leave.life, KEEP_SECONDS, *arguments))

    async def stock(self, shards: Sequence[str]) -> list[int]:
        """How many each of these shards has, closed for this life of the server."""
        if not self.layers:
            return [0] * len(shards)
        async with answering(), self._making.redis.pipeline(transaction=False) as pipe:
            pipe.info("server").info("replication")
            for shard in shards:
                for key in self._keys(shard):
                    pipe.getrange(key, 0, _SHARD_HEAD_SIZE - 1)
            server, replication, *heads = await pipe.execute()
        # As the scripts have it.
        ids = f"{server.get('run_id')}{replication.get('master_replid')}".encode()
        life = hashlib.sha1(ids, usedforsecurity=False).hexdigest().encode()
        rows = [int(head[:_STOCK_DIGITS]) if head[_STOCK_DIGITS:] == life else 0 for head in heads]
        return [sum(rows[at : at + self.layers]) for at in range(0, len(rows), self.layers)]

    async def fault(self) -> str | None:
        """Why no prekeys may be kept there; None where they may."""
        return await keeping_fault(self._making)

    async def close(self) -> None:
        await asyncio.gather(self._taking.close(), self._making.close())

    def _keys(self, shard: str) -> list[str]:
        return [shard_key(shard, f"prekeys:{layer}") for layer in range(self.layers)]


def _taken(row: Any) -> Taken:
    return Taken(row[0], dict(zip(row[1::2], row[2::2], strict=True))) if row else Taken()


def _leave_key(shard: str) -> str:
    return shard_key(shard, "prekeys:leave")


def _heads(packed: bytes) -> list[bytes]:
    whole = packed.ljust(SHARD_SIZE * _HEAD_SIZE, b"\0")
    return [whole[at : at + _HEAD_SIZE] for at in range(0, len(whole), _HEAD_SIZE)]


def _runs(slots: Iterable[int]) -> list[range]:
    """Slots that follow one another, together."""
    runs: list[range] = []
    for slot in sorted(slots):
        if runs and slot == runs[-1].stop:
            runs[-1] = range(runs[-1].start, slot + 1)
        else:
            runs.append(range(slot, slot + 1))
    return runs
