"""The API over real HTTP on a real store of its own; simulated push services in the same process."""

from collections.abc import AsyncIterator

import pytest
from api_served import Served, serve, served_settings
from structlog.testing import capture_logs

from tocsin.api import load as load_of_process
from tocsin.cli.embedded import embedded_parts
from tocsin.cli.supervisor import supervised
from tocsin.domain.topics import parse_topics
from tocsin.settings import Settings, load
from tocsin.simulator.client import SimulatorClient
from tocsin.simulator.server import Simulator

# What a process read once stays true, so it must stay in the store as well.
LASTING = (b"{profiles}", b"{site}:token-secret", b"{site}:rate-secret", b"{site}:push-services", b"{site}:schema")


@pytest.fixture(scope="session")
async def push_services(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Simulator]:
    async with Simulator(tmp_path_factory.mktemp("push-services")) as running:
        yield running


@pytest.fixture(autouse=True)
def _never_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else this machine does, no receipt is shed for it."""
    monkeypatch.setattr(load_of_process, "MOST_LAG", 1e9)


@pytest.fixture
async def simulator(push_services: Simulator) -> AsyncIterator[SimulatorClient]:
    async with SimulatorClient(push_services.control_url) as client:
        await client.clear_faults()
        await client.delete_browsers()
        await client.clear_log()
        yield client


@pytest.fixture(scope="session")
async def shared_api(tmp_path_factory: pytest.TempPathFactory, push_services: Simulator) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("api")
    servers = load(data_dir=folder)
    settings = served_settings(
        servers, folder, push_connect_to=push_services.connect_to, push_ca_file=push_services.ca_file
    )
    async with supervised({}, lambda _: None, folder) as supervisor:
        await supervisor.start(embedded_parts(servers))
        async with serve(settings) as served:
            yield served


@pytest.fixture
async def api(shared_api: Served) -> AsyncIterator[Served]:
    """With topics, and nothing else. Whatever a test sends, nothing may go wrong in a way that we cannot explain."""
    await shared_api.services.tally.flush()
    redis = shared_api.store.server.redis
    keys = [key async for key in redis.scan_iter(count=1000) if not key.startswith(LASTING)]
    if keys:
        await redis.delete(*keys)
    await shared_api.store.topics.replace(parse_topics(shared_api.settings.topics))
    with capture_logs() as lines:
        yield shared_api
    assert [line for line in lines if line["log_level"] == "error"] == []


@pytest.fixture
def settings(api: Served) -> Settings:
    """For another API on the same store, by `changed(settings, …)`."""
    return api.settings
