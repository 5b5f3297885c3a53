"""Those whom a push service called gone: set aside whole, brought back whole, and deleted only for good."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from store_hands import had_today
from store_sound import AFTER_REST_MS, KEY_ID, LATER_MS, NONE_KEPT, NOW_MS, SPORT, WORLD, add, add_some, assert_sound

from samples import NOW, a_subscription
from tocsin.domain.errors import Conflict
from tocsin.domain.preferences import Preferences
from tocsin.store.shards import shard_key
from tocsin.store.store import Store
from tocsin.store.subscriptions import Kept

BROWSER = a_subscription("one")
ASLEEP = Preferences(topics=("sport",), snoozed_until=NOW + timedelta(days=9_999), muted_stories=("budget",))
ASLEEP = Preferences.model_validate(ASLEEP.model_dump(mode="json"))


async def gone(store: Store, preferences: Preferences = ASLEEP) -> Kept:
    """A reader in quarantine, with all that a reader can have."""
    kept = await add(store.subscriptions, BROWSER, preferences)
    await store.server.redis.hset(shard_key(kept.address.shard, "caps"), str(kept.address.slot), "20500 3")
    assert await store.quarantine.add(kept.address, kept.packed, NOW_MS)
    return kept


async def test_who_is_in_quarantine_is_nowhere_else(store: Store) -> None:
    kept = await gone(store)
    assert await store.subscriptions.get(BROWSER.digest) is None
    assert await store.subscriptions.record_at(kept.address) is None
    assert set(await store.profiles.of_shard("fcm.0", 10)) == {0}
    (each,) = await store.quarantine.of("fcm.0")
    assert (each.address, each.since_ms) == (kept.address, NOW_MS)
    assert await store.quarantine.record(kept.address) == kept.record
    assert await store.subscriptions.find_quarantined(BROWSER.digest) == kept.address
    assert await store.subscriptions.find_quarantined(a_subscription("two").digest) is None
    assert await assert_sound(store) == {}


async def test_only_the_record_that_was_called_gone_goes_there(store: Store) -> None:
    kept = await add(store.subscriptions, BROWSER)
    renewed = await store.subscriptions.set_keys(kept, replace(BROWSER, auth=b"a" * 16), b"new!")
    assert not await store.quarantine.add(kept.address, kept.packed, NOW_MS)
    assert await store.subscriptions.get(BROWSER.digest) == renewed
    assert await store.quarantine.of("fcm.0") == []


@pytest.mark.parametrize("preferences", [WORLD, ASLEEP])
async def test_restored_they_are_as_they_were(store: Store, preferences: Preferences) -> None:
    kept = await gone(store, preferences)
    assert [await store.quarantine.restore(kept.address) for _ in range(2)] == [True, False]
    assert await store.subscriptions.get(BROWSER.digest) == kept
    assert await had_today(store, "fcm.0", {kept.address.slot: 20_500}) == {kept.address.slot: 3}
    assert await store.quarantine.record(kept.address) is None
    assert set(await assert_sound(store)) == {BROWSER.digest}


async def test_a_browser_that_comes_again_is_the_same_with_the_same_preferences(store: Store) -> None:
    kept = await gone(store)
    assert await store.subscriptions.come_back(BROWSER.digest) == kept
    assert await store.subscriptions.come_back(BROWSER.digest) is None
    assert set(await assert_sound(store)) == {BROWSER.digest}
    assert await store.subscriptions.come_back(a_subscription("two").digest) is None


async def test_who_registers_anew_without_being_asked_for_first_is_restored_too(store: Store) -> None:
    kept = await gone(store)
    back = await store.subscriptions.add(BROWSER, SPORT, KEY_ID, LATER_MS, NONE_KEPT)
    assert (back.address, back.record, back.preferences) == (kept.address, kept.record, SPORT)
    assert set(await assert_sound(store)) == {BROWSER.digest}


async def test_another_browser_does_not_bring_them_back(store: Store) -> None:
    kept = await gone(store)
    assert not await store.quarantine.restore(kept.address, a_subscription("two").digest)
    with pytest.raises(Conflict):  # the endpoint is theirs, the keys are not
        await store.subscriptions.add(replace(BROWSER, auth=b"a" * 16), WORLD, KEY_ID, LATER_MS, NONE_KEPT)
    assert await store.subscriptions.find_quarantined(BROWSER.digest) in (kept.address, None)


async def test_deleted_they_leave_nothing_and_their_number_rests(store: Store) -> None:
    kept = await gone(store)
    told = [await store.subscriptions.delete_quarantined(kept.address, NOW_MS) for _ in range(2)]
    assert told == [True, False]
    assert await assert_sound(store) == {}
    assert await store.numbers.counts() == {"fcm": 0}
    left = await store.server.redis.keys("{fcm.0}:*")
    assert sorted(left) == [b"{fcm.0}:profiles", b"{fcm.0}:seen"]
    assert not any(await store.server.redis.get(left[0]))
    assert not await store.quarantine.restore(kept.address)

    newcomer = await add(store.subscriptions, a_subscription("two"), now_ms=AFTER_REST_MS)
    assert newcomer.address == kept.address
    assert await assert_sound(store) == {newcomer.record.digest: newcomer.address}


async def test_a_number_is_not_free_before_its_owner_is_deleted(store: Store) -> None:
    kept = await gone(store)
    other = await add(store.subscriptions, a_subscription("two"), now_ms=AFTER_REST_MS)
    assert other.address != kept.address
    assert await store.subscriptions.mend(AFTER_REST_MS) == 0
    assert await store.quarantine.restore(kept.address)
    assert len(await assert_sound(store)) == 2


async def test_a_deletion_that_died_is_finished(store: Store) -> None:
    kept = await gone(store)
    assert await store.quarantine.drop(kept.address) == BROWSER.digest
    assert await store.server.redis.hgetall("{fcm.0}:gone") == {b"0": BROWSER.digest}
    assert await store.quarantine.drop(kept.address) is None
    assert await store.subscriptions.mend(NOW_MS) == 1
    assert await assert_sound(store) == {}
    # Their number is free and rests; a browser that comes again before that is a new one.
    again = await add(store.subscriptions, BROWSER)
    assert again.address.number == 1


async def test_counts_are_without_them(store: Store) -> None:
    kept = await add_some(store, 5)
    other = await add_some(store, 2, "push.example.com")
    for each in (kept[1], kept[3], other[0]):
        await store.quarantine.add(each.address, each.packed, NOW_MS)
    assert await store.numbers.counts() == {"fcm": 3, "push.example.com": 1}
    assert await store.numbers.quarantined() == {"fcm": 2, "push.example.com": 1}
    await store.subscriptions.delete_quarantined(kept[1].address, NOW_MS)
    await store.quarantine.restore(kept[3].address)
    assert await store.numbers.counts() == {"fcm": 4, "push.example.com": 1}
    assert await store.numbers.quarantined() == {"fcm": 0, "push.example.com": 1}


async def test_who_leaves_while_being_called_gone_is_deleted(store: Store) -> None:
    """The DELETE saw the record; then a worker heard 410. An operator must not be able to bring this reader back."""
    kept = await gone(store)
    await store.subscriptions.delete(kept, NOW_MS)
    assert await store.quarantine.of("fcm.0") == []
    assert await assert_sound(store) == {}
    assert not await store.quarantine.restore(kept.address)


async def test_who_leaves_is_found_whatever_became_of_the_record(store: Store) -> None:
    seen = await add(store.subscriptions, BROWSER)
    renewed = await store.subscriptions.set_keys(seen, replace(BROWSER, auth=b"a" * 16), b"new!")
    await store.quarantine.add(renewed.address, renewed.packed, NOW_MS)
    await store.subscriptions.delete(seen, NOW_MS)
    assert await assert_sound(store) == {}


@pytest.mark.parametrize("then", ["mend", "repeat", "repeat and mend"])
async def test_called_gone_before_the_registration_was_done(store: Store, then: str) -> None:
    """The record is there and can be sent to before the index says `ready`; whoever wrote it died in between."""
    kept = await add(store.subscriptions, BROWSER)
    index = await store.subscriptions._index.get(BROWSER.digest)
    await store.subscriptions._index.swap(BROWSER.digest, index.raw, index.raw.replace(b"r:", b"p:", 1))
    await store.server.redis.hset("{numbers:fcm}:reserved", "0", f"{NOW_MS}:{BROWSER.digest.hex()}")
    assert await store.quarantine.add(kept.address, kept.packed, NOW_MS)

    if "repeat" in then:
        assert (await add(store.subscriptions, BROWSER, now_ms=LATER_MS)).address == kept.address
    if "mend" in then:
        await store.subscriptions.mend(LATER_MS)

    places = await assert_sound(store)
    assert (BROWSER.digest in places) is ("repeat" in then)
    await store.quarantine.restore(kept.address)
    assert await assert_sound(store) == {BROWSER.digest: kept.address}


async def test_whatever_races_nobody_is_in_two_places(store: Store) -> None:
    kept = await gone(store)

    async def leave() -> None:
        if address := await store.subscriptions.find_quarantined(BROWSER.digest):
            await store.subscriptions.delete_quarantined(address, NOW_MS)

    for _ in range(10):
        calls = [
            store.quarantine.restore(kept.address),
            store.subscriptions.come_back(BROWSER.digest),
            add(store.subscriptions, BROWSER, now_ms=NOW_MS),
            leave(),
            store.quarantine.add(kept.address, kept.packed, NOW_MS),
        ]
        await asyncio.gather(*calls, return_exceptions=True)
        await store.subscriptions.mend(NOW_MS)
        await assert_sound(store)
        there = await store.subscriptions.get(BROWSER.digest) or await store.subscriptions.come_back(BROWSER.digest)
        kept = there or await add(store.subscriptions, BROWSER)
        await store.quarantine.add(kept.address, kept.packed, NOW_MS)
