"""A window is written whole: ledger, account and retries, and with it those who are gone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_hands import begin, hand
from store_sound import SPORT, add, add_some, assert_sound

from samples import a_subscription
from tocsin.domain.deliveries import Ledger, Mark
from tocsin.domain.progress import Progress, ShardCounts
from tocsin.domain.subscriptions import SHARD_SIZE
from tocsin.store import ledgers
from tocsin.store.ledgers import Retry
from tocsin.store.store import Store
from tocsin.store.subscriptions import shard_keys


@given(
    st.dictionaries(
        st.integers(0, SHARD_SIZE - 1),
        st.builds(Retry, attempts=st.integers(0, 255), due_ms=st.integers(0, 2**63)),
    )
)
def test_retries_come_back_as_they_were(retries: dict[int, Retry]) -> None:
    assert ledgers._unpack_retries(ledgers._pack_retries(retries)) == retries


def test_more_attempts_than_a_byte_holds_are_the_most() -> None:
    packed = ledgers._pack_retries({1: Retry(300, 5)})
    assert ledgers._unpack_retries(packed) == {1: Retry(255, 5)}


async def test_the_first_claim_plans_over_those_who_were_there(store: Store) -> None:
    await add_some(store, 3)
    await add(store.subscriptions, a_subscription("sporty"), SPORT)
    bounds = await store.numbers.bounds()
    await add(store.subscriptions, a_subscription("late"))
    alert = await begin(store, bounds)

    worker = await hand(store, alert)

    assert bytes(worker.ledger) == b"ppp-".ljust(SHARD_SIZE, b"\0")
    assert worker.counts.eligible == 3
    kept = await store.ledgers.ledger(alert.id, "fcm.0")
    assert kept is not None
    assert bytes(kept) == bytes(worker.ledger)
    assert await store.ledgers.ledger(alert.id, "fcm.1") is None


async def test_what_was_written_is_what_the_next_claim_finds(store: Store) -> None:
    alert = await begin(store, {"fcm": 1_000})
    worker = await hand(store, alert)
    ledger = Ledger(b"ar".ljust(SHARD_SIZE, b"\0"))
    counts = ShardCounts(2, {"accepted": 1, "retrying": 1}, {"level": 0}, {17: 1}, 1, 123_456, 123_000)
    retries = {1: Retry(3, 1_772_366_400_123)}

    assert await store.ledgers.write(worker.claim, ledger, counts, retries) == []

    kept = await store.ledgers.begin(worker.claim)
    assert kept is not None
    assert kept.ledger is not None
    assert bytes(kept.ledger) == bytes(ledger)
    assert (kept.counts, kept.retries) == (counts, retries)
    assert len(kept.profile_numbers) == SHARD_SIZE
    assert await store.ledgers.counts(alert.id, {"fcm": 1_000, "apple": 0}) == {"fcm": [counts], "apple": []}


async def test_the_account_is_of_the_shards_that_are_planned(store: Store) -> None:
    await add_some(store, 3)
    alert = await begin(store, {"fcm": 3_000, "apple": 1_000})
    for _ in range(2):
        await hand(store, alert)
    counts = await store.ledgers.counts(alert.id, await store.runs.bounds(alert.id))
    assert {name: len(shards) for name, shards in counts.items()} == {"fcm": 1, "apple": 1}
    assert Progress.total(counts["fcm"]).counts()["pending"] == 3


async def test_recipients_as_they_stand_when_their_turn_comes(store: Store) -> None:
    kept = await add_some(store, 3)
    alert = await begin(store, await store.numbers.bounds())
    worker = await hand(store, alert)
    changed = await store.subscriptions.set_preferences(kept[1], SPORT)
    await store.subscriptions.delete(kept[2], 0)

    found = await worker.read([2, 0, 1])

    assert found is not None
    assert list(found) == [2, 0, 1]
    assert (found[2].packed, found[2].profile_number) == (None, 0)
    assert (found[0].packed, found[0].profile_number) == (kept[0].packed, kept[0].profile_number)
    assert (found[1].packed, found[1].profile_number) == (kept[1].packed, changed.profile_number)
    beyond = await worker.read([999])
    assert beyond is not None
    assert (beyond[999].packed, beyond[999].profile_number) == (None, 0)


async def test_the_gone_go_with_the_write_that_says_so(store: Store) -> None:
    kept = await add_some(store, 4)
    alert = await begin(store, await store.numbers.bounds())
    worker = await hand(store, alert)
    renewed = await store.subscriptions.set_keys(kept[2], a_subscription("browser-2", auth=b"a" * 16), b"new!")
    rows = [(slot, kept[slot].packed, kept[slot].record.endpoint) for slot in (1, 2)]
    for slot in (1, 2):
        worker.ledger[slot] = Mark.GONE

    dropped = await store.ledgers.write(worker.claim, worker.ledger, worker.counts, {}, rows)

    assert dropped == [1]  # the other one has new keys since: what is gone is its old subscription
    assert await store.subscriptions.get(kept[1].record.digest) is None
    found = await store.subscriptions.get(kept[2].record.digest)
    assert found is not None
    assert found.record == renewed.record
    # Whoever was to clean up died: the note stands until somebody does.
    assert await store.server.redis.hgetall(shard_keys("fcm.0")[2]) == {b"1": kept[1].record.digest}
    assert await store.ledgers.write(worker.claim, worker.ledger, worker.counts, {}, rows) == []
    assert await store.subscriptions.mend(0) == 1
    assert len(await assert_sound(store)) == 3


async def test_a_write_that_is_refused_deletes_nobody(store: Store) -> None:
    kept = await add_some(store, 1)
    alert = await begin(store, await store.numbers.bounds())
    worker = await hand(store, alert)
    await store.server.redis.hset(f"{{fcm.0}}:run:{alert.id}", "epoch", worker.claim.epoch + 1)
    rows = [(0, kept[0].packed, kept[0].record.endpoint)]
    worker.ledger[0] = Mark.GONE

    assert await store.ledgers.write(worker.claim, worker.ledger, worker.counts, {}, rows) is None

    assert await store.subscriptions.get(kept[0].record.digest) == kept[0]
    ledger = await store.ledgers.ledger(alert.id, "fcm.0")
    assert ledger is not None
    assert ledger[0] is Mark.PENDING


@pytest.mark.parametrize("size", [1, 100, 1_000])
async def test_windows_of_every_size(store: Store, size: int) -> None:
    alert = await begin(store, {"fcm": 1_000})
    worker = await hand(store, alert)
    found = await worker.read(list(range(size)))
    assert found is not None
    assert len(found) == size
    rows = [(slot, b"record", f"https://fcm.googleapis.com/{slot}") for slot in range(size)]
    assert await store.ledgers.write(worker.claim, worker.ledger, worker.counts, {}, rows) == []
