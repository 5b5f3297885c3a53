"""A route as data: what it needs and gives. Handlers, checks, CORS and the OpenAPI document all come from it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any, Literal

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import BaseModel

from tocsin.api.auth import NOBODY, authorize, is_local
from tocsin.api.body import BEACON_TYPES, JSON_TYPES, asks_for_draft, parse_body, parse_query, read_body
from tocsin.api.call import SERVICES, Call
from tocsin.api.load import Load
from tocsin.api.services import Services
from tocsin.domain.alerts import to_json
from tocsin.domain.errors import Forbidden, TooLarge, Unavailable, UnsupportedMedia
from tocsin.domain.roles import Role, holds
from tocsin.store.api_keys import Caller

# A caller hears within 3 s that the store is down; each single command gives up after 2.
ANSWER_SECONDS = 2.8


@dataclass(frozen=True)
class Route:
    """`answers` maps each status that is not a problem to the model of its body (None for an empty one).

    `local` ones ask a caller on this machine for no role. `readers` routes may be called from the pages of
    ALLOWED_ORIGINS; `token`, `idempotent` and `if_match` ones take these headers, which their handlers check;
    `beacon` ones may come as text/plain, as a page sends them on its way out, and are turned away first when there is
    too much to do; of `drafts` ones a reporter may make those with `"state": "draft"`, and is told 403 for all else;
    `problems` are statuses that only this route has; `seconds` is how long an answer may take, the caller's own sending
    apart.
    """

    method: str
    path: str
    handler: Callable[[Call[Any]], Awaitable[web.Response]]
    summary: str
    tag: str
    answers: Mapping[int, type[BaseModel] | None]
    role: Role | None = None
    local: bool = False
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    readers: bool = False
    token: bool = False
    idempotent: bool = False
    if_match: Literal["", "optional", "required"] = ""
    drafts: bool = False
    beacon: bool = False
    problems: tuple[int, ...] = ()
    cache: str = "no-store"
    seconds: float = ANSWER_SECONDS

    def bound(self) -> Handler:
        """The aiohttp handler: role, then form, then content, then the handler; late means unavailable."""

        async def handle(request: web.Request) -> web.StreamResponse:
            services = request.app[SERVICES]
            if self.beacon:
                services.load.give_way()
            try:
                async with asyncio.timeout(self.seconds) as limit:
                    if self.path.startswith("/v1/"):
                        await _set_up(services)
                    caller = await self._caller(request, services)
                    body = parse_body(await self._read(request, caller, limit), self.body) if self.body else None
                    query = parse_query(request, self.query) if self.query else None
                    with self._counted(services.load):
                        response = await self.handler(Call(request, services, body, query, caller))
            except TimeoutError:
                raise Unavailable("the store does not answer in time; repeat the call") from None
            response.headers.setdefault("Cache-Control", self.cache)
            return response

        return handle

    def _counted(self, load: Load) -> AbstractContextManager[None]:
        # Who waits for a push service, or for long, is no sign of too much to do.
        return load.working(self.beacon) if self.seconds <= ANSWER_SECONDS else nullcontext()

    async def _caller(self, request: web.Request, services: Services) -> Caller:
        if self.role is None or (self.local and is_local(request)):
            return NOBODY
        return await authorize(request, services, self.role, *((Role.REPORTER,) if self.drafts else ()))

    async def _read(self, request: web.Request, caller: Caller, limit: asyncio.Timeout) -> bytes:
        if self.role is None or not self.drafts or holds(caller.roles, self.role):
            return await _read(request, limit, self.beacon)
        raw = b""
        with suppress(TooLarge, UnsupportedMedia):  # neither is a draft
            raw = await _read(request, limit)
        if not asks_for_draft(raw):
            raise Forbidden('a reporter may only write drafts, with "state": "draft"')
        return raw


async def _set_up(services: Services) -> None:
    """Before that a site has no topics yet, and nobody has looked whether the store's form is ours. Raises Unavailable
    where it is not."""
    if not services.setting_up.done():
        await asyncio.wait([services.setting_up])
    if services.store.schema.wrong:
        raise Unavailable(services.store.schema.wrong)


async def _read(request: web.Request, limit: asyncio.Timeout, beacon: bool = False) -> bytes:
    """The body. How slowly a caller sends it is no fault of the store's, so that time does not count."""
    due, began = limit.when(), asyncio.get_running_loop().time()
    limit.reschedule(None)
    raw = await read_body(request, BEACON_TYPES if beacon else JSON_TYPES)
    limit.reschedule((due or 0) + asyncio.get_running_loop().time() - began)
    return raw


def answer(
    model: BaseModel | Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """A JSON answer."""
    text = model.model_dump_json() if isinstance(model, BaseModel) else to_json(model)
    return web.Response(status=status, text=text, content_type="application/json", headers=headers)
