"""What a window brings is told to the pace while it is under way.

One answer that is late holds up its window for up to REQUEST_SECONDS. Without this, a 429 among the others would be
heard by nobody else meanwhile, and a push service that is on trial would stay there although it accepts.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from tocsin.domain.deliveries import Answer, classify
from tocsin.domain.pace import WindowReport

# Most windows are over by then and tell once, at their end.
_EVERY_SECONDS = 0.25


class Telling:
    """For one window; `repeats` says of each of its requests whether it is one. `prove` hears that some were accepted,
    and how many seconds after the window began."""

    def __init__(
        self,
        tell: Callable[[WindowReport], Awaitable[None]],
        prove: Callable[[float], None],
        repeats: Sequence[bool],
    ) -> None:
        self._tell = tell
        self._prove = prove
        self._repeats = repeats
        self._began = time.monotonic()
        self._heard: list[tuple[int, Answer]] = []

    def heard(self, number: int, answer: Answer) -> None:
        self._heard.append((number, answer))

    async def while_sending(self, sending: Awaitable[list[Answer]]) -> list[Answer]:
        """The answers, when all are there."""
        task = asyncio.ensure_future(sending)
        try:
            while not (await asyncio.wait({task}, timeout=_EVERY_SECONDS))[0]:
                if self._heard:
                    await self._tell(self.rest())
            return await task
        finally:
            task.cancel()

    def rest(self, unsent: int = 0) -> WindowReport:
        """What was heard and not told yet; it counts as told from here on."""
        heard, self._heard = self._heard, []
        report = WindowReport.of(
            ((answer, classify(answer).outcome, self._repeats[number]) for number, answer in heard), unsent
        )
        if report.accepted:
            self._prove(time.monotonic() - self._began)
        return report
