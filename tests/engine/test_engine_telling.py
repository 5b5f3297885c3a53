"""The pace hears of a window's answers while others of it are still awaited."""

import asyncio

import pytest

from tocsin.domain.deliveries import Answer, Failure
from tocsin.domain.pace import WindowReport
from tocsin_workers.telling import Telling

ACCEPTED = Answer(201, seconds=0.02)


class Told(list[WindowReport]):
    async def __call__(self, report: WindowReport) -> None:
        self.append(report)


async def test_a_late_answer_keeps_the_others_from_nobody() -> None:
    told, late, proved = Told(), asyncio.Event(), list[float]()
    telling = Telling(told, proved.append, [False, False, True, False])

    async def sending() -> list[Answer]:
        answers = [ACCEPTED, Answer(429, retry_after=30), ACCEPTED]
        for number, answer in enumerate(answers):
            telling.heard(number, answer)
        await late.wait()
        telling.heard(3, Answer(0, Failure.TIMEOUT))
        return [*answers, Answer(0, Failure.TIMEOUT)]

    window = asyncio.create_task(telling.while_sending(sending()))
    async with asyncio.timeout(20):
        while not told:
            await asyncio.sleep(0.01)
    assert told == [WindowReport(accepted=2, throttled=1, accepted_retries=1, latency_ms=20, retry_after=30)]

    await asyncio.sleep(0.3)
    late.set()
    assert len(await window) == 4
    assert len(told) == 1  # nothing was told twice, and nothing where nothing was heard
    assert len(proved) == 1  # while it was still under way
    assert telling.rest(unsent=5) == WindowReport(failed=1, unsent=5)
    assert telling.rest() == WindowReport()


async def test_a_quick_window_tells_once() -> None:
    told, proved = Told(), list[float]()
    telling = Telling(told, proved.append, [False])

    async def sending() -> list[Answer]:
        telling.heard(0, ACCEPTED)
        return [ACCEPTED]

    assert await telling.while_sending(sending()) == [ACCEPTED]
    assert told == []
    assert telling.rest() == WindowReport(accepted=1, latency_ms=20)
    assert len(proved) == 1


async def test_what_ends_the_window_ends_its_requests() -> None:
    ended = asyncio.Event()
    telling = Telling(Told(), lambda _: None, [])

    async def sending() -> list[Answer]:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()
        return []

    window = asyncio.create_task(telling.while_sending(sending()))
    await asyncio.sleep(0)
    window.cancel()
    with pytest.raises(asyncio.CancelledError):
        await window
    await asyncio.wait_for(ended.wait(), 5)
