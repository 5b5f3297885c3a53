"""The prekeys of a window: taken out of their server before they are used, and forgotten with the window."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from tocsin.domain.errors import Unavailable
from tocsin.domain.subscriptions import Record
from tocsin.push.encryption import MessageKey, derive
from tocsin.push.prekeys import Seal, day_of
from tocsin.store.prekeys import Prekeys, PrekeySecret
from tocsin_workers.counting import Counting


class Keyring:
    """Gives each message its key, made ahead where there is one. An entry leaves it when it is asked for."""

    def __init__(self, counting: Counting | None = None, seal: Seal | None = None, entries: Mapping[int, bytes] = {}):
        self._counting = counting
        self._seal = seal
        self._entries = dict(entries)

    def key(self, slot: int, record: Record, now: datetime) -> MessageKey:
        """For one message to this browser. Raises ValueError if its key is no point on P-256."""
        entry = self._entries.pop(slot, None)
        found = None
        if entry and self._seal:
            found = self._seal.open(entry, record.p256dh, record.auth, day_of(now))
        if self._counting:
            self._counting.prekey(found is not None)
        return found or derive(record.p256dh, record.auth)


class Keyrings:
    """`counting` is told of each message whether it had a prekey, unless they are turned off."""

    def __init__(self, prekeys: Prekeys, secret: PrekeySecret, counting: Counting) -> None:
        self._prekeys = prekeys
        self._secret = secret
        self._counting = counting if prekeys.layers else None
        self._seals: dict[bytes, Seal] = {}

    async def take(self, shard: str, slots: Iterable[int]) -> Keyring:
        taken = await self._prekeys.take(shard, slots)
        if not taken.entries:
            return Keyring(self._counting)
        try:
            return Keyring(self._counting, await self.seal(taken.life), taken.entries)
        except Unavailable:
            return Keyring(self._counting)

    async def seal(self, life: bytes) -> Seal:
        """Of this life of the prekey server. Raises Unavailable when the store does not answer."""
        if life not in self._seals:
            self._seals = {life: Seal(await self._secret.load(), life)}
        return self._seals[life]
