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

# Beside the queues in `rates`.
MADE = "prekeys made"


@dataclass
class Counted:
    """`statuses`, `outcomes` and `latency` (bucket → count) by push service; `accepted_in` by bucket of seconds since
    the 202; `prekeys` made, used and missed; `rates` a second over the last seconds: accepted by queue, and prekeys
    `MADE`; `at_ms` is when it was written."""

    at_ms: int = 0
    statuses: dict[str, Counter[str]] = field(default_factory=dict)
    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    latency: dict[str, Counter[str]] = field(default_factory=dict)
    accepted_in: Counter[str] = field(default_factory=Counter)
    rates: dict[str, float] = field(default_factory=dict)
    prekeys: Counter[str] = field(default_factory=Counter)

    @classmethod
    def load(cls, text: bytes) -> "Counted":
        row: dict[str, Any] = json.loads(text)
        for name in ("statuses", "outcomes", "latency"):
            row[name] = {service: Counter(counts) for service, counts in row[name].items()}
        row["accepted_in"] = Counter(row["accepted_in"])
        row["prekeys"] = Counter(row["prekeys"])
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
        self.prekeys.update(other.prekeys)

    def since(self, earlier: "Counted") -> "Counted":
        """What was counted after `earlier`."""
        return Counted(
            at_ms=self.at_ms,
            statuses=_less(self.statuses, earlier.statuses),
            outcomes=_less(self.outcomes, earlier.outcomes),
            latency=_less(self.latency, earlier.latency),
            accepted_in=self.accepted_in - earlier.accepted_in,
            prekeys=self.prekeys - earlier.prekeys,
            rates=self.rates,
        )


def _less(more: Mapping[str, Counter[str]], less: Mapping[str, Counter[str]]) -> dict[str, Counter[str]]:
    return {push_service: counts - less.get(push_service, Counter()) for push_service, counts in more.items()}


def _add(mine: dict[str, Counter[str]], theirs: Mapping[str, Counter[str]]) -> None:
    for push_service, counts in theirs.items():
        mine.setdefault(push_service, Counter()).update(counts)


@dataclass(frozen=True)
class _Told:
    """What a process wrote last, and how much of it is in the sum of the ended ones already."""

    written: bytes
    folded: Counted


class Processes:
    def __init__(self, server: Server) -> None:
        self._server = server
        self._told: dict[str, _Told] = {}

    async def write(self, process: str, counted: Counted) -> None:
        """All that this process counted since it started."""
        told = self._told.get(process)
        folded = told.folded if told else Counted()
        if not await self._put(process, counted.since(folded), is_first=told is None):
            # It was idle for so long that it was taken for ended: only what it counted since is a row again.
            folded = Counted.load(told.written) if told else folded
            await self._put(process, counted.since(folded), is_first=True)
        self._told[process] = _Told(counted.dump().encode(), folded)

    async def _put(self, process: str, row: Counted, is_first: bool) -> bool:
        return bool(await self._server.run("write_process", [_PROCESSES], process, row.dump(), int(is_first)))

    async def total(self, now_ms: int) -> Counted:
        """The sum over all processes, ended ones too; rates only of those that wrote lately."""
        async with answering(), self._server.redis.pipeline(transaction=True) as pipe:
            # At one moment: between two, a row that is folded would be seen twice, and counters would run backwards.
            rows, ended = await pipe.hvals(_PROCESSES).get(_ENDED).execute()
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
