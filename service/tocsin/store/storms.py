"""How an operator ends a storm of the gone: they all come back, or they are all deleted for good."""

import asyncio
from collections.abc import Awaitable, Callable

from tocsin.domain.subscriptions import Address
from tocsin.store.numbers import Numbers, shards_below
from tocsin.store.pace import Pace
from tocsin.store.prekeys import Prekeys
from tocsin.store.quarantine import Quarantine
from tocsin.store.subscriptions import Subscriptions

_AT_ONCE = 50


class Storms:
    """Each ends the storm last: a call that broke off is repeated, and nobody is deleted by the way meanwhile."""

    def __init__(self, pace: Pace, numbers: Numbers, quarantine: Quarantine, subscriptions: Subscriptions) -> None:
        self._pace = pace
        self._numbers = numbers
        self._quarantine = quarantine
        self._subscriptions = subscriptions

    async def restore(self, push_service: str) -> int:
        """Brings back all who are in quarantine; how many that were."""
        restored = await self._each(push_service, self._quarantine.restore)
        await self._pace.end_storm(push_service)
        return restored

    async def confirm(self, push_service: str, prekeys: Prekeys, now_ms: int) -> int:
        """Deletes all who are in quarantine for good; how many that were."""

        async def delete(address: Address) -> bool:
            deleted = await self._subscriptions.delete_quarantined(address, now_ms)
            if deleted:
                await prekeys.drop(address)
            return deleted

        deleted = await self._each(push_service, delete)
        await self._pace.end_storm(push_service)
        return deleted

    async def _each(self, push_service: str, act: Callable[[Address], Awaitable[bool]]) -> int:
        done = 0
        bound = (await self._numbers.bounds()).get(push_service, 0)
        for shard in shards_below(push_service, bound):
            gone = await self._quarantine.of(shard)
            for first in range(0, len(gone), _AT_ONCE):
                batch = gone[first : first + _AT_ONCE]
                done += sum(await asyncio.gather(*(act(each.address) for each in batch)))
        return done
