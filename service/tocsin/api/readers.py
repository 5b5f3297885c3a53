"""The readers' calls. A browser proves itself by its token; unknown and wrong are told alike."""

import asyncio
from hashlib import sha256
from http import HTTPStatus

from aiohttp import web
from pydantic import BaseModel

from tocsin import clock
from tocsin.api.body import MAX_BODY
from tocsin.api.call import Call
from tocsin.api.consent import consent_asked, consent_view
from tocsin.api.errors import problem
from tocsin.api.models import (
    Limits,
    Site,
    SiteTopic,
    SubscriptionView,
    TestPushed,
)
from tocsin.api.preferring import prefer, while_changed
from tocsin.api.proof import proven
from tocsin.api.route import ANSWER_SECONDS, answer
from tocsin.domain.deliveries import Outcome, classify
from tocsin.domain.errors import Conflict, NotFound
from tocsin.domain.levels import Level
from tocsin.domain.payload import own_test
from tocsin.domain.preferences import PreferencesPatch
from tocsin.domain.stories import MAX_STORIES
from tocsin.domain.subscriptions import Address, parse_public_id, public_id
from tocsin.domain.topics import MAX_TOPICS
from tocsin.push.one_off import push_once
from tocsin.store.subscriptions import Kept

TEST_TTL = 300
# Each view of a newspaper's page asks for it. Who changes a topic sees that on the pages after a minute.
SITE_CACHE = "public, max-age=10, stale-while-revalidate=50"


async def site(call: Call[BaseModel]) -> web.Response:
    services = call.services
    described = Site(
        name=services.settings.site_name,
        application_server_key=services.application_server.public_key,
        application_server_keys=tuple(key.public_key for key in services.keys.all.values()),
        language=services.settings.language,
        languages=await services.frequency.languages(),
        time_zone=services.settings.time_zone,
        topics=await _topics(call),
        levels=tuple(Level),
        default_preferences=await services.store.topics.default_preferences(),
        limits=Limits(headline=120, body=300, topics=MAX_TOPICS, stories=MAX_STORIES, body_bytes=MAX_BODY),
        receipts=services.settings.receipts,
        consent=consent_asked(services.settings),
        privacy_url=services.settings.privacy_url or None,
    )
    etag = sha256(described.model_dump_json().encode()).hexdigest()[:32]
    headers = {"ETag": f'"{etag}"', "Vary": "Origin"}
    return web.Response(status=304, headers=headers) if call.has(etag) else answer(described, headers=headers)


async def _topics(call: Call[BaseModel]) -> tuple[SiteTopic, ...]:
    topics, frequency = await call.services.store.topics.all(), call.services.frequency
    return tuple([SiteTopic(**dict(topic), per_day=await frequency.per_day(topic.id)) for topic in topics])


async def read(call: Call[BaseModel]) -> web.Response:
    return answer(_view(await proven(call)))


async def change_preferences(call: Call[PreferencesPatch]) -> web.Response:
    async def change() -> Kept:
        kept, topics = await asyncio.gather(proven(call), call.services.store.topics.ids())
        call.body.check_topics(topics)
        return await prefer(call, kept, call.body)

    return answer(_view(await while_changed(change)))


async def delete(call: Call[BaseModel]) -> web.Response:
    """Nothing about this browser is held any more but lines of the store's log, which `store.log` sees to."""
    store, now_ms = call.services.store, clock.milliseconds(clock.now())
    address = await _quarantined(call)
    if address is not None:
        # The push service called it gone; an operator must not be able to bring it back now.
        deleted = await store.subscriptions.delete_quarantined(address, now_ms)
    else:
        kept = await proven(call)
        address, deleted = kept.address, await store.subscriptions.delete(kept, now_ms)
    if not deleted:
        raise NotFound("this subscription was replaced or deleted by another call; look at what there is now")
    await call.services.prekeys.drop(address)
    return web.Response(status=204)


async def _quarantined(call: Call[BaseModel]) -> Address | None:
    """Where the caller's own subscription is in quarantine."""
    store, digest = call.services.store, parse_public_id(call.path["id"])
    address = await store.subscriptions.find_quarantined(digest) if digest and call.bearer else None
    record = await store.quarantine.record(address) if address else None
    is_own = record and call.bearer and await store.token_secret.proves(call.bearer, record)
    return address if is_own else None


async def push_test(call: Call[BaseModel]) -> web.Response:
    """A real push to this browser alone; a subscription that the push service says is gone is deleted, as always."""
    services, settings = call.services, call.services.settings
    async with asyncio.timeout(ANSWER_SECONDS):  # only the push may take longer
        kept = await proven(call)
        await services.rates.hit(settings.subscribe_rate, "test", public_id(kept.record.digest))
    server = services.keys.of(kept.record.vapid_key_id)
    if server is None:
        raise Conflict("this browser subscribed with a key of ours that is not here any more; subscribe again")
    pushed = await push_once(
        services.sender,
        server,
        kept.record,
        own_test(settings.site_name, settings.readers_page, settings.notices, kept.preferences.language),
        ttl=TEST_TTL,
        urgency="normal",
        now=clock.now(),
    )
    outcome = classify(pushed).outcome
    if outcome is Outcome.GONE:
        await services.store.quarantine.add(kept.address, kept.packed, clock.milliseconds(clock.now()))
        raise NotFound("the push service says that this subscription has ended; subscribe again")
    if outcome is not Outcome.ACCEPTED:
        said = f"answered {pushed.status}" if pushed.status else f"gave no answer ({pushed.label})"
        detail = f"the push service ({kept.address.push_service}) {said}; try again later"
        return problem(HTTPStatus.BAD_GATEWAY, "push_failed", detail)
    return answer(TestPushed(accepted=True, push_service=kept.address.push_service, status=pushed.status))


def _view(kept: Kept) -> SubscriptionView:
    return SubscriptionView(
        id=public_id(kept.record.digest),
        push_service=kept.address.push_service,
        created_at=clock.from_milliseconds(kept.record.created * 1000),
        preferences=kept.preferences,
        consent=consent_view(kept),
    )
