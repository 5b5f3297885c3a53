"""A route as data: what it needs and gives. Handlers, checks, CORS and the OpenAPI document all come from it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import BaseModel

from tocsin.api.auth import NOBODY, authorize
from tocsin.api.body import parse_body, parse_query
from tocsin.api.call import SERVICES, Call
from tocsin.domain.alerts import to_json
from tocsin.domain.errors import Unavailable
from tocsin.domain.roles import Role

# A caller hears within 3 s that the store is down; each single command gives up after 2.
ANSWER_SECONDS = 2.8


@dataclass(frozen=True)
class Route:
    """`answers` maps each status that is not a problem to the model of its body (None for an empty one).

    `readers` routes may be called from the pages of ALLOWED_ORIGINS; `token` and `idempotent` ones need these headers,
    which their handlers check; `seconds` is how long an answer may take.
    """

    method: str
    path: str
    handler: Callable[[Call[Any]], Awaitable[web.Response]]
    summary: str
    tag: str
    answers: Mapping[int, type[BaseModel] | None]
    role: Role | None = None
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    readers: bool = False
    token: bool = False
    idempotent: bool = False
    cache: str = "no-store"
    seconds: float = ANSWER_SECONDS

    def bound(self) -> Handler:
        """The aiohttp handler: role, then form, then content, then the handler; late means unavailable."""

        async def handle(request: web.Request) -> web.StreamResponse:
            services = request.app[SERVICES]
            try:
                async with asyncio.timeout(self.seconds):
                    caller = await authorize(request, services, self.role) if self.role else NOBODY
                    body = await parse_body(request, self.body) if self.body else None
                    query = parse_query(request, self.query) if self.query else None
                    response = await self.handler(Call(request, services, body, query, caller))
            except TimeoutError:
                raise Unavailable("the store does not answer in time; repeat the call") from None
            response.headers.setdefault("Cache-Control", self.cache)
            return response

        return handle


def answer(
    model: BaseModel | Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """A JSON answer."""
    text = model.model_dump_json() if isinstance(model, BaseModel) else to_json(model)
    return web.Response(status=status, text=text, content_type="application/json", headers=headers)
