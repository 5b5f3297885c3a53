"""Sets of preferences, each stored once and known by a number. Few change hands, so a process keeps what it read."""

import struct
from collections.abc import Mapping

import structlog
from pydantic import ValidationError

from tocsin.domain.errors import UnknownRecord
from tocsin.domain.preferences import Preferences
from tocsin.store.client import Server, answering
from tocsin.store.shards import shard_key

log = structlog.get_logger()

_IDS = "{profiles}:ids"
_SETS = "{profiles}:sets"

# In a shard's packed string each slot has four bytes, little-endian; 0 is nobody. The highest bit is `PERSONAL`.
NOBODY = 0

# How many sets a process keeps, by their numbers and by their texts: one takes about 2 kB.
MOST_KEPT = 50_000
NUMBER = struct.Struct("<I")


class Profiles:
    """The table of sets. A number's meaning never changes, so what was read once stays true."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._sets: dict[int, Preferences] = {}
        self._numbers: dict[str, int] = {}
        self._unreadable: set[int] = set()

    async def number(self, preferences: Preferences) -> int:
        """The number of this set, made when it is new."""
        canonical = preferences.canonical
        if len(self._numbers) > MOST_KEPT:
            self._numbers.clear()
        if canonical not in self._numbers:
            self._numbers[canonical] = await self._server.run("intern_profile", [_IDS, _SETS], canonical)
        return self._numbers[canonical]

    async def get(self, numbers: set[int]) -> dict[int, Preferences]:
        """The sets of these numbers. Raises UnknownRecord for a form that a newer version wrote."""
        found = await self.readable(numbers)
        if unreadable := numbers & self._unreadable:
            raise UnknownRecord(f"preferences {min(unreadable)} have a form that this program does not know")
        return found

    async def of_shard(self, shard: str, size: int) -> tuple[int, ...]:
        """The numbers of a shard's slots, with the bit `PERSONAL`."""
        (numbers,) = await self.of_shards({shard: size})
        return numbers

    async def of_shards(self, sizes: Mapping[str, int]) -> list[tuple[int, ...]]:
        """The same for each of several shards, in one go."""
        async with answering(), self._server.redis.pipeline(transaction=False) as pipe:
            for shard in sizes:
                pipe.get(shard_key(shard, "profiles"))
            rows = await pipe.execute()
        return [unpack_numbers(packed or b"", size) for packed, size in zip(rows, sizes.values(), strict=True)]

    async def readable(self, numbers: set[int]) -> dict[int, Preferences]:
        """Those that this program can read; a fan-out must not stop for one that it cannot."""
        # What this call needs is held beside what is kept: another call may clear that while the store answers.
        found = {number: self._sets[number] for number in numbers if number in self._sets}
        missing = sorted(numbers - found.keys() - {NOBODY})
        if missing:
            async with answering():
                rows = await self._server.redis.hmget(_SETS, [str(number) for number in missing])
            loaded = {
                number: preferences
                for number, row in zip(missing, rows, strict=True)
                if row is not None and (preferences := self._load(number, row)) is not None
            }
            if len(self._sets) + len(loaded) > MOST_KEPT:
                self._sets.clear()
            self._sets |= loaded
            found |= loaded
        return found

    def _load(self, number: int, row: bytes) -> Preferences | None:
        try:
            preferences = Preferences.model_validate_json(row)
        except ValidationError:
            if number not in self._unreadable:
                # Without the error itself, which would quote what a reader chose.
                log.error("preferences in an unknown form", profile=number)  # noqa: TRY400
            self._unreadable.add(number)
            return None
        self._unreadable.discard(number)
        return preferences


def unpack_numbers(packed: bytes, size: int) -> tuple[int, ...]:
    """A shard's profile numbers, one for each slot; a shard not yet full is padded with nobody."""
    padded = packed[: size * 4].ljust(size * 4, b"\0")
    return struct.unpack(f"<{size}I", padded)
