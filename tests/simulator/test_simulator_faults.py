"""Each fault, as a sender meets it."""

import asyncio
import time
from collections import Counter
from email.utils import parsedate_to_datetime

import pycurl
import pytest

from simulator_sender import Sender
from tocsin.simulator.client import SimulatorClient, SimulatorError
from tocsin.simulator.faults import (
    CertificateFault,
    DelayFault,
    DribbleFault,
    EndlessFault,
    Fault,
    Faults,
    HangFault,
    RedirectFault,
    RefuseFault,
    ResetFault,
    StatusFault,
    ThrottleFault,
)
from tocsin.simulator.models import BrowserView
from tocsin.simulator.services import PushServiceName


@pytest.fixture
async def browser(client: SimulatorClient, sender: Sender) -> BrowserView:
    [browser] = await client.create_browsers(1, "fcm", sender.key)
    return browser


async def curl_error(sender: Sender, browser: BrowserView, timeout: float = 5) -> int:
    with pytest.raises(pycurl.error) as caught:
        await sender.push(browser, timeout=timeout)
    return int(caught.value.args[0])


async def test_status(client: SimulatorClient, sender: Sender, browser: BrowserView) -> None:
    await client.set_faults("fcm", StatusFault(status=503, headers={"Retry-After": "7"}, body="down"))
    answer = await sender.push(browser)
    assert (answer.status, answer.headers["retry-after"], answer.body) == (503, "7", b"down")
    [line] = await client.log(fault="status")
    assert (line.status, line.alert, line.browser) == (503, "al_1", browser.id)
    assert (await client.browser(browser.id)).received == 0
    await client.clear_faults("fcm")
    assert (await sender.push(browser)).status == 201


async def test_retry_after_as_http_date(client: SimulatorClient, sender: Sender, browser: BrowserView) -> None:
    await client.set_faults("fcm", StatusFault(status=429, retry_after=120, retry_after_as="http_date"))
    answer = await sender.push(browser)
    until = parsedate_to_datetime(answer.headers["retry-after"]).timestamp()
    assert 115 < until - time.time() <= 121


async def test_delivered_in_spite_of_the_answer(client: SimulatorClient, sender: Sender, browser: BrowserView) -> None:
    await client.set_faults(browser.id, StatusFault(status=500, delivered=True))
    assert (await sender.push(browser)).status == 500
    assert await client.received("al_1") == {browser.id: 1}


async def test_skip_and_count(client: SimulatorClient, sender: Sender, browser: BrowserView) -> None:
    await client.set_faults("fcm", StatusFault(status=500, skip=1, count=2))
    assert [(await sender.push(browser)).status for _ in range(5)] == [201, 500, 500, 201, 201]


def test_share_hits_the_same_browsers_each_time() -> None:
    faults = Faults()
    names = [f"fcm-{number}" for number in range(10_000)]
    faults.put("fcm", [StatusFault(status=410, share=0.8, seed=1)])
    first = [faults.choose(name, "fcm", 0).fault is not None for name in names]
    assert abs(sum(first) - 8_000) < 150
    assert first == [faults.choose(name, "fcm", 0).fault is not None for name in names]
    faults.put("fcm", [StatusFault(status=410, share=0.8, seed=2)])
    assert first != [faults.choose(name, "fcm", 0).fault is not None for name in names]


def test_delays_add_up_and_the_first_fault_wins() -> None:
    faults = Faults()
    last = StatusFault(status=500)
    faults.put("fcm-1", [DelayFault(milliseconds=100)])
    faults.put("fcm", [DelayFault(milliseconds=200), last, StatusFault(status=400)])
    chosen = faults.choose("fcm-1", "fcm", 0)
    assert chosen.fault == last
    assert chosen.delay == pytest.approx(0.3)


def test_throttle_lets_a_rate_pass() -> None:
    faults = Faults()
    faults.put("fcm", [ThrottleFault(per_second=10, burst=5)])
    passed = [faults.choose("fcm-1", "fcm", number / 100).fault is None for number in range(300)]
    assert sum(passed) == pytest.approx(5 + 30, abs=1)


@pytest.mark.parametrize(("push_service", "status"), [("fcm", 429), ("apple", 429), ("wns", 406)])
async def test_throttle(push_service: str, status: int, client: SimulatorClient, sender: Sender) -> None:
    [browser] = await client.create_browsers(1, push_service, sender.key)
    await client.set_faults(push_service, ThrottleFault(per_second=0.001, burst=2, retry_after=30))
    answers = [await sender.push(browser) for _ in range(3)]
    assert [answer.status for answer in answers] == [201, 201, status]
    assert answers[2].headers["retry-after"] == "30"


async def test_delay(client: SimulatorClient, sender: Sender, browser: BrowserView) -> None:
    await client.set_faults("fcm", DelayFault(milliseconds=150))
    began = time.monotonic()
    assert (await sender.push(browser)).status == 201
    assert time.monotonic() - began >= 0.15


