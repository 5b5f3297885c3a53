"""Real workers in one process, each of which goes on by one command to the store when a test says so.

What is at work is the code of the workers themselves; only the push services, wake-ups, permits and pace are played.
So a test may stop a worker between any two commands, let another overtake it, kill it, or lose an answer on its way.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from py_vapid import Vapid02

from tocsin import clock
from tocsin.domain.alerts import Alert
from tocsin.domain.deliveries import Answer, Mark
from tocsin.domain.errors import Unavailable
from tocsin.domain.pace import Grant
from tocsin.planning import Planners
from tocsin.push.sender import Envelope
from tocsin.push.vapid import ApplicationServer
from tocsin.settings import Settings
from tocsin.store.client import Argument, Script
from tocsin.store.runs import Claim, Unbegun
from tocsin.store.store import Store
from tocsin.store.windows import Windows
from tocsin_workers.begin import begin
from tocsin_workers.close import close_if_done
from tocsin_workers.keyring import Keyring, Wanted
from tocsin_workers.letters import Letter, Letters, Message
from tocsin_workers.permits import Lane
from tocsin_workers.round_run import RoundRun
from tocsin_workers.shard_run import ShardRun
from tocsin_workers.shard_work import ShardWork
from tocsin_workers.work import Work


def an_application_server() -> ApplicationServer:
    key = generate_private_key(SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return ApplicationServer(Vapid02.from_pem(pem), "mailto:desk@example.com")


PATIENCE = 10.0


class Turns:
    """Whoever waits here goes on when `give` is called."""

    def __init__(self) -> None:
        self._turn: asyncio.Future[None] | None = None
        self._arrived = asyncio.Event()
        self.at = ""
        self.lose_answer = False

    async def wait(self, at: str) -> None:
        self.at = at
        self._turn = asyncio.get_running_loop().create_future()
        self._arrived.set()
        await self._turn

    async def give(self, task: "asyncio.Task[None]") -> None:
        """One turn; returns when the task waits for the next, or has ended."""
        self._arrived.clear()
        turn, self._turn = self._turn, None
        if turn is not None and not turn.done():
            turn.set_result(None)
        arrived = asyncio.create_task(self._arrived.wait())
        done, _ = await asyncio.wait([arrived, task], timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        arrived.cancel()
        assert done, f"it waits for something else than its turn: {task.get_stack(limit=3)}"

    def answered(self, result: Any) -> Any:
        """Raises Unavailable in place of an answer that is lost: what was asked for is done."""
        if self.lose_answer:
            self.lose_answer = False
            raise Unavailable("the answer was lost")
        return result


class _InTurn:
    """A client, or a pipeline of it, whose commands wait for their turn."""

    def __init__(self, real: Any, turns: Turns) -> None:
        self._real = real
        self._turns = turns

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._real, name)
        if name == "pipeline":
            return lambda **options: _Pipeline(attribute(**options), self._turns)
        return attribute if name == "aclose" else self._gated(name, attribute)

    def _gated(self, name: str, call: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
        async def in_turn(*words: Any, **options: Any) -> Any:
            await self._turns.wait(name)
            return self._turns.answered(await call(*words, **options))

        return in_turn


class _Pipeline(_InTurn):
    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._real, name)
        return self._gated("pipeline", attribute) if name == "execute" else attribute

    async def __aenter__(self) -> "_Pipeline":
        await self._real.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._real.__aexit__(*error)


# Before a script is run: its name, keys and arguments. Gives what is called with its answer.
Look = Callable[[str, Sequence[str], Sequence[Argument]], Coroutine[Any, Any, Callable[[Any], None]]]


async def nothing(*_: object) -> Callable[[Any], None]:
    """A look at nothing."""
    return lambda _: None


def in_turn(store: Store, turns: Turns, look: Look) -> None:
    """From here on every command of this store waits for its turn."""
    server, run = store.server, store.server.run
    plain = server.redis

    async def run_in_turn(script: str, keys: Sequence[str], *arguments: Argument) -> Any:
        await turns.wait(script)
        seen = await look(script, keys, arguments)
        gated, server.redis = server.redis, plain
        try:
            result = await run(script, keys, *arguments)
        finally:
            server.redis = gated
        seen(result)
        return turns.answered(result)

    async def together_in_turn(*scripts: Script[Any]) -> list[Any]:
        """One after another, as the server runs them: others may come in between, and a connection may be lost."""
        return [
            script.read(await run_in_turn(script.name, script.keys, *script.arguments) if script.name else None)
            for script in scripts
        ]

    server.run = run_in_turn  # type: ignore[method-assign]
    server.together = together_in_turn  # type: ignore[method-assign]
    server.redis = _InTurn(plain, turns)


class FreePace:
    """Lets everything go at once but for so many `refusals`; how it does otherwise is tested by itself."""

    refusals = 0

    def granting(
        self, _push_service: str, _alert_id: str, _rate: int | None, wanted: int, retries: int
    ) -> Script[Grant]:
        def read(_: None) -> Grant:
            if self.refusals:
                self.refusals -= 1
                return Grant(0, 0, clock.now(), seconds=60.0)
            return Grant(wanted - retries, retries, None)

        return Script("", [], [], read)

    def reporting(self, *_: object) -> Script[None]:
        return Script("", [], [], lambda _: None)

    async def report(self, *_: object) -> None:
        pass


def at_free_pace(store: Store) -> FreePace:
    pace = FreePace()
    store.pace = pace  # type: ignore[assignment]
    store.windows = Windows(store.server, store.runs, store.pace, store.ledgers)
    return pace


class FreePermits:
    """Windows of two, at once."""

    def join(self, *_: object) -> None: ...
    def leave(self, *_: object) -> None: ...
    def pause(self, *_: object) -> None: ...
    def go_on(self, *_: object) -> None: ...
    def prove(self, *_: object) -> None: ...
    def started(self, *_: object) -> None: ...

    def may_keep(self, *_: object) -> bool:
        return True

    async def give_back(self, *_: object) -> None: ...
    async def spare(self, *_: object) -> None: ...

    async def take(self, _: Lane, wanted: int, __: bool = False) -> int:
        return min(2, wanted)


class Silent:
    """In place of wake-ups, of warnings and of what is counted for people."""

    def answers(self, *_: object) -> None: ...
    def accepted(self, *_: object) -> None: ...
    def deliver_soon(self, *_: object) -> None: ...
    async def write_if_due(self) -> None: ...
    async def deliver(self, *_: object) -> None: ...
    async def known(self, *_: object) -> tuple[()]:
        return ()

    async def again(self, *_: object) -> tuple[()]:
        return ()


class Loud:
    """In place of a log: what would be told there fails the test."""

    def warning(self, *_: object, **__: object) -> None: ...
    def exception(self, *_: object, **__: object) -> None:
        raise  # noqa: PLE0704 (it is called where an error is handled)


class NoKeyrings:
    """No prekeys: every message is encrypted afresh."""

    def empty(self) -> Keyring:
        return Keyring(None)

    async def take(self, wanted: Sequence[Wanted]) -> None:
        for each in wanted:
            each.keyring.add(each.slots, {}, None)


@dataclass
class PlayedRuntime:
    """What a worker process has; see Runtime."""

    settings: Settings
    store: Store
    application_server: ApplicationServer
    sender: Any = None
    letters: Any = None
    wake_ups: Any = field(default_factory=Silent)
    counting: Any = field(default_factory=Silent)
    permits: Any = field(default_factory=FreePermits)
    keyrings: Any = field(default_factory=NoKeyrings)

    def __post_init__(self) -> None:
        self.planners = Planners(self.store.profiles, self.store.readers)

    def hands_back(self) -> bool:
        return False

    async def alert(self, alert_id: str) -> Alert:
        return (await self.store.alerts.get(alert_id)).alert


class _Noting:
    """Remembers whose each envelope is, by the keys that its shard has in hand."""

    def __init__(self, runtime: "PlayedRuntime") -> None:
        self._letters = Letters(runtime.application_server, runtime.settings)
        self.places: dict[Envelope, tuple[Keyring, int]] = {}

    def message(self, *words: Any) -> Message:
        return self._letters.message(*words)

    def write(self, slot: int, packed: bytes, message: Message, now: datetime, keyring: Keyring) -> Letter | Mark:
        letter = self._letters.write(slot, packed, message, now, keyring)
        if isinstance(letter, Letter):
            self.places[letter.envelope] = keyring, slot
        return letter


@dataclass
class Sent:
    """Requests of a shard that are out: by slot the alerts in each, and the answer that it gets."""

    claim: Claim
    alerts: dict[int, tuple[str, ...]] = field(default_factory=dict)
    answers: dict[int, int] = field(default_factory=dict)


Out = dict[str, Sent]
"""What is out, by shard."""


class Worker:
    """One at a time: a claim, its shard and those beside it, and the end. `sends` is told when requests go out."""

    def __init__(
        self,
        runtime: PlayedRuntime,
        queues: Sequence[str],
        statuses: Iterator[int],
        sends: Callable[["Worker", Out], Coroutine[Any, Any, None]],
        look: Look,
    ) -> None:
        self.turns = Turns()
        self.out: Out = {}
        self.found_nothing = False
        self.runtime = runtime
        runtime.sender, runtime.letters = self, _Noting(runtime)
        in_turn(runtime.store, self.turns, look)
        self._queues = queues
        self._statuses = statuses
        self._sends = sends
        self._at: Work
        self._task: asyncio.Task[None] | None = None

    @property
    def is_idle(self) -> bool:
        return self._task is None

    async def go(self, lose_answer: bool = False) -> str:
        """One command to the store; gives its name."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())
            await self.turns.give(self._task)
        at, self.turns.lose_answer = self.turns.at, lose_answer
        await self.turns.give(self._task)
        self.turns.lose_answer = False
        if self._task.done():
            task, self._task = self._task, None
            task.result()
        return at

    async def kill(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._task, self.out = None, {}

    async def _run(self) -> None:
        """What `deliver` does for one claim."""
        runtime: Any = self.runtime
        with suppress(Unavailable):
            found = await runtime.store.runs.claim(self._queues, ())
            self.found_nothing = found is None
            if isinstance(found, Unbegun):
                await begin(runtime, found.alert_id)
            elif found is not None:
                first: ShardWork = (
                    RoundRun(runtime, found)
                    if found.is_round
                    else ShardRun(runtime, found, await runtime.alert(found.alert_id))
                )
                self._at = Work(runtime, first)
                if await self._at.work() and not found.is_round:
                    await close_if_done(runtime, found.alert_id)

    async def send(self, envelopes: Sequence[Envelope], _: object = None) -> list[Answer]:
        """As a Sender does; the answers are awaited for a turn."""
        works = {work.keyring: work for work in self._at.hand.works}
        places = [self.runtime.letters.places[envelope] for envelope in envelopes]
        assert len(set(places)) == len(places)
        self.out, answers = {}, []
        for keyring, slot in places:
            work = works[keyring]
            sent = self.out.setdefault(work.claim.shard, Sent(work.claim))
            sent.alerts[slot] = work.served(slot) or work.book.waiting[slot]
            sent.answers[slot] = next(self._statuses)
            answers.append(sent.answers[slot])
        await self._sends(self, self.out)
        if envelopes:
            await self.turns.wait("answers")
        return [Answer(status, seconds=0.01) for status in answers]
