"""What each worker process counted since it started, written whole once a second: never an increment.

Figures for people who watch; the account of an alert comes from its ledger. What a killed process counted in its last
second is lost here, and only here.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tocsin.store.client import Server, answering

_PROCESSES = "{processes}:counted"
_ENDED = "{processes}:ended"

# A process that has not written for so long has ended: its counts move into the sum of the ended ones.
ENDED_MS = 60_000
FRESH_MS = 5_000


@dataclass
class Counted:
    """`statuses`, `outcomes` and `latency` (bucket → count) by push service; `accepted_in` by bucket of seconds since
    the 202; `rates` accepted a second by queue over the last seconds; `at_ms` is when it was written."""

    at_ms: int = 0
    statuses: dict[str, Counter[str]] = field(default_factory=dict)
    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    latency: dict[str, Counter[str]] = field(default_factory=dict)
    accepted_in: Counter[str] = field(default_factory=Counter)
    rates: dict[str, float] = field(default_factory=dict)

    @classmethod
    def load(cls, text: bytes) -> "Counted":
        row: dict[str, Any] = json.loads(text)
        for name in ("statuses", "outcomes", "latency"):
            row[name] = {service: Counter(counts) for service, counts in row[name].items()}
        row["accepted_in"] = Counter(row["accepted_in"])
        return cls(**row)

    def dump(self) -> str:
        return json.dumps(vars(self), separators=(",", ":"))

    def add(self, other: "Counted") -> None:
        for mine, theirs in (
            (self.statuses, other.statuses),
            (self.outcomes, other.outcomes),
            (self.latency, other.latency),
        ):
            _add(mine, theirs)
        self.accepted_in.update(other.accepted_in)


def _add(mine: dict[str, Counter[str]], theirs: Mapping[str, Counter[str]]) -> None:
    for push_service, counts in theirs.items():
        mine.setdefault(push_service, Counter()).update(counts)


class Processes:
    def __init__(self, server: Server) -> None:
        self._server = server

    async def write(self, process: str, counted: Counted) -> None:
        async with answering():
            await self._server.redis.hset(_PROCESSES, process, counted.dump())

    async def total(self, now_ms: int) -> Counted:
        """The sum over all processes, ended ones too; rates only of those that wrote lately."""
        async with answering():
            rows = await self._server.redis.hvals(_PROCESSES)
            ended = await self._server.redis.get(_ENDED)
        whole = Counted.load(ended) if ended else Counted()
        whole.rates = {}
        for counted in map(Counted.load, rows):
            whole.add(counted)
            if counted.at_ms > now_ms - FRESH_MS:
                for queue, rate in counted.rates.items():
                    whole.rates[queue] = whole.rates.get(queue, 0.0) + rate
        return whole

    async def fold_ended(self, now_ms: int) -> None:
        """Keeps the table short: counts of ended processes are added into one row."""
        async with answering():
            rows: Iterable[tuple[bytes, bytes]] = (await self._server.redis.hgetall(_PROCESSES)).items()
        for process, text in rows:
            counted = Counted.load(text)
            if counted.at_ms + ENDED_MS < now_ms:
                async with answering():
                    ended = await self._server.redis.get(_ENDED)
                whole = Counted.load(ended) if ended else Counted()
                whole.add(counted)
                await self._server.run("fold_process", [_PROCESSES, _ENDED], process, text, ended or b"", whole.dump())
