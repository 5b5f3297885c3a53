"""The Celery application: each task is one line into the runtime of its process."""

import multiprocessing
from typing import Any

from celery.signals import worker_process_init, worker_process_shutdown, worker_shutting_down

from tocsin import jobs
from tocsin.settings import load
from tocsin_workers.deliver import deliver as deliver_due
from tocsin_workers.reconcile import reconcile as reconcile_all
from tocsin_workers.runtime import Runtime

settings = load()
app = jobs.celery_app(settings)

# Made before the fork, so that the main process can tell its children that it was asked to stop.
_stopping = multiprocessing.get_context("fork").Event()
_runtimes: list[Runtime] = []


@worker_process_init.connect
def _start(**_: Any) -> None:
    _runtimes.append(Runtime.start(settings, app, _stopping.is_set))


@worker_process_shutdown.connect
def _end(**_: Any) -> None:
    for runtime in _runtimes:
        runtime.end()


@worker_shutting_down.connect
def _stop(**_: Any) -> None:
    _stopping.set()


@app.task(name=jobs.DELIVER)
def deliver(queue: str) -> None:
    runtime = _runtimes[0]
    runtime.run(deliver_due(runtime, queue))


@app.task(name=jobs.RECONCILE)
def reconcile() -> None:
    runtime = _runtimes[0]
    runtime.run(reconcile_all(runtime))
