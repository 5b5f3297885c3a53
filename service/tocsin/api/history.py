"""What became of recent alerts for one browser, and why."""

from datetime import datetime

from aiohttp import web
from pydantic import BaseModel, Field

from tocsin.api.call import Call
from tocsin.api.models import Strict
from tocsin.api.proof import proven
from tocsin.api.route import answer
from tocsin.domain.deliveries import Mark, told
from tocsin.domain.levels import Level
from tocsin.domain.receipts import Event
from tocsin.domain.words import why
from tocsin.store.alerts import AlertStatus
from tocsin.store.store import Store
from tocsin.store.subscriptions import Kept


class HistoryEntry(Strict):
    alert: str
    headline: str
    level: Level
    sent_at: datetime | None
    outcome: str = Field(examples=["skipped"])
    reason: str | None = Field(examples=["quiet_hours"])
    why: str = Field(description="the same in words")
    receipts: list[Event] = Field(description="what this browser told of it; kept only where RECEIPTS=individual")


class History(Strict):
    alerts: list[HistoryEntry]


async def history(call: Call[BaseModel]) -> web.Response:
    kept = await proven(call)
    answered = answer(History(alerts=await entries(call.services.store, kept)))
    answered.enable_compression()  # fifty alerts, with the same words again and again
    return answered


async def entries(store: Store, kept: Kept) -> list[HistoryEntry]:
    """By the ledgers, newest first."""
    ids = await store.alerts.recent_with_ledgers()
    marks = await store.ledgers.marks(kept.address.shard, kept.address.slot, ids)
    receipts = await store.receipts.of(kept.address, ids)
    found = []
    for alert_id in ids:
        status = await store.alerts.get(alert_id)
        if status.began_at is not None:
            found.append(_entry(status, marks.get(alert_id), receipts.get(alert_id, [])))
    return found


def _entry(status: AlertStatus, mark: Mark | None, receipts: list[Event]) -> HistoryEntry:
    alert = status.alert
    outcome, reason = ("pending", None) if mark is None and status.ended_at is None else told(mark or Mark.NOBODY)
    if mark is Mark.OUTSIDE and alert.root is not None:
        reason = "not_had"
    return HistoryEntry(
        alert=alert.id,
        headline=alert.draft.headline,
        level=alert.draft.level,
        sent_at=status.began_at,
        outcome=outcome,
        reason=reason,
        why=why(outcome, reason),
        receipts=receipts,
    )
