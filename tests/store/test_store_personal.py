"""What is personal stands beside what is shared: changed together, or not at all; and nobody inherits it."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from store_hands import had_today
from store_sound import AFTER_REST_MS, NOW_MS, SPORT, WORLD, add, assert_sound

from samples import NOW, a_subscription
from tocsin.domain.errors import Conflict, UnknownRecord
from tocsin.domain.preferences import Preferences
from tocsin.domain.stories import StoryChoice
from tocsin.store.shards import PERSONAL, shard_key
from tocsin.store.store import Store
from tocsin.store.subscriptions import Kept

BROWSER = a_subscription("one")
LATER = NOW + timedelta(days=1)
ASLEEP = WORLD.model_copy(update={"snoozed_until": LATER})
FOLLOWS = WORLD.model_copy(update={"followed_stories": (StoryChoice(story="aleppo", until=LATER),)})
BOTH = SPORT.model_copy(update={"muted_stories": (StoryChoice(story="budget"),), "snoozed_until": LATER})


async def row(store: Store, kept: Kept) -> bytes | None:
    found: bytes | None = await store.server.redis.hget(
        shard_key(kept.address.shard, "personal"), str(kept.address.slot)
    )
    return found


async def find(store: Store) -> Kept:
    found = await store.subscriptions.get(BROWSER.digest)
    assert found is not None
    return found


@pytest.mark.parametrize("wanted", [WORLD, SPORT, ASLEEP, FOLLOWS, BOTH])
@pytest.mark.parametrize("first", [WORLD, ASLEEP, BOTH])
async def test_from_any_set_to_any_other(store: Store, first: Preferences, wanted: Preferences) -> None:
    kept = await add(store.subscriptions, BROWSER, first)
    assert (await find(store)).preferences == kept.preferences == first

    changed = await store.subscriptions.set_preferences(kept, wanted)

    found = await find(store)
    assert found == changed
    assert found.preferences == wanted
    assert bool(found.profile_number & PERSONAL) is bool(found.personal) is bool(wanted.personal)
    assert await row(store, found) == (wanted.personal.encode() or None)
    await assert_sound(store)


async def test_only_what_is_shared_makes_a_set(store: Store) -> None:
    numbers = {(await add(store.subscriptions, a_subscription(str(at)), each)).profile_number & ~PERSONAL
               for at, each in enumerate((WORLD, ASLEEP, FOLLOWS))}  # fmt: skip
    assert numbers == {1}


@pytest.mark.parametrize("other", [SPORT, FOLLOWS])
async def test_a_change_made_for_other_preferences_is_refused(store: Store, other: Preferences) -> None:
    """Either half may be what another call changed: `SPORT` the shared one, `FOLLOWS` only the personal one."""
    seen = await add(store.subscriptions, BROWSER, ASLEEP)
    stands = await store.subscriptions.set_preferences(seen, other)
    assert await store.subscriptions.set_preferences(seen, other) == stands  # told twice, done once

    with pytest.raises(Conflict):
        await store.subscriptions.set_preferences(seen, BOTH)

    assert await find(store) == stands


async def test_of_changes_at_once_one_is_made_whole(store: Store) -> None:
    seen = await add(store.subscriptions, BROWSER, ASLEEP)
    wanted = [
        Preferences(topics=(f"topic-{at}",), muted_stories=(StoryChoice(story=f"story-{at}"),)) for at in range(10)
    ]
    told = await asyncio.gather(
        *(store.subscriptions.set_preferences(seen, each) for each in wanted), return_exceptions=True
    )
    (made,) = [each for each in told if isinstance(each, Kept)]
    assert await find(store) == made
    assert made.preferences in wanted


async def test_new_keys_leave_what_is_personal_alone(store: Store) -> None:
    kept = await add(store.subscriptions, BROWSER, BOTH)
    await store.subscriptions.set_keys(kept, replace(BROWSER, auth=b"a" * 16), b"new!")
    assert (await find(store)).preferences == BOTH


async def test_the_next_owner_of_a_number_inherits_nothing(store: Store) -> None:
    kept = await add(store.subscriptions, BROWSER, BOTH)
    await store.server.redis.hset(shard_key(kept.address.shard, "caps"), str(kept.address.slot), "20500 9")
    await store.subscriptions.delete(kept, NOW_MS)
    assert await row(store, kept) is None
    assert await had_today(store, kept.address.shard, {kept.address.slot: 20_500}) == {}

    # As if a crash, or a version before this one, had left the rows there.
    await store.server.redis.hset(shard_key(kept.address.shard, "caps"), str(kept.address.slot), "20500 9")
    await store.server.redis.hset(shard_key(kept.address.shard, "personal"), str(kept.address.slot), kept.personal)
    newcomer = await add(store.subscriptions, a_subscription("two"), WORLD, now_ms=AFTER_REST_MS)

    assert newcomer.address == kept.address
    assert await store.subscriptions.get(newcomer.record.digest) == newcomer
    assert newcomer.preferences == WORLD
    assert await had_today(store, kept.address.shard, {kept.address.slot: 20_500}) == {}
    await assert_sound(store)


async def test_what_a_newer_version_wrote_is_refused_without_quoting_it(store: Store) -> None:
    kept = await add(store.subscriptions, BROWSER, ASLEEP)
    future = '{"snoozed_until_the_secret_day": true}'
    await store.server.redis.hset(shard_key(kept.address.shard, "personal"), str(kept.address.slot), future)
    with pytest.raises(UnknownRecord) as refusal:
        await store.subscriptions.get(BROWSER.digest)
    assert "secret" not in str(refusal.value)
