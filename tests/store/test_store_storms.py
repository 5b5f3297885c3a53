"""The end of a storm of the gone, one way or the other; and queues that are paused."""

from samples import a_subscription
from tocsin import clock
from tocsin.clock import milliseconds
from tocsin.domain.pace import WindowReport
from tocsin.domain.preferences import Preferences
from tocsin.domain.queues import PRIORITY, QUEUES, STANDARD
from tocsin.store.prekeys import Prekeys
from tocsin.store.store import Store
from tocsin.store.subscriptions import Kept

HOSTS = {"fcm": "fcm.googleapis.com", "mozilla": "updates.push.services.mozilla.com"}
NO_PREKEYS = Prekeys("unix:///nowhere", layers=0)
NOW_MS = milliseconds(clock.now())


async def add(store: Store, name: str, push_service: str) -> Kept:
    subscription = a_subscription(f"{push_service}-{name}", HOSTS[push_service])
    return await store.subscriptions.add(subscription, Preferences(topics=("world",)), b"vkey", NOW_MS, 2**50)


async def in_quarantine(store: Store, count: int, push_service: str) -> list[Kept]:
    """So many were called gone, and it counts as a storm."""
    kept = [await add(store, str(number), push_service) for number in range(count)]
    for each in kept:
        assert await store.quarantine.add(each.address, each.packed, NOW_MS)
        assert await store.subscriptions.get(each.record.digest) is None
    await store.pace.report(push_service, WindowReport(gone=200))
    return kept


async def test_restoring_brings_back_all_of_a_push_service_and_ends_its_storm(store: Store) -> None:
    kept = await in_quarantine(store, 70, "fcm")
    await in_quarantine(store, 3, "mozilla")
    assert await store.numbers.quarantined() == {"fcm": 70, "mozilla": 3}

    assert await store.storms.restore("fcm") == 70

    assert await store.numbers.quarantined() == {"fcm": 0, "mozilla": 3}
    assert [await store.subscriptions.get(each.record.digest) for each in kept] == kept
    assert await store.pace.storms() == {"mozilla"}
    assert await store.storms.restore("fcm") == 0


async def test_confirming_deletes_them_for_good_and_ends_the_storm(store: Store) -> None:
    kept = await in_quarantine(store, 70, "fcm")
    there = await add(store, "stays", "fcm")

    assert await store.storms.confirm("fcm", NO_PREKEYS, NOW_MS) == 70

    assert (await store.numbers.counts(), await store.numbers.quarantined()) == ({"fcm": 1}, {"fcm": 0})
    assert await store.subscriptions.get(there.record.digest) == there
    assert await store.pace.storms() == set()
    for each in kept:
        assert await store.subscriptions.get(each.record.digest) is None
    assert (await add(store, "0", "fcm")).address not in {each.address for each in kept}  # a freed number rests


async def test_a_push_service_without_anybody_has_nothing_to_end(store: Store) -> None:
    assert await store.storms.restore("apple") == 0
    assert await store.storms.confirm("apple", NO_PREKEYS, NOW_MS) == 0


async def test_queues_are_paused_one_by_one(store: Store) -> None:
    assert await store.pauses.paused() == set()
    for _ in range(2):
        await store.pauses.pause(PRIORITY)
    await store.pauses.pause(STANDARD)
    await store.pauses.resume(STANDARD)
    assert [await store.pauses.is_paused(queue) for queue in QUEUES] == [True, False, False]
    await store.pauses.resume(PRIORITY)
    await store.pauses.resume(PRIORITY)
    assert await store.pauses.paused() == set()
