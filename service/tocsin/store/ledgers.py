"""A shard's part of a run: the ledger, its account and the retries, written whole with every window."""

import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tocsin.domain.deliveries import Ledger
from tocsin.domain.progress import ShardCounts
from tocsin.domain.subscriptions import SHARD_SIZE, endpoint_digest
from tocsin.store.client import Server, answering
from tocsin.store.profiles import NUMBER, unpack_numbers
from tocsin.store.runs import Claim
from tocsin.store.subscriptions import shard_keys

_RETRY = struct.Struct("<HBQ")


@dataclass(frozen=True)
class Retry:
    """A recipient to be tried again: how often it was tried, and when it is due (ms since 1970)."""

    attempts: int
    due_ms: int


@dataclass(frozen=True)
class Kept:
    """What a claim finds. `ledger` is None where the shard is not planned yet."""

    ledger: Ledger | None
    counts: ShardCounts | None
    retries: dict[int, Retry]
    profile_numbers: tuple[int, ...]


@dataclass(frozen=True)
class Recipient:
    """A slot as it stands when its turn comes; `packed` is None where nobody is there any more."""

    slot: int
    packed: bytes | None
    profile_number: int


class Ledgers:
    def __init__(self, server: Server) -> None:
        self._server = server

    async def begin(self, claim: Claim) -> Kept | None:
        """None when a later claim has been here before us."""
        row = await self._server.run(
            "begin_shard", [_run_key(claim.shard, claim.alert_id), shard_keys(claim.shard)[1]], claim.epoch
        )
        if row is None:
            return None
        ledger, counts, retries, profiles = row
        return Kept(
            ledger=Ledger(ledger) if ledger else None,
            counts=_load_counts(counts) if counts else None,
            retries=_unpack_retries(retries or b""),
            profile_numbers=unpack_numbers(profiles, SHARD_SIZE),
        )

    async def read(self, claim: Claim, slots: Sequence[int]) -> list[Recipient] | None:
        """The recipients of a window as they stand now; None when the shard is not ours any more."""
        records, profiles, _ = shard_keys(claim.shard)
        rows = await self._server.run(
            "read_window", [_run_key(claim.shard, claim.alert_id), records, profiles], claim.epoch, *slots
        )
        if rows is None:
            return None
        return [
            Recipient(slot, rows[2 * place], NUMBER.unpack(rows[2 * place + 1].ljust(NUMBER.size, b"\0"))[0])
            for place, slot in enumerate(slots)
        ]

    async def write(
        self,
        claim: Claim,
        ledger: Ledger,
        counts: ShardCounts,
        retries: Mapping[int, Retry],
        gone: Iterable[tuple[int, bytes, str]] = (),
    ) -> list[int] | None:
        """One write for a window. `gone` is (slot, record, endpoint) of those to delete; gives the slots that were.

        None when the shard is not ours any more: nothing was written.
        """
        arguments: list[int | bytes] = []
        for slot, packed, endpoint in gone:
            arguments += [slot, packed, endpoint_digest(endpoint)]
        dropped = await self._server.run(
            "write_window",
            [_run_key(claim.shard, claim.alert_id), *shard_keys(claim.shard)],
            claim.epoch,
            bytes(ledger),
            _dump_counts(counts),
            _pack_retries(retries),
            *arguments,
        )
        return None if dropped is None else [int(slot) for slot in dropped]

    async def counts(self, alert_id: str, bounds: Mapping[str, int]) -> dict[str, list[ShardCounts]]:
        """The accounts of all planned shards, by push service."""
        found: dict[str, list[ShardCounts]] = {}
        for push_service, bound in bounds.items():
            shards = [f"{push_service}.{number}" for number in range((bound + SHARD_SIZE - 1) // SHARD_SIZE)]
            async with answering(), self._server.redis.pipeline(transaction=False) as pipe:
                for shard in shards:
                    pipe.hget(_run_key(shard, alert_id), "counts")
                rows = await pipe.execute()
            found[push_service] = [_load_counts(row) for row in rows if row]
        return found

    async def drop(self, alert_id: str, bounds: Mapping[str, int]) -> None:
        """Forgets what became of each reader; the alert's totals stay."""
        async with answering(), self._server.redis.pipeline(transaction=False) as pipe:
            for push_service, bound in bounds.items():
                for number in range((bound + SHARD_SIZE - 1) // SHARD_SIZE):
                    pipe.unlink(_run_key(f"{push_service}.{number}", alert_id))
            await pipe.execute()

    async def ledger(self, alert_id: str, shard: str) -> Ledger | None:
        async with answering():
            kept = await self._server.redis.hget(_run_key(shard, alert_id), "ledger")
        return Ledger(kept) if kept else None


def _run_key(shard: str, alert_id: str) -> str:
    return f"{{{shard}}}:run:{alert_id}"


def _dump_counts(counts: ShardCounts) -> str:
    return json.dumps(vars(counts), separators=(",", ":"))


def _load_counts(text: bytes) -> ShardCounts:
    row = json.loads(text)
    times = {int(bucket): count for bucket, count in row.pop("times").items()}
    return ShardCounts(**row, times=times)


def _pack_retries(retries: Mapping[int, Retry]) -> bytes:
    return b"".join(_RETRY.pack(slot, min(retry.attempts, 255), retry.due_ms) for slot, retry in retries.items())


def _unpack_retries(packed: bytes) -> dict[int, Retry]:
    return {slot: Retry(attempts, due_ms) for slot, attempts, due_ms in _RETRY.iter_unpack(packed)}
