"""How busy this process is, and what gives way first.

A beacon's sender reads no answer and repeats nothing, and a lost one makes a count lower; a registration or an alert
that waits is somebody who waits. So beacons are turned away before their bodies are read, long before others feel it.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from tocsin.domain.errors import Overloaded

# Of either kind. Measured (`make bench-api`): an API that keeps its p99 under 100 ms has far fewer under way.
MOST_IN_WORK = 64
# How late the event loop may come to what is due. A loop at rest is 1 ms late at most.
MOST_LAG = 0.05
_LOOK_SECONDS = 0.02


class Load:
    """`others` and `beacons` count the calls whose body is read and whose answer is not made yet."""

    def __init__(self) -> None:
        self.others = 0
        self.beacons = 0
        self._turned_away = 0
        self._lag = 0.0
        self._due: float | None = None

    @contextmanager
    def working(self, beacon: bool) -> Iterator[None]:
        kind = "beacons" if beacon else "others"
        setattr(self, kind, getattr(self, kind) + 1)
        try:
            yield
        finally:
            setattr(self, kind, getattr(self, kind) - 1)

    def give_way(self) -> None:
        """Raises Overloaded where a beacon has to."""
        late = self.lag(asyncio.get_running_loop().time())
        if max(self.others, self.beacons) >= MOST_IN_WORK or late >= MOST_LAG:
            self._turned_away += 1
            raise Overloaded("too busy for receipts; do not repeat this one")

    def take_turned_away(self) -> int:
        """How many had to since this was asked last."""
        count, self._turned_away = self._turned_away, 0
        return count

    def put_back(self, turned_away: int) -> None:
        self._turned_away += turned_away

    def lag(self, now: float) -> float:
        """Seconds that the loop is late, or was when it was looked at last."""
        return max(self._lag, 0.0 if self._due is None else now - self._due)

    def look(self, now: float, next_due: float) -> None:
        """The loop came to the look that was due, and the next one is due then."""
        self._lag = 0.0 if self._due is None else max(0.0, now - self._due)
        self._due = next_due

    async def watch(self) -> None:
        """Looks for ever."""
        clock = asyncio.get_running_loop().time
        while True:
            now = clock()
            self.look(now, now + _LOOK_SECONDS)
            await asyncio.sleep(_LOOK_SECONDS)
