"""Follow-ups: which alert may still be corrected or retracted, and what makes one a repeat of another."""

import hashlib

from tocsin.domain.alerts import Alert, AlertState, Correction, Kind, Retraction
from tocsin.domain.errors import Conflict
from tocsin.store.alerts import AlertStatus
from tocsin.store.store import Store

Words = Correction | Retraction


async def check_correctable(store: Store, asked: AlertStatus, newest: AlertStatus) -> None:
    """Raises Conflict where nobody has the alert, or nobody knows who. `newest` is the last of its chain."""
    if asked.state.is_before_sending or asked.state is AlertState.REJECTED:
        raise Conflict(f"the alert is {asked.state}: nobody has it yet")
    if asked.state.is_terminal and asked.began_at is None:
        raise Conflict(f"the alert is {asked.state}, and nobody had it")
    if newest.alert.kind is Kind.RETRACTION:
        raise Conflict("the alert was retracted; send a new one")
    if not await store.alerts.has_ledgers(asked.alert.chain):
        raise Conflict("the alert is so old that it is no longer known who had it; send a new one")


def implicit_key(newest_id: str, words: Words) -> str:
    """An Idempotency-Key for a caller that sent none: two calls at once make one follow-up of the same alert."""
    return hashlib.sha256(f"{newest_id} {type(words).__name__} {words.model_dump_json()}".encode()).hexdigest()


def says(newest: Alert, words: Words, author: str) -> bool:
    """Whether the last of a chain is what these words of this author would make: then they are a repeat."""
    if newest.author != author:
        return False
    if isinstance(words, Retraction):
        return newest.kind is Kind.RETRACTION and newest.draft.body == words.reason
    given = words.model_dump(exclude_none=True)
    return newest.kind is Kind.CORRECTION and all(getattr(newest.draft, name) == text for name, text in given.items())
