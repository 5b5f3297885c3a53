"""Everything that is held on one browser, for its reader to keep (GDPR, articles 15 and 20)."""

from datetime import UTC, date, datetime

from aiohttp import web
from pydantic import BaseModel, Field

from tocsin import clock
from tocsin.api.call import Call
from tocsin.api.consent import consent_view
from tocsin.api.models import ConsentView, Strict
from tocsin.api.proof import proven
from tocsin.api.route import answer
from tocsin.domain.preferences import Preferences
from tocsin.domain.receipts import Event
from tocsin.domain.subscriptions import PushKeys, encode_base64url, public_id

FILE = "tocsin-subscription.json"


class CountedAlerts(Strict):
    day: date
    count: int


class SubscriptionExport(Strict):
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
    counted: CountedAlerts | None = Field(description="what counts under its cap, on a day of its own")
    receipts: dict[str, list[Event]] = Field(description="what this browser told of recent alerts, by their ids")


async def export_subscription(call: Call[BaseModel]) -> web.Response:
    kept, store = await proven(call), call.services.store
    record, counted = kept.record, await store.subscriptions.counted(kept.address)
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
        counted=CountedAlerts(day=_day(counted[0]), count=counted[1]) if counted else None,
        receipts=await store.receipts.of(kept.address, await store.alerts.recent_with_ledgers()),
    )
    return answer(held, headers={"Content-Disposition": f'attachment; filename="{FILE}"'})


def _day(number: int) -> date:
    """Of days since 1970."""
    return datetime.fromtimestamp(number * 86_400, UTC).date()
