"""What an editor can do with an alert, for the API and the commands alike."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tocsin import clock
from tocsin.cautions import Cautions
from tocsin.correcting import Words, check_correctable, implicit_key, says
from tocsin.domain.alerts import MAX_BODY, Alert, AlertDraft, AlertState, Correction
from tocsin.domain.approval import Goal, first_goal, state_of
from tocsin.domain.cautions import Warned
from tocsin.domain.errors import Conflict, Invalid
from tocsin.domain.payload import notification
from tocsin.domain.progress import Progress
from tocsin.domain.queues import STANDARD
from tocsin.domain.text import text_fault
from tocsin.estimating import Estimate, estimate
from tocsin.jobs import WakeUps
from tocsin.searching import Page, latest
from tocsin.settings import Settings
from tocsin.store.alerts import AlertStatus
from tocsin.store.store import Store

_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{16,255}")

# How many ended alerts a watcher of `unaccounted` looks back on.
_WATCHED_ENDED = 20


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
    def __init__(self, store: Store, wake_ups: WakeUps, settings: Settings, cautions: Cautions) -> None:
        self._store = store
        self._wake_ups = wake_ups
        self._settings = settings
        self._cautions = cautions

    async def earlier(self, draft: AlertDraft, author: str, idempotency_key: str) -> Published | None:
        """What the same call made before. A repeat must not fail for what changed since: a topic, a rate, the hour."""
        alert = Alert.take(draft, author, clock.now())
        queued = await self._store.alerts.asked_before(alert, idempotency_key)
        if queued is None:
            return None
        return await self._again(queued.alert_id)

    async def check(self, draft: AlertDraft, author: str) -> Alert:
        """The draft as an alert that could be sent. Raises Invalid."""
        now = clock.now()
        draft.check(await self._store.topics.ids(), self._settings.allowed_link_hosts, now)
        self._cautions.begin(draft)
        alert = Alert.take(draft, author, now)
        notification(alert)  # raises Invalid when it is too long for the push services
        return alert

    async def queue(self, alert: Alert, idempotency_key: str, chain: Sequence[str] = ()) -> Published:
        """On disk when this returns. Raises Unavailable, Invalid where the key stands for another alert, or Changed.

        `chain` are those that it follows up, and may well look like.
        """
        goal = first_goal(alert.draft, self._settings.approval_levels)
        state = state_of(goal, alert)
        queued = await self._store.alerts.queue(alert, idempotency_key, state, chain[-1] if chain else "")
        if not queued.is_new:
            return await self._again(queued.alert_id)
        if goal is Goal.OUT:
            self._wake_ups.deliver_soon(alert.queue, (alert.begins_at - clock.now()).total_seconds())
        warnings = await self._cautions.known(alert, chain)
        return Published(AlertStatus(alert, state), True, warnings)

    async def _again(self, alert_id: str) -> Published:
        return Published(await self._store.alerts.get(alert_id), False, await self._cautions.again(alert_id))

    async def estimate(self, draft: AlertDraft, author: str) -> Estimate:
        """Raises Invalid."""
        return await estimate(self._store, self._settings, await self.check(draft, author), clock.now())

    async def correct(self, alert_id: str, words: Words, author: str, idempotency_key: str | None) -> Published:
        """A linked alert to those who had this one, or one before it in its chain; the same words make it once.

        Raises NotFound, Invalid, or Conflict where there is nobody who could be told any more.
        """
        asked = await self._store.alerts.get(alert_id)
        root = asked.alert.chain
        chain = await self._store.alerts.chain(root)
        newest = await self._store.alerts.get(chain[-1])
        if idempotency_key is None and says(newest.alert, words, author):
            return await self._again(newest.alert.id)
        key = idempotency_key or implicit_key(newest.alert.id, words)
        now = clock.now()
        if isinstance(words, Correction):
            alert = newest.alert.correction(words, author, now)
        else:
            if message := text_fault(words.reason, 1, MAX_BODY):
                raise Invalid.at("reason", message)
            alert = newest.alert.retraction(words.reason, author, now, self._settings.notices)
        if earlier := await self._store.alerts.asked_before(alert, key):
            return await self._again(earlier.alert_id)
        await check_correctable(self._store, asked, newest)
        alert.draft.check(frozenset(alert.draft.topics), self._settings.allowed_link_hosts, now)
        notification(alert)
        return await self.queue(alert, key, chain)

    async def latest(
        self, count: int, after: str | None = None, state: AlertState | None = None, words: str = ""
    ) -> Page:
        """Newest first. Raises NotFound for an `after` that is unknown."""
        return await latest(self._store, count, after, state, words)

    async def unaccounted(self) -> int:
        """Over the alerts at work, those that readers wait for, and the latest ended ones: 0, or something is wrong."""
        alerts = self._store.alerts
        ended = [status for status in await alerts.latest(_WATCHED_ENDED) if status.totals is not None]
        waited_for = [status for status in await alerts.readable(await alerts.deferring()) if status.ended_at]
        reports = [await self.listed(status) for status in [*await alerts.open(), *ended, *waited_for]]
        return sum(int(report.progress["unaccounted"]) for report in reports)

    async def find(self, alert_id: str) -> Report:
        """Raises NotFound."""
        return await self.report(await self._store.alerts.get(alert_id))

    async def report(self, status: AlertStatus) -> Report:
        """The account at this moment, or the final one."""
        if status.totals is not None:
            return _report(status, status.totals)
        return _report(status, (await account(self._store, status)).as_json())

    async def listed(self, status: AlertStatus) -> Report:
        """The same at the price of one of many: that of an alert for which readers still wait may be a minute old."""
        if status.totals is None and status.ended_at is not None and status.interim is not None:
            return _report(status, status.interim)
        return await self.report(status)

    async def stop(self, alert_id: str) -> AlertStatus:
        """No request starts later than 2 s after this returns. Raises NotFound, or Conflict when it is over."""
        before, changed = await self._store.alerts.stop(alert_id, clock.milliseconds(clock.now()))
        if not changed and before is not AlertState.STOPPED:
            raise Conflict(f"the alert is {before}" + (" already" if before.is_terminal else ""))
        status = await self._store.alerts.get(alert_id)
        # What still waited is to be accounted for now; who waits for the end of quiet hours, in a round.
        self._wake_ups.deliver_soon(status.alert.queue)
        self._wake_ups.deliver_soon(STANDARD)
        return status


@dataclass(frozen=True)
class Account:
    """The sum over all shards, and over those of each push service."""

    status: AlertStatus
    whole: Progress
    by_push_service: Mapping[str, Progress]

    def as_json(self) -> dict[str, Any]:
        return self.whole.as_json(self.by_push_service, self.status.alert.begins_at)


def _report(status: AlertStatus, progress: Mapping[str, Any]) -> Report:
    """Receipts are no part of the account, and come on when it is final."""
    return Report(status, {**progress, "receipts": dict(status.receipts)})


async def account(store: Store, status: AlertStatus) -> Account:
    """Counted from what the shards' ledgers say now."""
    alert_id = status.alert.id
    accounts = await store.ledgers.accounts(alert_id, await store.runs.bounds(alert_id))
    parts = {name: Progress.total(shards) for name, shards in accounts.items()}
    whole = Progress.total(shard for shards in accounts.values() for shard in shards)
    return Account(status, whole, parts)


def checked_idempotency_key(text: str) -> str:
    """Raises Invalid."""
    if not _IDEMPOTENCY_KEY.fullmatch(text):
        raise Invalid.at("Idempotency-Key", "must have 16 to 255 visible ASCII characters")
    return text
