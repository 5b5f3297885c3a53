"""The readers' calls. A browser proves itself by its token; unknown and wrong are told alike."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from contextlib import suppress
from hashlib import sha256
from http import HTTPStatus
from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel

from tocsin import clock
from tocsin.api.auth import client_address, counted_as, untrusted_proxy
from tocsin.api.body import MAX_BODY
from tocsin.api.call import Call
from tocsin.api.errors import problem
from tocsin.api.models import (
    Limits,
    Registered,
    Registration,
    Site,
    SiteTopic,
    SubscriptionView,
    TestPushed,
)
from tocsin.api.proof import proven
from tocsin.api.route import ANSWER_SECONDS, answer
from tocsin.domain.deliveries import Outcome, classify
from tocsin.domain.errors import Changed, Conflict, NotFound
from tocsin.domain.hours import QuietHours
from tocsin.domain.levels import Level
from tocsin.domain.payload import own_test
from tocsin.domain.preferences import Preferences, PreferencesPatch
from tocsin.domain.queues import STANDARD
from tocsin.domain.subscriptions import Address, Subscription, parse_public_id, public_id
from tocsin.domain.topics import MAX_TOPICS
from tocsin.push.one_off import push_once
from tocsin.store.subscriptions import Kept, Seen

TEST_TTL = 300
# Quick clicks on a page race one another, and so do a page and its worker.
TRIES = 5
# Each distinct set is kept for good, so one browser must not make them without end; a person's clicks are fewer.
PREFERENCE_RATE = "30/minute"

Result = TypeVar("Result")


async def site(call: Call[BaseModel]) -> web.Response:
    services = call.services
    described = Site(
        name=services.settings.site_name,
        application_server_key=services.application_server.public_key,
        language=services.settings.language,
        topics=await _topics(call),
        levels=tuple(Level),
        default_preferences=await services.store.topics.default_preferences(),
        limits=Limits(headline=120, body=300, topics=MAX_TOPICS, body_bytes=MAX_BODY),
    )
    etag = sha256(described.model_dump_json().encode()).hexdigest()[:32]
    headers = {"ETag": f'"{etag}"', "Vary": "Origin"}
    return web.Response(status=304, headers=headers) if call.has(etag) else answer(described, headers=headers)


async def _topics(call: Call[BaseModel]) -> tuple[SiteTopic, ...]:
    topics, frequency = await call.services.store.topics.all(), call.services.frequency
    return tuple([SiteTopic(**dict(topic), per_day=await frequency.per_day(topic.id)) for topic in topics])


async def register(call: Call[Registration]) -> web.Response:
    store = call.services.store
    subscription = call.body.subscription.checked(call.services.settings.allowed_push_hosts)
    topics, seen = await asyncio.gather(store.topics.ids(), store.subscriptions.look(subscription.digest))
    call.body.preferences.check_topics(topics, "preferences.")
    if seen.kept is None:
        await _count_address(call)
    looks = iter([seen])

    async def keep() -> tuple[Kept, int]:
        return await _keep(call, subscription, next(looks, None) or await store.subscriptions.look(subscription.digest))

    kept, status = await _while_changed(keep)
    token = await store.token_secret.token(kept.record)
    registered = Registered(id=public_id(kept.record.digest), token=token, preferences=kept.preferences)
    return answer(registered, status)


async def _keep(call: Call[Registration], subscription: Subscription, seen: Seen) -> tuple[Kept, int]:
    kept = seen.kept
    if kept is None and seen.entry.address is not None:
        kept = await call.services.store.subscriptions.come_back(subscription.digest)
    if kept is None:
        return await _add(call, subscription, seen), 201
    return await _repeat(call, kept, subscription), 200


async def _while_changed(attempt: Callable[[], Awaitable[Result]]) -> Result:
    """Who comes second looks again at what the other call left."""
    for _ in range(TRIES - 1):
        with suppress(Changed):
            return await attempt()
    return await attempt()


async def _count_address(call: Call[Registration]) -> None:
    services = call.services
    trusted = services.settings.trusted_proxies
    address = client_address(call.request, trusted)
    await services.rates.hit(services.settings.subscribe_rate, "subscribe", counted_as(address))
    if proxy := untrusted_proxy(call.request, trusted):
        await services.proxies.note(proxy)


async def _add(call: Call[Registration], subscription: Subscription, seen: Seen) -> Kept:
    services = call.services
    now_ms = clock.milliseconds(clock.now())
    defaults, oldest_ms = await asyncio.gather(
        services.store.topics.default_preferences(), services.store.alerts.oldest_ledger_ms(now_ms)
    )
    return await services.store.subscriptions.add(
        subscription,
        call.body.preferences.applied_to(defaults, defaults, "preferences."),
        services.application_server.key_id,
        now_ms,
        oldest_ms,
        seen,
    )


async def _repeat(call: Call[Registration], kept: Kept, subscription: Subscription) -> Kept:
    """The same browser again: its `auth` secret, which only it and we know, is proof enough; or its token is."""
    services, store = call.services, call.services.store
    same = hmac.compare_digest(kept.record.auth, subscription.auth)
    if not same and not (call.bearer and await store.token_secret.proves(call.bearer, kept.record)):
        raise Conflict("this endpoint is registered with other keys; send its token to replace them")
    key_id = services.application_server.key_id
    record = kept.record
    if (record.p256dh, record.auth, record.vapid_key_id) != (subscription.p256dh, subscription.auth, key_id):
        kept = await store.subscriptions.set_keys(kept, subscription, key_id)
    return await _prefer(call, kept, call.body.preferences, "preferences.")


async def _prefer(call: Call[BaseModel], kept: Kept, patch: PreferencesPatch, path: str = "") -> Kept:
    defaults = await call.services.store.topics.default_preferences()
    wanted = patch.applied_to(kept.preferences, defaults, path)
    if wanted == kept.preferences:
        return kept
    services = call.services
    if services.settings.subscribe_rate != "off":
        await services.rates.hit(PREFERENCE_RATE, "preferences", public_id(kept.record.digest))
    changed = await services.store.subscriptions.set_preferences(kept, wanted)
    if _quiet(kept.preferences) not in (None, _quiet(wanted)):
        # What waits for the end of the old quiet hours is asked about again.
        await services.store.runs.defer(kept.address.shard, clock.now())
        services.wake_ups.deliver_soon(STANDARD)
    return changed


def _quiet(preferences: Preferences) -> tuple[QuietHours, str | None] | None:
    """When they are quiet: hours without a zone of their own are in the reader's."""
    hours = preferences.quiet_hours
    return None if hours is None else (hours, hours.time_zone or preferences.time_zone)


async def read(call: Call[BaseModel]) -> web.Response:
    return answer(_view(await proven(call)))


async def change_preferences(call: Call[PreferencesPatch]) -> web.Response:
    async def change() -> Kept:
        kept, topics = await asyncio.gather(proven(call), call.services.store.topics.ids())
        call.body.check_topics(topics)
        return await _prefer(call, kept, call.body)

    return answer(_view(await _while_changed(change)))


async def delete(call: Call[BaseModel]) -> web.Response:
    store, now_ms = call.services.store, clock.milliseconds(clock.now())
    if address := await _quarantined(call):
        # The push service called it gone; an operator must not be able to bring it back now.
        await store.subscriptions.delete_quarantined(address, now_ms)
    else:
        await store.subscriptions.delete(await proven(call), now_ms)
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
    services = call.services
    async with asyncio.timeout(ANSWER_SECONDS):  # only the push may take longer
        kept = await proven(call)
        await services.rates.hit(services.settings.subscribe_rate, "test", public_id(kept.record.digest))
    pushed = await push_once(
        services.sender,
        services.application_server,
        kept.record,
        own_test(services.settings.site_name, f"{services.settings.url}/"),
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
    )
