"""A browser whose subscription changed: it keeps its number and all that is known of it, wherever a process dies."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from store_sound import (
    AFTER_REST_MS,
    KEY_ID,
    LATER_MS,
    NONE_KEPT,
    NOW_MS,
    SPORT,
    WORLD,
    Died,
    add,
    assert_sound,
    mortal_subscriptions,
)

from samples import NOW, a_subscription
from tocsin.domain.consent import Consent
from tocsin.domain.errors import Changed
from tocsin.domain.stories import StoryChoice
from tocsin.domain.subscriptions import Address
from tocsin.store.shards import shard_key
from tocsin.store.store import Store
from tocsin.store.subscriptions import Kept

OLD = a_subscription("old")
NEW = a_subscription("new", auth=b"n" * 16)
MUTED = (StoryChoice(story="aleppo"),)
ASLEEP = WORLD.model_copy(update={"snoozed_until": NOW + timedelta(days=1), "muted_stories": MUTED})
CONSENT = Consent(NOW_MS // 1000, "2026-03")


async def with_everything(store: Store) -> Kept:
    kept = await store.subscriptions.set_consent(await add(store.subscriptions, OLD, ASLEEP), CONSENT)
    await store.server.redis.hset(shard_key("fcm.0", "caps"), str(kept.address.slot), "20510 3")
    return kept


async def test_all_that_is_known_goes_with_it(store: Store) -> None:
    await add(store.subscriptions, a_subscription("first"))
    old = await with_everything(store)

    moved = await store.subscriptions.move(old, NEW, b"new!")

    assert moved is not None
    assert moved == await store.subscriptions.get(NEW.digest)
    assert (moved.address, moved.preferences, moved.consent) == (old.address, ASLEEP, CONSENT)
    assert (moved.record.endpoint, moved.record.auth) == (NEW.endpoint.url, NEW.auth)
    assert (moved.record.vapid_key_id, moved.record.created) == (b"new!", old.record.created)
    assert await store.server.redis.hget(shard_key("fcm.0", "caps"), "1") == b"20510 3"
    assert await store.subscriptions.get(OLD.digest) is None
    assert (await assert_sound(store))[NEW.digest] == old.address
    assert await store.numbers.counts() == {"fcm": 2}


async def _die_at(store: Store, step: int, old: Kept) -> bool:
    try:
        await mortal_subscriptions(store, step).move(old, NEW, KEY_ID)
    except Died:
        return True
    return False


async def repeat(store: Store) -> None:
    if seen := await store.subscriptions.get(OLD.digest):
        assert await store.subscriptions.move(seen, NEW, KEY_ID)


async def register_the_new(store: Store) -> None:
    """The worker registers the new endpoint by itself, and knows nothing of the old one."""
    if await store.server.redis.exists(shard_key("fcm.0", "moves")) or not await store.subscriptions.get(OLD.digest):
        await add(store.subscriptions, NEW, SPORT)


async def leave(store: Store) -> None:
    if seen := await store.subscriptions.get(OLD.digest):
        await store.subscriptions.delete(seen, NOW_MS)


async def be_gone(store: Store) -> None:
    if seen := await store.subscriptions.get(OLD.digest):
        await store.quarantine.add(seen.address, seen.packed, NOW_MS)
        await store.subscriptions.delete_quarantined(seen.address, NOW_MS)


async def renew(store: Store) -> None:
    if seen := await store.subscriptions.get(OLD.digest):
        await store.subscriptions.set_keys(seen, a_subscription("old", auth=b"o" * 16), KEY_ID)


async def come_again(store: Store) -> None:
    if await store.subscriptions.get(OLD.digest) is None:
        await add(store.subscriptions, OLD, SPORT)


async def nothing(_: Store) -> None:
    """The reconciler alone."""


THEN = {each.__name__: each for each in (repeat, register_the_new, leave, be_gone, renew, come_again, nothing)}


@pytest.mark.parametrize("then", THEN)
async def test_a_move_that_dies_is_finished_by_whoever_comes_next(store: Store, then: str) -> None:
    step = 0
    while True:
        old = await with_everything(store)
        if not await _die_at(store, step, old):
            break
        subscriptions = store.subscriptions
        await THEN[then](store)
        await subscriptions.mend(LATER_MS)
        await subscriptions.mend(LATER_MS)

        places = await assert_sound(store)

        assert await store.server.redis.keys("*:moves") == []
        moved = await subscriptions.get(NEW.digest)
        if moved and moved.address != old.address:
            # It was registered before the index knew where it goes: the caller's repeat carries over and ends the old.
            assert then == "register_the_new"
            assert places[OLD.digest] == old.address
        elif moved:
            assert (moved.address, moved.consent) == (old.address, CONSENT)
            assert moved.preferences in (ASLEEP, SPORT)
            assert places.get(OLD.digest) != old.address
        elif then not in ("leave", "be_gone"):
            assert OLD.digest in places  # nobody is lost
        assert await subscriptions.mend(LATER_MS) == 0
        step += 1
        await store.server.redis.flushall()
        store.profiles._numbers.clear()
        store.profiles._sets.clear()
    assert step >= 6


async def test_twenty_at_once_are_one(store: Store) -> None:
    old = await with_everything(store)

    async def heal() -> Kept | None:
        try:
            return await store.subscriptions.move(old, NEW, KEY_ID)
        except Changed:
            return await store.subscriptions.get(NEW.digest)

    moved = await asyncio.gather(*(heal() for _ in range(20)))

    assert {each.address for each in moved if each} == {old.address}
    assert await assert_sound(store) == {NEW.digest: old.address}


async def test_one_that_has_a_number_already_keeps_it(store: Store) -> None:
    old, new = await with_everything(store), await add(store.subscriptions, NEW, SPORT)

    assert await store.subscriptions.move(old, NEW, KEY_ID) is None
    assert await store.subscriptions.get(OLD.digest) == old

    carried = await store.subscriptions.carry_over(old, new)
    assert carried == await store.subscriptions.get(NEW.digest)
    assert (carried.consent, carried.preferences) == (CONSENT, SPORT)
    assert await store.server.redis.hget(shard_key("fcm.0", "caps"), "1") == b"20510 3"
    await assert_sound(store)


async def test_another_push_service_has_numbers_of_its_own(store: Store) -> None:
    old = await with_everything(store)
    assert await store.subscriptions.move(old, a_subscription("new", "push.example.com"), KEY_ID) is None
    assert await assert_sound(store) == {OLD.digest: old.address}


async def test_who_was_called_gone_meanwhile_is_not(store: Store) -> None:
    """The old endpoint's 410 comes from an alert that crossed with the change."""
    old = await with_everything(store)
    moved_record = replace(old.record, endpoint=NEW.endpoint.url, auth=NEW.auth)
    assert await store.subscriptions._moves.begin(old.address, old.packed, OLD.digest, moved_record)
    await store.quarantine.add(old.address, old.packed, NOW_MS)

    await store.subscriptions.mend(NOW_MS)

    moved = await store.subscriptions.get(NEW.digest)
    assert moved is not None
    assert (moved.address, moved.preferences) == (old.address, ASLEEP)
    await assert_sound(store)


