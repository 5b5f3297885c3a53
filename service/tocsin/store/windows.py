"""The two trips of a window: before it, whether and to whom it may go; after it, what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tocsin.domain.pace import Grant, WindowReport
from tocsin.store.client import Server
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


class Windows:
    def __init__(self, server: Server, runs: Runs, pace: Pace, ledgers: Ledgers) -> None:
        self._server = server
        self._runs = runs
        self._pace = pace
        self._ledgers = ledgers

    async def open(self, claim: Claim, slots: Sequence[int], paced: Paced) -> Opened:
        """All that must be known before a window, in one trip. Whoever does not send what was granted tells it as
        unsent, and writes once more: the slots are noted as being tried."""
        service = claim.push_service
        (go, held_until), grant, recipients = await self._server.together(
            self._runs.checking(claim),
            self._pace.granting(service, paced.alert_id, paced.per_second, len(slots), paced.retries),
            self._ledgers.trying(claim, slots),
        )
        return Opened(go, held_until, grant, recipients)

    async def close(self, claim: Claim, window: Window, now_ms: int, report: WindowReport) -> bool:
        """False when the shard is not ours any more: nothing was written."""
        written, _ = await self._server.together(
            self._ledgers.writing(claim, window, now_ms), self._pace.reporting(claim.push_service, report)
        )
        return written is not None
