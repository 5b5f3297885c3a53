"""What the handlers work with, made once for the process."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from tocsin.api.load import Load
from tocsin.api.tally import Tally
from tocsin.api.turns import Turns
from tocsin.cautions import Cautions
from tocsin.domain.errors import Unavailable
from tocsin.domain.topics import Topic, parse_topics
from tocsin.drafting import Drafting
from tocsin.frequency import Frequency
from tocsin.jobs import WakeUps, celery_app
from tocsin.publishing import Publishing
from tocsin.push.sender import Sender
from tocsin.push.senders import make_sender
from tocsin.push.vapid import ApplicationServer
from tocsin.push.vapid_keys import ServerKeys
from tocsin.recent import Recent
from tocsin.settings import Settings
from tocsin.store.prekeys import Prekeys
from tocsin.store.proxies import Proxies
from tocsin.store.queues import Queues
from tocsin.store.rates import Rates
from tocsin.store.store import Store

log = structlog.get_logger()


@dataclass(frozen=True)
class Services:
    settings: Settings
    store: Store
    publishing: Publishing
    wake_ups: WakeUps
    cautions: Cautions
    drafting: Drafting
    recent: Recent
    frequency: Frequency
    queues: Queues
    rates: Rates
    prekeys: Prekeys
    proxies: Proxies
    turns: Turns
    load: Load
    tally: Tally
    sender: Sender
    keys: ServerKeys
    setting_up: asyncio.Task[str]

    @property
    def application_server(self) -> ApplicationServer:
        """The one that browsers subscribe with now."""
        return self.keys.present


@asynccontextmanager
async def services(settings: Settings) -> AsyncIterator[Services]:
    """Raises Misconfigured for a key or certificate that cannot be used. The store need not be up yet."""
    keys = ServerKeys.load_or_make(settings.vapid_file, settings.vapid_subject)
    first_topics = parse_topics(settings.topics)
    sender = make_sender(settings)
    wake_ups = WakeUps(celery_app(settings))
    async with Store(settings, gathers=True) as store:
        cautions = Cautions(store, settings)
        load = Load()
        tally = Tally(store.receipts, load)
        setting_up = asyncio.create_task(_set_up(store, first_topics, keys))
        beside = [setting_up, asyncio.create_task(load.watch()), asyncio.create_task(tally.keep_flushing())]
        made = Services(
            settings=settings,
            store=store,
            publishing=Publishing(store, wake_ups, settings, cautions),
            wake_ups=wake_ups,
            cautions=cautions,
            drafting=Drafting(store, wake_ups, settings, cautions),
            recent=Recent(store),
            frequency=Frequency(store),
            queues=Queues(store, settings.broker),
            rates=Rates(store.server),
            prekeys=Prekeys(settings.prekey_server, settings.prekeys),
            proxies=Proxies(store.server),
            turns=Turns(),
            load=load,
            tally=tally,
            sender=sender,
            keys=keys,
            setting_up=setting_up,
        )
        try:
            yield made
        finally:
            for task in beside:
                task.cancel()
            await tally.close()
            await cautions.close()
            await wake_ups.close()
            await sender.close()
            await made.prekeys.close()
            await made.queues.close()


async def _set_up(store: Store, topics: Sequence[Topic], keys: ServerKeys) -> str:
    """What a first start leaves in the store, however long that takes to come up; gives what is wrong with it."""
    while True:
        try:
            wrong = await _first_start(store, topics, keys)
        except Unavailable:
            await asyncio.sleep(1)
        else:
            break
    if wrong:
        log.error(wrong)
    return wrong


async def _first_start(store: Store, topics: Sequence[Topic], keys: ServerKeys) -> str:
    # Nothing is written to a store whose form is not ours.
    if wrong := await store.schema.fault():
        return wrong
    await store.server.prepare()
    await store.topics.set_first(topics)
    if await store.identity.claim(*keys.all):
        return ""
    return "the VAPID key is not the one that readers subscribed with: every push would be refused"
