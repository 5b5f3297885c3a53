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
        """One more shard is being worked on."""
        self._workers += 1

    def leave(self) -> None:
        self._workers -= 1

    async def take(self, wanted: int) -> int:
        """As many as are wanted, up to an equal share; waits until there is at least one.

        One share more than there are workers, so that whoever comes next need not wait for a window that hangs.
        """
        async with self._freed:
            await self._freed.wait_for(lambda: self._free > 0)
            share = max(1, self._most // (self._workers + 1))
            taken = min(wanted, share, self._free)
            self._free -= taken
            return taken

    async def give_back(self, count: int) -> None:
        async with self._freed:
            self._free += count
            self._freed.notify_all()
