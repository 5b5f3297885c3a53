"""The Celery application: each task is one line into the runtime of its process."""

import os
from multiprocessing.sharedctypes import RawValue
from typing import Any

import structlog
from celery.signals import worker_process_init, worker_process_shutdown, worker_shutting_down

from tocsin import jobs
from tocsin.settings import load
from tocsin_workers.deliver import deliver as deliver_due
from tocsin_workers.reconcile import reconcile as reconcile_all
from tocsin_workers.runtime import Runtime

log = structlog.get_logger()

settings = load()
app = jobs.celery_app(settings)

# Made before the fork, so that the main process can tell its children that it was asked to stop. Without a lock: a
# child that is killed while it looks would leave one held for ever.
_stopping = RawValue("b", 0)
_runtimes: list[Runtime] = []


@worker_process_init.connect
def _start(**_: Any) -> None:
    try:
        _runtimes.append(Runtime.start(settings, app, lambda: bool(_stopping.value)))
    except BaseException:
        # Celery would log it and go on with a process that takes wake-ups and cannot work.
        log.exception("worker process does not start")
        os._exit(1)


@worker_process_shutdown.connect
def _end(**_: Any) -> None:
    for runtime in _runtimes:
        runtime.end()


@worker_shutting_down.connect
def _stop(**_: Any) -> None:
    _stopping.value = 1


@app.task(name=jobs.DELIVER)
def deliver(queue: str) -> None:
    runtime = _runtimes[0]
    runtime.run(deliver_due(runtime, queue))


@app.task(name=jobs.RECONCILE)
def reconcile() -> None:
    runtime = _runtimes[0]
    runtime.run(reconcile_all(runtime))
