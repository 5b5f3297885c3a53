"""How many requests one process may have in flight or not yet recorded: what could repeat if it were killed."""

import asyncio
from collections import Counter


class Permits:
    """Shared by the push services that are at work, so that one that hangs cannot take what the others need."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._shards: Counter[str] = Counter()
        self._taken: Counter[str] = Counter()
        self._freed = asyncio.Condition()

    def join(self, push_service: str) -> None:
        """One more shard of this push service is being worked on."""
        self._shards[push_service] += 1

    def leave(self, push_service: str) -> None:
        self._shards[push_service] -= 1

    async def take(self, push_service: str, wanted: int) -> int:
        """As many as are wanted, up to what is left of the push service's share; waits until there is at least one.

        There is one share more than push services at work: whoever comes next need not wait for a window that hangs.
        The shards of one push service, such as those of two alerts, share it equally.
        """
        async with self._freed:
            await self._freed.wait_for(lambda: self._left(push_service) > 0)
            fair = max(1, self._share // max(1, self._shards[push_service]))
            taken = min(wanted, fair, self._left(push_service))
            self._taken[push_service] += taken
            return taken

    async def give_back(self, push_service: str, count: int) -> None:
        async with self._freed:
            self._taken[push_service] -= count
            self._freed.notify_all()

    @property
    def _share(self) -> int:
        at_work = sum(shards > 0 for shards in self._shards.values())
        return max(1, self._most // (at_work + 1))

    def _left(self, push_service: str) -> int:
        return min(self._share - self._taken[push_service], self._most - self._taken.total())
