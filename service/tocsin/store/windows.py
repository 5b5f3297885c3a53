"""A window's trips to the store: whether and to whom it may go, and what became of it with the next one's question.

A window may be of several shards of one alert at one push service. What belongs to a shard is in scripts of its own,
so that shards may lie on different nodes; what belongs to the run is asked and told once for all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from tocsin.domain.pace import Grant, WindowReport
from tocsin.store.client import Script, Server
from tocsin.store.ledgers import Ledgers, Recipient, Window
from tocsin.store.pace import Pace
from tocsin.store.runs import Checked, Claim, Release, Runs


class Part(NamedTuple):
    """What a window has of one shard."""

    claim: Claim
    slots: Sequence[int]


@dataclass(frozen=True)
class Paced:
    """What a window asks of the pace: which alert's own limit, if it has one, and how many of its slots are repeats."""

    alert_id: str
    per_second: int | None
    retries: int


@dataclass(frozen=True)
class Asked:
    """A window that is wanted: what it has of each shard, all shards that are in hand, and what it asks of the pace."""

    parts: Sequence[Part]
    in_hand: Sequence[Claim]
    paced: Paced


@dataclass(frozen=True)
class Opened:
    """`recipients` are all that were asked for, part by part, however many `grant` allows; None where the shard is not
    ours any more, or what is kept of it is broken."""

    checked: Checked
    grant: Grant
    recipients: Sequence[list[Recipient] | None]


@dataclass(frozen=True)
class Turned:
    """`kept` says of each shard that was told of whether it was written: not where it is not ours any more, or broken.
    `opened` is the next window, where one was asked for; `was_last` whether nothing of the run is left after what was
    let go."""

    kept: Sequence[bool]
    opened: Opened | None
    was_last: bool


class Done(NamedTuple):
    """What became of a shard's part of a window, and when it is written."""

    claim: Claim
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
        self,
        push_service: str,
        done: Sequence[Done] = (),
        report: WindowReport | None = None,
        asked: Asked | None = None,
        let_go: Sequence[Release] = (),
    ) -> Turned:
        """What became of the last window is kept and told, and all is found out that must be known before the next.

        Only what an earlier trip has kept may be let go: the same trip may fail in part.
        """
        scripts: list[Script[Any]] = [self._ledgers.writing(*each) for each in done]
        if let_go:
            scripts.append(self._runs.releasing(let_go))
        if report is not None:
            scripts.append(self._pace.reporting(push_service, report))
        if asked is not None:
            scripts += self._opening(push_service, asked)
        answers = await self._server.together(*scripts)
        kept = [answer is not None for answer in answers[: len(done)]]
        opened = None if asked is None else _opened(answers[-2 - len(asked.parts) :])
        return Turned(kept, opened, bool(let_go) and answers[len(done)])

    def _opening(self, push_service: str, asked: Asked) -> list[Script[Any]]:
        paced, wanted = asked.paced, sum(len(part.slots) for part in asked.parts)
        return [
            self._runs.checking(asked.in_hand),
            self._pace.granting(push_service, paced.alert_id, paced.per_second, wanted, paced.retries),
            *(self._ledgers.trying(*part) for part in asked.parts),
        ]


def _opened(answers: Sequence[Any]) -> Opened:
    checked, grant, *recipients = answers
    return Opened(checked, grant, recipients)
