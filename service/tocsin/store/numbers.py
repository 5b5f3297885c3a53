"""Numbers of subscriptions within a push service: given out, freed, and given out again when nothing can know them."""

from dataclasses import dataclass

from tocsin.domain.subscriptions import SHARD_SIZE
from tocsin.store.client import Server, answering
from tocsin.store.shards import shard_key

_SERVICES = "{site}:push-services"

# No registration takes this long; after it a reservation is a crash's and the reconciler ends it one way or the other.
RESERVATION_MS = 60_000
# A freed number rests at least this long, so that whoever is still cleaning up after its last owner is done.
REST_MS = 3_600_000


@dataclass(frozen=True)
class Reservation:
    push_service: str
    number: int
    digest: bytes
    reserved_ms: int


class Numbers:
    def __init__(self, server: Server) -> None:
        self._server = server

    async def push_services(self) -> list[str]:
        """The push services that any subscription was ever made with."""
        async with answering():
            names = await self._server.redis.smembers(_SERVICES)
        return sorted(name.decode() for name in names)

    async def reserve(self, push_service: str, digest: bytes, now_ms: int, reusable_before_ms: int) -> int:
        """A number for a new subscription; `settled` ends the reservation.

        Numbers freed before `reusable_before_ms` come first: no run, ledger or correction can know them any more.
        """
        keys = [_key(push_service, name) for name in ("next", "freed", "reserved")]
        before = min(reusable_before_ms, now_ms - REST_MS)
        known = ("SADD", _SERVICES, push_service)
        return int(await self._server.run_after(known, "reserve_number", keys, digest.hex(), now_ms, before))

    async def is_reserved(self, push_service: str, number: int) -> bool:
        async with answering():
            return bool(await self._server.redis.hexists(_key(push_service, "reserved"), str(number)))

    async def settled(self, push_service: str, number: int) -> None:
        async with answering():
            await self._server.redis.hdel(_key(push_service, "reserved"), str(number))

    async def free(self, push_service: str, number: int, now_ms: int) -> None:
        """A number whose record is deleted and whose index entry is gone."""
        async with answering():
            await self._server.redis.zadd(_key(push_service, "freed"), {str(number): now_ms}, nx=True)

    async def bounds(self) -> dict[str, int]:
        """For each push service the number that the next new subscription gets: all in use are below it."""
        services = await self.push_services()
        async with answering():
            values = [await self._server.redis.get(_key(name, "next")) for name in services]
        return {name: int(value or 0) for name, value in zip(services, values, strict=True)}

    async def shards(self) -> list[str]:
        """All shards that any subscription ever had its number in."""
        return [shard for name, bound in (await self.bounds()).items() for shard in shards_below(name, bound)]

    async def counts(self) -> dict[str, int]:
        """How many subscriptions there are at each push service, without those in quarantine."""
        counts = {}
        quarantined = await self.quarantined()
        for name, bound in (await self.bounds()).items():
            async with answering():
                freed = await self._server.redis.zcard(_key(name, "freed"))
                reserved = await self._server.redis.hlen(_key(name, "reserved"))
            counts[name] = max(0, bound - freed - reserved - quarantined[name])
        return counts

    async def quarantined(self) -> dict[str, int]:
        """How many at each push service were called gone and are not deleted yet."""
        counts = {}
        for name, bound in (await self.bounds()).items():
            async with answering(), self._server.redis.pipeline(transaction=False) as pipe:
                for shard in shards_below(name, bound):
                    pipe.hlen(shard_key(shard, "quarantine"))
                counts[name] = sum(await pipe.execute())
        return counts

    async def stale_reservations(self, now_ms: int) -> list[Reservation]:
        """Those that a crash left behind."""
        found = []
        for name in await self.push_services():
            async with answering():
                rows = await self._server.redis.hgetall(_key(name, "reserved"))
            for number, row in rows.items():
                reserved_ms, _, digest = row.decode().partition(":")
                if int(reserved_ms) + RESERVATION_MS < now_ms:
                    found.append(Reservation(name, int(number), bytes.fromhex(digest), int(reserved_ms)))
        return found


def _key(push_service: str, name: str) -> str:
    return f"{{numbers:{push_service}}}:{name}"


def shards_below(push_service: str, bound: int) -> list[str]:
    """The shards of all numbers below a bound."""
    return [f"{push_service}.{number}" for number in range((bound + SHARD_SIZE - 1) // SHARD_SIZE)]
