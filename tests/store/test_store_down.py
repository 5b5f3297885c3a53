"""A store that is away, hangs or comes back; and whether a server keeps what it is told to keep."""

import asyncio
import contextlib
import os
import signal
import socket
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prekey_nodes import Node
from store_sound import add

from samples import a_subscription, an_alert
from tocsin.cli.embedded import embedded_parts
from tocsin.cli.parts import Running
from tocsin.domain.alerts import AlertState
from tocsin.domain.errors import Unavailable
from tocsin.settings import Settings, load
from tocsin.store.client import SOCKET_TIMEOUT, Server
from tocsin.store.health import clock_skew, durability_fault
from tocsin.store.rates import Rates
from tocsin.store.store import Store
from town import free_port

KEY = "k" * 16
MOST_SECONDS = 30.0


class OwnServer:
    """A store's server that a test may freeze and kill."""

    def __init__(self, settings: Settings) -> None:
        self.url = settings.store
        self._running = Running(embedded_parts(settings)[0], {}, None)

    async def start(self) -> None:
        await self._running.start()
        server = Server(self.url)
        async with asyncio.timeout(MOST_SECONDS):
            while True:
                with contextlib.suppress(Unavailable):
                    await server.ping()
                    break
                await asyncio.sleep(0.01)
        await server.close()

    def tell(self, number: signal.Signals) -> None:
        assert self._running.pid is not None
        os.kill(self._running.pid, number)

    async def kill(self) -> None:
        self._running.signal(signal.SIGKILL)
        await self._running.ended()


@pytest.fixture
async def own_server() -> AsyncIterator[OwnServer]:
    with tempfile.TemporaryDirectory() as folder:
        server = OwnServer(load(data_dir=Path(folder)))
        await server.start()
        yield server
        await server.kill()


async def test_no_server_is_told_at_once(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{unused.getsockname()[1]}/0"
        for nowhere in (url, f"unix://{tmp_path}/no.sock"):
            async with Store(load(store_url=nowhere)) as store:
                with pytest.raises(Unavailable):
                    await store.alerts.queue(an_alert(), KEY)
                with pytest.raises(Unavailable):
                    await store.topics.all()
                with pytest.raises(Unavailable):
                    await store.server.ping()
                with pytest.raises(Unavailable):
                    await Rates(store.server).hit("1/minute", "subscribe", "192.0.2.1")


@pytest.mark.parametrize("gathers", [True, False])
async def test_a_server_that_hangs_is_told_before_a_callers_time_is_over(own_server: OwnServer, gathers: bool) -> None:
    assert SOCKET_TIMEOUT <= 2.5
    async with Store(load(store_url=own_server.url), timeout=0.2, gathers=gathers) as store:
        kept = await add(store.subscriptions, a_subscription("one"))
        own_server.tell(signal.SIGSTOP)
        try:
            async with asyncio.timeout(MOST_SECONDS):  # the tests' own patience; without time-outs it would hang
                calls = [
                    store.alerts.queue(an_alert(), KEY),
                    store.subscriptions.get(kept.record.digest),
                    store.runs.claim(["priority"], ()),
                    store.topics.all(),
                    store.processes.total(0),
                ]
                told = await asyncio.gather(*calls, return_exceptions=True)
        finally:
            own_server.tell(signal.SIGCONT)
        assert [type(each) for each in told] == [Unavailable] * 5
        assert not any("fcm.googleapis.com" in str(each) for each in told)
        assert await store.subscriptions.get(kept.record.digest) == kept


async def test_an_answer_that_came_too_late_is_not_taken_for_the_next(own_server: OwnServer) -> None:
    """After a time-out a connection still owes an answer: it must be thrown away, not read as another call's."""
    async with Store(load(store_url=own_server.url), timeout=0.2) as store:
        alerts = [an_alert(headline=f"Number {number}") for number in range(20)]
        for number, alert in enumerate(alerts):
            await store.alerts.queue(alert, f"{KEY}-{number}")
        own_server.tell(signal.SIGSTOP)
        with pytest.raises(Unavailable):
            await store.alerts.get(alerts[0].id)
        own_server.tell(signal.SIGCONT)
        found = await asyncio.gather(*(store.alerts.get(alert.id) for alert in alerts))
        assert [status.alert for status in found] == alerts


async def test_what_was_acknowledged_survives_sigkill_and_every_connection_finds_back(own_server: OwnServer) -> None:
    async with Store(load(store_url=own_server.url)) as store:
        kept = await add(store.subscriptions, a_subscription("one"))
        alerts = [an_alert(headline=f"Number {number}") for number in range(30)]
        queued = asyncio.gather(
            *(store.alerts.queue(alert, f"{KEY}-{number}") for number, alert in enumerate(alerts)),
            return_exceptions=True,
        )
        await store.alerts.queue(an_alert(headline="The first to be told"), KEY)
        await own_server.kill()
        told = [each for each in await queued if not isinstance(each, BaseException)]
        assert not [each for each in await queued if isinstance(each, BaseException) and type(each) is not Unavailable]

        await own_server.start()

        # At once, on pooled connections of which each is dead.
        there = set(await store.alerts.open_ids())
        assert {each.alert_id for each in told} <= there
        assert await store.alerts.asked_before(an_alert(headline="The first to be told"), KEY) is not None
        assert await store.subscriptions.get(kept.record.digest) == kept
        # No 202 means that the outcome is unknown: the repeat with the same key makes it one.
        for number, alert in enumerate(alerts):
            again = an_alert(headline=alert.draft.headline)
            status = await store.alerts.get((await store.alerts.queue(again, f"{KEY}-{number}")).alert_id)
            assert status.state is AlertState.SENDING
        assert await store.alerts.count() == len(await store.alerts.open_ids()) == 31


async def test_a_server_that_forgot_its_scripts_gets_them_again(store: Store) -> None:
    await add(store.subscriptions, a_subscription("one"))
    await store.server.redis.script_flush()
    await add(store.subscriptions, a_subscription("two"))
    assert await store.numbers.counts() == {"fcm": 2}


async def test_durability(store: Store, servers: Settings) -> None:
    assert await durability_fault(store.server) is None
    cache = Server(servers.broker)
    fault = await durability_fault(cache)
    await cache.close()
    assert fault is not None
    assert "CONFIG SET appendonly yes" in fault
    assert "maxmemory-policy" not in fault


async def test_a_cluster_is_told_of(tmp_path: Path) -> None:
    # Its own bus port would be 10,000 above, which there may not be.
    node = Node(tmp_path / "node", "--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    try:
        await node.start()
        server = Server(node.url)
        fault = await durability_fault(server)
        await server.close()
    finally:
        node.kill()
    assert fault is not None
    assert "is a node of a cluster" in fault


async def test_clocks_of_one_machine_agree(store: Store) -> None:
    assert await clock_skew(store.server) < 5
