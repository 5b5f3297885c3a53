"""A shard's part of a run: the ledger, when readers had it, and the retries; changed slot by slot with every window.

Only the slots that a window touched are written, never the whole ledger: readers who were deferred are settled by
another hand (the round, see `runs.ROUND`) while the run itself may still be at work.
"""

import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tocsin.domain.decisions import Limit
from tocsin.domain.deliveries import Ledger, Mark
from tocsin.domain.progress import ShardAccount, Times
from tocsin.domain.subscriptions import SHARD_SIZE, Address
from tocsin.store.client import Argument, Script, Server, answering
from tocsin.store.numbers import shards_below
from tocsin.store.profiles import unpack_numbers
from tocsin.store.runs import Claim
from tocsin.store.shards import shard_key, shard_keys

_RETRY = struct.Struct("<HBQ")
_SLOT = struct.Struct("<H")


@dataclass(frozen=True)
class Retry:
    """A recipient to be tried again: how often it was tried, and when it is due (ms since 1970)."""

    attempts: int
    due_ms: int


@dataclass(frozen=True)
class Kept:
    """What a claim finds. `ledger` is None where the shard is not planned yet.

    `trying` are the slots of a window whose holder never recorded it, `deaths` how many holders in a row did not;
    `taken` maps slots to the day under whose cap this run has counted itself.
    """

    ledger: Ledger | None
    times: Times
    retries: dict[int, Retry]
    trying: tuple[int, ...]
    deaths: int
    taken: dict[int, int]
    profile_numbers: tuple[int, ...]


class Recipient(NamedTuple):
    """A slot as it stands when its turn comes; `packed` is None where nobody is there any more."""

    slot: int
    packed: bytes | None
    profile_number: int
    personal: bytes


@dataclass(frozen=True)
class Window:
    """What is written at once. `changes` are new marks, by alert and slot, or a fresh ledger whole; `gone` are (slot,
    record) of those whom the push service called gone; of `give_back` the count under a cap is taken back, of `spent`
    it stays for good. `number` counts the windows of a claim from 1 on: one that is not later than the last is not
    written again."""

    changes: Mapping[str, Mapping[int, Mark] | Ledger]
    times: Times
    retries: Mapping[int, Retry]
    deaths: int = 0
    gone: Sequence[tuple[int, bytes]] = ()
    give_back: Sequence[int] = ()
    spent: Sequence[int] = ()
    plans: bool = field(default=False, kw_only=True)
    number: int = field(kw_only=True)


