"""A window's trips to the store: whether and to whom it may go, and what became of it with the next one's question."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from tocsin.domain.pace import Grant, WindowReport
from tocsin.store.client import Script, Server
from tocsin.store.ledgers import Ledgers, Recipient, Window
from tocsin.store.pace import Pace
from tocsin.store.runs import Claim, Go, Runs


@dataclass(frozen=True)
class Opened:
    """`held_until` is the end of a hold. `recipients` are all that were asked for, however many `grant` allows; None
    where the shard is not ours any more."""

    go: Go
    held_until: datetime
    grant: Grant
    recipients: list[Recipient] | None


@dataclass(frozen=True)
class Paced:
    """What a window asks of the pace: which alert's own limit, if it has one, and how many of its slots are repeats."""

    alert_id: str
    per_second: int | None
    retries: int


@dataclass(frozen=True)
class Asked:
    """A window that is wanted: its slots, and what it asks of the pace."""

    slots: Sequence[int]
    paced: Paced


@dataclass(frozen=True)
class Turned:
    """`is_kept` is False when the shard is not ours any more: nothing was written. `opened` is the next window, where
    one was asked for."""

    is_kept: bool
    opened: Opened | None


class Done(NamedTuple):
    """What became of a window, and when it is written."""

    window: Window
    now_ms: int


class Windows:
    """Whoever does not send what was granted tells it as unsent, and writes once more: the slots are noted as being
    tried."""

    def __init__(self, server: Server, runs: Runs, pace: Pace, ledgers: Ledgers) -> None:
        self._server = server
        self._runs = runs
        self._pace = pace
        self._ledgers = ledgers

    async def turn(
        self, claim: Claim, done: Done | None = None, report: WindowReport | None = None, asked: Asked | None = None
    ) -> Turned:
        """What became of the last window is kept and told, and all is found out that must be known before the next."""
        scripts: list[Script[Any]] = []
        if done is not None:
            scripts.append(self._ledgers.writing(claim, *done))
        if report is not None:
            scripts.append(self._pace.reporting(claim.push_service, report))
        if asked is not None:
            scripts += self._opening(claim, asked)
        answers = await self._server.together(*scripts)
        is_kept = done is None or answers[0] is not None
        return Turned(is_kept, _opened(answers[-3:]) if asked else None)

    def _opening(self, claim: Claim, asked: Asked) -> list[Script[Any]]:
        service, paced = claim.push_service, asked.paced
        return [
            self._runs.checking(claim),
            self._pace.granting(service, paced.alert_id, paced.per_second, len(asked.slots), paced.retries),
            self._ledgers.trying(claim, asked.slots),
        ]


def _opened(answers: Sequence[Any]) -> Opened:
    (go, held_until), grant, recipients = answers
    return Opened(go, held_until, grant, recipients)
