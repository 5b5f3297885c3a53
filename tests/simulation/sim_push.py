"""The push services of the simulation: they take everything, and note who got what and when.

Sealing and opening two million messages would take longer than all the rest, so all but each 200th goes through the
cipher's place as plain text; those are sealed, and opened with the browser's own key, and must say the same.
"""

import asyncio
import json
from array import array
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any, NamedTuple

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key

from bulk import browser_number
from tocsin import clock
from tocsin.domain.deliveries import Answer
from tocsin.push.encryption import MessageKey, encrypt, seal
from tocsin.push.sender import Envelope, OnAnswer
from tocsin.store.client import Script
from tocsin.store.ledgers import Ledgers, Recipient
from tocsin.store.runs import Claim
from tocsin_workers import keyring, letters

_SEALED_EACH = 200
_SECONDS = 0.01
_PLAIN = b'{"web_push"'
_BROWSERS_KEY = derive_private_key(7, SECP256R1())  # that of samples.POINT


# When the preferences were read of those to whom the window in hand goes.
_TURN: ContextVar[float] = ContextVar("turn")


class Notice(NamedTuple):
    """What stands on the screen."""

    alerts: tuple[str, ...]
    title: str
    tag: str
    collapse_key: str | None


class Got(NamedTuple):
    """`turn` is a moment before the reader's preferences were read for it, `when` that of the request (since 1970)."""

    turn: float
    when: float
    what: int


class Receptions:
    """Who got which notice and when, in the order of time."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self._known: dict[tuple[bytes, str | None], int] = {}
        self._who, self._what, self._turn, self._when = array("l"), array("l"), array("d"), array("d")

    def __len__(self) -> int:
        return len(self._who)

    def note(self, envelope: Envelope, body: bytes, turn: float, when: float) -> None:
        key = (body, envelope.collapse_key)
        if key not in self._known:
            self._known[key] = len(self.notices)
            self.notices.append(_notice(json.loads(body.rstrip(b"\0")[:-1]), envelope.collapse_key))
        self._who.append(browser_number(envelope.url))
        self._what.append(self._known[key])
        self._turn.append(turn)
        self._when.append(when)

    def by_browser(self) -> dict[int, list[Got]]:
        found: dict[int, list[Got]] = {}
        for who, what, turn, when in zip(self._who, self._what, self._turn, self._when, strict=True):
            found.setdefault(who, []).append(Got(turn, when, what))
        return found


class Recorder:
    """A `Sender` whose push services answer 201 to everything."""

    def __init__(self, receptions: Receptions) -> None:
        self._receptions = receptions
        self.opened = 0

    async def send(self, envelopes: Sequence[Envelope], on_answer: OnAnswer | None = None) -> list[Answer]:
        turn, when = _TURN.get(), clock.now().timestamp()
        await asyncio.sleep(0)
        answers = []
        for number, envelope in enumerate(envelopes):
            self._receptions.note(envelope, self._open(envelope.body), turn, when)
            answers.append(Answer(201, seconds=_SECONDS))
            if on_answer is not None:
                on_answer(number, answers[-1])
        return answers

    async def close(self) -> None:
        pass

    def _open(self, body: bytes) -> bytes:
        if body.startswith(_PLAIN):
            return body
        self.opened += 1
        plain: bytes = http_ece.decrypt(body, private_key=_BROWSERS_KEY, auth_secret=bytes(16))
        return plain + b"\x02"


def note_turns(patch: pytest.MonkeyPatch) -> None:
    """Each window is asked for and sent in one task, so what is noted at the asking is known at the sending."""
    ask = Ledgers.trying

    def trying(ledgers: Ledgers, claim: Claim, slots: Sequence[int]) -> Script[list[Recipient] | None]:
        _TURN.set(clock.now().timestamp())
        return ask(ledgers, claim, slots)

    patch.setattr(Ledgers, "trying", trying)


class Subscribed(NamedTuple):
    """What a message's key would be derived from."""

    p256dh: bytes
    auth: bytes


class Cipher:
    """Stands in the place of `derive` and `seal`."""

    def __init__(self) -> None:
        self._count = 0

    def install(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(keyring, "derive", Subscribed)
        patch.setattr(letters, "seal", self)

    def __call__(self, key: Subscribed | MessageKey, padded: bytes) -> bytes:
        self._count += 1
        if self._count % _SEALED_EACH:
            return padded
        return encrypt(padded, key.p256dh, key.auth) if isinstance(key, Subscribed) else seal(key, padded)


def _notice(payload: dict[str, Any], collapse_key: str | None) -> Notice:
    shown = payload["notification"]
    about = shown["data"]["tocsin"]
    return Notice(tuple(about.get("alerts", [about["alert"]])), shown["title"], shown["tag"], collapse_key)
