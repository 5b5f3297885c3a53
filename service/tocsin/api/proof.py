"""A browser proves itself by its token."""

from pydantic import BaseModel

from tocsin import clock
from tocsin.api.call import Call
from tocsin.domain.errors import NotFound
from tocsin.domain.subscriptions import parse_public_id
from tocsin.store.activity import day_of
from tocsin.store.store import Store
from tocsin.store.subscriptions import Kept


async def proven(call: Call[BaseModel]) -> Kept:
    return await prove(call.services.store, call.path["id"], call.bearer)


async def prove(store: Store, named: str, token: str | None) -> Kept:
    """Raises NotFound for an unknown id and for a wrong token alike."""
    digest = parse_public_id(named)
    kept = await store.subscriptions.get(digest) if digest else None
    if kept is None or not token or not await store.token_secret.proves(token, kept.record):
        raise NotFound("there is no such subscription, or the token is not its own")
    await note_seen(store, kept)
    return kept


async def note_seen(store: Store, kept: Kept) -> bool:
    """That the browser called; written once a day. False where it is not there any more, or changed meanwhile."""
    is_noted = kept.seen >= day_of(clock.milliseconds(clock.now()))
    return is_noted or await store.activity.seen(kept.address, kept.packed)
