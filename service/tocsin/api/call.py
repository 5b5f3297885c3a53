"""A request as a handler gets it: parsed, authorized, with everything that it may use."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from aiohttp import web
from pydantic import BaseModel

from tocsin.api.services import Services
from tocsin.domain.errors import Stale, VersionNeeded
from tocsin.store.api_keys import Caller

Body_co = TypeVar("Body_co", bound=BaseModel, covariant=True)

SERVICES: web.AppKey[Services] = web.AppKey("services", Services)
OPENAPI: web.AppKey[bytes] = web.AppKey("openapi", bytes)

# RFC 6750 §2.1 allows less; whatever is not visible ASCII can be no key or token of ours.
_BEARER = re.compile(r"bearer +([\x21-\x7e]+) *", re.IGNORECASE)


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

    def has(self, etag: str) -> bool:
        """Whether the caller holds this version already; `etag` without its quotes."""
        return any(seen.value in (etag, "*") for seen in self.request.if_none_match or ())

    def check_version(self, etag: str, needed: bool = False) -> None:
        """Raises Stale where the caller said which version it means (`If-Match`), and it is not this one; VersionNeeded
        where it has to and did not.

        A proxy that compresses makes our tags weak (`W/`), and the version is the same: so they count, too.
        """
        named = self.request.if_match
        if named is None and needed:
            raise VersionNeeded("send If-Match with the ETag of the version that you change")
        if named is not None and not any(seen.value in (etag, "*") for seen in named):
            raise Stale("this was changed meanwhile; read it again")

    @property
    def bearer(self) -> str | None:
        return bearer_of(self.request)


def bearer_of(request: web.Request) -> str | None:
    """The token of `Authorization: Bearer …`, None without one."""
    found = _BEARER.fullmatch(request.headers.get("Authorization", ""))
    return found[1] if found else None
