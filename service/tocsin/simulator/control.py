"""The control interface: JSON over HTTP on loopback, to make browsers, set faults and read what happened."""

import time
from collections.abc import Mapping

from aiohttp import web
from pydantic import BaseModel

from tocsin.simulator.browsers import Browser, SimulatedBrowser, apportion
from tocsin.simulator.control_errors import Conflict, Invalid, NotFound, answer_errors, read_body, read_query
from tocsin.simulator.faults import ConnectionFault
from tocsin.simulator.listener import Listener
from tocsin.simulator.log import Line
from tocsin.simulator.loopback import require_loopback_host
from tocsin.simulator.models import (
    BrowserChange,
    FaultList,
    FaultMap,
    LogLine,
    LogPage,
    LogQuery,
    NewBrowsers,
    Received,
)
from tocsin.simulator.push_service import World
from tocsin.simulator.services import PushServiceName
from tocsin.simulator.views import detail, summary, view, views

MAX_REQUEST_BYTES = 2**20


class Control:
    """The handlers; `listeners` are opened and closed by connection faults."""

    def __init__(self, world: World, listeners: Mapping[PushServiceName, Listener]) -> None:
        self._world = world
        self._listeners = listeners

    def application(self) -> web.Application:
        application = web.Application(
            middlewares=[answer_errors, require_loopback_host], client_max_size=MAX_REQUEST_BYTES
        )
        application.router.add_routes(
            [
                web.get("/livez", self._livez),
                web.get("/browsers", self._list_browsers),
                web.post("/browsers", self._create_browsers),
                web.delete("/browsers", self._delete_browsers),
                web.get("/browsers/{id}", self._show_browser),
                web.patch("/browsers/{id}", self._change_browser),
                web.get("/received", self._received),
                web.get("/faults", self._list_faults),
                web.put("/faults/{target}", self._put_faults),
                web.delete("/faults", self._delete_all_faults),
                web.delete("/faults/{target}", self._delete_faults),
                web.get("/log", self._show_log),
                web.delete("/log", self._clear_log),
                web.get("/summary", self._summary),
            ]
        )
        return application

    async def _livez(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    # Browsers

    async def _list_browsers(self, _: web.Request) -> web.Response:
        return _json(views(self._world.browsers))

    async def _create_browsers(self, request: web.Request) -> web.Response:
        new = await read_body(request, NewBrowsers)
        counts = apportion(new.count, new.shares)
        browsers = await self._world.browsers.create(counts, new.application_server_key, new.host)
        return _json(views(browsers), status=201)

    async def _delete_browsers(self, _: web.Request) -> web.Response:
        self._world.browsers.clear()
        return web.Response(status=204)

    async def _show_browser(self, request: web.Request) -> web.Response:
        return _model(detail(self._browser(request)))

    async def _change_browser(self, request: web.Request) -> web.Response:
        browser, change = self._browser(request), await read_body(request, BrowserChange)
        if change.online is not None:
            if not isinstance(browser, SimulatedBrowser):
                raise Conflict("online", "a real browser is online while it is connected")
            if change.online:
                browser.come_online(time.time(), self._world.receptions)
            else:
                browser.go_offline()
        if change.unsubscribed is not None:
            browser.unsubscribed = change.unsubscribed
        return _model(view(browser))

    def _browser(self, request: web.Request) -> Browser:
        browser = self._world.browsers.get(request.match_info["id"])
        if browser is None:
            raise NotFound("id", "no such browser")
        return browser

    async def _received(self, request: web.Request) -> web.Response:
        alert = request.query.get("alert")
        if not alert:
            raise Invalid([("alert", "which alert?")])
        return _model(Received.model_construct(alert=alert, browsers=dict(self._world.receptions.of(alert))))

    # Faults

    async def _list_faults(self, _: web.Request) -> web.Response:
        faults = {target: list(faults) for target, faults in self._world.faults.all().items()}
        return _model(FaultMap(faults=faults))

    async def _put_faults(self, request: web.Request) -> web.Response:
        target = request.match_info["target"]
        wanted = await read_body(request, FaultList)
        is_push_service = target in self._listeners
        if not is_push_service and self._world.browsers.get(target) is None:
            raise NotFound("target", "neither a push service nor a browser")
        if not is_push_service and any(isinstance(fault, ConnectionFault) for fault in wanted.faults):
            raise Invalid([("faults", "connections are a push service's, not a browser's")])
        self._world.faults.put(target, wanted.faults)
        await self._apply_connection_fault(target)
        return _model(wanted)

    async def _delete_faults(self, request: web.Request) -> web.Response:
        await self._clear_faults(request.match_info["target"])
        return web.Response(status=204)

    async def _delete_all_faults(self, _: web.Request) -> web.Response:
        for target in self._world.faults.all():
            await self._clear_faults(target)
        return web.Response(status=204)

    async def _clear_faults(self, target: str) -> None:
        self._world.faults.clear(target)
        await self._apply_connection_fault(target)

    async def _apply_connection_fault(self, target: str) -> None:
        if target in self._listeners:
            await self._listeners[PushServiceName(target)].obey(self._world.faults.connection_fault(target))

    # What happened

    async def _show_log(self, request: web.Request) -> web.Response:
        query = read_query(request, LogQuery)
        lines: list[LogLine] = []
        for line in self._world.log.newest():
            if _matches(line, query):
                lines.append(LogLine.model_validate(line))
                if len(lines) == query.limit:
                    break
        return _model(LogPage(lines=lines[::-1]))

    async def _clear_log(self, _: web.Request) -> web.Response:
        self._world.log.clear()
        self._world.receptions.clear()
        return web.Response(status=204)

    async def _summary(self, _: web.Request) -> web.Response:
        return _model(summary(self._world, self._listeners))


def _matches(line: Line, query: LogQuery) -> bool:
    status = None if query.status == "none" else query.status
    return (
        query.push_service in {None, line.push_service}
        and query.browser in {None, line.browser}
        and (query.status is None or status == line.status)
        and query.alert in {None, line.alert}
        and query.fault in {None, line.fault}
    )


def _model(model: BaseModel) -> web.Response:
    return _json(model.model_dump_json().encode())


def _json(body: bytes, *, status: int = 200) -> web.Response:
    return web.Response(body=body, status=status, content_type="application/json")
