"""Windows: planned once, tried, written slot by slot; and whoever comes after a death knows with whom it happened."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_hands import NOW_MS, a_retry, begin, hand, lapse, ledger_of, next_claim, take_up
from store_sound import SPORT, add, add_some, assert_sound

from samples import NOW, a_subscription
from tocsin.domain.deliveries import Ledger, Mark
from tocsin.domain.preferences import Preferences
from tocsin.domain.progress import Progress, ShardAccount, Times
from tocsin.domain.subscriptions import SHARD_SIZE, Address
from tocsin.store import ledgers
from tocsin.store.ledgers import Retry
from tocsin.store.runs import Claim
from tocsin.store.shards import PERSONAL
from tocsin.store.store import Store

SNOOZED = Preferences(topics=("world",), snoozed_until=NOW + timedelta(days=9_999))
MARKS = st.sampled_from([mark for mark in Mark if mark is not Mark.NOBODY])


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


@given(st.dictionaries(st.integers(0, SHARD_SIZE - 1), MARKS, max_size=60))
def test_patches_say_each_slot_once_and_touch_no_other(marks: dict[int, Mark]) -> None:
    ledger = bytearray(SHARD_SIZE)
    runs = list(ledgers._runs_of(marks))
    for start, text in runs:
        assert not any(ledger[start : start + len(text)])
        ledger[start : start + len(text)] = text
    assert {slot: chr(byte) for slot, byte in enumerate(ledger) if byte} == dict(marks)
    assert len(runs) == sum(slot - 1 not in marks for slot in marks)


async def test_the_first_claim_plans_over_those_who_were_there(store: Store) -> None:
    await add_some(store, 3)
    await add(store.subscriptions, a_subscription("sporty"), SPORT)
    await add(store.subscriptions, a_subscription("asleep"), SNOOZED)
    bounds = await store.numbers.bounds()
    await add(store.subscriptions, a_subscription("late"))
    alert = await begin(store, bounds)

    worker = await hand(store, alert)

    assert worker.kept.ledger is None
    assert (worker.kept.times, worker.kept.retries, worker.kept.taken) == (Times(), {}, {})
    assert (worker.kept.trying, worker.kept.deaths) == ((), 0)
    assert await worker.ledger() == b"ppp-z"
    assert len(bytes(await ledger_of(store, worker.claim))) == SHARD_SIZE
    (account,) = (await store.ledgers.accounts(alert.id, bounds))["fcm"]
    assert account.eligible == account.ledger.eligible == 3
    assert await store.ledgers.ledgers("fcm.1", [alert.id]) == {}
    assert await store.ledgers.ledgers("fcm.0", []) == {}


async def test_what_was_written_is_what_the_next_claim_finds(store: Store) -> None:
    alert = await begin(store, {"fcm": 1_000})
    worker = await take_up(store, (await next_claim(store)))  # type: ignore[arg-type]
    times = Times({17: 1, 900: 3}, 4, 123_456, 123_000)
    retries = {1: Retry(3, 1_772_366_400_123)}
    marks = {0: Mark.ACCEPTED, 1: Mark.RETRYING, 2: Mark.TURNED_LEVEL, 999: Mark.DEFERRED}

    assert await worker.write(marks, times=times, retries=retries, deaths=2, plans=True) == []

    kept = await store.ledgers.begin(worker.claim)
    assert kept is not None
    assert kept.ledger is not None
    assert bytes(kept.ledger) == b"arL".ljust(999, b"\0") + b"d"
    assert (kept.times, kept.retries, kept.deaths) == (times, retries, 2)
    assert len(kept.profile_numbers) == SHARD_SIZE
    accounts = await store.ledgers.accounts(alert.id, {"fcm": 1_000, "apple": 0})
    assert accounts["apple"] == []
    (account,) = accounts["fcm"]
    assert (account.eligible, account.times, bytes(account.ledger)) == (4, times, bytes(kept.ledger))


async def test_only_the_slots_of_a_window_are_written(store: Store) -> None:
    """The round settles others of the same ledger meanwhile."""
    alert = await begin(store, {"fcm": 1_000})
    worker = await take_up(store, (await next_claim(store)))  # type: ignore[arg-type]
    await worker.write(dict.fromkeys(range(6), Mark.PENDING), plans=True)
    await store.server.redis.setrange(f"{{fcm.0}}:ledger:{alert.id}", 3, "d")

    await worker.write({1: Mark.ACCEPTED, 2: Mark.GONE, 5: Mark.RETRYING})

    assert await worker.ledger() == b"pagdpr"


async def test_eligible_is_fixed_when_the_shard_is_planned(store: Store) -> None:
    alert = await begin(store, {"fcm": 1_000})
    worker = await take_up(store, (await next_claim(store)))  # type: ignore[arg-type]

    async def eligible() -> int:
        return (await store.ledgers.accounts(alert.id, {"fcm": 1_000}))["fcm"][0].eligible

    planned = {0: Mark.PENDING, 1: Mark.DEFERRED, 2: Mark.LEVEL, 3: Mark.OUTSIDE, 4: Mark.PENDING, 5: Mark.SET_ASIDE}
    await worker.write(planned, plans=True)
    assert await eligible() == 4
    await worker.write({0: Mark.ACCEPTED, 4: Mark.TURNED_SNOOZED})
    assert await eligible() == 4
    await worker.write({0: Mark.ACCEPTED}, plans=True)  # a claim that planned again, which none does
    assert await eligible() == 4


async def test_one_write_for_several_alerts(store: Store) -> None:
    """A summary settles a reader in all of them, or in none."""
    one, two = await begin(store, {"fcm": 1_000}, "1"), await begin(store, {"fcm": 1_000}, "2")
    first, second = await hand(store, one), await hand(store, two)
    for worker in (first, second):
        await worker.write({0: Mark.DEFERRED, 1: Mark.DEFERRED, 2: Mark.ACCEPTED})

    changes = {one.id: {0: Mark.ACCEPTED}, two.id: {0: Mark.ACCEPTED, 1: Mark.TURNED_DAILY_CAP}}
    assert await first.write(changes=changes) == []

    assert (await first.ledger(), await second.ledger()) == (b"ada", b"aCa")
    found = await store.ledgers.ledgers("fcm.0", [two.id, "0" * 22, one.id])
    assert list(found) == [two.id, one.id]
    assert await store.ledgers.marks("fcm.0", 1, [one.id, two.id, "0" * 22]) == {
        one.id: Mark.DEFERRED,
        two.id: Mark.TURNED_DAILY_CAP,
    }
    await store.server.redis.hset(f"{{fcm.0}}:run:{one.id}", "epoch", 7)
    assert await first.write(changes=changes | {two.id: {2: Mark.GONE}}) is None
    assert await second.ledger() == b"aCa"


async def test_the_account_is_of_the_shards_that_are_planned(store: Store) -> None:
    await add_some(store, 3)
    alert = await begin(store, {"fcm": 3_000, "apple": 1_000})
    for _ in range(2):
        await hand(store, alert)
    accounts = await store.ledgers.accounts(alert.id, await store.runs.bounds(alert.id))
    assert {name: len(shards) for name, shards in accounts.items()} == {"fcm": 1, "apple": 1}
    assert Progress.total(accounts["fcm"]).counts()["pending"] == 3


async def test_a_shard_that_is_being_planned_is_not_half_seen(store: Store) -> None:
    """Claimed and begun, it has a run and no ledger yet."""
    alert = await begin(store, {"fcm": 1_000})
    await take_up(store, (await next_claim(store)))  # type: ignore[arg-type]
    assert await store.ledgers.accounts(alert.id, {"fcm": 1_000}) == {"fcm": []}
    assert await store.ledgers.ledgers("fcm.0", [alert.id]) == {}


async def test_recipients_as_they_stand_when_their_turn_comes(store: Store) -> None:
    kept = await add_some(store, 4)
    alert = await begin(store, await store.numbers.bounds())
    worker = await hand(store, alert)
    changed = await store.subscriptions.set_preferences(kept[1], SPORT)
    await store.subscriptions.delete(kept[2], 0)
    asleep = await store.subscriptions.set_preferences(kept[3], SNOOZED)

    found = await worker.read([2, 0, 1, 3])

    assert found is not None
    assert list(found) == [2, 0, 1, 3]
    assert (found[2].packed, found[2].profile_number, found[2].personal) == (None, 0, b"")
    assert (found[0].packed, found[0].profile_number) == (kept[0].packed, kept[0].profile_number)
    assert (found[1].packed, found[1].profile_number) == (kept[1].packed, changed.profile_number)
    assert (found[3].profile_number, found[3].personal) == (asleep.profile_number, asleep.personal)
    assert asleep.profile_number & PERSONAL
    assert asleep.personal
    beyond = await worker.read([999])
    assert beyond is not None
    assert (beyond[999].packed, beyond[999].profile_number) == (None, 0)


async def test_whoever_comes_after_a_death_knows_with_whom_it_happened(store: Store) -> None:
    alert = await begin(store, {"fcm": 1_000})
    claim = (await hand(store, alert)).claim
    for deaths, slots in enumerate(([5, 3, 900], [5, 3], [3]), start=1):
        worker = await take_up(store, claim)
        assert worker.kept.deaths == deaths - 1
        # The same claim may begin twice (its connection broke): that is no death.
        assert await worker.read(slots) is not None
        assert (await take_up(store, claim)).kept.deaths == deaths - 1
        # What a window leaves behind stands until one is recorded; deaths are in a row.
        await lapse(store, claim)
        claim = await next_claim(store)  # type: ignore[assignment]
        assert claim is not None
        found = await take_up(store, claim)
        assert (found.kept.trying, found.kept.deaths) == (tuple(slots), deaths)

    assert await found.read([7]) is not None
    assert await found.write({7: Mark.ACCEPTED}, deaths=3) == []
    kept = await store.ledgers.begin(claim)
    assert kept is not None
    assert (kept.trying, kept.deaths) == ((), 3)


async def test_a_claim_that_tried_nothing_dies_alone(store: Store) -> None:
    alert = await begin(store, {"fcm": 1_000})
    claim = (await hand(store, alert)).claim
    await lapse(store, claim)
    found = await take_up(store, (await next_claim(store)))  # type: ignore[arg-type]
    assert (found.kept.trying, found.kept.deaths) == ((), 0)


async def test_a_claim_that_did_not_come_to_a_window_again_counts_no_death(store: Store) -> None:
    """It died of something else: of the window of another shard that it had in hand, perhaps."""
    alert = await begin(store, {"fcm": 1_000})
    worker = await hand(store, alert)
    claim: Claim | None = worker.claim
    assert await worker.read([5, 3]) is not None
    for _ in range(3):
        assert claim is not None
        await lapse(store, claim)
        claim = await next_claim(store)
        assert claim is not None
        found = await take_up(store, claim)
        assert (found.kept.trying, found.kept.deaths) == ((5, 3), 1)


async def test_the_gone_go_into_quarantine_with_the_write_that_says_so(store: Store) -> None:
    kept = await add_some(store, 4)
    alert = await begin(store, await store.numbers.bounds())
    worker = await hand(store, alert)
    renewed = await store.subscriptions.set_keys(kept[2], a_subscription("browser-2", auth=b"a" * 16), b"new!")
    rows = [(slot, kept[slot].packed) for slot in (1, 2)]

    removed = await worker.write({1: Mark.GONE, 2: Mark.GONE}, gone=rows)

    assert removed == [1]  # the other one has new keys since: what is gone is its old subscription
    assert await store.subscriptions.get(kept[1].record.digest) is None
    found = await store.subscriptions.get(kept[2].record.digest)
    assert found is not None
    assert found.record == renewed.record
    (gone,) = await store.quarantine.of("fcm.0")
    assert (gone.address, gone.since_ms) == (kept[1].address, NOW_MS)
    assert await store.quarantine.record(kept[1].address) == kept[1].record
    assert await worker.write({1: Mark.GONE, 2: Mark.GONE}, gone=rows) == []
    assert await store.quarantine.of("fcm.0") == [gone]
    assert len(await assert_sound(store)) == 3


async def test_a_write_that_is_refused_changes_nobody(store: Store) -> None:
    kept = await add_some(store, 1)
    alert = await begin(store, await store.numbers.bounds())
    worker = await hand(store, alert)
    await store.server.redis.hset(f"{{fcm.0}}:run:{alert.id}", "epoch", worker.claim.epoch + 1)

    assert await worker.write({0: Mark.GONE}, gone=[(0, kept[0].packed)], give_back=[0], spent=[0]) is None
    assert await worker.read([0]) is None

    assert await store.subscriptions.get(kept[0].record.digest) == kept[0]
    assert await worker.ledger() == b"p"


@pytest.mark.parametrize("size", [1, 100, 1_000])
async def test_windows_of_every_size(store: Store, size: int) -> None:
    alert = await begin(store, {"fcm": 1_000})
    worker = await hand(store, alert)
    found = await worker.read(list(range(size)))
    assert found is not None
    assert len(found) == size
    slots = range(size)
    everything = {
        "retries": {slot: a_retry() for slot in slots},
        "gone": [(slot, b"record") for slot in slots],
        "give_back": list(slots),
        "spent": list(slots),
    }
    # Every second slot is a patch of its own, which is the most that a window can be in.
    assert await worker.write({slot: Mark.ACCEPTED for slot in slots if slot % 2 == 0}, **everything) == []
    assert (await ledger_of(store, worker.claim)).count(Mark.ACCEPTED) == (size + 1) // 2


async def test_who_was_set_aside_is_pending_again(store: Store) -> None:
    alert = await begin(store, {"fcm": 1_000})
    worker = await hand(store, alert)
    await worker.write({0: Mark.SET_ASIDE, 1: Mark.ACCEPTED})
    told = [await store.ledgers.pend_again(alert.id, Address("fcm", number)) for number in (0, 0, 1, 2, 1_000)]
    assert told == [True, True, False, False, False]
    assert await worker.ledger() == b"pa"
    assert not await store.ledgers.pend_again("0" * 22, Address("fcm", 0))
    assert await store.server.redis.exists("{fcm.0}:ledger:" + "0" * 22) == 0


async def test_dropped_ledgers_leave_nothing_of_a_run(store: Store) -> None:
    await add_some(store, 2)
    alert = await begin(store, await store.numbers.bounds())
    worker = await hand(store, alert)
    await worker.write({0: Mark.ACCEPTED})
    await store.server.redis.hset(f"{{fcm.0}}:taken:{alert.id}", "1", 20_000)

    await store.ledgers.drop(alert.id, {"fcm": 2})

    assert not [key for key in await store.server.redis.keys("{fcm.0}:*") if alert.id.encode() in key]
    assert await store.ledgers.accounts(alert.id, {"fcm": 2}) == {"fcm": []}
    assert await store.ledgers.marks("fcm.0", 0, [alert.id]) == {}
    assert await worker.write({1: Mark.ACCEPTED}) is None  # one that slept through all this changes nothing
    assert await store.ledgers.marks("fcm.0", 1, [alert.id]) == {}


def test_an_account_of_nothing() -> None:
    assert Progress.total([ShardAccount(0, Ledger(b""))]).counts()["unaccounted"] == 0


async def test_a_write_that_comes_late_sets_nobody_back(store: Store) -> None:
    """The connection was given up, the write told again on another one; then the network brings the first after all."""
    await add_some(store, 3)
    alert = await begin(store, await store.numbers.bounds())
    worker = await hand(store, alert)
    late = {"number": 2, "retries": {1: a_retry()}, "times": Times({7: 1}, 1, 2, 3)}
    assert await worker.write({0: Mark.ACCEPTED, 1: Mark.RETRYING}, **late) == []
    assert await worker.write({1: Mark.ACCEPTED, 2: Mark.GONE}, number=3, times=Times({7: 2}, 2, 2, 3)) == []
    before = await store.ledgers.begin(worker.claim)

    plan = dict.fromkeys(range(SHARD_SIZE), Mark.PENDING)
    assert await worker.write({0: Mark.ACCEPTED, 1: Mark.RETRYING}, **late) == []
    assert await worker.write(plan, number=1, plans=True) == []

    assert await worker.ledger() == b"aag"
    after = await store.ledgers.begin(worker.claim)
    assert before is not None
    assert after is not None
    assert (after.times, after.retries) == (before.times, before.retries) == (Times({7: 2}, 2, 2, 3), {})
    # The next claim counts anew.
    await lapse(store, worker.claim)
    successor = await take_up(store, (await next_claim(store)))  # type: ignore[arg-type]
    assert await successor.write({2: Mark.SET_ASIDE}) == []
    assert await worker.ledger() == b"aak"
