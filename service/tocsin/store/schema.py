"""In which form the store is, and the way from an older one to that of this program.

A form is changed only where a program of the older one would do harm with it. Each step may be broken off and begun
again; it moves what it still finds, and its number is written last.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tocsin.domain.errors import Misconfigured
from tocsin.store import schema_2
from tocsin.store.alerts import BY_TIME
from tocsin.store.client import Server, answering
from tocsin.store.schema_2 import Told

SCHEMA = 2
_KEY = "{site}:schema"

# From a schema to the next; gives what it did, in numbers.
STEPS: dict[int, Callable[[Server, Told], Awaitable[dict[str, int]]]] = {1: schema_2.ledgers_apart}


@dataclass(frozen=True)
class Migrated:
    """`done` says what was moved, in numbers; nothing where the store was of this form before."""

    before: int
    after: int
    done: dict[str, int]


class Schema:
    """`wrong` is why this process must not work on the store, as far as it has looked; empty where it may."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.wrong = ""

    async def version(self) -> int:
        """A store that holds no alert yet has nothing that differs: it is of the present form, and says so from now on.

        The first version wrote no number.
        """
        async with answering():
            kept = await self._server.redis.get(_KEY)
            if kept is None and await self._server.redis.exists(BY_TIME):
                return 1
            if kept is None:
                await self._server.redis.set(_KEY, SCHEMA, nx=True)
                kept = await self._server.redis.get(_KEY)
        return int(kept)

    async def fault(self) -> str:
        """Why this program cannot work on this store, and what to do; empty where it can."""
        version = await self.version()
        self.wrong = "" if version == SCHEMA else _newer(version)
        if version < SCHEMA:
            self.wrong = (
                f"the store has schema {version} and this program needs {SCHEMA}: end all parts of Tocsin and run "
                "`tocsin migrate` (`tocsin up` does it by itself)"
            )
        return self.wrong

    async def overtaken(self) -> str:
        """The same while it is at work, when the store can only have become newer."""
        async with answering():
            kept = await self._server.redis.get(_KEY)
        if kept is not None and int(kept) > SCHEMA:
            self.wrong = _newer(int(kept))
        return self.wrong

    async def check(self) -> None:
        """Raises Misconfigured with what to do."""
        if fault := await self.fault():
            raise Misconfigured(fault)

    async def migrate(self, told: Told) -> Migrated:
        """Brings the store to this program's form, step by step. Raises Misconfigured for a newer one, and where
        workers of an older version are at work."""
        before = version = await self.version()
        done: dict[str, int] = {}
        if version > SCHEMA:
            raise Misconfigured(_newer(version))
        while version < SCHEMA:
            for name, count in (await STEPS[version](self._server, told)).items():
                done[name] = done.get(name, 0) + count
            version += 1
            async with answering():
                await self._server.redis.set(_KEY, version)
        self.wrong = ""
        return Migrated(before, version, done)


def _newer(version: int) -> str:
    return (
        f"the store has schema {version} and this program knows none after {SCHEMA}: a newer version of Tocsin worked "
        "on it, so start that one"
    )
