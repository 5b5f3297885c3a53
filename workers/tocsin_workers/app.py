"""The Celery application: each task is one line into the runtime of its process."""

import os
import signal
import threading
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

# More than a window takes: its requests end within REQUEST_SECONDS. A service manager that kills sooner doubles some.
_STOP_SECONDS = settings.request_seconds + 10


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
def _stop(how: str, **_: Any) -> None:
    """The processes hand back what they hold after the window at work, and so the worker ends by itself.

    Celery's own soft shutdown cannot do this: it sleeps its whole time before it tells anybody, then kills the
    processes with requests in flight, and readers got those twice (measured: 50 at each restart of a busy worker).
    """
    _stopping.value = 1
    if how == "Warm":
        # A store that is away keeps them waiting, to record what they sent; not for ever.
        limit = threading.Timer(_STOP_SECONDS, os.kill, (os.getpid(), signal.SIGQUIT))
        limit.daemon = True
        limit.start()


@app.task(name=jobs.DELIVER)
def deliver(queue: str) -> None:
    runtime = _runtimes[0]
    runtime.run(deliver_due(runtime, queue))


@app.task(name=jobs.RECONCILE)
def reconcile() -> None:
    runtime = _runtimes[0]
    runtime.run(reconcile_all(runtime))
