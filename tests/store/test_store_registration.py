"""Registering and leaving: one browser has one number, whoever races and wherever a process dies."""

import asyncio
from dataclasses import replace

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
    add_some,
    assert_sound,
    mortal_subscriptions,
)

from samples import POINT, a_subscription
from tocsin.domain.errors import Conflict, UnknownRecord
from tocsin.domain.preferences import Preferences
from tocsin.store.index import Index, pending, ready
from tocsin.store.numbers import RESERVATION_MS
from tocsin.store.shards import shard_key
from tocsin.store.store import Store

BROWSER = a_subscription("one")
OTHER = a_subscription("two")


async def test_a_new_browser_is_found_again(store: Store) -> None:
    assert await store.subscriptions.get(BROWSER.digest) is None

    kept = await add(store.subscriptions, BROWSER, SPORT)

    assert (kept.address.push_service, kept.address.number) == ("fcm", 0)
    assert (kept.record.endpoint, kept.record.p256dh, kept.record.auth) == (BROWSER.endpoint.url, POINT, BROWSER.auth)
    assert (kept.record.vapid_key_id, kept.record.created) == (KEY_ID, NOW_MS // 1000)
    assert await store.subscriptions.get(BROWSER.digest) == kept
    assert await store.subscriptions.get(OTHER.digest) is None
    assert await store.numbers.counts() == {"fcm": 1}
    await assert_sound(store)


async def test_each_push_service_has_numbers_of_its_own(store: Store) -> None:
    await add_some(store, 3)
    await add_some(store, 2, "push.example.com")

    assert await store.numbers.push_services() == ["fcm", "push.example.com"]
    assert await store.numbers.bounds() == {"fcm": 3, "push.example.com": 2}
    assert await store.numbers.counts() == {"fcm": 3, "push.example.com": 2}
    await assert_sound(store)


async def test_twenty_at_once_for_one_browser_are_one(store: Store, servers: object) -> None:
    kept = await asyncio.gather(*(add(store.subscriptions, BROWSER) for _ in range(20)))

    assert len({each.address for each in kept}) == 1
    assert await assert_sound(store) == {BROWSER.digest: kept[0].address}
    assert await store.numbers.counts() == {"fcm": 1}
    assert await store.subscriptions.get(BROWSER.digest) == kept[0]


async def test_who_saw_nobody_until_another_call_had_ended_joins_it(store: Store) -> None:
    """The page and its worker register in the same moment: a second number would mean each alert twice."""
    kept = await add(store.subscriptions, BROWSER)

    joined = await store.subscriptions.add(BROWSER, SPORT, KEY_ID, LATER_MS, NONE_KEPT)

    assert (joined.address, joined.preferences) == (kept.address, SPORT)
    assert await assert_sound(store) == {BROWSER.digest: kept.address}


async def test_who_comes_late_with_other_keys_is_refused(store: Store) -> None:
    """Two calls saw nobody, or one that was not ready; the second goes on after the first has ended."""
    kept = await add(store.subscriptions, BROWSER)
    stranger = replace(BROWSER, auth=bytes(range(16)))
    ended = await Index(store.server).get(BROWSER.digest)
    for entry in (ended, replace(ended, raw=pending(kept.address), ready=False)):
        with pytest.raises(Conflict):
            await store.subscriptions._complete(entry, stranger, SPORT, KEY_ID, NOW_MS)
        assert await store.subscriptions.get(BROWSER.digest) == kept

        joined = await store.subscriptions._complete(entry, BROWSER, SPORT, b"new!", LATER_MS)
        assert (joined.address, joined.preferences, joined.record.vapid_key_id) == (kept.address, SPORT, b"new!")
        assert (await store.subscriptions.get(BROWSER.digest)) == joined
        kept = joined
    await assert_sound(store)


async def test_who_comes_late_does_not_bring_back_who_left(store: Store) -> None:
    kept = await add(store.subscriptions, BROWSER)
    entry = await Index(store.server).get(BROWSER.digest)
    await store.subscriptions.delete(kept, NOW_MS)
    for seen in (entry, replace(entry, raw=pending(kept.address), ready=False)):
        with pytest.raises(Conflict):
            await store.subscriptions._complete(seen, BROWSER, WORLD, KEY_ID, LATER_MS)
    assert await assert_sound(store) == {}


async def test_many_at_once_have_a_number_each(store: Store) -> None:
    browsers = [a_subscription(str(number)) for number in range(100)]
    kept = await asyncio.gather(*(add(store.subscriptions, browser) for browser in browsers))
    assert sorted(each.address.number for each in kept) == list(range(100))
    assert len(await assert_sound(store)) == 100


async def _die_at(store: Store, step: int) -> bool:
    """A registration that dies at this step; False when it has fewer."""
    try:
        await mortal_subscriptions(store, step).add(BROWSER, WORLD, KEY_ID, NOW_MS, NONE_KEPT)
    except Died:
        return True
    return False


@pytest.mark.parametrize("then", ["repeat", "mend", "repeat and mend", "mend and repeat", "other browser"])
async def test_a_registration_that_dies_is_completed_or_taken_back(store: Store, then: str) -> None:
    step = 0
    while await _die_at(store, step):
        assert len(await store.server.redis.keys("index:*")) <= 1
        if then == "other browser":
            await add(store.subscriptions, OTHER)
        for what in then.split(" and "):
            if what == "repeat":
                kept = await add(store.subscriptions, BROWSER, SPORT)
                assert kept.preferences in (SPORT, WORLD)  # what the first call had finished stands
            else:
                await store.subscriptions.mend(LATER_MS)
        await store.subscriptions.mend(LATER_MS)

        places = await assert_sound(store)

        assert (BROWSER.digest in places) or "repeat" not in then
        assert (OTHER.digest in places) is (then == "other browser")
        assert await store.subscriptions.mend(LATER_MS) == 0
        assert (await store.numbers.counts())["fcm"] == len(places) if places else True
        step += 1
        await store.server.redis.flushall()
        store.profiles._numbers.clear()
        store.profiles._sets.clear()
    assert step >= 7


async def test_a_reservation_is_given_its_time(store: Store) -> None:
    number = await store.numbers.reserve("fcm", BROWSER.digest, NOW_MS, NONE_KEPT)
    assert await store.subscriptions.mend(NOW_MS + RESERVATION_MS) == 0
    assert await store.subscriptions.mend(NOW_MS + RESERVATION_MS + 1) == 1
    assert await store.subscriptions.mend(NOW_MS + RESERVATION_MS + 1) == 0
    assert (number, await assert_sound(store)) == (0, {})


async def test_who_was_paused_until_their_number_was_taken_back_is_told(store: Store) -> None:
    address = replace((await add(store.subscriptions, OTHER)).address, number=1)
    assert await store.numbers.reserve("fcm", BROWSER.digest, NOW_MS, NONE_KEPT) == 1
    index = Index(store.server)
    await store.server.redis.hset("{fcm.0}:expected", "1", BROWSER.digest)
    entry = await index.swap(BROWSER.digest, b"", pending(address))
    assert await store.subscriptions.mend(LATER_MS) == 1

    with pytest.raises(Conflict):
        await store.subscriptions._complete(entry, BROWSER, WORLD, KEY_ID, NOW_MS)

    assert await store.subscriptions.mend(LATER_MS) == 0
    assert set(await assert_sound(store)) == {OTHER.digest}


async def test_mending_leaves_what_is_completed_while_it_looks(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The repeat comes after the mender saw an entry without a record: the number is in use, and must not be freed."""
    step = 0
    while await _die_at(store, step) and not (await Index(store.server).get(BROWSER.digest)).raw:
        step += 1
        await store.server.redis.flushall()
    read = store.subscriptions._packed

    async def read_then_be_overtaken(address: object, digest: bytes) -> object:
        found = await read(address, digest)  # type: ignore[arg-type]
        await add(mortal_subscriptions(store, -1), BROWSER)
        return found

    monkeypatch.setattr(store.subscriptions, "_packed", read_then_be_overtaken)
    await store.subscriptions.mend(LATER_MS)

    monkeypatch.undo()
    assert set(await assert_sound(store)) == {BROWSER.digest}
    await store.subscriptions.mend(LATER_MS)
    assert set(await assert_sound(store)) == {BROWSER.digest}


@pytest.mark.parametrize("then", ["mend", "repeat", "delete again"])
async def test_a_deletion_that_dies_is_finished(store: Store, then: str) -> None:
    step = 0
    while True:
        kept = await add(store.subscriptions, BROWSER)
        try:
            await mortal_subscriptions(store, step).delete(kept, NOW_MS)
        except Died:
            step += 1
        else:
            break
        if then == "repeat":
            await add(store.subscriptions, BROWSER, SPORT, LATER_MS)
        if then == "delete again" and (again := await store.subscriptions.get(BROWSER.digest)):
            await store.subscriptions.delete(again, LATER_MS)
        await store.subscriptions.mend(LATER_MS)
        deleted = then == "delete again" or (then == "mend" and step > 1)
        assert (BROWSER.digest in await assert_sound(store)) is not deleted
    assert step >= 4
    await store.subscriptions.mend(LATER_MS)
    assert await assert_sound(store) == {}
    assert await store.numbers.counts() == {"fcm": 0}


async def test_who_left_is_unknown_and_may_come_back(store: Store) -> None:
    kept = await add(store.subscriptions, BROWSER)
    await store.subscriptions.delete(kept, NOW_MS)
    assert await store.subscriptions.get(BROWSER.digest) is None
    assert await store.server.redis.hlen(shard_key(kept.address.shard, "records")) == 0
    assert not any(await store.server.redis.get(shard_key(kept.address.shard, "profiles")))

    again = await add(store.subscriptions, BROWSER, SPORT)

    assert (again.address.number, again.preferences) == (1, SPORT)
    assert await assert_sound(store) == {BROWSER.digest: again.address}


async def test_a_deletion_reaches_a_record_that_changed_since(store: Store) -> None:
    seen = await add(store.subscriptions, BROWSER)
    await store.subscriptions.set_keys(seen, replace(BROWSER, auth=b"a" * 16), b"new!")

    await store.subscriptions.delete(seen, NOW_MS)

    assert await assert_sound(store) == {}
    assert await store.server.redis.hlen(shard_key(seen.address.shard, "records")) == 0


async def test_new_keys_do_not_bring_back_who_left(store: Store) -> None:
    seen = await add(store.subscriptions, BROWSER)
    await store.subscriptions.delete(seen, NOW_MS)

    with pytest.raises(Conflict):
        await store.subscriptions.set_keys(seen, BROWSER, b"new!")
    with pytest.raises(Conflict):
        await store.subscriptions.set_preferences(seen, SPORT)

    assert await assert_sound(store) == {}


async def test_new_keys_leave_preferences_alone(store: Store) -> None:
    seen = await add(store.subscriptions, BROWSER)
    changed = await store.subscriptions.set_preferences(seen, SPORT)

    renewed = await store.subscriptions.set_keys(seen, replace(BROWSER, auth=b"a" * 16), b"new!")

    found = await store.subscriptions.get(BROWSER.digest)
    assert found is not None
    assert (found.preferences, found.record) == (SPORT, renewed.record)
    assert (found.record.auth, found.record.vapid_key_id, found.record.created) == (b"a" * 16, b"new!", NOW_MS // 1000)
    with pytest.raises(Conflict):
        await store.subscriptions.set_preferences(changed, WORLD)  # it was made for the old keys


async def test_a_change_made_for_other_preferences_is_refused(store: Store) -> None:
    seen = await add(store.subscriptions, BROWSER)
    assert (await store.subscriptions.set_preferences(seen, SPORT)).preferences == SPORT
    assert (await store.subscriptions.set_preferences(seen, SPORT)).preferences == SPORT  # told twice, done once

    with pytest.raises(Conflict):
        await store.subscriptions.set_preferences(seen, Preferences(topics=("culture",)))

    found = await store.subscriptions.get(BROWSER.digest)
    assert found is not None
    assert found.preferences == SPORT


async def test_of_changes_at_once_one_is_made_and_the_others_are_told(store: Store) -> None:
    seen = await add(store.subscriptions, BROWSER)
    wanted = [Preferences(topics=(f"topic-{number}",)) for number in range(10)]

    told = await asyncio.gather(
        *(store.subscriptions.set_preferences(seen, each) for each in wanted), return_exceptions=True
    )

    made = [each for each in told if not isinstance(each, Conflict)]
    assert len(made) == 1
    assert await store.subscriptions.get(BROWSER.digest) == made[0]


async def test_a_number_with_another_owner_is_not_mistaken(store: Store) -> None:
    kept = await add(store.subscriptions, OTHER)
    await Index(store.server).swap(BROWSER.digest, b"", ready(kept.address))
    assert await store.subscriptions.get(BROWSER.digest) is None

    came = await add(store.subscriptions, BROWSER)

    assert came.address != kept.address
    assert await store.subscriptions.get(OTHER.digest) == kept
    await assert_sound(store)


async def test_a_record_of_a_newer_version_is_refused(store: Store) -> None:
    kept = await add(store.subscriptions, BROWSER)
    await store.server.redis.hset(shard_key(kept.address.shard, "records"), "0", b"\x02" + kept.packed[1:])
    with pytest.raises(UnknownRecord):
        await store.subscriptions.get(BROWSER.digest)


async def test_whatever_races_the_store_stays_sound(store: Store) -> None:
    browsers = [a_subscription(str(number)) for number in range(4)]

    async def come_and_go(seed: int) -> None:
        browser = browsers[seed % 4]
        for turn in range(6):
            now_ms = AFTER_REST_MS + seed + turn
            try:
                kept = await add(store.subscriptions, browser, WORLD if turn % 2 else SPORT, now_ms)
                match (seed + turn) % 4:
                    case 0:
                        await store.subscriptions.delete(kept, now_ms)
                    case 1:
                        await store.subscriptions.set_keys(kept, replace(browser, auth=bytes([seed]) * 16), b"new!")
                    case 2:
                        await store.subscriptions.set_preferences(kept, SPORT)
                    case _:
                        await store.subscriptions.mend(now_ms)
            except Conflict:
                continue

    await asyncio.gather(*(come_and_go(seed) for seed in range(16)))

    await store.subscriptions.mend(AFTER_REST_MS + 10 * RESERVATION_MS)
    await store.subscriptions.mend(AFTER_REST_MS + 10 * RESERVATION_MS)
    await assert_sound(store)
