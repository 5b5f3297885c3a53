"""Wake-ups: Celery messages that carry ids and never truth. A lost or doubled one changes nothing but seconds."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import structlog
from celery import Celery
from celery.schedules import schedstate, schedule
from kombu.entity import Queue
from kombu.exceptions import OperationalError

from tocsin.domain.queues import MAINTENANCE, QUEUES, STANDARD
from tocsin.settings import Settings

log = structlog.get_logger()

DELIVER, RECONCILE = "tocsin.deliver", "tocsin.reconcile"

# A wake-up that waited so long has been sent again by the reconciler; an old pile must not keep workers busy.
EXPIRES_SECONDS = 10
# A hung broker blocks a publish for as long as it hangs, unless the socket has a time-out.
PUBLISH_SECONDS = 2.0
# So far ahead a process keeps in mind whom it has to wake.
MOST_AHEAD_SECONDS = 60.0
# Enough to wake every process of a large machine; those that find nothing to do are done in a millisecond.
MOST_WAKE_UPS = 16


def celery_app(settings: Settings) -> Celery:
    """The Celery application that publishers and workers share."""
    app = Celery("tocsin", broker=_kombu_url(settings.broker), set_as_current=False)
    app.conf.update(
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        task_queues=[Queue(name) for name in QUEUES],  # type: ignore[no-untyped-call]
        task_default_queue=MAINTENANCE,
        task_create_missing_queues=False,
        # No task is worth a redelivery: what it was to wake for is in the store, and the reconciler wakes again.
        task_acks_late=False,
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_hijack_root_logger=False,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=PUBLISH_SECONDS,
        broker_transport_options={
            "socket_timeout": PUBLISH_SECONDS,
            "socket_connect_timeout": PUBLISH_SECONDS,
            "socket_keepalive": True,
            "health_check_interval": 10,
            "unacked_restore_throttle": 1,
            "max_retries": 0,
        },
        beat_schedule={
            "reconcile": {
                "task": RECONCILE,
                "schedule": Every(settings.reconcile_seconds),
                "options": {"queue": MAINTENANCE, "expires": EXPIRES_SECONDS},
            }
        },
    )
    return app


class Every(schedule):  # type: ignore[misc]
    """An interval. Celery's own waits, after the clock went back by an hour, for an hour and more: the last run lies in
    the future then."""

    def is_due(self, last_run_at: datetime) -> Any:
        due = super().is_due(last_run_at)
        return due if due.next <= self.seconds else schedstate(is_due=True, next=self.seconds)


class WakeUps:
    """Publishes in threads of its own, so that a broker that hangs holds up nothing else."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="wake-up")
        self._timers: list[asyncio.TimerHandle] = []
        self._under_way: set[asyncio.Task[None]] = set()

    def deliver_soon(self, queue: str, after_seconds: float = 0.0) -> None:
        """For the API: sent beside the answer, which does not wait for it. What is not due for long is left to the
        reconciler."""
        if after_seconds <= 0:
            self._start(queue)
        elif after_seconds <= MOST_AHEAD_SECONDS:
            self._start_later(queue, after_seconds)

    def _start_later(self, queue: str, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._timers = [timer for timer in self._timers if timer.when() >= loop.time()]
        self._timers.append(loop.call_later(seconds, self._start, queue))

    def _start(self, queue: str) -> None:
        task = asyncio.create_task(self.deliver(queue, 1))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def deliver(self, queue: str, shards: int) -> None:
        """Wakes workers for this many shards; those of `standard` lend a hand with priority work."""
        for name in dict.fromkeys((queue, STANDARD)):
            await self._send(DELIVER, [name], name, min(shards, MOST_WAKE_UPS))

    async def _send(self, task: str, arguments: Sequence[str], queue: str, times: int) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                await loop.run_in_executor(self._threads, self._publish, task, arguments, queue, times)
        except (OSError, TimeoutError, OperationalError) as error:
            # Not lost: the alert is in the store, and the reconciler wakes for whatever is due.
            log.warning("wake-up not sent", task=task, queue=queue, error=type(error).__name__)

    def _publish(self, task: str, arguments: Sequence[str], queue: str, times: int) -> None:
        with self._app.producer_or_acquire() as producer:
            for _ in range(times):
                self._app.send_task(
                    task,
                    arguments,
                    queue=queue,
                    expires=EXPIRES_SECONDS,
                    ignore_result=True,
                    retry=False,
                    producer=producer,
                )

    async def close(self) -> None:
        for timer in self._timers:
            timer.cancel()
        await asyncio.gather(*self._under_way)
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._app.close()


def _kombu_url(url: str) -> str:
    """kombu's way of naming a unix socket."""
    if not url.startswith("unix://"):
        return url
    path, _, query = url.removeprefix("unix://").partition("?")
    return f"redis+socket://{path}?virtual_host={query.removeprefix('db=') or 0}"
