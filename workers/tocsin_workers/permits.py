"""How many requests one process may have in flight or not yet recorded: what could repeat if it were killed."""

import asyncio


class Permits:
    """Shared by all that is at work in the process, so that one slow push service does not take the others' share."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._free = most
        self._workers = 0
        self._freed = asyncio.Condition()

    def join(self) -> None:
        """One more push service is being worked on."""
        self._workers += 1

    def leave(self) -> None:
        self._workers -= 1

    async def take(self) -> int:
        """An equal share, or what is left of it; waits until there is at least one."""
        async with self._freed:
            await self._freed.wait_for(lambda: self._free > 0)
            share = max(1, self._most // max(1, self._workers))
            taken = min(share, self._free)
            self._free -= taken
            return taken

    async def give_back(self, count: int) -> None:
        async with self._freed:
            self._free += count
            self._freed.notify_all()
