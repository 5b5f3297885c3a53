"""A run: which shards of an alert are due, who holds which, and until when. The clock is the store's.

Two levels keep it true. The lease says who may work on a shard; the epoch, raised by each claim, is checked by every
write, so that a worker that was paused past its lease can no longer change anything.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from tocsin import clock
from tocsin.clock import from_milliseconds, milliseconds
from tocsin.domain.subscriptions import SHARD_SIZE, shard_push_service
from tocsin.settings import LEASE_LEFT
from tocsin.store.alerts import (
    BEGUN,
    HELD,
    LAPSED,
    LEDGERS,
    MOST_BEGUN,
    OPEN,
    PAUSED,
    PREFIX,
    ROUND,
    TIMED,
    alert_key,
)
from tocsin.store.client import Argument, Script, Server, answering

# What a caller's clock may differ from the store's, where the worst is a wake-up too many.
_CLOCKS_DIFFER_MS = 1_000
# A shard of a run is never due later than this: it is looked at again, and handed back again. Whatever is due later was
# written before the clock went back.
MOST_DUE_MS = 300_000
# After a lease has lapsed its holder has so long to record its last window before another may claim the shard.
GRACE_MS = 1_000
# One in so many of the shards that are due may be claimed at once, so that other workers find some.
PART = 4
# A request may wait so long for its connection after the check; none may start after the attempts' end.
START_MS = 2_000


@dataclass(frozen=True)
class Claim:
    """A shard of a run, ours until the lease lapses. `bound` is the first number of its push service that registered
    after the run began."""

    alert_id: str
    shard: str
    epoch: int
    began_at: datetime
    bound: int = 0

    @property
    def push_service(self) -> str:
        return shard_push_service(self.shard)

    @property
    def is_round(self) -> bool:
        return self.alert_id == ROUND

    @property
    def lane(self) -> tuple[str, str]:
        """The alert and the push service: what a process works on side by side."""
        return self.alert_id, self.push_service


@dataclass(frozen=True)
class Unbegun:
    """An alert that was queued and has no run yet."""

    alert_id: str


class Go(StrEnum):
    """What the store says before a window."""

    GO = "go"
    LOST = "lost"  # the lease lapsed and somebody else may be at it: leave everything as it is
    STOPPED = "stopped"
    CORRECTED = "corrected"  # whoever still waits gets the correction instead
    ENDED = "ended"  # no request may start any more
    HELD = "held"  # the push service asked for a pause


@dataclass(frozen=True)
class Checked:
    """`held_until` is the end of a hold; `lost` are the shards that are not ours any more, while others are."""

    go: Go
    held_until: datetime
    lost: frozenset[str]


class Release(NamedTuple):
    """A shard that is let go: finished, or due again at a moment."""

    claim: Claim
    due: datetime | None = None


@dataclass(frozen=True)
class QueueDepth:
    """Shards that wait and shards in work; `oldest_ms` is when the oldest alert with any waiting was queued."""

    waiting: int = 0
    in_work: int = 0
    oldest_ms: int | None = None


class Runs:
    def __init__(self, server: Server, lease_seconds: float) -> None:
        self._server = server
        self._lease_ms = int(lease_seconds * 1000)
        self.grace_ms = GRACE_MS
        self.part = PART

    async def now(self) -> datetime:
        """The store's clock, by which attempts end."""
        async with answering():
            seconds, microseconds = await self._server.redis.time()
        return from_milliseconds(int(seconds) * 1000 + int(microseconds) // 1000)

    async def begin(self, alert_id: str, bounds: Mapping[str, int], began_at: datetime, attempts_end: datetime) -> bool:
        """Makes the run over all numbers below each push service's bound; False where it was made before."""
        keys = [alert_key(alert_id), LEDGERS, BEGUN]
        arguments: list[Argument] = [milliseconds(began_at), MOST_BEGUN]
        for push_service, bound in bounds.items():
            arguments += [push_service, (bound + SHARD_SIZE - 1) // SHARD_SIZE, bound]
        services, ends_ms = ",".join(bounds), milliseconds(attempts_end)
        return bool(await self._server.run("begin_run", keys, PREFIX, alert_id, ends_ms, services, *arguments))

    async def claim(self, queues: Sequence[str], busy: Collection[tuple[str, str]]) -> Claim | Unbegun | None:
        """The next shard, chosen by the store, of a round too; `busy` are pairs of alert and push service to pass over.

        An alert whose run is not made yet comes first, as Unbegun; an empty push service passes over such a one.
        """
        passed = ",".join(f"{alert_id}:{push_service}" for alert_id, push_service in busy)
        row = await self._server.run(
            "claim_shard",
            [OPEN, HELD, LAPSED, PAUSED, TIMED],
            PREFIX,
            self._lease_ms,
            ",".join(queues),
            passed,
            self.grace_ms,
            ROUND,
            MOST_DUE_MS + _CLOCKS_DIFFER_MS,
        )
        if row is None:
            return None
        if len(row) == 1:
            return Unbegun(row[0].decode())
        alert_id, shard, epoch, began_ms, bound = row[:5]
        return Claim(alert_id.decode(), shard.decode(), int(epoch), from_milliseconds(int(began_ms)), int(bound))

    async def claim_beside(self, claim: Claim, most: int) -> list[Claim]:
        """More shards of the same run at the same push service, for whoever has this one in hand; never so many that
        other workers would find nothing."""
        due = f"{PREFIX}due:{claim.alert_id}:{claim.push_service}"
        keys = [alert_key(claim.alert_id), due, _leased(claim), _epochs(claim), HELD, PAUSED]
        row = await self._server.run("claim_beside", keys, self._lease_ms, claim.push_service, most, self.part)
        return [
            replace(claim, shard=shard.decode(), epoch=int(epoch))
            for shard, epoch in zip(row[::2], row[1::2], strict=True)
        ]

    async def check(self, claim: Claim) -> tuple[Go, datetime]:
        """Whether the next window may be sent; the moment is the end of a hold."""
        checked = await self.check_all([claim])
        return checked.go, checked.held_until

    async def check_all(self, claims: Sequence[Claim]) -> Checked:
        """The same for several of one run and push service."""
        return await self._server.call(self.checking(claims))

    def checking(self, claims: Sequence[Claim]) -> Script[Checked]:
        claim = claims[0]
        keys = [alert_key(claim.alert_id), _leased(claim), _epochs(claim), HELD]
        arguments: list[Argument] = [self._lease_ms, claim.push_service, LEASE_LEFT, START_MS]
        for each in claims:
            arguments += [each.shard, each.epoch]
        return Script("check_lease", keys, arguments, _checked)

    async def defer(self, shard: str, until: datetime) -> None:
        """A round is due in this shard then, if none is due there before."""
        keys = [alert_key(ROUND), f"{PREFIX}leased:{ROUND}:{shard_push_service(shard)}", _again(ROUND)]
        await self._server.run(
            "defer_shard", keys, PREFIX, ROUND, shard_push_service(shard), shard, milliseconds(until)
        )

    async def round_in_work(self, shard: str) -> bool:
        """Whether a worker has the round of this shard in hand."""
        async with answering():
            key = f"{PREFIX}leased:{ROUND}:{shard_push_service(shard)}"
            return await self._server.redis.zscore(key, shard) is not None

    async def round_is_known(self, shard: str) -> bool:
        """Whether a round is due in this shard at any time, or in work."""
        push_service = shard_push_service(shard)
        async with answering(), self._server.redis.pipeline(transaction=True) as pipe:
            for name in ("due", "leased"):
                pipe.zscore(f"{PREFIX}{name}:{ROUND}:{push_service}", shard)
            return any(score is not None for score in await pipe.execute())

    async def shards_of_round(self, push_service: str) -> set[str]:
        """All shards of a push service where a round is due at any time, or in work."""
        async with answering(), self._server.redis.pipeline(transaction=True) as pipe:
            for name in ("due", "leased"):
                pipe.zrange(f"{PREFIX}{name}:{ROUND}:{push_service}", 0, -1)
            return {row.decode() for rows in await pipe.execute() for row in rows}

    async def round_due(self, now_ms: int) -> bool:
        """Whether any shard waits for a round."""
        return await self.has_due(ROUND, now_ms)

    async def can_reopen(self, alert_id: str) -> bool:
        """Whether requests of this alert may still start."""
        async with answering():
            ends, state, corrected = await self._server.redis.hmget(
                alert_key(alert_id), "ends_ms", "state", "corrected_by"
            )
        open_ended = ends is not None and float(ends) > milliseconds(await self.now())
        return open_ended and corrected is None and state in (b"sending", b"sent")

    async def reopen(self, alert_id: str, shard: str) -> None:
        """One shard of the run is due again, and the alert is sending."""
        push_service = shard_push_service(shard)
        keys = [alert_key(alert_id), OPEN, f"{PREFIX}leased:{alert_id}:{push_service}", _again(alert_id)]
        now_ms = milliseconds(await self.now())
        await self._server.run("reopen_alert", keys, PREFIX, alert_id, push_service, shard, now_ms)

    async def hand_back(self, claim: Claim, due: datetime | None = None) -> None:
        """Not finished: due again at a moment, or at once."""
        await self.release([Release(claim, due or from_milliseconds(0))])

    async def finish(self, claim: Claim) -> bool:
        """Nothing is left in the shard; True where nothing is left in the whole run either."""
        return await self.release([Release(claim)])

    async def release(self, releases: Sequence[Release]) -> bool:
        """Several of one run and push service; True where nothing is left in the whole run."""
        return await self._server.call(self.releasing(releases))

    def releasing(self, releases: Sequence[Release]) -> Script[bool]:
        claim, latest = releases[0].claim, milliseconds(clock.now()) + MOST_DUE_MS
        keys = [alert_key(claim.alert_id), _leased(claim), _epochs(claim), _again(claim.alert_id)]
        arguments: list[Argument] = [PREFIX, claim.alert_id, claim.push_service]
        for each, due in releases:
            due_ms: Argument = "" if due is None else milliseconds(due)
            if due is not None and not claim.is_round:
                due_ms = min(milliseconds(due), latest)
            arguments += [each.shard, each.epoch, due_ms]
        return Script("release_shard", keys, arguments, _is_nothing)

    async def lapsed(self) -> int:
        """Leases that ran out, ever."""
        async with answering():
            return int(await self._server.redis.get(LAPSED) or 0)

    async def bounds(self, alert_id: str) -> dict[str, int]:
        async with answering():
            rows = await self._server.redis.hgetall(f"{PREFIX}bounds:{alert_id}")
        return {name.decode(): int(bound) for name, bound in rows.items()}

    async def drop(self, alert_id: str) -> None:
        """Forgets a run that is over."""
        keys = [f"{PREFIX}{name}:{alert_id}" for name in ("bounds", "epochs", "again", "rate")]
        async with answering():
            await self._server.redis.unlink(*keys)

    async def left(self, alert_id: str) -> int:
        """Shards of a run that are due or in work, at one moment: one may be on its way between the two."""
        return int(await self._server.run("count_left", [alert_key(alert_id)], PREFIX, alert_id))

    async def has_due(self, alert_id: str, now_ms: int) -> bool:
        """Whether any shard waits for a worker: due, or under a lease that lapsed."""
        # A lease that ends later than its own length from now was written before the clock went back.
        too_late = f"({now_ms + self._lease_ms + _CLOCKS_DIFFER_MS}"
        for push_service in await self._services(alert_id):
            due, leased = (f"{PREFIX}{name}:{alert_id}:{push_service}" for name in ("due", "leased"))
            looks = [(due, "-inf", now_ms), (leased, "-inf", now_ms), (leased, too_late, "+inf")]
            if alert_id != ROUND:
                looks.append((due, f"({now_ms + MOST_DUE_MS + _CLOCKS_DIFFER_MS}", "+inf"))
            async with answering():
                for key, least, most in looks:
                    if await self._server.redis.zcount(key, least, most):
                        return True
        return False

    async def _services(self, alert_id: str) -> list[str]:
        async with answering():
            services = await self._server.redis.hget(alert_key(alert_id), "services")
        return [name for name in (services or b"").decode().split(",") if name]

    async def shard_is_settled(self, alert_id: str, shard: str) -> bool:
        """Whether nobody works on this shard of a run any more, or will."""
        push_service = shard_push_service(shard)
        async with answering(), self._server.redis.pipeline(transaction=True) as pipe:
            for name in ("due", "leased"):
                pipe.zscore(f"{PREFIX}{name}:{alert_id}:{push_service}", shard)
            pipe.hexists(alert_key(alert_id), "began_ms")
            due, leased, begun = await pipe.execute()
        return bool(begun) and due is None and leased is None

    async def depth(self, alert_ids: Sequence[str], queued_ms: Mapping[str, int]) -> QueueDepth:
        """Over these open alerts."""
        waiting = in_work = 0
        oldest: int | None = None
        for alert_id in alert_ids:
            bounds = await self.bounds(alert_id)
            cards = [await self._cards(alert_id, name) for name in bounds]
            mine = sum(due for due, _ in cards) if bounds else 1  # not fanned out yet: the alert itself waits
            waiting += mine
            in_work += sum(leased for _, leased in cards)
            if mine:
                oldest = min(filter(None, (oldest, queued_ms[alert_id])))
        return QueueDepth(waiting, in_work, oldest)

    async def _cards(self, alert_id: str, push_service: str) -> tuple[int, int]:
        async with answering(), self._server.redis.pipeline(transaction=True) as pipe:
            pipe.zcard(f"{PREFIX}due:{alert_id}:{push_service}")
            pipe.zcard(f"{PREFIX}leased:{alert_id}:{push_service}")
            due, leased = await pipe.execute()
        return int(due), int(leased)


def _checked(row: Any) -> Checked:
    go, until, *lost = row
    return Checked(Go(go.decode()), from_milliseconds(int(until)), frozenset(shard.decode() for shard in lost))


def _is_nothing(left: Any) -> bool:
    return int(left) == 0


def _leased(claim: Claim) -> str:
    return f"{PREFIX}leased:{claim.alert_id}:{claim.push_service}"


def _epochs(claim: Claim) -> str:
    return f"{PREFIX}epochs:{claim.alert_id}"


def _again(alert_id: str) -> str:
    """Hash, shard → when it is due again whatever its holder says at the end."""
    return f"{PREFIX}again:{alert_id}"
