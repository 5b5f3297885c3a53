"""Which application server key the readers subscribed with: another one would have every push refused."""

from tocsin.store.client import Server, answering

_KEY = "{site}:vapid-key-id"


class Identity:
    def __init__(self, server: Server) -> None:
        self._server = server

    async def agrees(self, *key_ids: bytes) -> bool:
        """Whether one of these is the key of this store, or none is yet; changes nothing."""
        async with answering():
            kept: bytes | None = await self._server.redis.get(_KEY)
        return kept is None or kept in key_ids

    async def claim(self, key_id: bytes, *older: bytes) -> bool:
        """Whether this is the key of this store; the first one that asks becomes it, and one that comes after it."""
        async with answering():
            await self._server.redis.set(_KEY, key_id, nx=True)
            kept: bytes = await self._server.redis.get(_KEY)
        if kept in older:  # it was rotated while the store was away, or by a command that was killed
            await self.adopt(key_id)
        return kept in (key_id, *older)

    async def adopt(self, key_id: bytes) -> None:
        """A new key on purpose: readers get alerts again when they have come back to the page."""
        async with answering():
            await self._server.redis.set(_KEY, key_id)
