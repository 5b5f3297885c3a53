"""Everything that is held on one browser, for its reader to keep (GDPR, articles 15 and 20)."""

from datetime import UTC, date, datetime

from aiohttp import web
from pydantic import BaseModel, Field

from tocsin import clock
from tocsin.api.call import Call
from tocsin.api.consent import consent_view
from tocsin.api.history import HistoryEntry, entries
from tocsin.api.models import ConsentView, Strict
from tocsin.api.proof import proven
from tocsin.api.route import answer
from tocsin.domain.errors import Unavailable
from tocsin.domain.preferences import Preferences
from tocsin.domain.receipts import Event
from tocsin.domain.subscriptions import Address, PushKeys, encode_base64url, parse_public_id, public_id
from tocsin.store.subscriptions import Kept

FILE = "tocsin-subscription.json"


class CountedAlerts(Strict):
    day: date
    count: int


class SetAside(Strict):
    alert: str
    reason: str
    at: datetime


class SubscriptionExport(Strict):
    """Each field stands in the table of docs/privacy.md."""

    id: str
    endpoint: str
    keys: PushKeys
    push_service: str
    number: int = Field(description="the subscription's number at its push service, by which alerts' outcomes are kept")
    vapid_key_id: str = Field(description="the application server key that the browser subscribed with, base64url")
    created_at: datetime
    preferences: Preferences
    consent: ConsentView | None = Field(description="to what text of this site its reader agreed, and when")
    last_heard_of: date | None = Field(description="the day of its last call, or of an alert that reached it")
    not_reached_since: date | None = Field(description="the day of the first alert since then that did not reach it")
    counted: CountedAlerts | None = Field(description="what counts under its cap, on a day of its own")
    alerts: list[HistoryEntry] = Field(description="what became of recent alerts for it, as in its history")
    receipts: dict[str, list[Event]] = Field(description="what this browser told of recent alerts, by their ids")
    set_aside: list[SetAside] = Field(description="alerts that it was left out of, since sending to it failed oddly")
    called_gone_at: datetime | None = Field(description="when its push service said that it had ended")
    message_keys: int | None = Field(
        description="keys made ahead for its next messages; null while their server does not answer"
    )


async def export_subscription(call: Call[BaseModel]) -> web.Response:
    (kept, gone_ms), store = await _proven(call), call.services.store
    record, counted = kept.record, await store.subscriptions.counted(kept.address)
    ids = await store.alerts.recent_with_ledgers()
    missed = await store.activity.not_reached_on(kept.address)
    held = SubscriptionExport(
        id=public_id(record.digest),
        endpoint=record.endpoint,
        keys=PushKeys(p256dh=encode_base64url(record.p256dh), auth=encode_base64url(record.auth)),
        push_service=kept.address.push_service,
        number=kept.address.number,
        vapid_key_id=encode_base64url(record.vapid_key_id),
        created_at=clock.from_milliseconds(record.created * 1_000),
        preferences=kept.preferences,
        consent=consent_view(kept),
        last_heard_of=_day(kept.seen) if kept.seen else None,
        not_reached_since=_day(missed) if missed > kept.seen else None,
        counted=CountedAlerts(day=_day(counted[0]), count=counted[1]) if counted else None,
        alerts=await entries(store, kept),
        receipts=await store.receipts.of(kept.address, ids),
        set_aside=[
            SetAside(alert=failure.alert_id, reason=failure.reason, at=clock.from_milliseconds(failure.at_ms))
            for failure in await store.failures.of(kept.address, ids)
        ],
        called_gone_at=clock.from_milliseconds(gone_ms) if gone_ms else None,
        message_keys=await _message_keys(call, kept.address),
    )
    return answer(held, headers={"Content-Disposition": f'attachment; filename="{FILE}"'})


async def _proven(call: Call[BaseModel]) -> tuple[Kept, int | None]:
    """Also for one whom its push service called gone: until it is deleted it is held."""
    store, digest = call.services.store, parse_public_id(call.path["id"])
    found = await store.subscriptions.away(digest) if digest and call.bearer else None
    if found and call.bearer and await store.token_secret.proves(call.bearer, found[0].record):
        return found
    return await proven(call), None


async def _message_keys(call: Call[BaseModel], address: Address) -> int | None:
    try:
        return await call.services.prekeys.held(address)
    except Unavailable:  # it keeps nothing for good, and the rest is no less true
        return None


def _day(number: int) -> date:
    """Of days since 1970."""
    return datetime.fromtimestamp(number * 86_400, UTC).date()
