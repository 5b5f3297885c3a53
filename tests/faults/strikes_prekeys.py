"""Whatever could bring back used prekeys, while they are in use: none serves a second plaintext.

That no salt was used for two messages is in the account of every fault. These see to it that prekeys are used before
the strike, and that there is something to bring back after it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from faults.catalogue import after_lease, after_restart, after_wipe, fault
from faults.scene import SENDING, Scene, ended
from tocsin.cli.parts import Part, Running
from tocsin.store.client import Server
from tocsin.store.prekeys import Prekeys
from town import WAIT_SECONDS, free_port


@fault("workers killed while prekeys are in use", after_lease)
async def killed_with_prekeys(scene: Scene) -> None:
    stock = await _stocked(scene)
    await scene.under_way()
    await _require_use(scene, stock)
    scene.kill_workers(scene.rng.choice(SENDING))
    await scene.send()


@fault("prekey server killed", after_restart)
async def server_killed(scene: Scene) -> None:
    stock = await _stocked(scene)
    await scene.under_way()
    await _require_use(scene, stock)
    scene.strike()
    await ended(scene.town.part("cache"))
    await scene.send()


@fault("prekey server restored from a dump", after_restart)
async def dump_restored(scene: Scene) -> None:
    """With all that was used since."""
    stock = await _stocked(scene)
    async with _server(scene) as server:
        await server.redis.save()
    await scene.under_way()
    await _require_use(scene, stock)
    scene.strike()
    await ended(scene.town.part("cache"))
    await scene.town.until_back()
    async with _server(scene) as server:
        loaded = (await server.redis.info("persistence"))["rdb_last_load_keys_loaded"]
    scene.require(loaded > 0, "the dump brought nothing back")
    await scene.send()
    (scene.town.settings.data_dir / "cache" / "dump.rdb").unlink()


@fault("prekey server's replica promoted", after_wipe)
async def replica_promoted(scene: Scene) -> None:
    """The workers go on with it, and it has what there was before the alert."""
    await _stocked(scene)
    async with _replica(scene) as socket:
        await scene.under_way()
        async with scene.away("cache"):
            socket.rename(scene.town.settings.socket_dir / "cache.sock")
            async with _server(scene) as promoted:
                await promoted.redis.replicaof("NO", "ONE")
                copied = [key async for key in promoted.redis.scan_iter(match="*:prekeys:0")]
            scene.require(len(copied) > 0, "the replica had no prekeys")
            await scene.send()
            for sent in scene.alerts:
                await scene.town.ended(sent.id)


@asynccontextmanager
async def _server(scene: Scene) -> AsyncIterator[Server]:
    server = Server(scene.town.settings.prekey_server)
    yield server
    await server.close()


async def _stock(scene: Scene) -> tuple[int, int]:
    """How many there are, and how many there are to be."""
    shards = await scene.town.store.numbers.shards()
    prekeys = Prekeys(scene.town.settings.prekey_server, scene.town.settings.prekeys)
    try:
        return sum(await prekeys.stock(shards)), sum(await scene.town.store.subscriptions.sizes(shards))
    finally:
        await prekeys.close()


async def _stocked(scene: Scene) -> int:
    """How many there are when there are enough; some may be of readers who left."""
    async with asyncio.timeout(WAIT_SECONDS):
        while (stock := await _stock(scene))[0] < stock[1]:
            await asyncio.sleep(0.1)
    return stock[0]


async def _require_use(scene: Scene, stock: int) -> None:
    there, _ = await _stock(scene)
    scene.require(there < stock, "no prekey was used")


@asynccontextmanager
async def _replica(scene: Scene) -> AsyncIterator[Path]:
    """A second server that follows the first; gives its socket."""
    port, cache = free_port(), scene.town.part("cache").part
    folder = scene.town.folder / f"replica-{port}"
    folder.mkdir()
    socket = folder / "replica.sock"
    async with _server(scene) as server:
        await server.redis.config_set("port", port)
    argv = [*cache.argv, "--unixsocket", str(socket), "--dir", str(folder), "--replicaof", "127.0.0.1", str(port)]
    running = Running(Part("replica", argv), {}, scene.town.folder)
    await running.start()
    replica = Server(f"unix://{socket}")
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while not socket.exists() or (await replica.redis.info("replication"))["master_link_status"] != "up":
                await asyncio.sleep(0.02)
        await replica.close()
        yield socket
    finally:
        running.kill_session()
        await running.ended()
