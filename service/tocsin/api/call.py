"""A request as a handler gets it: parsed, authorized, with everything that it may use."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from aiohttp import web
from pydantic import BaseModel

from tocsin.api.services import Services
from tocsin.store.api_keys import Caller

Body_co = TypeVar("Body_co", bound=BaseModel, covariant=True)

SERVICES: web.AppKey[Services] = web.AppKey("services", Services)
OPENAPI: web.AppKey[bytes] = web.AppKey("openapi", bytes)


@dataclass(frozen=True)
class Call(Generic[Body_co]):
    """`body` and `query` are there where the route names a model; `caller` where it needs a role."""

    request: web.Request
    services: Services
    body: Body_co
    query: Any
    caller: Caller

    @property
    def path(self) -> Mapping[str, str]:
        return self.request.match_info

    @property
    def bearer(self) -> str | None:
        return bearer_of(self.request)


def bearer_of(request: web.Request) -> str | None:
    """The token of `Authorization: Bearer …` (RFC 6750 §2.1), None without one."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None
