"""The whole wire against the simulator's push services, which check what the real ones check, and its browsers."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from push_browser import AnySender, MakeSender

from tocsin import clock
from tocsin.domain.deliveries import Answer
from tocsin.domain.endpoints import DEFAULT_PUSH_HOSTS
from tocsin.domain.payload import collapse_key
from tocsin.domain.subscriptions import PushKeys, PushSubscription, Record
from tocsin.push.encryption import encrypt, pad
from tocsin.push.one_off import push_once
from tocsin.push.sender import Envelope
from tocsin.push.vapid import ApplicationServer
from tocsin.simulator.client import SimulatorClient
from tocsin.simulator.models import BrowserView
from tocsin.simulator.server import Simulator

MESSAGE = '{"web_push":8030,"notification":{"title":"Aid convoy reaches Aleppo"}}'


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> ApplicationServer:
    return ApplicationServer.load_or_make(tmp_path_factory.mktemp("key") / "vapid.pem", "mailto:desk@news.example.com")


@pytest.fixture
async def simulator(tmp_path: Path) -> AsyncIterator[Simulator]:
    async with Simulator(tmp_path / "simulator") as simulator:
        yield simulator


@pytest.fixture
async def client(simulator: Simulator) -> AsyncIterator[SimulatorClient]:
    async with SimulatorClient(simulator.control_url) as client:
        yield client


@pytest.fixture
async def sender(simulator: Simulator, make_sender: MakeSender) -> AsyncIterator[AnySender]:
    async with make_sender(*simulator.connect_to.split(","), ca_bundle=simulator.ca_file) as sender:
        yield sender


def record(browser: BrowserView) -> Record:
    keys = browser.subscription.keys
    assert keys
    subscription = PushSubscription(
        endpoint=browser.subscription.endpoint, keys=PushKeys(p256dh=keys.p256dh, auth=keys.auth)
    ).checked(DEFAULT_PUSH_HOSTS)
    return Record(subscription.endpoint.url, subscription.p256dh, subscription.auth, b"\0" * 4, 0)


async def test_every_push_service_takes_it_and_every_browser_reads_it(
    simulator: Simulator, client: SimulatorClient, sender: AnySender, application: ApplicationServer
) -> None:
    shares = {"fcm": 1.0, "mozilla": 1.0, "apple": 1.0, "wns": 1.0}
    browsers = await client.create_browsers(40, shares, application.public_key)
    padded = pad(MESSAGE.encode())
    batches: dict[str, list[Envelope]] = defaultdict(list)
    for browser in browsers:
        reader = record(browser)
        origin = "https://" + reader.endpoint.split("/")[2]
        body = encrypt(padded, reader.p256dh, reader.auth)
        header = application.authorization(origin, clock.now())
        batches[browser.push_service].append(
            Envelope(reader.endpoint, header, body, 60, "high", collapse_key("an alert"))
        )
    answers = await asyncio.gather(*(sender.send(batch) for batch in batches.values()))
    assert {answer.status for batch in answers for answer in batch} == {201}
    for browser in browsers:
        (message,) = (await client.browser(browser.id)).messages
        assert (message.text, message.urgency, message.ttl) == (MESSAGE, "high", 60)
    origins = {envelope.url.split("/")[2] for batch in batches.values() for envelope in batch}
    services = (await client.summary()).push_services.values()
    assert sum(service.tokens for service in services) == len(origins)
    assert sum(service.connections for service in services) == len(origins) == sender.connections


async def test_a_readers_own_test_arrives(
    client: SimulatorClient, sender: AnySender, application: ApplicationServer
) -> None:
    (browser,) = await client.create_browsers(1, "apple", application.public_key)
    answer = await push_once(
        sender, application, record(browser), MESSAGE.encode(), ttl=0, urgency="high", now=clock.now()
    )
    assert isinstance(answer, Answer)
    assert answer.status == 201
    (message,) = (await client.browser(browser.id)).messages
    assert message.text == MESSAGE


async def test_a_key_that_is_not_the_browsers_is_refused(
    client: SimulatorClient, sender: AnySender, application: ApplicationServer, tmp_path: Path
) -> None:
    other = ApplicationServer.load_or_make(tmp_path / "other.pem", "mailto:desk@news.example.com")
    (browser,) = await client.create_browsers(1, "apple", application.public_key)
    answer = await push_once(sender, other, record(browser), b"x", ttl=0, urgency="high", now=clock.now())
    assert answer.status == 400
    assert "VapidPkHashMismatch" in answer.detail
