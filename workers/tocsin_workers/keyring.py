"""The prekeys of a shard in hand: taken out of their server before they are used, and forgotten with the shard."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from tocsin.domain.errors import Unavailable
from tocsin.domain.subscriptions import Record
from tocsin.push.encryption import MessageKey, derive
from tocsin.push.prekeys import Seal, day_of
from tocsin.store.prekeys import Prekeys
from tocsin.store.secret import Secret
from tocsin_workers.counting import Counting


class Keyring:
    """The prekeys at hand for a shard. Each leaves it when it is asked for."""

    def __init__(self, counting: Counting | None) -> None:
        self._counting = counting
        self._entries: dict[int, tuple[Seal, bytes] | None] = {}

    def knows(self, slot: int) -> bool:
        """Whether it was asked for one that is not used yet, or for which there is none."""
        return slot in self._entries

    def add(self, slots: Iterable[int], entries: Mapping[int, bytes], seal: Seal | None) -> None:
        """What was found for these slots."""
        for slot in slots:
            entry = entries.get(slot)
            self._entries[slot] = (seal, entry) if seal and entry else None

    def key(self, slot: int, record: Record, now: datetime) -> MessageKey:
        """For one message to this browser. Raises ValueError if its key is no point on P-256."""
        sealed = self._entries.pop(slot, None)
        found = None
        if sealed:
            seal, entry = sealed
            found = seal.open(entry, record.p256dh, record.auth, day_of(now))
        if self._counting:
            self._counting.prekey(found is not None)
        return found or derive(record.p256dh, record.auth)


class Wanted(NamedTuple):
    """Keys that a shard will need."""

    keyring: Keyring
    shard: str
    slots: Sequence[int]


class Keyrings:
    """`counting` is told of each message whether it had a prekey, unless they are turned off."""

    def __init__(self, prekeys: Prekeys, secret: Secret, counting: Counting) -> None:
        self._prekeys = prekeys
        self._secret = secret
        self._counting = counting if prekeys.layers else None
        self._seals: dict[bytes, Seal] = {}

    def empty(self) -> Keyring:
        return Keyring(self._counting)

    async def take(self, wanted: Sequence[Wanted]) -> None:
        """Whatever is wrong with the prekey server or the store, the answer is that there are none."""
        for each, taken in zip(
            wanted, await self._prekeys.take({each.shard: each.slots for each in wanted}), strict=True
        ):
            seal = None
            if taken.entries:
                with suppress(Unavailable):
                    seal = await self.seal(taken.life)
            each.keyring.add(each.slots, taken.entries, seal)

    async def seal(self, life: bytes) -> Seal:
        """Of this life of the prekey server. Raises Unavailable when the store does not answer."""
        if life not in self._seals:
            self._seals = {life: Seal(await self._secret.load(), life)}
        return self._seals[life]
