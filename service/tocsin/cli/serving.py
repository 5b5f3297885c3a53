"""The parts by themselves, for compose and clusters: API, worker, beat."""

import asyncio
import gc
import logging
import warnings
from contextlib import suppress

from tocsin import logs
from tocsin.domain.errors import Misconfigured, Unavailable
from tocsin.domain.queues import QUEUES
from tocsin.jobs import celery_app
from tocsin.push.guard import Guard
from tocsin.push.trust import ca_bundle
from tocsin.push.vapid_keys import ServerKeys
from tocsin.settings import Settings, load
from tocsin.store.store import Store

# Enough for a request under way; a load balancer stops sending after the first failed check.
SHUTDOWN_SECONDS = 5.0


def serve_api() -> None:
    from aiohttp import web  # noqa: PLC0415 (a worker has no use for them)

    from tocsin.api.app import make_app  # noqa: PLC0415

    logs.configure()
    settings = load()
    asyncio.run(_check_schema(settings))
    app = make_app(settings)
    app.on_startup.append(_pass_over_what_stays)
    try:
        web.run_app(
            app,
            host=settings.host,
            port=settings.port,
            print=None,
            access_log=None,
            shutdown_timeout=SHUTDOWN_SECONDS,
        )
    except OSError as error:
        raise Misconfigured(f"port {settings.port} on {settings.host}: {error.strerror}") from None


async def _pass_over_what_stays(_: object) -> None:
    """Modules and models stay for good: looking through them for garbage stops all calls for over 100 ms each time."""
    gc.collect()
    gc.freeze()


def serve_worker(queues: str, processes: int | None) -> None:
    """A Celery worker. Raises Misconfigured for a queue that there is not, and for what no process could start with."""
    wanted = [name.strip() for name in queues.split(",") if name.strip()]
    if not wanted or set(wanted) - set(QUEUES):
        raise Misconfigured(f"--queues: {queues!r} must name some of {', '.join(QUEUES)}")
    logs.configure()
    _check_start()
    from celery.platforms import SecurityWarning  # noqa: PLC0415 (only a worker needs Celery)

    from tocsin_workers.app import app  # noqa: PLC0415 (settings are read there)

    # It warns root of pickled messages; this worker takes JSON only.
    warnings.simplefilter("ignore", SecurityWarning)

    app.worker_main(
        [
            "--quiet",
            "worker",
            f"--queues={','.join(wanted)}",
            f"--concurrency={processes or load().worker_processes}",
            "--pool=prefork",
            f"--hostname={'-'.join(wanted)}@%h",
            "--without-gossip",
            "--without-mingle",
            f"--loglevel={logging.getLevelName(logging.WARNING)}",
        ]
    )


def _check_start() -> None:
    """What each process of the pool needs, tried once where a failure ends the command instead of one process."""
    settings = load()
    ServerKeys(settings.vapid_file, settings.vapid_subject)
    ca_bundle(settings.push_ca_file, settings.data_dir)
    Guard(settings.push_connect_to)
    asyncio.run(_check_schema(settings))


async def _check_schema(settings: Settings) -> None:
    """Raises Misconfigured for a store of another form. One that is not up yet is looked at again when it is."""
    async with Store(settings) as store:
        with suppress(Unavailable):
            await store.schema.check()


def serve_beat() -> None:
    """Celery's beat; it keeps nothing, since missing a tick or ticking twice changes nothing."""
    logs.configure()
    celery_app(load()).start(
        ["--quiet", "beat", "--scheduler=celery.beat:Scheduler", "--loglevel=WARNING", "--pidfile="]
    )
