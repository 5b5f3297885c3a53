"""Counts for people who watch, written whole about once a second."""

import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from contextlib import suppress

from tocsin import clock
from tocsin.domain.deliveries import Answer, Rule
from tocsin.domain.errors import Unavailable
from tocsin.domain.progress import time_bucket
from tocsin.store.processes import MADE, Counted, Processes

_EVERY_SECONDS = 1.0
_RATE_SECONDS = 5.0


class Counting:
    def __init__(self, processes: Processes, name: str) -> None:
        self._processes = processes
        self._name = name
        self._counted = Counted()
        self._written = 0.0
        self._recent: dict[str, deque[tuple[float, int]]] = {}

    def answers(self, push_service: str, answers: Sequence[Answer], rules: Sequence[Rule]) -> None:
        counted = self._counted
        for counts, names in (
            (counted.statuses, [answer.label for answer in answers]),
            (counted.outcomes, [rule.outcome for rule in rules]),
            (counted.latency, [str(time_bucket(answer.seconds)) for answer in answers]),
        ):
            counts.setdefault(push_service, Counter()).update(names)

    def accepted(self, queue: str, count: int, buckets: Mapping[int, int] | None = None) -> None:
        """So many were; `buckets` are the seconds that they had waited, of those for whom that says anything."""
        self._counted.accepted_in.update({str(bucket): waited for bucket, waited in (buckets or {}).items()})
        self._recent.setdefault(queue, deque()).append((time.monotonic(), count))

    def prekey(self, used: bool) -> None:
        """A message was encrypted, with a key made ahead or not."""
        self._counted.prekeys["used" if used else "missed"] += 1

    def prekeys_made(self, count: int) -> None:
        self._counted.prekeys["made"] += count
        self._recent.setdefault(MADE, deque()).append((time.monotonic(), count))

    async def write_if_due(self) -> None:
        if time.monotonic() - self._written > _EVERY_SECONDS:
            with suppress(Unavailable):  # figures for people to watch: nothing waits for them
                await self.write()

    async def write(self) -> None:
        now = time.monotonic()
        self._written = now
        for queue, recent in self._recent.items():
            while recent and recent[0][0] < now - _RATE_SECONDS:
                recent.popleft()
            self._counted.rates[queue] = sum(count for _, count in recent) / _RATE_SECONDS
        self._counted.at_ms = clock.milliseconds(clock.now())
        await self._processes.write(self._name, self._counted)
