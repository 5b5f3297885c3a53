"""How often an address may subscribe and a person may send, over all API processes.

Who it was is kept as a keyed hash, for the length of two windows: no address, and nobody's id.
"""

import hmac
from math import ceil
from time import time
from typing import Any

from limits import RateLimitItem, parse
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from tocsin.domain.errors import TooMany
from tocsin.store.client import Server, answering
from tocsin.store.secret import Secret


class Rates:
    """`hit` raises TooMany with the seconds to wait. A rate of `off` lets everything through."""

    def __init__(self, server: Server) -> None:
        storage = RedisStorage("async+redis://", implementation="redispy", key_prefix="rates")
        bridge: Any = storage.bridge  # its type is that of every kind of server
        # Its own client would not travel with ours, and would retry for longer than a caller waits. That ours repeats
        # after a lost connection may count a call twice; at worst somebody waits.
        bridge.storage = server.redis
        bridge.register_scripts()
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._secret = Secret(server, "{site}:rate-secret")
        self._items: dict[str, RateLimitItem] = {}

    async def hit(self, rate: str, what: str, who: str) -> None:
        if rate == "off":
            return
        item = self._items.setdefault(rate, parse(rate))
        async with answering():
            hashed = hmac.digest(await self._secret.load(), who.encode(), "sha256")[:16].hex()
            if await self._limiter.hit(item, what, hashed):
                return
            reset = (await self._limiter.get_window_stats(item, what, hashed)).reset_time
        raise TooMany(f"at most {rate.replace('/', ' a ')}; wait and repeat", max(1, ceil(reset - time())))
