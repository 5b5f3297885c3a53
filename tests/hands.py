"""A worker inside the test: the real runtime, with a sender and wake-ups of the test's own."""

from collections.abc import Sequence

from tocsin.domain.deliveries import Answer
from tocsin.jobs import WakeUps, celery_app
from tocsin.push.sender import Envelope, OnAnswer, Sender
from tocsin.push.vapid import ApplicationServer
from tocsin.settings import Settings
from tocsin_workers.runtime import Runtime


class NoWakeUps(WakeUps):
    """A lost wake-up changes nothing but seconds, and whoever tests here looks for what is due without one."""

    def deliver_soon(self, queue: str, after_seconds: float = 0.0) -> None:
        pass

    async def deliver(self, queue: str, shards: int) -> None:
        pass


async def a_runtime(settings: Settings, sender: Sender | None = None, *, only_plans: bool = False) -> Runtime:
    """One that only plans hands each shard back as soon as its ledger is written."""
    ApplicationServer.load_or_make(settings.vapid_file, settings.vapid_subject)
    runtime = Runtime(settings, celery_app(settings), lambda: only_plans)
    await runtime.wake_ups.close()
    runtime.wake_ups = NoWakeUps(celery_app(settings))
    if sender is not None:
        await runtime.sender.close()
        runtime.sender = sender
    return runtime


def accept_all(envelopes: Sequence[Envelope], on_answer: OnAnswer | None) -> list[Answer]:
    """What a Sender gives whose push services take everything."""
    for number in range(len(envelopes)):
        if on_answer is not None:
            on_answer(number, Answer(201))
    return [Answer(201)] * len(envelopes)
