"""How many requests one process may have in flight or not yet recorded: what could repeat if it were killed."""

import asyncio
from collections import Counter
from contextlib import suppress

# A lane that waits looks up this often, to renew its lease and to hear of a stop.
_WAIT_SECONDS = 1.0

# Of its share a lane keeps this part while an urgent one is at work at another push service: the machine is shared.
_BESIDE_URGENT = 10


class Permits:
    """Shared by the push services that are at work, so that one that hangs cannot take what the others need.

    What is urgent (flash) goes first: at its own push service nothing else is sent meanwhile, elsewhere little.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lanes: Counter[str] = Counter()
        self._urgent: Counter[str] = Counter()
        self._taken: Counter[str] = Counter()
        self._freed = asyncio.Condition()

    def join(self, push_service: str, urgent: bool = False) -> None:
        """One more shard of this push service is being worked on."""
        self._lanes[push_service] += 1
        self._urgent[push_service] += urgent

    async def leave(self, push_service: str, urgent: bool = False) -> None:
        async with self._freed:
            self._lanes[push_service] -= 1
            self._urgent[push_service] -= urgent
            self._freed.notify_all()

    async def take(self, push_service: str, wanted: int, urgent: bool = False) -> int:
        """As many as are wanted, up to what is left of the push service's share; 0 after a second without any.

        There is one share more than push services at work: whoever comes next need not wait for a window that hangs.
        The shards of one push service, such as those of two alerts, share it equally.
        """
        async with self._freed:
            with suppress(TimeoutError):
                async with asyncio.timeout(_WAIT_SECONDS):
                    await self._freed.wait_for(lambda: self._may(push_service, urgent))
            if not self._may(push_service, urgent):
                return 0
            fair = self._share // max(1, self._lanes[push_service])
            if not urgent and self._urgent.total():
                fair //= _BESIDE_URGENT
            taken = min(wanted, max(1, fair), self._left(push_service))
            self._taken[push_service] += taken
            return taken

    async def give_back(self, push_service: str, count: int) -> None:
        async with self._freed:
            self._taken[push_service] -= count
            self._freed.notify_all()

    def _may(self, push_service: str, urgent: bool) -> bool:
        return self._left(push_service) > 0 and (urgent or not self._urgent[push_service])

    @property
    def _share(self) -> int:
        at_work = sum(lanes > 0 for lanes in self._lanes.values())
        return max(1, self._most // (at_work + 1))

    def _left(self, push_service: str) -> int:
        return min(self._share - self._taken[push_service], self._most - self._taken.total())
