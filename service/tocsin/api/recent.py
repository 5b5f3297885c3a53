"""Recent alerts, public: what a page shows to anybody."""

from datetime import datetime
from hashlib import sha256

from aiohttp import web
from pydantic import Field

from tocsin.api.call import Call
from tocsin.api.models import Strict
from tocsin.api.route import answer
from tocsin.domain.alerts import Kind
from tocsin.domain.errors import Invalid
from tocsin.domain.levels import Level
from tocsin.recent import sent_at
from tocsin.store.alerts import AlertStatus

# A flash that is shown five seconds late on a page has reached its readers by push before.
CACHE = "public, max-age=5"


class RecentQuery(Strict):
    # About fifty of them; a request's line ends at 8 KB, and who follows more may as well ask for all.
    topics: str = Field(
        default="", max_length=2_000, pattern=r"^[a-z0-9, -]*$", description="comma-separated; none for all"
    )


class RecentAlert(Strict):
    id: str
    kind: Kind
    headline: str
    body: str
    url: str
    topics: list[str]
    level: Level
    story: str | None
    corrects: str | None = Field(description="the first alert of the chain that this one corrects or retracts")
    sent_at: datetime


class RecentAlerts(Strict):
    alerts: list[RecentAlert]


async def recent_alerts(call: Call[Strict]) -> web.Response:
    topics = list(filter(None, (part.strip() for part in call.query.topics.split(","))))
    known = await call.services.store.topics.ids()
    for topic in topics:
        if topic not in known:
            raise Invalid.at("topics", f"there is no topic {topic!r}")
    found = RecentAlerts(alerts=[_view(status) for status in await call.services.recent.of(topics)])
    etag = sha256(found.model_dump_json().encode()).hexdigest()[:32]
    headers = {"ETag": f'"{etag}"', "Vary": "Origin"}
    return web.Response(status=304, headers=headers) if call.has(etag) else answer(found, headers=headers)


def _view(status: AlertStatus) -> RecentAlert:
    draft = status.alert.draft
    return RecentAlert(
        id=status.alert.id,
        kind=status.alert.kind,
        headline=draft.headline,
        body=draft.body,
        url=draft.url,
        topics=draft.topics,
        level=draft.level,
        story=draft.story,
        corrects=status.alert.root,
        sent_at=sent_at(status),
    )
