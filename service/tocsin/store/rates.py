"""How often an address may subscribe and a person may send, over all API processes."""

from math import ceil
from time import time
from typing import Any

from limits import RateLimitItem, parse
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from tocsin.domain.errors import TooMany
from tocsin.store.client import SOCKET_TIMEOUT, answering


class Rates:
    """`hit` raises TooMany with the seconds to wait. A rate of `off` lets everything through."""

    def __init__(self, url: str) -> None:
        # The library knows a unix socket only under this name, and would retry for longer than a caller waits.
        located = url.replace("unix://", "redis+unix://", 1)
        options: dict[str, Any] = {"socket_timeout": SOCKET_TIMEOUT, "retry": Retry(NoBackoff(), 0)}
        storage = RedisStorage(f"async+{located}", implementation="redispy", key_prefix="rates", **options)
        bridge: Any = storage.bridge  # its type is that of every kind of server
        self._redis = bridge.storage
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._items: dict[str, RateLimitItem] = {}

    async def hit(self, rate: str, what: str, who: str) -> None:
        if rate == "off":
            return
        item = self._items.setdefault(rate, parse(rate))
        async with answering():
            if await self._limiter.hit(item, what, who):
                return
            reset = (await self._limiter.get_window_stats(item, what, who)).reset_time
        raise TooMany(f"at most {rate.replace('/', ' a ')}; wait and repeat", max(1, ceil(reset - time())))

    async def close(self) -> None:
        await self._redis.aclose()
