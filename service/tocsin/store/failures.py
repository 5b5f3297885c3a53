"""Recipients that were set aside, for an operator to look at and to have tried again."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from tocsin.domain.errors import NotFound
from tocsin.domain.subscriptions import Address
from tocsin.store.client import Server, answering

_FAILURES = "{alerts}:failures"
_BY_TIME = "{alerts}:failures-by-time"
MOST_KEPT = 10_000

KILLED_ITS_WORKER = "killed_its_worker"
UNREADABLE = "unreadable_record"


@dataclass(frozen=True)
class Failure:
    """One recipient of one alert; `at_ms` is when it was set aside."""

    alert_id: str
    address: Address
    reason: str
    at_ms: int

    @property
    def id(self) -> str:
        return f"{self.alert_id}-{self.address.push_service}-{self.address.number}"


class Failures:
    def __init__(self, server: Server) -> None:
        self._server = server

    async def add(self, failures: Sequence[Failure]) -> None:
        """The oldest are forgotten where there are over 10,000; their ledgers still say `set_aside`."""
        async with answering(), self._server.redis.pipeline(transaction=True) as pipe:
            for failure in failures:
                pipe.hset(_FAILURES, failure.id, _dump(failure))
                pipe.zadd(_BY_TIME, {failure.id: failure.at_ms})
            await pipe.execute()
        async with answering():
            old = await self._server.redis.zrange(_BY_TIME, 0, -MOST_KEPT - 1)
            if old:
                await self._server.redis.hdel(_FAILURES, *old)
                await self._server.redis.zrem(_BY_TIME, *old)

    async def latest(self, count: int) -> list[Failure]:
        """Newest first."""
        async with answering():
            ids = await self._server.redis.zrange(_BY_TIME, 0, count - 1, desc=True)
            rows = await self._server.redis.hmget(_FAILURES, ids) if ids else []
        return [_load(row) for row in rows if row]

    async def get(self, failure_id: str) -> Failure:
        """Raises NotFound."""
        async with answering():
            row = await self._server.redis.hget(_FAILURES, failure_id)
        if row is None:
            raise NotFound("there is no such failure")
        return _load(row)

    async def of(self, address: Address, alert_ids: Sequence[str]) -> list[Failure]:
        """Those of one recipient."""
        ids = [Failure(alert_id, address, "", 0).id for alert_id in alert_ids]
        async with answering():
            rows = await self._server.redis.hmget(_FAILURES, ids) if ids else []
        return [_load(row) for row in rows if row]

    async def forget(self, failure_ids: Sequence[str]) -> None:
        async with answering():
            await self._server.redis.hdel(_FAILURES, *failure_ids)
            await self._server.redis.zrem(_BY_TIME, *failure_ids)

    async def forget_alert(self, alert_id: str) -> None:
        """Those of an alert whose ledgers are forgotten: their numbers may be others' soon."""
        async with answering():
            ids = await self._server.redis.zrange(_BY_TIME, 0, -1)
        if mine := [row.decode() for row in ids if row.startswith(f"{alert_id}-".encode())]:
            await self.forget(mine)


def _dump(failure: Failure) -> str:
    address = failure.address
    return json.dumps([failure.alert_id, address.push_service, address.number, failure.reason, failure.at_ms])


def _load(row: bytes) -> Failure:
    alert_id, push_service, number, reason, at_ms = json.loads(row)
    return Failure(alert_id, Address(push_service, number), reason, at_ms)
