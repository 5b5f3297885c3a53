"""What the push services accept and refuse, over the wire."""

import re

import pytest

from simulator_sender import Sender, new_vapid, payload
from tocsin.simulator.client import SimulatorClient
from tocsin.simulator.services import HOSTS, PushServiceName

SERVICES = list(PushServiceName)

# A fault in the request → the status at fcm, mozilla, apple, wns.
HEADER_FAULTS: list[tuple[dict[str, str | None], tuple[int, int, int, int]]] = [
    ({"TTL": None}, (400, 400, 400, 400)),
    ({"TTL": "-1"}, (400, 400, 400, 400)),
    ({"TTL": "soon"}, (400, 400, 400, 400)),
    ({"Urgency": "urgent"}, (400, 400, 400, 400)),
    ({"Topic": "a" * 33}, (400, 400, 400, 400)),
    ({"Topic": "not base64url!"}, (400, 400, 400, 400)),
    ({"Topic": "a" * 29}, (201, 201, 400, 201)),
    ({"Content-Encoding": "aesgcm"}, (400, 400, 400, 400)),
    ({"Content-Encoding": None}, (400, 400, 400, 400)),
    ({"Authorization": None}, (401, 401, 403, 401)),
    ({"Authorization": "vapid t=a.b.c, k=BAAA"}, (403, 401, 403, 403)),
    ({"Authorization": "WebPush abc"}, (401, 401, 403, 401)),
]

# Claims that are wrong → the same.
CLAIM_FAULTS: list[tuple[dict[str, object], tuple[int, int, int, int]]] = [
    ({"aud": "https://other.example"}, (403, 401, 403, 403)),
    ({"exp": 1_000_000_000}, (403, 401, 403, 403)),
    ({"exp": 4_000_000_000}, (403, 401, 403, 403)),
    ({"sub": "tel:123"}, (403, 401, 403, 403)),
    ({"sub": ""}, (201, 201, 403, 201)),
    ({"sub": "mailto:desk@localhost"}, (201, 201, 403, 201)),
    ({"sub": "https://desk.local/"}, (201, 201, 403, 201)),
    ({"sub": "mailto:desk@news.invalid"}, (201, 201, 403, 201)),
]


@pytest.mark.parametrize("push_service", SERVICES)
async def test_accepted(push_service: PushServiceName, client: SimulatorClient, sender: Sender) -> None:
    [browser] = await client.create_browsers(1, push_service, sender.key)
    answer = await sender.push(browser, headers={"Urgency": "high", "Topic": "a" * 32, "TTL": "7"})
    assert (answer.status, answer.version) == (201, 3)  # 3: HTTP/2
    traced_by = {"fcm": "location", "mozilla": "location", "apple": "apns-id", "wns": "x-wns-msg-id"}
    assert answer.headers[traced_by[push_service]]
    if push_service is PushServiceName.MOZILLA:
        assert answer.headers["ttl"] == "7"


@pytest.mark.parametrize(("headers", "statuses"), HEADER_FAULTS, ids=lambda value: str(value)[:50])
async def test_wrong_headers(
    headers: dict[str, str | None], statuses: tuple[int, ...], client: SimulatorClient, sender: Sender
) -> None:
    for push_service, status in zip(SERVICES, statuses, strict=True):
        [browser] = await client.create_browsers(1, push_service, sender.key)
        assert (await sender.push(browser, headers=headers)).status == status


@pytest.mark.parametrize(("claims", "statuses"), CLAIM_FAULTS, ids=str)
async def test_wrong_claims(
    claims: dict[str, object], statuses: tuple[int, ...], client: SimulatorClient, sender: Sender
) -> None:
    for push_service, status in zip(SERVICES, statuses, strict=True):
        [browser] = await client.create_browsers(1, push_service, sender.key)
        authorization = sender.authorization(browser.subscription.endpoint, **claims)
        assert (await sender.push(browser, headers={"Authorization": authorization})).status == status


@pytest.mark.parametrize("push_service", SERVICES)
async def test_key_of_another_sender(push_service: PushServiceName, client: SimulatorClient, sender: Sender) -> None:
    [browser] = await client.create_browsers(1, push_service, sender.key)
    other = Sender(sender.ca_file, sender.connect_to, new_vapid())
    answer = await other.push(browser)
    assert answer.status == {"fcm": 403, "mozilla": 401, "apple": 400, "wns": 403}[push_service]
    if push_service is PushServiceName.APPLE:
        assert answer.json() == {"reason": "VapidPkHashMismatch"}
    if push_service is PushServiceName.MOZILLA:
        assert answer.json()["errno"] == 109


