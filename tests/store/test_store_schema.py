"""From an older store to this version's: nothing is lost, told twice it is done once, and a newer one is left alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import repeat
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from store_hands import ALL, store_ms
from store_sound import Died, MortalServer
from store_workers import Out, PlayedRuntime, Worker, an_application_server, at_free_pace, nothing
from test_store_repeats import everything

from samples import an_alert
from store_version_1 import an_old_alert, closed, due, leased, readers
from tocsin import clock
from tocsin.api.app import make_app
from tocsin.domain.errors import Misconfigured
from tocsin.domain.subscriptions import public_id
from tocsin.settings import Settings, load
from tocsin.store import schema
from tocsin.store.schema import SCHEMA, Schema
from tocsin.store.store import Store
from town import ADMIN_KEY

SERVER = an_application_server()
EDITOR = {"Authorization": f"Bearer {ADMIN_KEY}"}


def silent(_: str) -> None:
    pass


@asynccontextmanager
async def served(servers: Settings) -> AsyncIterator[TestClient[Any, Any]]:
    app = make_app(load(data_dir=servers.data_dir, admin_key=ADMIN_KEY, subscribe_rate="off", alert_rate="off"))
    async with TestClient(TestServer(app)) as client:
        yield client


async def get(client: TestClient[Any, Any], path: str, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    async with client.get(path, headers=headers or EDITOR) as response:
        return response.status, await response.json()


async def told_by_readyz(client: TestClient[Any, Any]) -> str:
    """Once it is set up."""
    async with asyncio.timeout(10):
        while (answer := await get(client, "/readyz"))[1]["checks"]["store"] == "is being set up":
            await asyncio.sleep(0.01)
    return str(answer[1]["checks"]["store"])


async def test_a_store_without_an_alert_is_of_this_version(store: Store) -> None:
    await readers(store, b"vkey", 1)
    assert await store.schema.version() == SCHEMA
    assert await store.server.redis.get("{site}:schema") == str(SCHEMA).encode()
    await store.schema.check()
    await store.alerts.queue(an_alert(), "k" * 16)
    assert await store.schema.version() == SCHEMA


async def test_alerts_and_no_number_are_the_first_versions(store: Store) -> None:
    await an_old_alert(store, {"fcm.0": "a"})
    assert await store.schema.version() == 1
    with pytest.raises(Misconfigured, match="tocsin migrate"):
        await store.schema.check()
    assert await store.server.redis.get("{site}:schema") is None


async def test_there_is_a_step_from_each_version_to_the_next() -> None:
    assert sorted(schema.STEPS) == list(range(1, SCHEMA))


async def test_every_ledger_of_every_alert_is_moved(store: Store) -> None:
    first = await an_old_alert(store, {"fcm.0": "aaglo-", "fcm.1": "ap"})
    second = await an_old_alert(store, {"apple.0": "x"})
    lines: list[str] = []

    migrated = await store.schema.migrate(lines.append)

    assert (migrated.before, migrated.after) == (1, SCHEMA)
    assert migrated.done == {"alerts": 2, "ledgers": 3}
    assert len(lines) == 2
    assert "2 of 2 ledgers" in "".join(lines)
    await store.schema.check()
    for alert in (first, second):
        accounts = await store.ledgers.accounts(alert.id, await store.runs.bounds(alert.id))
        found = [account for parts in accounts.values() for account in parts]
        for shard, account in zip(
            sorted(alert.ledgers), sorted(found, key=lambda one: len(bytes(one.ledger))), strict=False
        ):
            assert account.ledger.eligible == account.eligible
            del shard
        for shard, marks in alert.ledgers.items():
            (ledger,) = (await store.ledgers.ledgers(shard, [alert.id])).values()
            assert bytes(ledger).rstrip(b"\0").decode() == marks
            row = await store.server.redis.hgetall(f"{{{shard}}}:run:{alert.id}")
            assert row.keys() == {b"epoch", b"retries", b"eligible", b"times"}


async def test_told_twice_it_is_done_once(store: Store) -> None:
    await an_old_alert(store, {"fcm.0": "apl"})
    await store.schema.migrate(silent)
    before = await everything(store)
    again = await store.schema.migrate(silent)
    assert (again.before, again.after, again.done) == (SCHEMA, SCHEMA, {})
    assert await everything(store) == before


async def test_broken_off_anywhere_it_is_begun_again(store: Store) -> None:
    async def fresh() -> None:
        await store.server.redis.flushall()
        for number in range(2):
            alert = await an_old_alert(store, {"fcm.0": "aap", "fcm.1": "l" * number + "r", "apple.0": "g"})
            # Each time the same, so that what comes of it can be compared.
            for key in [key async for key in store.server.redis.scan_iter() if alert.id.encode() in key]:
                await store.server.redis.rename(key, key.replace(alert.id.encode(), b"%022d" % number))
            for name in ("by-time", "open", "ledgers"):
                await store.server.redis.zrem(f"{{alerts}}:{name}", alert.id)
                await store.server.redis.zadd(f"{{alerts}}:{name}", {f"{number:022d}": 1})
            await store.server.redis.hdel(f"{{alerts}}:alert:{number:022d}", "alert")

    await fresh()
    await store.schema.migrate(silent)
    wanted = await everything(store)
    steps = 0
    while True:
        await fresh()
        try:
            await Schema(MortalServer(store.server, steps)).migrate(silent)
        except Died:
            steps += 1
        else:
            break
        await store.schema.migrate(silent)
        assert await everything(store) == wanted
    assert steps > 8


async def test_a_worker_that_was_killed_a_moment_ago_is_waited_for(store: Store) -> None:
    alert = await an_old_alert(store, {"fcm.0": "ap"})
    await leased(store, alert, "fcm.0", await store_ms(store) + 400)
    lines: list[str] = []
    migrated = await store.schema.migrate(lines.append)
    assert migrated.done["ledgers"] == 1
    assert "waiting" in lines[0]


async def test_a_worker_at_work_is_not_overtaken(store: Store) -> None:
    """It would write the old form again, and plan shards anew whose ledgers it does not find."""
    alert = await an_old_alert(store, {"fcm.0": "ap"})

    async def work() -> None:
        while True:
            await leased(store, alert, "fcm.0", await store_ms(store) + 1_500)
            await asyncio.sleep(0.05)

    await leased(store, alert, "fcm.0", await store_ms(store) + 1_500)
    at_work = asyncio.create_task(work())
    try:
        with pytest.raises(Misconfigured, match="end all parts"):
            await store.schema.migrate(silent)
    finally:
        at_work.cancel()
    assert await store.schema.version() == 1
    assert await store.ledgers.ledgers("fcm.0", [alert.id]) == {}


async def test_a_newer_store_is_left_alone(store: Store) -> None:
    await store.server.redis.set("{site}:schema", SCHEMA + 1)
    before = await everything(store)
    for call in (store.schema.check(), store.schema.migrate(silent)):
        with pytest.raises(Misconfigured, match=f"schema {SCHEMA + 1}"):
            await call
    assert await everything(store) == before


NONE_TOLD = {"shown": 0, "clicked": 0, "closed": 0}


async def test_the_api_tells_of_an_old_alert_what_it_told_before(store: Store, servers: Settings) -> None:
    kept = await readers(store, SERVER.key_id, 4)
    ended = await an_old_alert(store, {"fcm.0": "agl-"})
    totals = await closed(store, ended)
    at_work = await an_old_alert(store, {"fcm.0": "aapr", "apple.0": "ax"})
    await store.schema.migrate(silent)

    async with served(servers) as client:
        assert await told_by_readyz(client) == "ok"
        assert (await get(client, f"/v1/alerts/{ended.id}"))[1]["progress"] == {**totals, "receipts": NONE_TOLD}
        status, answer = await get(client, f"/v1/alerts/{at_work.id}")
        token = await store.token_secret.token(kept[1].record)
        path = f"/v1/subscriptions/{public_id(kept[1].record.digest)}/history"
        history = (await get(client, path, {"Authorization": f"Bearer {token}"}))[1]["alerts"]

    progress = answer["progress"]
    assert (status, answer["state"]) == (200, "sending")
    assert {name: progress[name] for name in ("eligible", "accepted", "rejected", "pending", "retrying")} == {
        "eligible": 6,
        "accepted": 3,
        "rejected": 1,
        "pending": 1,
        "retrying": 1,
    }
    assert (progress["unaccounted"], progress["within_120_s"]) == (0, 3)
    assert progress["by_push_service"]["apple"]["eligible"] == 2
    assert progress["first_at"] == "2026-03-01T12:00:02.500000Z"
    assert 2 < progress["p99_seconds"] < 4
    assert {row["alert"]: row["outcome"] for row in history} == {ended.id: "gone", at_work.id: "accepted"}


async def test_an_alert_at_work_goes_on_and_ends_with_an_exact_account(store: Store, servers: Settings) -> None:
    await readers(store, SERVER.key_id, 6)
    alert = await an_old_alert(store, {"fcm.0": "aprg-p"}, clock.now(), retries={2: 1})
    await due(store, alert, "fcm.0")
    await store.schema.migrate(silent)
    requests: list[int] = []

    async def sends(_: Worker, out: Out) -> None:
        for sent in out.values():
            requests.extend(sent.alerts)

    own = Store(servers)
    at_free_pace(own)
    worker = Worker(PlayedRuntime(servers, own, SERVER), ALL, repeat(201), sends, nothing)
    for _ in range(200):
        await worker.go()
        if worker.is_idle and worker.found_nothing:
            break
    await own.server.close()

    assert sorted(requests) == [1, 2, 5]
    status = await store.alerts.get(alert.id)
    assert status.state.is_terminal
    assert status.totals is not None
    assert (status.totals["eligible"], status.totals["accepted"], status.totals["gone"]) == (5, 4, 1)
    assert status.totals["unaccounted"] == 0
    assert await store.alerts.open_ids() == []


@pytest.mark.parametrize("is_newer", [False, True])
async def test_an_api_is_not_ready_for_a_store_of_another_form(store: Store, servers: Settings, is_newer: bool) -> None:
    if is_newer:
        await store.server.redis.set("{site}:schema", SCHEMA + 1)
    await an_old_alert(store, {"fcm.0": "a"})
    before = await everything(store)
    async with served(servers) as client:
        told = await told_by_readyz(client)
        assert ("newer version" if is_newer else "tocsin migrate") in told
        assert (await get(client, "/readyz"))[0] == 503
        status, answer = await get(client, "/v1/alerts")
        assert (status, answer["detail"]) == (503, told)
        async with client.get("/livez") as response:
            assert response.status == 200
    assert await everything(store) == before  # not even topics were written


async def test_an_api_at_work_hears_of_a_newer_version(store: Store, servers: Settings) -> None:
    async with served(servers) as client:
        assert await told_by_readyz(client) == "ok"
        await store.server.redis.set("{site}:schema", SCHEMA + 1)
        assert "newer version" in await told_by_readyz(client)
        assert (await get(client, "/v1/alerts"))[0] == 503
