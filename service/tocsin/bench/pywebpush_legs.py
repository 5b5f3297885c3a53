"""pywebpush, the peer in our own language: as its README shows, and its async call with one session for all."""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from functools import partial

import aiohttp
from py_vapid import Vapid
from pywebpush import webpush, webpush_async

from tocsin.bench import plan
from tocsin.bench.job import Job, MakeSender, Recipient


class AsInReadme:
    """A call of `webpush` for each message, with the key's file and fresh claims; it connects anew each time."""

    def __init__(self, job: Job) -> None:
        self._job = job

    async def prepare(self, recipients: Sequence[Recipient]) -> None:
        pass

    async def send(self, recipients: Sequence[Recipient], accepted: Callable[[], None]) -> None:
        for recipient in recipients:
            webpush(
                recipient,
                self._job.payload,
                vapid_private_key=str(self._job.vapid_file),
                vapid_claims={"sub": self._job.subject},
            )
            accepted()

    async def close(self) -> None:
        pass


class Async:
    """`webpush_async` with one session, many calls at a time; the key by its path, as its docstring shows, or with
    `key_once` as an object, which its signature allows and which more than doubles its speed."""

    def __init__(self, job: Job, *, key_once: bool = False) -> None:
        self._job = job
        self._vapid = Vapid.from_file(str(job.vapid_file)) if key_once else str(job.vapid_file)
        tls = ssl.create_default_context(cafile=str(job.ca_file))
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=job.in_flight, ssl=tls))

    async def prepare(self, recipients: Sequence[Recipient]) -> None:
        pass

    async def send(self, recipients: Sequence[Recipient], accepted: Callable[[], None]) -> None:
        waiting = iter(recipients)

        async def caller() -> None:
            for recipient in waiting:
                await webpush_async(
                    recipient,
                    self._job.payload,
                    vapid_private_key=self._vapid,
                    vapid_claims={"sub": self._job.subject},
                    aiohttp_session=self._session,
                )
                accepted()

        await asyncio.gather(*(caller() for _ in range(self._job.in_flight)))

    async def close(self) -> None:
        await self._session.close()


LEGS: dict[str, MakeSender] = {
    plan.PYWEBPUSH: AsInReadme,
    plan.ASYNC: Async,
    plan.ASYNC_KEY_ONCE: partial(Async, key_once=True),
}
