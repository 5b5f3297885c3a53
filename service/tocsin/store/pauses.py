"""Queues that an operator paused: what waits in them stays, and nothing is taken out until they are resumed."""

from tocsin.store.alerts import PAUSED
from tocsin.store.client import Server, answering


class Pauses:
    """Claims ask for themselves (claim_shard.lua); `maintenance` has no claims, so that its worker asks `is_paused`."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def pause(self, queue: str) -> None:
        async with answering():
            await self._server.redis.sadd(PAUSED, queue)

    async def resume(self, queue: str) -> None:
        async with answering():
            await self._server.redis.srem(PAUSED, queue)

    async def paused(self) -> set[str]:
        async with answering():
            return {name.decode() for name in await self._server.redis.smembers(PAUSED)}

    async def is_paused(self, queue: str) -> bool:
        async with answering():
            return bool(await self._server.redis.sismember(PAUSED, queue))