async def test_a_consent_goes_with_its_browser_and_no_further(store: Store) -> None:
    kept = await with_everything(store)
    assert (await store.subscriptions.set_consent(kept, None)).consent is None
    assert await store.subscriptions.get(OLD.digest) == await store.subscriptions.set_consent(kept, None)
    await store.subscriptions.set_consent(kept, CONSENT)
    await store.subscriptions.delete(kept, NOW_MS)

    with pytest.raises(Changed):
        await store.subscriptions.set_consent(kept, CONSENT)
    assert await store.server.redis.keys("*:consents") == []
    again = await store.subscriptions.add(OLD, WORLD, KEY_ID, LATER_MS, NONE_KEPT)
    assert again.consent is None


async def test_who_moved_keeps_its_number_from_a_deletion_that_comes_late(store: Store) -> None:
    """The call that deletes had read the old endpoint's record before the move was done."""
    old = await with_everything(store)
    moved = await store.subscriptions.move(old, NEW, KEY_ID)
    assert moved

    assert not await store.subscriptions.delete(old, NOW_MS)

    await add(store.subscriptions, a_subscription("next"), now_ms=AFTER_REST_MS)
    assert await store.subscriptions.get(NEW.digest) == moved
    assert len(await assert_sound(store)) == 2


async def test_who_moved_keeps_its_number_from_a_reservation_that_nobody_ended(store: Store) -> None:
    """The process that registered the old endpoint died before it said that it was done."""
    old = await with_everything(store)
    reserved = {str(old.address.number): f"{NOW_MS}:{OLD.digest.hex()}"}
    await store.server.redis.hset("{numbers:fcm}:reserved", mapping=reserved)
    assert await store.subscriptions.move(old, NEW, KEY_ID)

    await store.subscriptions.mend(LATER_MS)

    assert await store.numbers.counts() == {"fcm": 1}
    assert len(await assert_sound(store)) == 1
    assert await store.numbers.stale_reservations(LATER_MS) == []


async def test_a_late_hand_that_dies_bars_nobody(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """It read the note, another hand finished the move, the reader left: then it names the new endpoint, and dies."""
    for step in range(20):
        old = await with_everything(store)
        record = replace(old.record, endpoint=NEW.endpoint.url, auth=NEW.auth)
        assert await store.subscriptions._moves.begin(old.address, old.packed, OLD.digest, record)
        late = mortal_subscriptions(store, step)._moves
        swap = late._index.swap

        async def after_all(*arguments: Any, swap: Any = swap, address: Address = old.address) -> Any:
            if await store.subscriptions._moves.finish(address) and (
                moved := await store.subscriptions.get(NEW.digest)
            ):
                await store.subscriptions.delete(moved, NOW_MS)
            return await swap(*arguments)

        monkeypatch.setattr(late._index, "swap", after_all)
        died = False
        try:
            await late.finish(old.address)
        except Died:
            died = True
        await store.subscriptions.mend(LATER_MS)

        for _ in range(2):  # as the API, which looks again
            with suppress(Changed):
                await add(store.subscriptions, NEW, SPORT)

        kept = await store.subscriptions.get(NEW.digest)
        assert kept
        await store.subscriptions.mend(LATER_MS)
        await assert_sound(store)
        await store.server.redis.flushall()
        store.profiles._numbers.clear()
        store.profiles._sets.clear()
        if not died:
            assert step > 2
            return
    raise AssertionError("it never came to an end")
