"""Alerts, the keys they were asked with, and which of them are still open (the outbox)."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog

from tocsin.clock import from_milliseconds, milliseconds
from tocsin.domain.alerts import Alert, AlertState
from tocsin.domain.errors import Changed, Invalid, NotFound
from tocsin.domain.receipts import Event
from tocsin.store.client import Argument, Server, answering

log = structlog.get_logger()

PREFIX = "{alerts}:"
OPEN = PREFIX + "open"
TIMED = PREFIX + "timed"
PAUSED = PREFIX + "paused"
HELD = PREFIX + "held"
LAPSED = PREFIX + "lapsed"
FIRST_REQUEST = PREFIX + "first-request"
BY_TIME = PREFIX + "by-time"
COUNT = PREFIX + "count"
# Runs of which it is known what became of each reader, and runs as the public sees them; both by when they began.
LEDGERS = PREFIX + "ledgers"
BEGUN = PREFIX + "begun"
_DEFERRING = PREFIX + "deferring"

# The run that never ends: each shard of it is due when the first quiet hours in it end for which an alert waits.
ROUND = "round"

KEEP_IDEMPOTENCY_KEY = 7 * 86_400
# A month's alerts, for a newsroom with 150 a day.
MOST_BEGUN = 5_000
KEEP_LEDGERS = 50
KEEP_LEDGERS_MS = 30 * 86_400_000


def alert_key(alert_id: str) -> str:
    return f"{PREFIX}alert:{alert_id}"


@dataclass(frozen=True)
class AlertStatus:
    """An alert and all that changes while it is sent. `totals` is the final account, None while it is open or while any
    reader is deferred: then `interim` is the last count, up to a minute old. `corrected_by` is the follow-up that
    stands in its place. `edition` counts its changes before it went out, `writers` are those whose words it holds;
    `receipts` is what browsers told."""

    alert: Alert
    state: AlertState
    began_at: datetime | None = None
    ended_at: datetime | None = None
    totals: dict[str, Any] | None = None
    interim: dict[str, Any] | None = None
    corrected_by: str | None = None
    edition: int = 0
    writers: tuple[str, ...] = ()
    approved_by: str | None = None
    receipts: Mapping[Event, int] = field(default_factory=lambda: dict.fromkeys(Event, 0))

    @property
    def all_writers(self) -> tuple[str, ...]:
        return self.writers or (self.alert.author,)


@dataclass(frozen=True)
class Stand:
    """What keeps an alert from whoever still waits for it."""

    is_stopped: bool
    is_corrected: bool


@dataclass(frozen=True)
class Queued:
    """`is_new` is False where the same call had been made before."""

    alert_id: str
    is_new: bool


class Alerts:
    def __init__(self, server: Server) -> None:
        self._server = server

    async def queue(
        self,
        alert: Alert,
        idempotency_key: str,
        state: AlertState | None = None,
        after: str = "",
    ) -> Queued:
        """One atomic write, on disk before it returns. Raises Invalid when the key was used for another body.

        `state` is that of one that does not go out yet; `after` is the last of the chain that was seen: raises Changed
        where that is another by now.
        """
        asked = f"{alert.body_hash} {alert.id}"
        keys = [_asked_key(alert.author, idempotency_key), alert_key(alert.id), BY_TIME, OPEN, COUNT, TIMED]
        kept = await self._server.run(
            "queue_alert",
            [*keys, chain_key(alert.chain)],
            asked,
            KEEP_IDEMPOTENCY_KEY,
            alert.id,
            milliseconds(alert.queued_at),
            alert.model_dump_json(),
            alert.queue,
            alert.draft.level,
            state or alert.first_state,
            milliseconds(alert.begins_at),
            PREFIX,
            alert.root or "",
            after,
        )
        if kept is None:
            raise Changed("another follow-up came first; look at it, and repeat")
        return _judge(kept, alert)

    async def chain(self, root: str) -> list[str]:
        """The ids of an alert and of its follow-ups, in their order."""
        async with answering():
            rows = await self._server.redis.lrange(chain_key(root), 0, -1)
        return [root, *(row.decode() for row in rows)]

    async def asked_before(self, alert: Alert, idempotency_key: str) -> Queued | None:
        """What an earlier call with this key made, so that a repeat is answered without any check made anew."""
        async with answering():
            kept = await self._server.redis.get(_asked_key(alert.author, idempotency_key))
        return _judge(kept, alert) if kept else None

    async def get(self, alert_id: str) -> AlertStatus:
        """Raises NotFound."""
        async with answering():
            row = await self._server.redis.hgetall(alert_key(alert_id))
        if not row:
            raise NotFound("there is no such alert")
        return _status(row)

    async def latest(self, count: int, after: str | None = None) -> list[AlertStatus]:
        """Newest first; `after` goes on behind the last one of a page. Raises NotFound when that is unknown."""
        async with answering():
            first = 0
            if after is not None:
                rank = await self._server.redis.zrevrank(BY_TIME, after)
                if rank is None:
                    raise NotFound("there is no such alert")
                first = rank + 1
            ids = await self._server.redis.zrange(BY_TIME, first, first + count - 1, desc=True)
            async with self._server.redis.pipeline(transaction=False) as pipe:
                for alert_id in ids:
                    pipe.hgetall(alert_key(alert_id.decode()))
                rows = await pipe.execute()
        return [_status(row) for row in rows if row]

    async def stands(self, alert_ids: Sequence[str]) -> dict[str, Stand]:
        """How these stand now, all at one moment."""
        async with answering(), self._server.redis.pipeline(transaction=True) as pipe:
            for alert_id in alert_ids:
                pipe.hmget(alert_key(alert_id), "state", "corrected_by")
            rows = await pipe.execute()
        return {
            alert_id: Stand(state == b"stopped", corrected_by is not None)
            for alert_id, (state, corrected_by) in zip(alert_ids, rows, strict=True)
        }

    async def open_ids(self) -> list[str]:
        """Alerts with anything left to do, oldest first."""
        async with answering():
            return [row.decode() for row in await self._server.redis.zrange(OPEN, 0, -1)]

    async def open(self) -> list[AlertStatus]:
        """The same, as they stand. One in a form that this program does not know is logged and left to others."""
        return await self.readable(await self.open_ids())

    async def readable(self, alert_ids: Collection[str]) -> list[AlertStatus]:
        """Those of these that this program knows the form of."""
        async with answering(), self._server.redis.pipeline(transaction=False) as pipe:
            for alert_id in alert_ids:
                pipe.hgetall(alert_key(alert_id))
            rows = await pipe.execute()
        found = []
        for alert_id, row in zip(alert_ids, rows, strict=True):
            try:
                found.append(_status(row))
            except (ValueError, KeyError):  # pydantic's error is a ValueError, and quotes what was written
                log.error("alert in an unknown form", alert=alert_id)  # noqa: TRY400
        return found

    async def latest_sent(self, count: int) -> list[AlertStatus]:
        """So many that began to be sent last, however long ago they were queued; and those that are about to."""
        async with answering():
            begun = await self._server.redis.zrange(BEGUN, 0, count - 1, desc=True)
        return await self.readable(dict.fromkeys([*await self.open_ids(), *(row.decode() for row in begun)]))

    async def oldest_ledger_ms(self, now_ms: int) -> int:
        """The moment before which no kept run began: numbers freed earlier can be given out again."""
        async with answering():
            rows = await self._server.redis.zrange(LEDGERS, 0, 0, withscores=True)
        return int(rows[0][1]) if rows else now_ms

    async def with_old_ledgers(self, now_ms: int) -> list[str]:
        """Ended alerts whose ledgers are kept no longer: all but the last 50 that began, and those over 30 days. Whom a
        follow-up goes to is in the ledgers of those before it, so those of its chain are kept until it is over, too."""
        async with answering():
            rows = await self._server.redis.zrange(LEDGERS, 0, -1, withscores=True)
        over = len(rows) - KEEP_LEDGERS
        old = [
            row.decode()
            for place, (row, began_ms) in enumerate(rows)
            if place < over or began_ms < now_ms - KEEP_LEDGERS_MS
        ]
        if not old:
            return []
        needed = await self._chains_of({*await self.open_ids(), *await self.timed(), *await self.deferring()})
        return [alert_id for alert_id in old if alert_id not in needed]

    async def _chains_of(self, alert_ids: Collection[str]) -> set[str]:
        """These and all that are in a chain with one of them."""
        async with answering(), self._server.redis.pipeline(transaction=False) as pipe:
            for alert_id in alert_ids:
                pipe.hget(alert_key(alert_id), "alert")
            written = await pipe.execute()
        # Not as an Alert: one of a form that this program does not know may need its chain as well.
        roots = {json.loads(row).get("root") for row in written if row} - {None}
        found = {*alert_ids, *roots}
        async with answering(), self._server.redis.pipeline(transaction=False) as pipe:
            for root in found:
                pipe.lrange(chain_key(root), 0, -1)
            chains = await pipe.execute()
        return found | {row.decode() for chain in chains for row in chain}

    async def ledgers_dropped(self, alert_id: str) -> None:
        async with answering():
            await self._server.redis.zrem(LEDGERS, alert_id)
            await self._server.redis.unlink(chain_key(alert_id))

    async def count(self) -> int:
        """How many were ever queued."""
        async with answering():
            return int(await self._server.redis.get(COUNT) or 0)

    async def first_requests(self) -> dict[int, int]:
        """For each bucket of seconds from the 202 to an alert's first request, how many alerts."""
        async with answering():
            rows = await self._server.redis.hgetall(FIRST_REQUEST)
        return {int(bucket): int(count) for bucket, count in rows.items()}

    async def recent_with_ledgers(self) -> list[str]:
        """Alerts of which it is still known what became of each reader, newest first."""
        async with answering():
            rows = await self._server.redis.zrange(LEDGERS, 0, -1, desc=True)
        return [row.decode() for row in rows]

    async def has_ledgers(self, alert_id: str) -> bool:
        """Whether it is known who had it, or will be: its run may be yet to be made."""
        async with answering(), self._server.redis.pipeline(transaction=True) as pipe:
            pipe.zscore(LEDGERS, alert_id).zscore(OPEN, alert_id).hexists(alert_key(alert_id), "began_ms")
            kept, is_open, began = await pipe.execute()
        return kept is not None or (is_open is not None and not began)

    async def timed(self) -> dict[str, datetime]:
        """Alerts that wait for their time, and when it is."""
        async with answering():
            rows = await self._server.redis.zrange(TIMED, 0, -1, withscores=True)
        return {row.decode(): from_milliseconds(int(due)) for row, due in rows}

    async def defers(self, alert_id: str) -> None:
        """Some of its readers wait for the end of their quiet hours."""
        async with answering():
            await self._server.redis.zadd(_DEFERRING, {alert_id: 0})

    async def deferring(self) -> list[str]:
        async with answering():
            return [row.decode() for row in await self._server.redis.zrange(_DEFERRING, 0, -1)]

    async def settle(self, alert_id: str, totals: dict[str, Any]) -> None:
        """A later account of one that is closed; the final one where nobody waits any more."""
        keys = [alert_key(alert_id), OPEN, _DEFERRING]
        await self._server.run("settle_alert", keys, alert_id, json.dumps(totals), _is_final(totals))

    async def stop(self, alert_id: str, now_ms: int) -> tuple[AlertState, bool]:
        """The state before, and whether it was changed: what is over, or a draft, stays as it is. Raises NotFound.

        Whoever waits for the end of quiet hours is asked about at once.
        """
        keys = [alert_key(alert_id), TIMED, _DEFERRING]
        row = await self._server.run("stop_alert", keys, alert_id, now_ms, PREFIX, ROUND)
        if row is None:
            raise NotFound("there is no such alert")
        return AlertState(row[0].decode()), bool(row[1])

    async def close(
        self, alert_id: str, state: AlertState, totals: dict[str, Any], now_ms: int, first_request_bucket: int | None
    ) -> bool:
        """Ends an alert with its account; True for the one caller that did.

        False too while any shard of it is due or in work, or where its run was never made.
        """
        bucket = "" if first_request_bucket is None else first_request_bucket
        keys = [alert_key(alert_id), OPEN, FIRST_REQUEST, _DEFERRING]
        arguments: list[Argument] = [json.dumps(totals), now_ms, bucket, _is_final(totals)]
        return bool(await self._server.run("close_alert", keys, PREFIX, alert_id, state, *arguments))


