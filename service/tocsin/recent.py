"""What was sent lately, for anybody: the readers' page, and a service worker whose push had no readable payload."""

import asyncio
from collections.abc import Collection
from datetime import datetime, timedelta
from time import monotonic

from tocsin import clock
from tocsin.domain.alerts import AlertState
from tocsin.store.alerts import AlertStatus
from tocsin.store.store import Store

MOST = 20
AGE = timedelta(days=7)
SHOWN = (AlertState.SENDING, AlertState.SENT)
# Anybody may ask, as often as they like: the store is asked once in this time for all of them.
KEEP_SECONDS = 1.0
# Of a busy week; each costs a read, and an old alert on a rare topic is no breaking news.
_LOOKED_AT = 300


class Recent:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._found: list[AlertStatus] = []
        self._until = 0.0
        self._turn = asyncio.Lock()

    async def of(self, topics: Collection[str]) -> list[AlertStatus]:
        """Newest first; of any of these topics, or of all where none is named. Up to a second old."""
        async with self._turn:
            if monotonic() >= self._until:
                self._found = await self._look(clock.now() - AGE)
                self._until = monotonic() + KEEP_SECONDS
            found = self._found
        wanted = set(topics)
        return [status for status in found if not wanted or wanted.intersection(status.alert.draft.topics)][:MOST]

    async def _look(self, since: datetime) -> list[AlertStatus]:
        looked = await self._store.alerts.latest_sent(_LOOKED_AT)
        shown = [status for status in looked if status.state in SHOWN and sent_at(status) >= since]
        return _newest_of_each_chain(sorted(shown, key=lambda each: (sent_at(each), each.alert.id), reverse=True))


def _newest_of_each_chain(statuses: list[AlertStatus]) -> list[AlertStatus]:
    """A correction or retraction stands in the place of what it corrects: nobody is shown the wrong text again."""
    newest: dict[str, AlertStatus] = {}
    for status in statuses:
        newest.setdefault(status.alert.chain, status)
    return list(newest.values())


def sent_at(status: AlertStatus) -> datetime:
    """When it began to go out; of one that is about to, when it was asked for."""
    return status.began_at or status.alert.queued_at