class Ledgers:
    def __init__(self, server: Server) -> None:
        self._server = server

    async def begin(self, claim: Claim) -> Kept | None:
        """None when a later claim has been here before us."""
        return (await self.begin_all([claim]))[0]

    async def begin_all(self, claims: Sequence[Claim]) -> list[Kept | None]:
        """Several in one trip; None, too, where what is kept is broken."""
        return await self._server.together(*map(_beginning, claims))

    async def try_window(self, claim: Claim, slots: Sequence[int]) -> list[Recipient] | None:
        """The recipients of a window as they stand now; notes that it is being tried, so that whoever comes after a
        death knows with whom it happened. None when the shard is not ours any more."""
        return await self._server.call(self.trying(claim, slots))

    def trying(self, claim: Claim, slots: Sequence[int]) -> Script[list[Recipient] | None]:
        keys = [
            run_key(claim.shard, claim.alert_id),
            *shard_keys(claim.shard, "records", "profiles", "personal"),
        ]

        def read(row: Any) -> list[Recipient] | None:
            if row is None:
                return None
            records, profiles, own = row
            numbers = unpack_numbers(profiles, len(slots))
            personal = {int(slot): text for slot, text in zip(own[::2], own[1::2], strict=True)}
            return [
                Recipient(slot, packed, number, personal.get(slot) or b"")
                for slot, packed, number in zip(slots, records, numbers, strict=True)
            ]

        return Script("try_window", keys, [claim.epoch, b"".join(map(_SLOT.pack, slots))], read, apart=True)

    async def take_caps(self, claim: Claim, capped: Mapping[int, Limit]) -> set[int] | None:
        """Counts this run under the readers' caps; gives the slots where there is no room. A reader under whose cap it
        counts already is asked again whether the cap still has room for it. None when the shard is not ours any more.
        """
        arguments: list[int] = []
        for slot, limit in capped.items():
            arguments += [slot, *limit]
        keys = [
            run_key(claim.shard, claim.alert_id),
            shard_key(claim.shard, "caps"),
            taken_key(claim.shard, claim.alert_id),
        ]
        full = await self._server.run("take_caps", keys, claim.epoch, *arguments)
        return None if full is None else {int(slot) for slot in full}

    async def write(self, claim: Claim, window: Window, now_ms: int) -> list[int] | None:
        """One write for a window; gives the slots whose records went into quarantine.

        None when the shard is not ours any more: nothing was written.
        """
        return await self._server.call(self.writing(claim, window, now_ms))

    def writing(self, claim: Claim, window: Window, now_ms: int) -> Script[list[int] | None]:
        keys = [
            run_key(claim.shard, claim.alert_id),
            *shard_keys(claim.shard, "records", "profiles", "quarantine", "caps"),
            taken_key(claim.shard, claim.alert_id),
        ]
        patches: list[Argument] = []
        for alert_id, marks in window.changes.items():
            keys.append(ledger_key(claim.shard, alert_id))
            # In an alert's ledger another hand than its own run changes only who is deferred, and still is.
            only = "" if alert_id == claim.alert_id else str(Mark.DEFERRED)
            for start, text in _runs_of(marks):
                patches += [len(keys), start, text, only]
        arguments: list[Argument] = [
            claim.epoch,
            dump_times(window.times),
            _pack_retries(window.retries),
            window.deaths,
            f"{now_ms:013d}",
            _eligible(window, claim.alert_id),
            window.number,
        ]
        for each in (patches, window.give_back, window.spent, [part for row in window.gone for part in row]):
            arguments += [len(each), *each]
        return Script("write_window", keys, arguments, _slots, apart=True)

    async def pend_again(self, alert_id: str, address: Address) -> bool:
        """One who was set aside is pending again; False where the ledger says something else by now."""
        key, slot = ledger_key(address.shard, alert_id), address.slot
        return bool(await self._server.run("swap_mark", [key], slot, Mark.SET_ASIDE, Mark.PENDING))

    async def accounts(self, alert_id: str, bounds: Mapping[str, int]) -> dict[str, list[ShardAccount]]:
        """All planned shards as they are kept, by push service."""
        found: dict[str, list[ShardAccount]] = {}
        for push_service, bound in bounds.items():
            shards = shards_below(push_service, bound)
            async with answering(), self._server.redis.pipeline(transaction=False) as pipe:
                for shard in shards:
                    # The ledger first: what is planned in between is then passed over, not half seen.
                    pipe.get(ledger_key(shard, alert_id)).hmget(run_key(shard, alert_id), "eligible", "times")
                rows = await pipe.execute()
            found[push_service] = [
                _account(Ledger.read(ledger), *kept)
                for ledger, kept in zip(rows[::2], rows[1::2], strict=True)
                if ledger
            ]
        return found

    async def drop(self, alert_id: str, bounds: Mapping[str, int]) -> None:
        """Forgets what became of each reader; the alert's totals stay."""
        async with answering(), self._server.redis.pipeline(transaction=False) as pipe:
            for push_service, bound in bounds.items():
                for shard in shards_below(push_service, bound):
                    pipe.unlink(*(name(shard, alert_id) for name in (run_key, ledger_key, receipts_key, taken_key)))
            await pipe.execute()

    async def ledgers(self, shard: str, alert_ids: Sequence[str]) -> dict[str, Ledger]:
        """What became of each reader of a shard; an alert that is not planned there is left out."""
        if not alert_ids:
            return {}
        async with answering():
            rows = await self._server.redis.mget([ledger_key(shard, alert_id) for alert_id in alert_ids])
        return _read(alert_ids, rows)

    async def of_shards(self, shards: Sequence[str], alert_ids: Sequence[str]) -> list[dict[str, Ledger]]:
        """The same for each of several shards, in one go."""
        if not alert_ids:
            return [{} for _ in shards]
        async with answering(), self._server.redis.pipeline(transaction=False) as pipe:
            for shard in shards:
                pipe.mget([ledger_key(shard, alert_id) for alert_id in alert_ids])
            found = await pipe.execute()
        return [_read(alert_ids, rows) for rows in found]

    async def marks(self, shard: str, slot: int, alert_ids: Sequence[str]) -> dict[str, Mark]:
        """What became of one reader, by alert."""
        found = await self.ledgers(shard, alert_ids)
        return {alert_id: ledger[slot] for alert_id, ledger in found.items() if slot < len(ledger)}


