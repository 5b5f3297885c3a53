"""`tocsin doctor` finds what is wrong and says what to do; `tocsin settings` shows what is in force and no secret."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cli_run import Commands, Ran

from tocsin.cli.embedded import embedded_parts
from tocsin.cli.parts import Part, Running
from tocsin.domain.errors import Unavailable
from tocsin.settings import Settings, load
from tocsin.simulator.client import SimulatorClient
from tocsin.simulator.faults import CertificateFault, RefuseFault
from tocsin.simulator.server import Simulator
from tocsin.store.proxies import Proxies
from tocsin.store.store import Store


@pytest.fixture(scope="session")
async def push_services(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Simulator]:
    async with Simulator(tmp_path_factory.mktemp("reached")) as running:
        yield running


@pytest.fixture
async def healthy(tocsin: Commands, push_services: Simulator) -> Commands:
    """Everything as it should be: only what a test changes is wrong."""
    tocsin.environment |= {
        "TOCSIN_PUSH_CONNECT_TO": push_services.connect_to,
        "TOCSIN_PUSH_CA_FILE": str(push_services.ca_file),
        "TOCSIN_ALLOWED_PUSH_HOSTS": "fcm.googleapis.com,updates.push.services.mozilla.com,.push.apple.com",
        "TOCSIN_ALLOWED_LINK_HOSTS": "news.example",
        "TOCSIN_VAPID_SUBJECT": "mailto:desk@news.example",
    }
    assert (await tocsin("keys", "vapid", "show")).code == 0
    return tocsin


def lines(ran: Ran, sign: str) -> list[str]:
    return [line.removeprefix(sign).strip() for line in ran.out.splitlines() if line.startswith(sign)]


async def assert_finds(commands: Commands, start: str, advice: str, **environment: str) -> None:
    ran = await commands("doctor", environment=environment)

    (wrong,) = lines(ran, "✗")
    assert wrong.startswith(f"{start}: ")
    assert advice in wrong
    assert (ran.code, ran.err) == (1, "")


async def test_all_is_well(healthy: Commands, tmp_path: Path) -> None:
    ran = await healthy("doctor")

    assert (ran.code, ran.err, lines(ran, "✗"), lines(ran, "•")) == (0, "", [], [])
    told = {line.partition(":")[0] for line in lines(ran, "✓")}
    assert told >= {"settings", "VAPID key", "certificates", "links", "store", "broker", "prekeys", "proxy"}
    assert told >= {"fcm", "mozilla", "apple"}
    assert [file.name for file in (tmp_path / "data").iterdir()] == ["vapid.pem"], "a look leaves nothing behind"


async def test_a_new_installation_has_hints_and_no_faults(healthy: Commands) -> None:
    for name in ("TOCSIN_ALLOWED_LINK_HOSTS", "TOCSIN_VAPID_SUBJECT"):
        del healthy.environment[name]

    ran = await healthy("doctor")

    assert (ran.code, lines(ran, "✗")) == (0, [])
    assert [line.partition(":")[0] for line in lines(ran, "•")] == ["VAPID key", "links"]


async def test_a_variable_that_is_no_setting(healthy: Commands) -> None:
    await assert_finds(healthy, "settings", "did you mean TOCSIN_PUBLIC_URL?", TOCSIN_PUBLIC_ULR="https://a.example")


async def test_a_key_that_others_may_read(healthy: Commands, tmp_path: Path) -> None:
    (tmp_path / "data" / "vapid.pem").chmod(0o644)

    await assert_finds(healthy, "VAPID key", "chmod 600")


async def test_a_key_that_is_none(healthy: Commands, tmp_path: Path) -> None:
    (tmp_path / "data" / "vapid.pem").write_text("hello")

    await assert_finds(healthy, "VAPID key", "backup")


async def test_certificates_that_are_none(healthy: Commands, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("hello")

    ran = await healthy("doctor", environment={"TOCSIN_PUSH_CA_FILE": str(file)})

    assert ran.code == 1
    assert any(line.startswith("certificates: TOCSIN_PUSH_CA_FILE") for line in lines(ran, "✗"))


@pytest.mark.parametrize(
    ("name", "server"),
    [("TOCSIN_STORE_URL", "store"), ("TOCSIN_BROKER_URL", "broker"), ("TOCSIN_PREKEY_URL", "prekeys")],
)
async def test_a_server_that_does_not_answer(healthy: Commands, name: str, server: str) -> None:
    await assert_finds(healthy, server, name, **{name: "unix:///nowhere/x.sock"})
    await assert_finds(healthy, server, name, **{name: "redis://127.0.0.1:nonsense"})


@pytest.fixture
async def careless(tmp_path: Path) -> AsyncIterator[str]:
    """A store that keeps nothing."""
    alone = load(data_dir=tmp_path / "careless", store_url="unix:///x")
    cache = next(part for part in embedded_parts(alone) if part.name == "cache")
    running = Running(Part("careless", cache.argv, cache.ready_url), {}, tmp_path)
    await running.start()
    try:
        async with (
            Store(load(store_url=cache.ready_url, lease_seconds=1, request_seconds=0.5)) as store,
            asyncio.timeout(20),
        ):
            while not await _answers(store):
                await asyncio.sleep(0.02)
        yield cache.ready_url
    finally:
        running.kill_session()
        await running.ended()


async def _answers(store: Store) -> bool:
    try:
        await store.server.ping()
    except Unavailable:
        return False
    return True


async def test_a_store_that_would_forget(healthy: Commands, careless: str) -> None:
    await assert_finds(healthy, "store", "CONFIG SET appendfsync always", TOCSIN_STORE_URL=careless)


async def test_a_prekey_server_that_keeps_things_is_told_of(healthy: Commands, servers: Settings) -> None:
    ran = await healthy("doctor", environment={"TOCSIN_PREKEY_URL": servers.store})
    assert ran.code == 0
    (told,) = [line for line in lines(ran, "•") if line.startswith("prekeys: ")]
    assert "could bring back used prekeys" in told
    assert "CONFIG SET appendonly no" in told


async def test_a_push_service_that_cannot_be_reached(healthy: Commands, push_services: Simulator) -> None:
    faults = {RefuseFault(): "firewall", CertificateFault(certificate="wrong_name"): "TOCSIN_PUSH_CA_FILE"}
    async with SimulatorClient(push_services.control_url) as simulator:
        for fault, advice in faults.items():
            await simulator.set_faults("mozilla", fault)
            try:
                await assert_finds(healthy, "mozilla", advice)
            finally:
                await simulator.clear_faults()


async def test_a_name_that_does_not_resolve(healthy: Commands) -> None:
    hosts = "fcm.googleapis.com,push.invalid"

    await assert_finds(healthy, "push.invalid", "DNS", TOCSIN_ALLOWED_PUSH_HOSTS=hosts)


async def test_one_silent_host_of_a_push_service_is_only_told(healthy: Commands) -> None:
    hosts = "fcm.googleapis.com,android.googleapis.com"
    elsewhere = f"{healthy.environment['TOCSIN_PUSH_CONNECT_TO']},android.googleapis.com:443:127.0.0.1:9"
    environment = {"TOCSIN_ALLOWED_PUSH_HOSTS": hosts, "TOCSIN_PUSH_CONNECT_TO": elsewhere}

    ran = await healthy("doctor", environment=environment)

    assert (ran.code, lines(ran, "✗")) == (0, [])
    assert [line.partition(":")[0] for line in lines(ran, "•")] == ["fcm"]


async def test_a_proxy_that_is_not_trusted(healthy: Commands, store: Store) -> None:
    await Proxies(store.server).note("10.0.0.7")
    await assert_finds(healthy, "proxy", "TOCSIN_TRUSTED_PROXIES")

    assert (await healthy("doctor", environment={"TOCSIN_TRUSTED_PROXIES": "10.0.0.0/8"})).code == 0
    # Anybody on the internet may send such a header: worth knowing, and no fault of ours.
    await Proxies(store.server).note("8.8.8.0/24")
    assert (await healthy("doctor")).code == 0


async def test_settings_show_values_sources_and_no_secret(tocsin: Commands, tmp_path: Path) -> None:
    (tmp_path / "tocsin.toml").write_text(
        'site_name = "[News] :bell:"\nallowed_origins = ["https://a.example"]\nport = 1'
    )
    secret = "a-secret-that-nobody-may-see-on-a-screen"

    ran = await tocsin(
        "settings",
        environment={
            "TOCSIN_ADMIN_KEY": secret,
            "TOCSIN_PORT": "9000",
            "TOCSIN_STORE_URL": f"rediss://user:{secret}@store.example:6379/0",
            "TOCSIN_BROKER_URL": f"redis://broker.example/0?password={secret}&timeout=1",
            "TOCSIN_ALLOWED_PUSH_HOSTS": ",".join(f"push{number}.example" for number in range(40)),
        },
    )

    assert (ran.code, ran.err) == (0, "")
    assert secret not in ran.out
    shown = ran.out.splitlines()
    assert "TOCSIN_SITE_NAME = [News] :bell:  (tocsin.toml)" in shown
    assert "TOCSIN_PORT = 9000  (environment)" in shown
    assert "TOCSIN_HOST = 127.0.0.1  (default)" in shown
    assert "TOCSIN_ADMIN_KEY = ••••••  (environment)" in shown
    assert "TOCSIN_STORE_URL = rediss://user:••••••@store.example:6379/0  (environment)" in shown
    assert "TOCSIN_BROKER_URL = redis://broker.example/0?password=••••••&timeout=1  (environment)" in shown
    assert "push39.example" in ran.out
    assert len(shown) == 2 * sum(line.startswith("TOCSIN_") for line in shown)


async def test_a_setting_at_fault_is_named_as_it_was_given(tocsin: Commands, tmp_path: Path) -> None:
    (tmp_path / "tocsin.toml").write_text('time_zone = "Nowhere"\nsite = "News"\nport = 1\n')

    told = (await tocsin("topics", "list", environment={"TOCSIN_PORT": "many"})).err

    assert "time_zone in tocsin.toml: 'Nowhere' is not" in told
    assert "site in tocsin.toml: there is no such setting" in told
    assert "TOCSIN_PORT: " in told
    assert "TOCSIN_TIME_ZONE" not in told

    (tmp_path / "tocsin.toml").write_text('store_url = "redis://127.0.0.1:1/0"\n')
    del tocsin.environment["TOCSIN_STORE_URL"]
    told = (await tocsin("topics", "list")).err
    assert "store_url in tocsin.toml does not answer" in told
