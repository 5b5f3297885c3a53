"""The last caller that said for whom it asked and was not believed, for `tocsin doctor`."""

from tocsin.store.client import Server, answering

_KEY = "{site}:untrusted-proxy"

# A proxy that is trusted by now is forgotten a day later.
KEEP_SECONDS = 86_400


class Proxies:
    def __init__(self, server: Server) -> None:
        self._server = server

    async def note(self, address: str) -> None:
        async with answering():
            await self._server.redis.set(_KEY, address, ex=KEEP_SECONDS)

    async def noted(self) -> str | None:
        async with answering():
            address = await self._server.redis.get(_KEY)
        return address.decode() if address else None
