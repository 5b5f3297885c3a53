"""Random bytes that the store keeps for all processes, made by the first that asks."""

import secrets

from tocsin.store.client import Server, answering


class Secret:
    """32 bytes under this key; what was read once stays true."""

    def __init__(self, server: Server, key: str) -> None:
        self._server = server
        self._key = key
        self._bytes: bytes | None = None

    async def known(self) -> bytes | None:
        """None where nobody asked for them yet."""
        if self._bytes is None:
            async with answering():
                self._bytes = await self._server.redis.get(self._key)
        return self._bytes

    async def load(self) -> bytes:
        if self._bytes is None:
            async with answering():
                await self._server.redis.set(self._key, secrets.token_bytes(32), nx=True)
                self._bytes = await self._server.redis.get(self._key)
        return self._bytes
