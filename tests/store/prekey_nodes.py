"""Real servers, set up as prekeys are kept, that a test may kill, restore from a dump and let follow one another."""

import asyncio
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

from tocsin.cli.embedded import server_binary
from tocsin.domain.errors import Unavailable
from tocsin.store.client import Server, answering
from town import free_port

SECONDS = 20.0


class Node:
    """`more` are further words of its command line."""

    def __init__(self, folder: Path, *more: str) -> None:
        folder.mkdir()
        self._folder = folder
        self._more = more
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{folder}/node.sock"
        self.dump = folder / "dump.rdb"

    async def start(self) -> None:
        argv = [server_binary(), "--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        argv += ["--unixsocket", str(self._folder / "node.sock"), "--dir", str(self._folder)]
        # With a file its replica is served at once, without at the next full second.
        argv += ["--repl-diskless-sync", "no", "--logfile", str(self._folder / "log"), *self._more]
        self._process = subprocess.Popen(argv)
        await self._until("'loading': 0", "INFO", "persistence")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    async def save(self, kept: Path) -> None:
        await self.do("SAVE")
        shutil.copy(self.dump, kept)

    async def restart(self, dump: Path | None = None) -> None:
        """Killed, and started with what it kept: nothing, or a dump."""
        self.kill()
        self.dump.unlink(missing_ok=True)
        if dump is not None:
            shutil.copy(dump, self.dump)
        await self.start()
        self.dump.unlink(missing_ok=True)

    async def follow(self, other: "Node") -> None:
        """Until it has all that the other has."""
        await self.do("REPLICAOF", "127.0.0.1", str(other._port))
        await self._until("'master_link_status': 'up'", "INFO", "replication")

    async def promote(self) -> None:
        await self.do("REPLICAOF", "NO", "ONE")

    async def do(self, *words: str) -> str:
        server = Server(self.url)
        try:
            async with answering():
                return str(await server.redis.execute_command(*words))
        finally:
            await server.close()

    async def _until(self, wanted: str, *words: str) -> None:
        async with asyncio.timeout(SECONDS):
            while True:
                with suppress(Unavailable):
                    if wanted in await self.do(*words):
                        return
                await asyncio.sleep(0.005)
