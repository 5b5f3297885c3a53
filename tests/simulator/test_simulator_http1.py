"""The push services over HTTP/1.1, for senders that know nothing newer."""

import time

import pycurl
import pytest

from simulator_sender import Sender
from tocsin.simulator.client import SimulatorClient
from tocsin.simulator.faults import DribbleFault, EndlessFault, HangFault, RefuseFault, ResetFault, StatusFault
from tocsin.simulator.models import BrowserView
from tocsin.simulator.server import Simulator
from tocsin.simulator.services import PushServiceName


@pytest.fixture
def old_sender(simulator: Simulator) -> Sender:
    return Sender(simulator.ca_file, simulator.connect_to, http_version=pycurl.CURL_HTTP_VERSION_1_1)


@pytest.fixture
async def browser(client: SimulatorClient, old_sender: Sender) -> BrowserView:
    [browser] = await client.create_browsers(1, "wns", old_sender.key)
    return browser


async def curl_error(sender: Sender, browser: BrowserView, timeout: float = 5) -> int:
    with pytest.raises(pycurl.error) as caught:
        await sender.push(browser, timeout=timeout)
    return int(caught.value.args[0])


async def test_accepted(client: SimulatorClient, old_sender: Sender, browser: BrowserView) -> None:
    answer = await old_sender.push(browser)
    assert (answer.status, answer.version) == (201, 2)  # 2: HTTP/1.1
    assert answer.headers["x-wns-msg-id"]
    assert await client.received("al_1") == {browser.id: 1}


@pytest.mark.parametrize("size", [4097, 2_000_000])
async def test_too_large(size: int, old_sender: Sender, browser: BrowserView) -> None:
    assert (await old_sender.push(browser, body=b"x" * size)).status == 413


async def test_whole_answers(client: SimulatorClient, old_sender: Sender, browser: BrowserView) -> None:
    await client.set_faults("wns", StatusFault(status=503, retry_after=7, body="down"))
    answer = await old_sender.push(browser)
    assert (answer.status, answer.headers["retry-after"], answer.body) == (503, "7", b"down")


async def test_dribble(client: SimulatorClient, old_sender: Sender, browser: BrowserView) -> None:
    await client.set_faults("wns", DribbleFault(status=500, body="slow", every_milliseconds=20))
    began = time.monotonic()
    assert (await old_sender.push(browser)).body == b"slow"
    assert time.monotonic() - began >= 0.06


@pytest.mark.parametrize("fault", [HangFault(), EndlessFault()], ids=lambda fault: fault.kind)
async def test_no_end(
    fault: HangFault | EndlessFault, client: SimulatorClient, old_sender: Sender, browser: BrowserView
) -> None:
    await client.set_faults("wns", fault)
    assert await curl_error(old_sender, browser, timeout=0.2) == pycurl.E_OPERATION_TIMEDOUT
    await client.set_faults("wns", RefuseFault())
    assert (await client.summary()).push_services[PushServiceName.WNS].open_connections == 0


@pytest.mark.parametrize("when", ["mid_request", "after_request"])
async def test_reset(when: str, client: SimulatorClient, old_sender: Sender, browser: BrowserView) -> None:
    await client.set_faults("wns", ResetFault.model_validate({"when": when}))
    assert await curl_error(old_sender, browser) in {pycurl.E_RECV_ERROR, pycurl.E_GOT_NOTHING}
    assert [line.fault for line in await client.log()] == ["reset"]
