"""How much of the table of sets a process keeps in memory."""

import asyncio

import pytest

from tocsin.domain.preferences import Preferences
from tocsin.store import profiles
from tocsin.store.profiles import Profiles
from tocsin.store.store import Store


async def test_a_process_keeps_only_so_many_and_gives_what_is_asked(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profiles, "MOST_KEPT", 5)
    sets = {await store.profiles.number(each): each for each in (Preferences(topics=(f"t{n}",)) for n in range(20))}
    numbers = sorted(sets)
    process = Profiles(store.server)

    for first in range(0, 20, 4):
        asked = {*numbers[:2], *numbers[first : first + 4]}
        assert await process.readable(asked) == {number: sets[number] for number in asked}
        assert len(process._sets) <= 6

    # More than is kept at once, by two who clear it for one another.
    both = await asyncio.gather(process.readable(set(numbers[:12])), process.readable(set(numbers[8:])))
    assert both[0] == {number: sets[number] for number in numbers[:12]}
    assert both[1] == {number: sets[number] for number in numbers[8:]}