def _beginning(claim: Claim) -> Script[Kept | None]:
    keys = [
        run_key(claim.shard, claim.alert_id),
        ledger_key(claim.shard, claim.alert_id),
        shard_key(claim.shard, "profiles"),
        taken_key(claim.shard, claim.alert_id),
    ]
    return Script("begin_shard", keys, [claim.epoch], _kept, apart=True)


def _kept(row: Any) -> Kept | None:
    if row is None:
        return None
    ledger, times, retries, trying, deaths, profiles, taken = row
    return Kept(
        ledger=Ledger(ledger) if ledger else None,
        times=_load_times(times) if times else Times(),
        retries=_unpack_retries(retries or b""),
        trying=tuple(slot for (slot,) in _SLOT.iter_unpack(trying)),
        deaths=int(deaths),
        taken={int(slot): int(day) for slot, day in zip(taken[::2], taken[1::2], strict=True)},
        profile_numbers=unpack_numbers(profiles, SHARD_SIZE),
    )


def _slots(row: Any) -> list[int] | None:
    return None if row is None else [int(slot) for slot in row]


def _read(alert_ids: Sequence[str], rows: Sequence[bytes | None]) -> dict[str, Ledger]:
    return {alert_id: Ledger.read(row) for alert_id, row in zip(alert_ids, rows, strict=True) if row}


def run_key(shard: str, alert_id: str) -> str:
    return shard_key(shard, f"run:{alert_id}")


def ledger_key(shard: str, alert_id: str) -> str:
    return shard_key(shard, f"ledger:{alert_id}")


def receipts_key(shard: str, alert_id: str) -> str:
    """String, one byte a slot (domain/receipts.py); only where each browser's own receipts are kept."""
    return shard_key(shard, f"receipts:{alert_id}")


def taken_key(shard: str, alert_id: str) -> str:
    """Hash, slot → the day under whose cap the run counts."""
    return shard_key(shard, f"taken:{alert_id}")


def _account(ledger: Ledger, eligible: bytes | None, times: bytes | None) -> ShardAccount:
    """Of a packed ledger the rest is gone: its readers were all accounted for before."""
    return ShardAccount(
        ledger.eligible if eligible is None else int(eligible), ledger, _load_times(times) if times else Times()
    )


def _eligible(window: Window, alert_id: str) -> int | str:
    """Counted once, when the shard is planned."""
    if not window.plans:
        return ""
    marks = window.changes[alert_id]
    return (marks if isinstance(marks, Ledger) else Ledger("".join(marks.values()).encode("latin-1"))).eligible


def _runs_of(marks: Mapping[int, Mark] | Ledger) -> Iterable[tuple[int, bytes]]:
    """Slots that follow one another are written together."""
    if isinstance(marks, Ledger):
        yield 0, bytes(marks)
        return
    start, text = -1, bytearray()
    for slot in sorted(marks):
        if text and slot != start + len(text):
            yield start, bytes(text)
            text = bytearray()
        if not text:
            start = slot
        text.append(ord(marks[slot]))
    if text:
        yield start, bytes(text)


def dump_times(times: Times) -> str:
    return json.dumps(vars(times), separators=(",", ":"))


def _load_times(text: bytes) -> Times:
    row = json.loads(text)
    return Times(**{**row, "buckets": {int(bucket): count for bucket, count in row["buckets"].items()}})


def _pack_retries(retries: Mapping[int, Retry]) -> bytes:
    return b"".join(_RETRY.pack(slot, min(retry.attempts, 255), retry.due_ms) for slot, retry in retries.items())


def _unpack_retries(packed: bytes) -> dict[int, Retry]:
    return {slot: Retry(attempts, due_ms) for slot, attempts, due_ms in _RETRY.iter_unpack(packed)}
