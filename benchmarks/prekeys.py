"""What prekeys cost and save: computed a second and core, memory, what a window's take costs, and how long an alert
that comes while they are computed waits longer than one that comes when nothing is.

Real servers; for the last part a whole `tocsin up` with the simulator. See README.md beside this file.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from bulk import fill, preferences
from samples import NOW, a_subscription
from tocsin import clock
from tocsin.cli.embedded import embedded_parts
from tocsin.cli.supervisor import supervised
from tocsin.domain.subscriptions import SHARD_SIZE, Record
from tocsin.push.encryption import pad, seal
from tocsin.settings import load
from tocsin.store.client import Server
from tocsin.store.prekeys import Prekeys
from tocsin.store.store import Store
from tocsin_workers.counting import Counting
from tocsin_workers.keyring import Keyring, Keyrings
from tocsin_workers.prekeys import Stock
from town import Town, open_town

WINDOW = 100
ENDPOINT = "x" * 140  # as long as FCM's


def readers(count: int, topic: str = "sport") -> list[Any]:
    wants = preferences({"topics": [topic]})
    return [(a_subscription(f"{number:06d}{ENDPOINT}"), wants) for number in range(count)]


async def memory(server: Server) -> int:
    return int((await server.redis.info("memory"))["used_memory"])


async def of_servers(count: int) -> dict[str, Any]:
    """In one process, against the two embedded servers."""
    with tempfile.TemporaryDirectory() as folder:
        settings = load(data_dir=folder)
        async with supervised({}, lambda _: None) as supervisor:
            await supervisor.start(embedded_parts(settings))
            async with Store(settings) as store:
                return await _of_store(store, settings.prekey_server, count)


async def _of_store(store: Store, url: str, count: int) -> dict[str, Any]:
    prekeys, server = Prekeys(url, 1), Server(url)
    counting = Counting(store.processes, "benchmark")
    keyrings = Keyrings(prekeys, store.prekey_secret, counting)
    stock = Stock(store, prekeys, keyrings, counting, lambda: False)
    empty_store, empty = await memory(store.server), await memory(server)
    await fill(store, readers(count), b"vapi", clock.milliseconds(NOW))
    plain = (await memory(store.server) - empty_store) / count
    began, began_cpu = time.monotonic(), time.process_time()
    await stock.fill(seconds=600)
    seconds, cpu = time.monotonic() - began, time.process_time() - began_cpu
    shards = await store.numbers.shards()
    assert sum(await prekeys.stock(shards)) == count
    prekey = (await memory(server) - empty) / count
    found = {
        "prekeys": count,
        "computed_per_second": round(count / seconds),
        "computed_per_cpu_second": round(count / cpu),
        "store_bytes_a_subscription": round(plain, 1),
        "bytes_a_prekey": round(prekey, 1),
        "together": round(plain + prekey, 1),
        **await _of_windows(store, keyrings, server, shards),
    }
    await prekeys.close()
    await server.close()
    return found


async def _of_windows(store: Store, keyrings: Keyrings, server: Server, shards: list[str]) -> dict[str, Any]:
    """Windows of 100, taken and encrypted, beside the same encrypted afresh."""
    padded, taking, with_prekeys, afresh = pad(b"n" * 400), [], [], []
    await server.redis.config_resetstat()
    for shard in shards:
        records = {slot: Record.unpack(packed) for slot, packed in (await store.subscriptions.records(shard)).items()}
        for first in range(0, SHARD_SIZE, WINDOW):
            slots = range(first, first + WINDOW)
            began = time.perf_counter()
            ring = await keyrings.take(shard, slots)
            taken = time.perf_counter()
            _encrypt(ring, records, slots, padded)
            done = time.perf_counter()
            _encrypt(Keyring(), records, slots, padded)
            taking.append(taken - began)
            with_prekeys.append(done - taken)
            afresh.append(time.perf_counter() - done)
    stats = await server.redis.info("commandstats")
    assert stats["cmdstat_evalsha"]["calls"] == len(taking)
    return {
        "take_100_ms": _ms(taking),
        "take_100_in_server_ms": round(stats["cmdstat_evalsha"]["usec_per_call"] / 1000, 3),
        "encrypt_100_with_prekeys_ms": _ms(with_prekeys),
        "encrypt_100_afresh_ms": _ms(afresh),
    }


def _encrypt(ring: Keyring, records: dict[int, Record], slots: range, padded: bytes) -> None:
    now = clock.now()
    for slot in slots:
        seal(ring.key(slot, records[slot], now), padded)


def _ms(seconds: list[float]) -> float:
    return round(median(seconds) * 1000, 3)


async def of_alerts(count: int, pairs: int) -> dict[str, Any]:
    """From the 202 to the first request, in pairs: one while prekeys are computed, one while nothing is."""
    with tempfile.TemporaryDirectory() as folder:
        async with open_town(Path(folder), reconcile_seconds="2") as town:
            key_id = await town.store.server.redis.get("{site}:vapid-key-id")
            await fill(town.store, readers(count), key_id, clock.milliseconds(clock.now()))
            await town.subscribe(5)
            prekeys = Prekeys(town.settings.prekey_server, 1)
            waits: dict[bool, list[float]] = {True: [], False: []}
            for number in range(pairs * 2):
                computing = number % 2 == 0
                await _until_stock(town, prekeys, full=True)
                if computing:
                    await _empty(town)
                    await _until_stock(town, prekeys, full=False)
                waits[computing].append(await _wait_of_alert(town))
            await prekeys.close()
    both = zip(waits[True], waits[False], strict=True)
    return {
        "alerts": pairs,
        "first_request_ms_while_computing": [round(each * 1000) for each in waits[True]],
        "first_request_ms_while_idle": [round(each * 1000) for each in waits[False]],
        "delay_ms_median_of_pairs": round(median(one - other for one, other in both) * 1000, 1),
    }


async def _empty(town: Town) -> None:
    server = Server(town.settings.prekey_server)
    keys = [key async for key in server.redis.scan_iter(match="*:prekeys:*", count=1_000)]
    await server.redis.delete(*keys)
    await server.close()


async def _until_stock(town: Town, prekeys: Prekeys, *, full: bool) -> None:
    """All are there; or they are being computed, with some way to go."""
    shards = await town.store.numbers.shards()
    wanted = sum(await town.store.subscriptions.sizes(shards))
    while True:
        stock = sum(await prekeys.stock(shards))
        if stock == wanted if full else 0 < stock < wanted / 2:
            return
        await asyncio.sleep(0.005)


async def _wait_of_alert(town: Town) -> float:
    await town.simulator.clear_log()
    alert = await town.send(level="flash")
    queued = time.time()
    await town.ended(alert["id"])
    return min(line.at for line in await town.simulator.log(alert=alert["id"])) - queued


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=50_000, help="subscriptions, in whole thousands")
    parser.add_argument("--pairs", type=int, default=10, help="alerts while prekeys are computed, and while none are")
    options = parser.parse_args()
    found = asyncio.run(of_servers(options.count))
    if options.pairs:
        found |= asyncio.run(of_alerts(options.count, options.pairs))
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
