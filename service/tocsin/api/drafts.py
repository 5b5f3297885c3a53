"""The desk's calls: change an alert before it is sent, and move it on."""

from aiohttp import web
from pydantic import BaseModel, Field

from tocsin.api.call import Call
from tocsin.api.editors import etag, warned_view
from tocsin.api.models import Strict
from tocsin.api.route import answer
from tocsin.domain.approval import Step
from tocsin.domain.drafts import AlertPatch
from tocsin.domain.errors import Changed, Stale
from tocsin.store.alerts import AlertStatus


class Approval(Strict):
    content_hash: str | None = Field(
        default=None, pattern="^[0-9a-f]{64}$", description="what was read; without it, whatever the alert says now"
    )


async def change_alert(call: Call[AlertPatch]) -> web.Response:
    def check_version(status: AlertStatus) -> None:
        call.check_version(etag(status), needed=True)

    try:
        changed = await call.services.drafting.edit(call.path["id"], call.body, call.caller.id, check_version)
    except Changed as error:  # between the look at its version and the write
        raise Stale(error.detail) from None
    return await _answer(call, changed)


async def submit_alert(call: Call[BaseModel]) -> web.Response:
    return await _take(call, Step.SUBMIT)


async def approve_alert(call: Call[Approval]) -> web.Response:
    return await _take(call, Step.APPROVE, call.body.content_hash)


async def reject_alert(call: Call[BaseModel]) -> web.Response:
    return await _take(call, Step.REJECT)


async def send_alert(call: Call[BaseModel]) -> web.Response:
    return await _take(call, Step.SEND)


async def _take(call: Call[BaseModel], step: Step, approved: str | None = None) -> web.Response:
    return await _answer(call, await call.services.drafting.take(call.path["id"], step, call.caller.id, approved))


async def _answer(call: Call[BaseModel], status: AlertStatus) -> web.Response:
    services = call.services
    warnings = await services.cautions.again(status.alert.id)
    view = warned_view(await services.publishing.report(status), warnings)
    return answer(view, headers={"ETag": f'"{etag(status)}"'})
