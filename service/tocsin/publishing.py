"""What an editor can do with an alert, for the API and the commands alike."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tocsin import clock
from tocsin.domain.alerts import Alert, AlertDraft, AlertState
from tocsin.domain.errors import Conflict, Invalid
from tocsin.domain.payload import notification
from tocsin.domain.progress import Progress
from tocsin.jobs import WakeUps
from tocsin.settings import Settings
from tocsin.store.alerts import AlertStatus
from tocsin.store.store import Store

_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{16,255}")

# How many ended alerts a watcher of `unaccounted` looks back on.
_WATCHED_ENDED = 20


@dataclass(frozen=True)
class Warned:
    """Something an editor may want to know; never a reason to wait."""

    code: str
    detail: str


@dataclass(frozen=True)
class Published:
    status: AlertStatus
    is_new: bool
    warnings: tuple[Warned, ...]


@dataclass(frozen=True)
class Report:
    """An alert with its account as the contract names it."""

    status: AlertStatus
    progress: Mapping[str, Any]


class Publishing:
    def __init__(self, store: Store, wake_ups: WakeUps, settings: Settings) -> None:
        self._store = store
        self._wake_ups = wake_ups
        self._settings = settings

    async def earlier(self, draft: AlertDraft, author: str, idempotency_key: str) -> Published | None:
        """What the same call made before. A repeat must not fail for what changed since: a topic, a rate, the hour."""
        alert = Alert.take(draft, author, clock.now())
        queued = await self._store.alerts.asked_before(alert, idempotency_key)
        if queued is None:
            return None
        return Published(await self._store.alerts.get(queued.alert_id), is_new=False, warnings=self._warnings())

    async def check(self, draft: AlertDraft, author: str) -> Alert:
        """The draft as an alert that could be sent. Raises Invalid."""
        now = clock.now()
        draft.check(await self._store.topics.ids(), self._settings.allowed_link_hosts, now)
        alert = Alert.take(draft, author, now)
        notification(alert)  # raises Invalid when it is too long for the push services
        return alert

    async def queue(self, alert: Alert, idempotency_key: str) -> Published:
        """On disk when this returns. Raises Unavailable, or Invalid where the key stands for another alert."""
        queued = await self._store.alerts.queue(alert, idempotency_key)
        if queued.is_new:
            self._wake_ups.deliver_soon(alert.queue)
            status = AlertStatus(alert, AlertState.SENDING, None, None, None)
        else:
            status = await self._store.alerts.get(queued.alert_id)
        return Published(status, queued.is_new, self._warnings())

    def _warnings(self) -> tuple[Warned, ...]:
        if self._settings.allowed_link_hosts:
            return ()
        detail = "alerts may link to any https host; set ALLOWED_LINK_HOSTS to your own"
        return (Warned("any_link_host", detail),)

    async def latest(self, count: int, after: str | None, state: AlertState | None) -> list[AlertStatus]:
        """Newest first, of one state where that is given. Raises NotFound for an `after` that is unknown."""
        found: list[AlertStatus] = []
        while len(found) < count:
            page = await self._store.alerts.latest(count, after)
            found += [status for status in page if state in (None, status.state)]
            if len(page) < count:
                break
            after = page[-1].alert.id
        return found[:count]

    async def unaccounted(self) -> int:
        """Over the alerts at work and the latest ended ones: 0, or something is wrong."""
        open_alerts = await self._store.alerts.open()
        ended = [status for status in await self._store.alerts.latest(_WATCHED_ENDED) if status.totals is not None]
        reports = [await self.report(status) for status in open_alerts + ended]
        return sum(int(report.progress["unaccounted"]) for report in reports)

    async def find(self, alert_id: str) -> Report:
        """Raises NotFound."""
        return await self.report(await self._store.alerts.get(alert_id))

    async def report(self, status: AlertStatus) -> Report:
        """The account at this moment, or the final one."""
        if status.totals is not None:
            return Report(status, status.totals)
        return Report(status, (await account(self._store, status)).as_json())

    async def stop(self, alert_id: str) -> AlertStatus:
        """No request starts later than 2 s after this returns. Raises NotFound, or Conflict when it is over."""
        before = await self._store.alerts.stop(alert_id, clock.milliseconds(clock.now()))
        if before not in (AlertState.SENDING, AlertState.STOPPED):
            raise Conflict(f"the alert is {before} already")
        status = await self._store.alerts.get(alert_id)
        self._wake_ups.deliver_soon(status.alert.queue)  # what still waited is to be accounted for now
        return status


@dataclass(frozen=True)
class Account:
    """The sum over all shards, and over those of each push service."""

    status: AlertStatus
    whole: Progress
    by_push_service: Mapping[str, Progress]

    def as_json(self) -> dict[str, Any]:
        return self.whole.as_json(self.by_push_service, self.status.alert.queued_at)


async def account(store: Store, status: AlertStatus) -> Account:
    """Counted from what the shards' ledgers say now."""
    alert_id = status.alert.id
    counts = await store.ledgers.counts(alert_id, await store.runs.bounds(alert_id))
    parts = {name: Progress.total(shards) for name, shards in counts.items()}
    whole = Progress.total(shard for shards in counts.values() for shard in shards)
    return Account(status, whole, parts)


def checked_idempotency_key(text: str) -> str:
    """Raises Invalid."""
    if not _IDEMPOTENCY_KEY.fullmatch(text):
        raise Invalid.at("Idempotency-Key", "must have 16 to 255 visible ASCII characters")
    return text
