"""What the handlers work with, made once for the process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tocsin.api.turns import Turns
from tocsin.domain.topics import parse_topics
from tocsin.jobs import WakeUps, celery_app
from tocsin.publishing import Publishing
from tocsin.push.curl_sender import CurlSender
from tocsin.push.sender import Sender
from tocsin.push.vapid import ApplicationServer
from tocsin.settings import Settings
from tocsin.store.proxies import Proxies
from tocsin.store.queues import Queues
from tocsin.store.rates import Rates
from tocsin.store.store import Store


@dataclass(frozen=True)
class Services:
    settings: Settings
    store: Store
    publishing: Publishing
    queues: Queues
    rates: Rates
    proxies: Proxies
    turns: Turns
    sender: Sender
    application_server: ApplicationServer
    first_topics_set: asyncio.Task[None]


@asynccontextmanager
async def services(settings: Settings) -> AsyncIterator[Services]:
    """Raises Misconfigured for a key or certificate that cannot be used. The store need not be up yet."""
    application_server = ApplicationServer.load_or_make(settings.vapid_file, settings.vapid_subject)
    first_topics = parse_topics(settings.topics)
    sender = CurlSender.from_settings(settings)
    wake_ups = WakeUps(celery_app(settings))
    async with Store(settings.store, settings.lease_seconds) as store:
        setting_topics = asyncio.create_task(store.topics.set_first_when_up(first_topics))
        made = Services(
            settings=settings,
            store=store,
            publishing=Publishing(store, wake_ups, settings),
            queues=Queues(store, settings.broker),
            rates=Rates(settings.store),
            proxies=Proxies(store.server),
            turns=Turns(),
            sender=sender,
            application_server=application_server,
            first_topics_set=setting_topics,
        )
        try:
            yield made
        finally:
            setting_topics.cancel()
            await wake_ups.close()
            await sender.close()
            await made.queues.close()
            await made.rates.close()
