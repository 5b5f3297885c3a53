"""Sets of preferences: each kept once, whoever comes first; a number's meaning never changes."""

import asyncio

import pytest

from tocsin.domain.errors import UnknownRecord
from tocsin.domain.levels import Level
from tocsin.domain.preferences import Preferences
from tocsin.store.profiles import NOBODY, Profiles, unpack_numbers
from tocsin.store.store import Store

SETS = [Preferences(topics=(f"topic-{number}",), min_level=Level.BREAKING) for number in range(10)]


async def test_equal_sets_have_one_number(store: Store) -> None:
    one = await store.profiles.number(Preferences(topics=("world", "sport"), topic_levels={"b": "flash", "a": "flash"}))
    other = await store.profiles.number(
        Preferences(topics=("sport", "world", "sport"), topic_levels={"a": "flash", "b": "flash"})
    )
    assert one == other == 1


async def test_many_at_once_make_each_set_once(store: Store) -> None:
    processes = [Profiles(store.server) for _ in range(8)]
    numbers = await asyncio.gather(*(process.number(each) for process in processes for each in SETS))

    assert [numbers[at : at + 10] for at in range(0, 80, 10)] == [numbers[:10]] * 8
    assert sorted(numbers[:10]) == list(range(1, 11))
    assert NOBODY not in numbers
    assert await Profiles(store.server).get(set(numbers)) == dict(zip(numbers, SETS, strict=False))


async def test_what_is_not_known_is_left_out(store: Store) -> None:
    number = await store.profiles.number(SETS[0])
    assert await Profiles(store.server).get({NOBODY, number, 99}) == {number: SETS[0]}
    assert await Profiles(store.server).get(set()) == {}


async def test_a_set_of_a_newer_form_is_refused_without_quoting_it(store: Store) -> None:
    await store.server.redis.hset("{profiles}:sets", "7", '{"topics": [], "quiet_hours_of_the_future": "secret"}')
    with pytest.raises(UnknownRecord) as refusal:
        await store.profiles.get({7})
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("packed", "numbers"),
    [
        (b"", (0, 0, 0)),
        (b"\x01\0\0\0", (1, 0, 0)),
        (b"\x01\0\0\0\x02\x01", (1, 258, 0)),
        (b"\xff\xff\xff\xff" * 5, (2**32 - 1,) * 3),
    ],
)
def test_a_shard_not_yet_full_is_padded_with_nobody(packed: bytes, numbers: tuple[int, ...]) -> None:
    assert unpack_numbers(packed, 3) == numbers
