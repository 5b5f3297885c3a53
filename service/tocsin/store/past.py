"""What began to be sent over a stretch of time, with no more of each alert than counting needs."""

import json
from dataclasses import dataclass
from datetime import datetime

from tocsin.clock import from_milliseconds, milliseconds
from tocsin.store.alerts import BEGUN, BY_TIME, alert_key
from tocsin.store.client import Server, answering

# A reply is read in one go while other calls wait; so many take two milliseconds.
_AT_ONCE = 200


@dataclass(frozen=True)
class Past:
    """`level` and `state` are as stored: a newer version may have written others."""

    topics: tuple[str, ...]
    level: str
    state: str
    is_follow_up: bool
    language: str | None


class Pasts:
    def __init__(self, server: Server) -> None:
        self._server = server

    async def between(self, since: datetime, until: datetime) -> list[Past]:
        """Those of the last 5,000 whose sending began at `since` or later and before `until`, oldest first."""
        async with answering():
            ids = await self._server.redis.zrange(BEGUN, milliseconds(since), milliseconds(until) - 1, byscore=True)
        found = []
        for first in range(0, len(ids), _AT_ONCE):
            async with answering(), self._server.redis.pipeline(transaction=False) as pipe:
                for alert_id in ids[first : first + _AT_ONCE]:
                    pipe.hmget(alert_key(alert_id.decode()), "alert", "state")
                rows = await pipe.execute()
            found += [_past(json.loads(alert), state.decode()) for alert, state in rows if alert and state]
        return found

    async def first_at(self) -> datetime | None:
        """When the first alert of all was queued; None where none ever was."""
        async with answering():
            rows = await self._server.redis.zrange(BY_TIME, 0, 0, withscores=True)
        return from_milliseconds(int(rows[0][1])) if rows else None


def _past(alert: dict[str, object], state: str) -> Past:
    draft = alert.get("draft")
    words = draft if isinstance(draft, dict) else {}
    return Past(
        tuple(words.get("topics", ())),
        words.get("level", ""),
        state,
        alert.get("root") is not None,
        words.get("language"),
    )
