"""API keys, stored as hashes: who holds a copy of the store cannot send with it."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict, TypeAdapter

from tocsin.domain.errors import NotFound
from tocsin.domain.roles import Role
from tocsin.store.client import Server, answering

_KEYS = "{keys}:by-id"


class ApiKey(BaseModel):
    """What is kept of a key: everything but the key. `id` is its public half."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    roles: frozenset[Role]
    created_at: datetime
    secret_hash: str


@dataclass(frozen=True)
class Caller:
    """Who calls, as proven by a key; `id` is what an alert's author and an Idempotency-Key are bound to."""

    id: str
    name: str
    roles: frozenset[Role]


class ApiKeys:
    def __init__(self, server: Server) -> None:
        self._server = server

    async def make(self, name: str, roles: frozenset[Role], now: datetime) -> tuple[ApiKey, str]:
        """A new key and its text, `tk_<id>_<secret>`, which is shown once and kept nowhere."""
        key_id = secrets.token_hex(6)
        secret = secrets.token_urlsafe(32)
        key = ApiKey(id=key_id, name=name, roles=roles, created_at=now, secret_hash=_hash(secret))
        async with answering():
            await self._server.redis.hset(_KEYS, key_id, key.model_dump_json())
        return key, f"tk_{key_id}_{secret}"

    async def find(self, text: str) -> Caller | None:
        prefix, _, rest = text.partition("_")
        key_id, _, secret = rest.partition("_")
        if prefix != "tk" or not key_id or not secret or not text.isascii():
            return None
        async with answering():
            kept = await self._server.redis.hget(_KEYS, key_id)
        if kept is None:
            return None
        key = ApiKey.model_validate_json(kept)
        if not hmac.compare_digest(key.secret_hash, _hash(secret)):
            return None
        return Caller(key.id, key.name, key.roles)

    async def all(self) -> list[ApiKey]:
        async with answering():
            kept = await self._server.redis.hvals(_KEYS)
        return sorted((_ONE.validate_json(row) for row in kept), key=lambda key: key.created_at)

    async def delete(self, key_id: str) -> None:
        async with answering():
            if not await self._server.redis.hdel(_KEYS, key_id):
                raise NotFound("there is no such key")


_ONE = TypeAdapter(ApiKey)


def _hash(secret: str) -> str:
    # The secret has 256 bits of chance, so a plain hash is as good as a slow one.
    return hashlib.sha256(secret.encode()).hexdigest()
