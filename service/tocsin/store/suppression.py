"""Browsers that were erased on request and stay away: else the page of each would register it again at its next visit.

Of each a keyed hash of its endpoint's digest is left, which its public id is the text of; the key is this store's own.
The server forgets it by itself.
"""

import hmac

from tocsin.domain.errors import Ended
from tocsin.store.client import Server, answering
from tocsin.store.secret import Secret

# As long as a browser may be silent before it is inactive, as it comes: whoever was not here by then seldom comes.
KEEP_DAYS = 180


class Suppression:
    def __init__(self, server: Server) -> None:
        self._server = server
        self._secret = Secret(server, "{site}:suppression-secret")

    async def add(self, digest: bytes) -> None:
        secret = await self._secret.load()
        async with answering():
            await self._server.redis.set(_key(secret, digest), b"", ex=KEEP_DAYS * 86_400)

    async def refuse(self, digest: bytes) -> None:
        """Raises Ended for one that is on the list."""
        secret = await self._secret.known()
        if secret is None:  # nobody was erased yet
            return
        async with answering():
            is_listed = await self._server.redis.exists(_key(secret, digest))
        if is_listed:
            raise Ended(
                "this browser was erased on request and stays away; to have alerts again, end its push subscription, "
                "subscribe anew and register without `replaces`"
            )


def _key(secret: bytes, digest: bytes) -> str:
    return f"{{site}}:suppressed:{hmac.digest(secret, digest, 'sha256')[:16].hex()}"
