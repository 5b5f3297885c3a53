"""One call of `send`: the answers so far."""

import asyncio

from tocsin.domain.deliveries import Answer
from tocsin.push.sender import OnAnswer


class Batch:
    """`began` is by the loop's clock; `done` ends with the last answer, or with what `on_answer` raised."""

    __slots__ = ("_on_answer", "answers", "began", "done", "left", "timer", "tries")

    def __init__(self, size: int, on_answer: OnAnswer | None) -> None:
        loop = asyncio.get_running_loop()
        self.answers = [Answer(0)] * size
        self.left = size
        self.began = loop.time()
        self.done: asyncio.Future[None] = loop.create_future()
        self.timer: asyncio.TimerHandle | None = None
        self.tries: dict[int, int] = {}  # of those that were sent more than once
        self._on_answer = on_answer

    def take(self, number: int, answer: Answer) -> None:
        self.answers[number] = answer
        self.left -= 1
        if self.done.done():
            return
        if self._on_answer is not None:
            try:
                self._on_answer(number, answer)
            except Exception as error:  # noqa: BLE001 (raised again by `send`)
                self.done.set_exception(error)
                return
        if not self.left:
            self.done.set_result(None)
