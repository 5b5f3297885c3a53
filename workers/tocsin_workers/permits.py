"""How many requests one process may have in flight or not yet recorded: what could repeat if it were killed."""

import asyncio
import time
from collections import Counter
from contextlib import suppress

# A shard that waits looks up this often, to renew its lease and to hear of a stop.
_WAIT_SECONDS = 1.0

# Of its share an alert keeps this part while an urgent one is at work at another push service: the machine is shared.
_BESIDE_URGENT = 10
# An urgent alert that finished a shard is about to claim its next one; nobody slips in between.
_LINGER_SECONDS = 0.25

# A push service that accepted nothing for so long, or for two of its usual windows, may hold this part of all.
_PROVEN_SECONDS = 2.0
_UNPROVEN = 10

# A share of so many goes in one window; of a larger one a window takes this part, so that some are on their way while
# others are written down (at 30 ms an answer: 20,300 a second in tens of windows of 100, 10,500 in one of 1,000).
_WHOLE_WINDOW = 125
_WINDOWS = 4

# One alert at one push service: what a process may work on several shards of.
Lane = tuple[str, str]


class Permits:
    """Shared by the push services that are at work, so that one that hangs takes next to nothing from the others.

    What is urgent (flash) goes first: at its own push service nothing else is sent meanwhile, elsewhere little.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._shards: Counter[Lane] = Counter()
        self._starting: Counter[Lane] = Counter()
        self._paused: Counter[Lane] = Counter()
        self._urgent: Counter[Lane] = Counter()
        self._lingers: dict[str, float] = {}
        self._proven: dict[str, float] = {}
        self._taken: Counter[Lane] = Counter()
        self._freed = asyncio.Condition()
        self._waking: set[asyncio.Task[None]] = set()
        self.room = asyncio.Event()
        """Set when a shard at work leaves room for another one of its lane."""

    def join(self, lane: Lane, urgent: bool = False) -> None:
        """One more shard of this lane is being worked on."""
        self._shards[lane] += 1
        self._starting[lane] += 1
        self._urgent[lane] += urgent

    def leave(self, lane: Lane, urgent: bool = False, started: bool = True) -> None:
        """`started` says whether it ever asked for any."""
        self._shards[lane] -= 1
        self._starting[lane] -= not started
        self._urgent[lane] -= urgent
        for counts in (self._shards, self._starting, self._paused, self._urgent):
            if counts[lane] == 0:
                del counts[lane]
        if urgent:
            self._lingers[lane[1]] = time.monotonic() + _LINGER_SECONDS
        self._wake_soon(_LINGER_SECONDS if urgent else 0.0)

    def started(self, lane: Lane) -> None:
        """A shard has its first ones: from here on it is known what it leaves to others."""
        self._starting[lane] -= 1
        if self.has_room(lane):
            self.room.set()

    def pause(self, lane: Lane, urgent: bool = False) -> None:
        """This shard sends nothing for a while, because of the pace: nobody has to wait for it, and another one of its
        lane would come no further."""
        self._paused[lane] += 1
        if urgent:
            self._urgent[lane] -= 1
            self._wake_soon(0.0)

    def go_on(self, lane: Lane, urgent: bool = False) -> None:
        self._paused[lane] -= 1
        self._urgent[lane] += urgent

    def prove(self, push_service: str, window_seconds: float) -> None:
        """It just accepted something; its windows take so long."""
        self._proven[push_service] = time.monotonic() + max(_PROVEN_SECONDS, 2 * window_seconds)

    def has_room(self, lane: Lane, claimed: int = 0) -> bool:
        """Whether the shards of this lane that are at work leave any for another one, and it could have them now.

        `claimed` is how many there are, those counted that have not joined yet: what they leave is not known either.
        """
        if self._shards[lane] < claimed or self._starting[lane] > 0 or self._paused[lane] > 0:
            return False
        # All shards of an alert are urgent, or none is.
        return self._may(lane, self._urgent[lane] > 0)

    async def take(self, lane: Lane, wanted: int, urgent: bool = False) -> int:
        """As many as are wanted, up to a window's part of what is left for this lane; 0 after a second without any.

        There is one share more than push services at work: whoever comes next need not wait for a window that hangs.
        The alerts at one push service share it equally.
        """
        async with self._freed:
            with suppress(TimeoutError):
                async with asyncio.timeout(_WAIT_SECONDS):
                    await self._freed.wait_for(lambda: self._may(lane, urgent))
            if not self._may(lane, urgent):
                return 0
            taken = min(wanted, self._window(lane, urgent), self._left(lane, urgent))
            self._taken[lane] += taken
            return taken

    def may_keep(self, lane: Lane, held: int, wanted: int, urgent: bool = False) -> bool:
        """Whether the next window may have those of the last, and would not get more by asking anew."""
        left = self._left(lane, urgent)
        if left < 0 or (not urgent and self._is_urgent(lane[1])):
            return False
        return min(wanted, self._window(lane, urgent), left + held) <= held

    def _window(self, lane: Lane, urgent: bool) -> int:
        """The most that goes at once."""
        return max(_WHOLE_WINDOW, self._fair(lane, urgent) // _WINDOWS)

    async def give_back(self, lane: Lane, count: int) -> None:
        async with self._freed:
            self._taken[lane] -= count
            if self._taken[lane] == 0:
                del self._taken[lane]
            self._freed.notify_all()

    async def spare(self, lane: Lane, count: int) -> None:
        """A shard at work needs these no more: others need not wait for its last, small windows."""
        await self.give_back(lane, count)
        if self.has_room(lane):
            self.room.set()

    def _wake_soon(self, seconds: float) -> None:
        task = asyncio.create_task(self._wake(seconds))
        self._waking.add(task)
        task.add_done_callback(self._waking.discard)

    async def _wake(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        async with self._freed:
            self._freed.notify_all()

    def _may(self, lane: Lane, urgent: bool) -> bool:
        return self._left(lane, urgent) > 0 and (urgent or not self._is_urgent(lane[1]))

    def _is_urgent(self, push_service: str) -> bool:
        at_work = any(count > 0 for (_, name), count in self._urgent.items() if name == push_service)
        return at_work or self._lingers.get(push_service, 0.0) > time.monotonic()

    def _is_proven(self, push_service: str) -> bool:
        return self._proven.get(push_service, 0.0) > time.monotonic()

    def _share(self, push_service: str) -> int:
        """Of one push service. Half for one alone: where it begins to refuse our key, two processes have made a hundred
        requests before anybody knows."""
        if not self._is_proven(push_service):
            return max(1, self._most // _UNPROVEN)
        at_work = {name for (_, name), shards in self._shards.items() if shards > 0 and self._is_proven(name)}
        return max(1, self._most // (len(at_work) + 1))

    def _fair(self, lane: Lane, urgent: bool) -> int:
        """Of one alert at its push service. Who waits for something urgent takes no part of what it may have."""
        counts = self._urgent if urgent else self._shards
        lanes = sum(count > 0 for (_, name), count in counts.items() if name == lane[1])
        fair = self._share(lane[1]) // max(1, lanes)
        if not urgent and any(map(self._is_urgent, {*self._lingers, *(name for _, name in self._urgent)})):
            fair //= _BESIDE_URGENT
        return max(1, fair)

    def _left(self, lane: Lane, urgent: bool = False) -> int:
        of_service = sum(count for (_, name), count in self._taken.items() if name == lane[1])
        return min(
            self._fair(lane, urgent) - self._taken[lane],
            self._share(lane[1]) - of_service,
            self._most - self._taken.total(),
        )