async def test_late_answer_to_who_has_gone(client: SimulatorClient, sender: Sender, browser: BrowserView) -> None:
    await client.set_faults("fcm", DelayFault(milliseconds=100, count=1))
    assert await curl_error(sender, browser, timeout=0.05) == pycurl.E_OPERATION_TIMEDOUT
    await asyncio.sleep(0.1)
    assert (await sender.push(browser)).status == 201


async def test_hang(client: SimulatorClient, sender: Sender, browser: BrowserView) -> None:
    await client.set_faults("fcm", HangFault())
    assert await curl_error(sender, browser, timeout=0.2) == pycurl.E_OPERATION_TIMEDOUT
    [line] = await client.log(status="none")
    assert (line.status, line.fault) == (None, "hang")


async def test_dribble(client: SimulatorClient, sender: Sender, browser: BrowserView) -> None:
    await client.set_faults("fcm", DribbleFault(status=500, body="slow", every_milliseconds=20))
    began = time.monotonic()
    answer = await sender.push(browser)
    assert (answer.status, answer.body) == (500, b"slow")
    assert time.monotonic() - began >= 0.06


async def test_endless(client: SimulatorClient, sender: Sender, browser: BrowserView) -> None:
    await client.set_faults("fcm", EndlessFault())
    assert await curl_error(sender, browser, timeout=0.3) == pycurl.E_OPERATION_TIMEDOUT
    assert (await client.summary()).requests == 1  # it still serves others


@pytest.mark.parametrize("when", ["mid_request", "after_request"])
async def test_reset(when: str, client: SimulatorClient, sender: Sender, browser: BrowserView) -> None:
    fault = ResetFault.model_validate({"when": when, "delivered": when == "after_request", "count": 1})
    await client.set_faults("fcm", fault)
    assert await curl_error(sender, browser) in {pycurl.E_RECV_ERROR, pycurl.E_SEND_ERROR, pycurl.E_HTTP2}
    detail = await client.browser(browser.id)
    assert (detail.requests, detail.received) == (1, 1 if when == "after_request" else 0)
    assert (await sender.push(browser)).status == 201


async def test_redirect(client: SimulatorClient, sender: Sender, browser: BrowserView) -> None:
    await client.set_faults("fcm", RedirectFault(location="https://elsewhere.example/"))
    answer = await sender.push(browser)
    assert (answer.status, answer.headers["location"]) == (307, "https://elsewhere.example/")


async def test_refused_connections_and_the_same_port_again(
    client: SimulatorClient, sender: Sender, browser: BrowserView
) -> None:
    await client.set_faults("fcm", RefuseFault())
    assert await curl_error(sender, browser) == pycurl.E_COULDNT_CONNECT
    await client.clear_faults("fcm")
    assert (await sender.push(browser)).status == 201


@pytest.mark.parametrize("certificate", ["wrong_name", "expired"])
async def test_certificates(certificate: str, client: SimulatorClient, sender: Sender, browser: BrowserView) -> None:
    await client.set_faults("fcm", CertificateFault.model_validate({"certificate": certificate}))
    assert await curl_error(sender, browser) == pycurl.E_PEER_FAILED_VERIFICATION
    await client.clear_faults()
    assert (await sender.push(browser)).status == 201


async def test_open_connections_are_dropped(client: SimulatorClient, sender: Sender, browser: BrowserView) -> None:
    await client.set_faults("fcm", HangFault())
    hanging = asyncio.create_task(curl_error(sender, browser))
    while not await client.log(fault="hang"):
        await asyncio.sleep(0.01)
    await client.set_faults("fcm", RefuseFault())
    assert await hanging != pycurl.E_OPERATION_TIMEDOUT
    assert (await client.summary()).push_services[PushServiceName.FCM].open_connections == 0


async def test_one_service_alone(client: SimulatorClient, sender: Sender) -> None:
    browsers = await client.create_browsers(4, dict.fromkeys(PushServiceName, 1.0), sender.key)
    await client.set_faults("apple", StatusFault(status=500))
    statuses = Counter([(await sender.push(browser)).status for browser in browsers])
    assert statuses == {201: 3, 500: 1}


async def test_faults_are_listed_and_cleared(client: SimulatorClient, browser: BrowserView) -> None:
    faults: list[Fault] = [DelayFault(milliseconds=1), StatusFault(status=500, share=0.5)]
    await client.set_faults("wns", *faults)
    await client.set_faults(browser.id, HangFault())
    assert await client.faults() == {"wns": faults, browser.id: [HangFault()]}
    await client.clear_faults(browser.id)
    assert list(await client.faults()) == ["wns"]


async def test_what_is_no_fault_is_refused(client: SimulatorClient, browser: BrowserView) -> None:
    with pytest.raises(SimulatorError, match="faults"):
        await client.set_faults(browser.id, RefuseFault())
    with pytest.raises(SimulatorError, match="target"):
        await client.set_faults("nobody", HangFault())
