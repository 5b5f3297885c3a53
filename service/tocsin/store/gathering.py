"""A Redis client whose callers share trips: what many of them ask in the same moment travels together.

Each command of its own costs this process about 55 µs and two system calls; of twenty that go together, 12 µs each
(`make bench-api` shows what that makes of a registration). With `appendfsync always` the server writes once to disk for
all that came together, too. No command waits for others to come: it leaves at once where fewer than `FLIGHTS` trips are
under way, and with the next one otherwise.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import DataError

# One that waits for the disk must not keep all others on the ground.
FLIGHTS = 2

Command = Sequence[Any]


class GatheringRedis(Redis):
    """Plain commands only; a pipeline of one's own goes as ever. A lost connection fails, or repeats, all that
    travelled on it: each of them gets the error that it would have got alone."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._waiting: list[tuple[Command, dict[str, Any], asyncio.Future[Any]]] = []
        self._flights: set[asyncio.Task[None]] = set()

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        return await self._ask(args, options)

    async def together(self, commands: Sequence[Command]) -> list[Any]:
        """One trip, one connection, in this order. An error stands in its command's place."""
        return await asyncio.gather(*[self._ask(command, {}) for command in commands], return_exceptions=True)

    def _ask(self, command: Command, options: dict[str, Any]) -> asyncio.Future[Any]:
        asked: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((command, options, asked))
        if len(self._flights) < FLIGHTS:
            self._take_off()
        return asked

    def _take_off(self) -> None:
        flight = asyncio.create_task(self._fly())
        self._flights.add(flight)
        flight.add_done_callback(self._landed)

    def _landed(self, flight: asyncio.Task[None]) -> None:
        self._flights.discard(flight)
        if self._waiting:
            self._take_off()

    async def _fly(self) -> None:
        # Taken when the flight begins, not when it was asked for: what came meanwhile is aboard.
        aboard, self._waiting = [each for each in self._waiting if not each[2].done()], []
        if not aboard:
            return
        try:
            answers = await self._travel([(command, options) for command, options, _ in aboard])
        except BaseException as error:
            answers = [error] * len(aboard)
            if not isinstance(error, Exception):
                raise
        finally:
            for (_, _, asked), given in zip(aboard, answers, strict=True):
                _answer(asked, given)

    async def _travel(self, aboard: Sequence[tuple[Command, dict[str, Any]]]) -> list[Any]:
        if len(aboard) == 1:  # a pipeline costs half as much again as a command alone
            ((command, options),) = aboard
            return [await super().execute_command(*command, **options)]  # type: ignore[no-untyped-call]
        try:
            async with self.pipeline(transaction=False) as pipe:
                for command, options in aboard:
                    pipe.execute_command(*command, **options)
                answers: list[Any] = await pipe.execute(raise_on_error=False)
                return answers
        except (DataError, UnicodeEncodeError):  # one of them has no bytes that could be sent, so none was
            return [await self._travel_alone(each) for each in aboard]

    async def _travel_alone(self, asked: tuple[Command, dict[str, Any]]) -> Any:
        try:
            (answer,) = await self._travel([asked])
        except Exception as error:  # noqa: BLE001 (it is told to whom it belongs)
            return error
        return answer


def _answer(asked: asyncio.Future[Any], given: Any) -> None:
    if asked.done():  # its caller went away
        return
    if isinstance(given, asyncio.CancelledError):
        asked.cancel()
    elif isinstance(given, BaseException):
        asked.set_exception(given)
    else:
        asked.set_result(given)
