"""A browser out of a dump, while it registers by itself: what its reader says now goes before what a dump says."""

import asyncio
from dataclasses import replace

from store_sound import KEY_ID, NONE_KEPT, NOW_MS, SPORT, WORLD, Died, add, assert_sound, mortal_subscriptions

from samples import a_subscription
from tocsin.domain.consent import Consent
from tocsin.domain.errors import Changed
from tocsin.domain.subscriptions import Subscription
from tocsin.store.store import Store
from tocsin.store.subscriptions import Elsewhere, Kept, Subscriptions

OLD_DAYS = Elsewhere(1_600_000_000, Consent(1_600_000_000, "2020-09"))


async def take_over(subscriptions: Subscriptions, subscription: Subscription) -> Kept:
    seen = await subscriptions.look(subscription.digest)
    if seen.kept:
        return seen.kept
    return await subscriptions.add(subscription, WORLD, KEY_ID, NOW_MS, NONE_KEPT, seen, OLD_DAYS)


async def test_its_readers_word_wins_whoever_is_first(store: Store) -> None:
    browsers = [a_subscription(str(number)) for number in range(60)]

    async def register(browser: Subscription) -> None:
        # As the API: with what it saw a moment ago, and again where another call was quicker.
        while True:
            try:
                await store.subscriptions.set_preferences(await add(store.subscriptions, browser, SPORT), SPORT)
            except Changed:
                continue
            return

    for browser in browsers:
        await asyncio.gather(take_over(store.subscriptions, browser), register(browser))

    kept = [await store.subscriptions.get(browser.digest) for browser in browsers]
    assert [each.preferences if each else None for each in kept] == [SPORT] * len(browsers)
    await assert_sound(store)


async def test_who_came_meanwhile_stays_as_they_are(store: Store) -> None:
    browser = a_subscription("one")
    seen = await store.subscriptions.look(browser.digest)
    theirs = await add(store.subscriptions, browser, SPORT)
    renewed = replace(browser, p256dh=b"\x04" + bytes(64), auth=b"another secret.."[:16])

    for dumped in (browser, renewed):
        args = (dumped, WORLD, b"else", NOW_MS, NONE_KEPT, seen, OLD_DAYS)
        assert await store.subscriptions.add(*args) == theirs

    assert await store.subscriptions.get(browser.digest) == theirs
    await assert_sound(store)


async def test_a_consent_is_there_with_its_record_or_not_at_all(store: Store) -> None:
    """A repeat of an import leaves alone whoever is here, so it could not add what a death left out."""
    for step in range(100):
        try:
            await take_over(mortal_subscriptions(store, step), a_subscription("one"))
        except Died:
            kept = await store.subscriptions.get(a_subscription("one").digest)
            assert kept is None or kept.consent == OLD_DAYS.consent
            continue
        break
    kept = await store.subscriptions.get(a_subscription("one").digest)
    assert kept
    assert (kept.consent, kept.record.created) == (OLD_DAYS.consent, OLD_DAYS.created)
