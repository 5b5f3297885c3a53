"""The editors' calls: send, watch, stop; and the keys with which they come."""

from collections.abc import Iterable
from typing import Any

from aiohttp import web
from pydantic import BaseModel

from tocsin import clock
from tocsin.api.call import Call
from tocsin.api.models import (
    AlertPage,
    AlertView,
    AlertWithWarnings,
    EstimateView,
    ExpectedView,
    KeyList,
    KeyMade,
    KeyView,
    NewKey,
    ProgressView,
    WarningView,
)
from tocsin.api.route import answer
from tocsin.api.services import Services
from tocsin.domain.alerts import AlertDraft, Correction, Retraction
from tocsin.domain.approval import content_hash
from tocsin.domain.cautions import Warned
from tocsin.domain.errors import Invalid, NotFound
from tocsin.estimating import Expected
from tocsin.publishing import Published, Report, checked_idempotency_key
from tocsin.store.alerts import AlertStatus


async def queue_alert(call: Call[AlertDraft]) -> web.Response:
    services, draft, author = call.services, call.body, call.caller.id
    key = _idempotency_key(call.request)
    async with services.turns.of(f"{author} {key}"):
        published = await services.publishing.earlier(draft, author, key)
        if published is None:
            # Only what could be sent counts for the rate: who mends a typing error must not be made to wait for it.
            alert = await services.publishing.check(draft, author)
            await services.rates.hit(services.settings.alert_rate, "alert", author)
            published = await services.publishing.queue(alert, key)
    return await _queued(services, published, 201 if draft.state else 202)


async def _queued(services: Services, published: Published, status: int = 202) -> web.Response:
    view = warned_view(await services.publishing.report(published.status), published.warnings)
    location = f"{services.settings.base_path}/v1/alerts/{view.id}"
    return answer(view, status, {"Location": location, "ETag": f'"{etag(published.status)}"'})


def _warnings(warnings: Iterable[Warned]) -> list[WarningView]:
    return [WarningView(code=warned.code, detail=warned.detail) for warned in warnings]


async def estimate_alert(call: Call[AlertDraft]) -> web.Response:
    estimate = await call.services.publishing.estimate(call.body, call.caller.id)
    warnings = await call.services.cautions.all(call.body)
    view = EstimateView(
        **dict(_expected(estimate.whole)),
        by_push_service={name: _expected(part) for name, part in sorted(estimate.by_push_service.items())},
        bytes=estimate.payload_bytes,
        seconds=estimate.seconds,
        warnings=_warnings(warnings),
    )
    return answer(view)


def _expected(part: Expected) -> ExpectedView:
    return ExpectedView(
        audience=part.audience, now=part.now, deferred=part.deferred, skipped=dict(sorted(part.skipped.items()))
    )


async def correct_alert(call: Call[Correction]) -> web.Response:
    return await _follow_up(call, call.body)


async def retract_alert(call: Call[Retraction]) -> web.Response:
    return await _follow_up(call, call.body)


async def _follow_up(call: Call[Any], words: Correction | Retraction) -> web.Response:
    """Without an Idempotency-Key the words themselves are one."""
    services, author = call.services, call.caller.id
    key = _idempotency_key(call.request) if "Idempotency-Key" in call.request.headers else None
    async with services.turns.of(f"{author} {call.path['id']}"):
        published = await services.publishing.correct(call.path["id"], words, author, key)
    return await _queued(services, published)


def _idempotency_key(request: web.Request) -> str:
    values = request.headers.getall("Idempotency-Key", [])
    if len(values) != 1:
        raise Invalid.at("Idempotency-Key", "send this header once, with 16 to 255 visible ASCII characters")
    return checked_idempotency_key(values[0])


async def list_alerts(call: Call[BaseModel]) -> web.Response:
    publishing, query = call.services.publishing, call.query
    try:
        page = await publishing.latest(query.limit, query.cursor, query.state, query.q)
    except NotFound:
        raise Invalid.at("cursor", "is not one that a page gave") from None
    views = [_view(await publishing.listed(status)) for status in page.statuses]
    headers = {}
    if page.cursor:
        headers["Link"] = f'<{call.request.rel_url.update_query(cursor=page.cursor)}>; rel="next"'
    return answer(AlertPage(alerts=views, next=page.cursor), headers=headers)


async def read_alert(call: Call[BaseModel]) -> web.Response:
    report = await call.services.publishing.find(call.path["id"])
    view = warned_view(report, await call.services.cautions.of(report.status.alert.id))
    return answer(view, headers={"ETag": f'"{etag(report.status)}"'})


async def stop_alert(call: Call[BaseModel]) -> web.Response:
    status = await call.services.publishing.stop(call.path["id"])
    return answer(_view(await call.services.publishing.report(status)))


async def list_keys(call: Call[BaseModel]) -> web.Response:
    keys = await call.services.store.api_keys.all()
    views = [KeyView(id=key.id, name=key.name, roles=sorted(key.roles), created_at=key.created_at) for key in keys]
    return answer(KeyList(keys=views))


async def make_key(call: Call[NewKey]) -> web.Response:
    key, text = await call.services.store.api_keys.make(call.body.name, frozenset(call.body.roles), clock.now())
    return answer(KeyMade(id=key.id, key=text), 201)


async def delete_key(call: Call[BaseModel]) -> web.Response:
    await call.services.store.api_keys.delete(call.path["id"])
    return web.Response(status=204)


def etag(status: AlertStatus) -> str:
    """Names what `PATCH` can change, and whether it still can; not the progress of sending."""
    return f"{status.edition}-{status.state}"


def warned_view(report: Report, warnings: Iterable[Warned]) -> AlertWithWarnings:
    return AlertWithWarnings(**dict(_view(report)), warnings=_warnings(warnings))


def _view(report: Report) -> AlertView:
    status = report.status
    return AlertView(
        **{name: getattr(status.alert.draft, name) for name in AlertDraft.model_fields if name != "state"},
        id=status.alert.id,
        state=status.state,
        kind=status.alert.kind,
        corrects=status.alert.root,
        corrected_by=status.corrected_by,
        author=status.alert.author,
        approved_by=status.approved_by,
        content_hash=content_hash(status.alert.draft),
        created_at=status.alert.queued_at,
        began_at=status.began_at,
        ended_at=status.ended_at,
        progress=ProgressView.model_validate(report.progress),
    )
