"""A store of an older version, and one of a newer: what each command says of it."""

import asyncio
from pathlib import Path

import pytest
from cli_run import Commands

from store_version_1 import an_old_alert, due
from test_up import output_until, started
from tocsin.cli.embedded import embedded_parts
from tocsin.cli.supervisor import supervised
from tocsin.jobs import WakeUps, celery_app
from tocsin.push.vapid import ApplicationServer
from tocsin.settings import Settings, load
from tocsin.store.schema import SCHEMA
from tocsin.store.store import Store
from town import WAIT_SECONDS, free_port


async def make_old(store: Store) -> None:
    await store.server.redis.delete("{site}:schema")
    await an_old_alert(store, {"fcm.0": "app", "fcm.1": "a"})


async def test_it_says_what_it_did_and_how_far_it_is(tocsin: Commands, store: Store) -> None:
    await make_old(store)
    ran = await tocsin("migrate")
    assert ran.code == 0
    assert ran.out == f"The store had schema 1 and has {SCHEMA} now: 1 alerts, 2 ledgers moved.\n"
    assert "alert 1 of 1: 2 of 2 ledgers moved" in ran.err
    again = await tocsin("migrate")
    assert (again.code, again.err) == (0, "")
    assert again.out == f"The store has schema {SCHEMA} already: there is nothing to do.\n"


async def test_for_programs(tocsin: Commands, store: Store) -> None:
    await make_old(store)
    assert (await tocsin("migrate", "--json")).json == {"from": 1, "to": SCHEMA, "alerts": 1, "ledgers": 2}
    assert (await tocsin("migrate", "--json")).json == {"from": SCHEMA, "to": SCHEMA}


async def test_a_newer_store_is_refused_by_every_command(tocsin: Commands, store: Store) -> None:
    await store.server.redis.set("{site}:schema", SCHEMA + 1)
    for words in (["migrate"], ["alert", "list"], ["topics", "list"]):
        ran = await tocsin(*words)
        assert ran.code == 1
        assert f"the store has schema {SCHEMA + 1} and this program knows none after {SCHEMA}" in ran.err


async def test_commands_do_not_misread_an_older_store(tocsin: Commands, store: Store) -> None:
    await make_old(store)
    ran = await tocsin("alert", "list")
    assert ran.code == 1
    assert "tocsin migrate" in ran.err


async def test_without_a_store_it_says_so(tocsin: Commands) -> None:
    ran = await tocsin("migrate", environment={"TOCSIN_STORE_URL": "unix:///nonexistent/store.sock?db=0"})
    assert ran.code == 1
    assert "TOCSIN_STORE_URL does not answer" in ran.err


@pytest.mark.parametrize("words", [["api"], ["worker", "--queues", "standard"]])
@pytest.mark.parametrize("is_newer", [False, True])
async def test_a_part_does_not_start_on_a_store_of_another_form(
    tocsin: Commands, store: Store, tmp_path: Path, words: list[str], is_newer: bool
) -> None:
    await make_old(store)
    if is_newer:
        await store.server.redis.set("{site}:schema", SCHEMA + 1)
    ApplicationServer.load_or_make(tmp_path / "vapid.pem", "mailto:desk@example.com")
    settings = {**tocsin.environment, "TOCSIN_VAPID_PRIVATE_KEY_FILE": str(tmp_path / "vapid.pem")}
    async with started(tmp_path, *words, **settings, TOCSIN_PORT=str(free_port())) as process:
        told = await output_until(process, "schema")
        assert await process.wait() == 1
    assert ("newer version" if is_newer else "`tocsin migrate`") in told
    assert "Traceback" not in told


async def test_a_worker_at_work_ends_when_a_newer_version_comes(
    tocsin: Commands, store: Store, servers: Settings, tmp_path: Path
) -> None:
    ApplicationServer.load_or_make(tmp_path / "vapid.pem", "mailto:desk@example.com")
    settings = {**tocsin.environment, "TOCSIN_VAPID_PRIVATE_KEY_FILE": str(tmp_path / "vapid.pem")}
    wake_ups = WakeUps(celery_app(servers))
    async with started(tmp_path, "worker", "--queues", "standard", "--processes", "1", **settings) as process:
        await store.server.redis.set("{site}:schema", SCHEMA + 1)
        await make_older_alert_due(store)
        await wake_ups.deliver("standard", 1)
        told = await output_until(process, "newer version")
        async with asyncio.timeout(WAIT_SECONDS):
            await process.wait()
    await wake_ups.close()
    assert f"the store has schema {SCHEMA + 1}" in told
    (alert_id,) = await store.alerts.open_ids()
    assert await store.server.redis.exists(f"{{fcm.0}}:ledger:{alert_id}") == 0


async def make_older_alert_due(store: Store) -> None:
    await due(store, await an_old_alert(store, {"fcm.0": "p"}), "fcm.0")


async def test_up_migrates_before_its_parts_start(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    settings = load(data_dir=folder)
    folder.mkdir()
    async with supervised({}, lambda _: None, tmp_path) as supervisor:
        await supervisor.start(embedded_parts(settings))
        async with Store(settings) as store:
            alert = await an_old_alert(store, {"fcm.0": "aag"})
    async with started(tmp_path, "up", "--port", str(free_port()), "--data-dir", str(folder)) as process:
        told = await output_until(process, "Admin's key")
        async with Store(settings) as store:
            async with asyncio.timeout(WAIT_SECONDS):
                while (status := await store.alerts.get(alert.id)).totals is None:
                    await asyncio.sleep(0.05)
            assert await store.schema.version() == SCHEMA
        process.terminate()
        assert await process.wait() == 0
    assert "1 of 1 ledgers moved" in told
    assert f"schema 1; it is of {SCHEMA} now" in told
    assert (status.totals["accepted"], status.totals["gone"], status.totals["unaccounted"]) == (2, 1, 0)
