"""How many requests one process may have in flight or not yet recorded: what could repeat if it were killed."""

import asyncio
import time
from collections import Counter
from contextlib import suppress

# A lane that waits looks up this often, to renew its lease and to hear of a stop.
_WAIT_SECONDS = 1.0

# Of its share a lane keeps this part while an urgent one is at work at another push service: the machine is shared.
_BESIDE_URGENT = 10
# An urgent alert that finished a shard is about to claim its next one; nobody slips in between.
_LINGER_SECONDS = 0.25

# A push service that accepted nothing for so long, or for two of its usual windows, may hold this part of all.
_PROVEN_SECONDS = 2.0
_UNPROVEN = 10


class Permits:
    """Shared by the push services that are at work, so that one that hangs takes next to nothing from the others.

    What is urgent (flash) goes first: at its own push service nothing else is sent meanwhile, elsewhere little.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lanes: Counter[str] = Counter()
        self._urgent: Counter[str] = Counter()
        self._lingers: dict[str, float] = {}
        self._proven: dict[str, float] = {}
        self._taken: Counter[str] = Counter()
        self._freed = asyncio.Condition()
        self._waking: set[asyncio.Task[None]] = set()

    def join(self, push_service: str, urgent: bool = False) -> None:
        """One more shard of this push service is being worked on."""
        self._lanes[push_service] += 1
        self._urgent[push_service] += urgent

    def leave(self, push_service: str, urgent: bool = False) -> None:
        self._lanes[push_service] -= 1
        self._urgent[push_service] -= urgent
        if urgent:
            self._lingers[push_service] = time.monotonic() + _LINGER_SECONDS
        self._wake_soon(_LINGER_SECONDS if urgent else 0.0)

    def pause(self, push_service: str, urgent: bool = False) -> None:
        """This lane sends nothing for a while, for its own reasons: nobody has to wait for it."""
        if urgent:
            self._urgent[push_service] -= 1
            self._wake_soon(0.0)

    def go_on(self, push_service: str, urgent: bool = False) -> None:
        self._urgent[push_service] += urgent

    def prove(self, push_service: str, window_seconds: float) -> None:
        """It just accepted something; its windows take so long."""
        self._proven[push_service] = time.monotonic() + max(_PROVEN_SECONDS, 2 * window_seconds)

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
            # Who waits for something urgent takes no part of what it may have.
            lanes = self._urgent[push_service] if urgent else self._lanes[push_service]
            fair = self._share(push_service) // max(1, lanes)
            if not urgent and any(self._is_urgent(name) for name in self._urgent):
                fair //= _BESIDE_URGENT
            taken = min(wanted, max(1, fair), self._left(push_service))
            self._taken[push_service] += taken
            return taken

    async def give_back(self, push_service: str, count: int) -> None:
        async with self._freed:
            self._taken[push_service] -= count
            self._freed.notify_all()

    def _wake_soon(self, seconds: float) -> None:
        task = asyncio.create_task(self._wake(seconds))
        self._waking.add(task)
        task.add_done_callback(self._waking.discard)

    async def _wake(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        async with self._freed:
            self._freed.notify_all()

    def _may(self, push_service: str, urgent: bool) -> bool:
        return self._left(push_service) > 0 and (urgent or not self._is_urgent(push_service))

    def _is_urgent(self, push_service: str) -> bool:
        return self._urgent[push_service] > 0 or self._lingers.get(push_service, 0.0) > time.monotonic()

    def _is_proven(self, push_service: str) -> bool:
        return self._proven.get(push_service, 0.0) > time.monotonic()

    def _share(self, push_service: str) -> int:
        if not self._is_proven(push_service):
            return max(1, self._most // _UNPROVEN)
        at_work = sum(lanes > 0 and self._is_proven(name) for name, lanes in self._lanes.items())
        return max(1, self._most // (at_work + 1))

    def _left(self, push_service: str) -> int:
        return min(self._share(push_service) - self._taken[push_service], self._most - self._taken.total())
