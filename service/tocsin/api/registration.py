"""`POST /v1/subscriptions`: a browser that is new, known, or has another endpoint than before."""

import asyncio
import hmac

from aiohttp import web

from tocsin import clock
from tocsin.api.auth import client_address, counted_as, untrusted_proxy
from tocsin.api.call import Call
from tocsin.api.consent import agree, check_consent
from tocsin.api.models import Registered, Registration
from tocsin.api.preferring import prefer, while_changed
from tocsin.api.proof import note_seen
from tocsin.api.route import answer
from tocsin.domain.errors import Changed, Conflict, Invalid
from tocsin.domain.preferences import Preferences
from tocsin.domain.subscriptions import Subscription, parse_public_id, public_id
from tocsin.store.subscriptions import Kept, Seen

# A subscription changes a few times a year; a page and its worker may tell of it at once.
MOVE_RATE = "10/hour"


async def register(call: Call[Registration]) -> web.Response:
    store, settings = call.services.store, call.services.settings
    subscription = call.body.subscription.checked(settings.allowed_push_hosts)
    topics, seen = await asyncio.gather(store.topics.ids(), store.subscriptions.look(subscription.digest))
    call.body.preferences.check_topics(topics, "preferences.")
    check_consent(call.body.consent, settings)
    _key_id(call)
    if seen.kept is None:
        await _count(call, subscription, await _replaced(call, subscription))
    looks = iter([seen])

    async def keep() -> tuple[Kept, int]:
        seen = next(looks, None) or await store.subscriptions.look(subscription.digest)
        kept, status = await _keep(call, subscription, seen)
        kept = await agree(call, kept)
        if not await note_seen(store, kept):  # forgotten as inactive amid this, or it has other keys by now
            raise Changed("this subscription was changed by another call; repeat it")
        return kept, status

    kept, status = await while_changed(keep)
    token = await store.token_secret.token(kept.record)
    registered = Registered(id=public_id(kept.record.digest), token=token, preferences=kept.preferences)
    return answer(registered, status)


async def _keep(call: Call[Registration], subscription: Subscription, seen: Seen) -> tuple[Kept, int]:
    kept, store = seen.kept, call.services.store
    if kept is None and seen.entry.address is not None:
        kept = await store.subscriptions.come_back(subscription.digest)
    old, now_ms = await _replaced(call, subscription), clock.milliseconds(clock.now())
    moved = old and kept is None and await store.subscriptions.move(old, subscription, _key_id(call))
    if old and moved:
        await store.subscriptions.confirm(moved, old.record.digest, now_ms)
        return await prefer(call, moved, call.body.preferences, "preferences."), 201
    status = 201 if kept is None else 200
    among = old.preferences if old else None
    if kept is None:
        kept = await _add(call, subscription, seen, among)
    else:
        kept = await _repeat(call, kept, subscription, among)
    if old is not None:
        kept = await store.subscriptions.carry_over(old, kept)
        if await store.subscriptions.delete(old, now_ms):
            await call.services.prekeys.drop(old.address)
        await store.subscriptions.confirm(kept, old.record.digest, now_ms)
    return kept, status


async def _replaced(call: Call[Registration], subscription: Subscription) -> Kept | None:
    """The subscription that this browser had before, where it is still there and the token is its own.

    Anything else makes this a new one: what was forgotten here must not keep a browser from healing. Raises Ended for
    one that was erased on request.
    """
    named, store = call.body.replaces, call.services.store
    digest = parse_public_id(named.id) if named else None
    if named is None or digest is None or digest == subscription.digest:
        return None
    seen = await store.subscriptions.look(digest)
    if seen.kept is not None:
        return seen.kept if await store.token_secret.proves(named.token, seen.kept.record) else None
    record = await store.quarantine.record(seen.entry.address) if seen.entry.address else None
    if record is None or record.digest != digest or not await store.token_secret.proves(named.token, record):
        return None
    return await store.subscriptions.come_back(digest)


async def _count(call: Call[Registration], subscription: Subscription, old: Kept | None) -> None:
    """Whoever takes the place of one who is there makes no more of them, however many heal behind one address. But it
    has a new id each time and may bring new preferences, which are kept for good, so it is counted by its number; a
    number at another push service is a new one."""
    services = call.services
    if old is not None and old.address.push_service == subscription.endpoint.push_service:
        if services.settings.subscribe_rate != "off":
            await services.rates.hit(MOVE_RATE, "move", f"{old.address.push_service}:{old.address.number}")
        return
    trusted = services.settings.trusted_proxies
    address = client_address(call.request, trusted)
    await services.rates.hit(services.settings.subscribe_rate, "subscribe", counted_as(address))
    if proxy := untrusted_proxy(call.request, trusted):
        await services.proxies.note(proxy)


async def _add(call: Call[Registration], subscription: Subscription, seen: Seen, among: Preferences | None) -> Kept:
    services = call.services
    now_ms = clock.milliseconds(clock.now())
    defaults, oldest_ms = await asyncio.gather(
        services.store.topics.default_preferences(), services.store.alerts.oldest_ledger_ms(now_ms)
    )
    return await services.store.subscriptions.add(
        subscription,
        call.body.preferences.applied_to(among or defaults, defaults, "preferences."),
        _key_id(call),
        now_ms,
        oldest_ms,
        seen,
    )


async def _repeat(call: Call[Registration], kept: Kept, subscription: Subscription, among: Preferences | None) -> Kept:
    """The same browser again: its `auth` secret, which only it and we know, is proof enough; or its token is."""
    store = call.services.store
    if not hmac.compare_digest(kept.record.auth, subscription.auth) and not await _proves(call, kept):
        raise Conflict("this endpoint is registered with other keys; send its token to replace them")
    record = kept.record
    # An endpoint belongs to the key that it was made with, also where that is not here any more: with another one the
    # push service refuses it, and whoever subscribes with another one gets another endpoint.
    key_id = record.vapid_key_id if call.body.application_server_key is None else _key_id(call)
    if (record.p256dh, record.auth, record.vapid_key_id) != (subscription.p256dh, subscription.auth, key_id):
        kept = await store.subscriptions.set_keys(kept, subscription, key_id)
    return await prefer(call, kept, call.body.preferences, "preferences.", among)


def _key_id(call: Call[Registration]) -> bytes:
    """Of the key that the browser says it subscribed with, else the present one; Invalid for one not in force."""
    services, said = call.services, call.body.application_server_key
    if said is None:
        return services.keys.present.key_id
    for key in services.keys.all.values():
        if said.rstrip("=") == key.public_key:
            return key.key_id
    raise Invalid.at("application_server_key", "is no key in force here: subscribe again with the one of /v1/site")


async def _proves(call: Call[Registration], kept: Kept) -> bool:
    """By the token, as bearer or in a `replaces` that names this same subscription."""
    named = call.body.replaces
    own = named.token if named and named.id == public_id(kept.record.digest) else None
    for token in filter(None, (call.bearer, own)):
        if await call.services.store.token_secret.proves(token, kept.record):
            return True
    return False