def _is_final(account: dict[str, Any]) -> str:
    """As scripts have it. With readers deferred an account will change."""
    return "" if account["deferred"] else "1"


def _asked_key(author: str, idempotency_key: str) -> str:
    digest = hashlib.sha256(f"{author}\0{idempotency_key}".encode()).hexdigest()
    return f"{PREFIX}asked:{digest}"


def chain_key(root: str) -> str:
    return f"{PREFIX}chain:{root}"


def _judge(kept: bytes, alert: Alert) -> Queued:
    body_hash, _, alert_id = kept.decode().partition(" ")
    if body_hash != alert.body_hash:
        raise Invalid.at("Idempotency-Key", "was used before for another alert; use a new one for each alert")
    return Queued(alert_id, is_new=alert_id == alert.id)


def _status(row: dict[bytes, bytes]) -> AlertStatus:
    def moment(name: bytes) -> datetime | None:
        return from_milliseconds(int(row[name])) if name in row else None

    return AlertStatus(
        alert=Alert.model_validate_json(row[b"alert"]),
        state=AlertState(row[b"state"].decode()),
        began_at=moment(b"began_ms"),
        ended_at=moment(b"ended_ms"),
        totals=json.loads(row[b"totals"]) if b"totals" in row else None,
        interim=json.loads(row[b"interim"]) if b"interim" in row else None,
        corrected_by=row[b"corrected_by"].decode() if b"corrected_by" in row else None,
        edition=int(row.get(b"edition", 0)),
        writers=tuple(filter(None, row.get(b"writers", b"").decode().split(","))),
        approved_by=row.get(b"approved_by", b"").decode() or None,
        receipts={event: int(row.get(event.encode(), 0)) for event in Event},
    )