async def test_token_signed_with_another_key_than_it_names(client: SimulatorClient, sender: Sender) -> None:
    [browser] = await client.create_browsers(1, "fcm", sender.key)
    forger = Sender(sender.ca_file, sender.connect_to, new_vapid())
    forged = re.sub("k=.*", f"k={sender.key}", forger.authorization(browser.subscription.endpoint))
    assert (await sender.push(browser, headers={"Authorization": forged})).status == 403


@pytest.mark.parametrize("push_service", SERVICES)
async def test_gone_and_unknown(push_service: PushServiceName, client: SimulatorClient, sender: Sender) -> None:
    [browser] = await client.create_browsers(1, push_service, sender.key)
    await client.change_browser(browser.id, unsubscribed=True)
    gone = await sender.push(browser)
    assert gone.status == 410
    if push_service is PushServiceName.APPLE:
        assert gone.json() == {"reason": "Unregistered"}
    if push_service is PushServiceName.MOZILLA:
        assert gone.json()["errno"] == 106
    unknown = await sender.push(browser, endpoint=f"https://{HOSTS[push_service][0]}/nothing")
    assert unknown.status == 404


async def test_endpoint_belongs_to_its_host(client: SimulatorClient, sender: Sender) -> None:
    [browser] = await client.create_browsers(1, "fcm", sender.key, host="jmt17.google.com")
    assert browser.subscription.endpoint.startswith("https://jmt17.google.com/fcm/send/")
    assert (await sender.push(browser)).status == 201
    elsewhere = browser.subscription.endpoint.replace("jmt17.google.com", "fcm.googleapis.com")
    assert (await sender.push(browser, endpoint=elsewhere)).status == 404


async def test_only_post(client: SimulatorClient, sender: Sender) -> None:
    [browser] = await client.create_browsers(1, "fcm", sender.key)
    assert (await sender.push(browser, method="PUT")).status == 405


@pytest.mark.parametrize("push_service", SERVICES)
@pytest.mark.parametrize("size", [4097, 200_000])
async def test_too_large(push_service: PushServiceName, size: int, client: SimulatorClient, sender: Sender) -> None:
    [browser] = await client.create_browsers(1, push_service, sender.key)
    assert (await sender.push(browser, body=b"x" * size)).status == 413
    assert (await client.browser(browser.id)).received == 0


async def test_message_of_4096_bytes(client: SimulatorClient, sender: Sender) -> None:
    [browser] = await client.create_browsers(1, "fcm", sender.key)
    assert (await sender.push(browser, b"x" * 3993)).status == 201
    assert (await client.browser(browser.id)).messages[0].text == "x" * 3993


async def test_push_without_body(client: SimulatorClient, sender: Sender) -> None:
    [browser] = await client.create_browsers(1, "mozilla", sender.key)
    assert (await sender.push(browser, body=b"", headers={"Content-Encoding": None})).status == 201
    [message] = (await client.browser(browser.id)).messages
    assert (message.text, message.problem) == (None, None)


async def test_many_pushes_over_one_connection(client: SimulatorClient, sender: Sender) -> None:
    browsers = await client.create_browsers(300, "apple", sender.key)
    before = (await client.summary()).push_services[PushServiceName.APPLE]
    assert await sender.push_all(browsers, payload("al_5")) == {201: 300}
    after = (await client.summary()).push_services[PushServiceName.APPLE]
    assert after.connections - before.connections == 1
    assert after.handshakes - before.handshakes == 1
    assert after.tokens - before.tokens == 1
    assert after.requests == 300
    assert await client.received("al_5") == {browser.id: 1 for browser in browsers}


async def test_every_signature_is_counted(client: SimulatorClient, sender: Sender) -> None:
    [browser] = await client.create_browsers(1, "fcm", sender.key)
    before = (await client.summary()).push_services[PushServiceName.FCM].tokens
    for _ in range(3):
        assert (await sender.push(browser)).status == 201  # signs each time
    assert (await client.summary()).push_services[PushServiceName.FCM].tokens - before == 3
