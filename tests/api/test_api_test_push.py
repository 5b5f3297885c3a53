"""A reader's own test: a real push to that browser alone, and a clear word when it cannot be."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from api_served import Served, assert_problem, bearer, changed, serve, subscription_of

from tocsin.simulator.client import SimulatorClient
from tocsin.simulator.faults import Fault, HangFault, RedirectFault, RefuseFault, StatusFault
from tocsin.simulator.models import BrowserView

Registered = tuple[BrowserView, dict[str, Any]]
Register = Callable[..., Awaitable[Registered]]


@pytest.fixture
def register(api: Served, simulator: SimulatorClient) -> Register:
    async def make(push_service: str = "fcm") -> Registered:
        key = (await api.call("GET", "/v1/site")).json["application_server_key"]
        (view,) = await simulator.create_browsers(1, push_service, key)
        return view, (await api.register(subscription_of(view))).json

    return make


async def push(api: Served, registered: dict[str, Any]) -> Any:
    return await api.call("POST", f"/v1/subscriptions/{registered['id']}/test", headers=bearer(registered["token"]))


@pytest.mark.parametrize("push_service", ["fcm", "mozilla", "apple", "wns"])
async def test_it_arrives_decrypted_in_this_browser_alone(
    api: Served, simulator: SimulatorClient, register: Register, push_service: str
) -> None:
    (view, registered), (other, _) = await register(push_service), await register(push_service)

    reply = await push(api, registered)

    assert reply.status == 200
    assert reply.json == {"accepted": True, "push_service": push_service, "status": 201}
    (message,) = (await simulator.browser(view.id)).messages
    shown = message.payload["notification"]
    assert (shown["title"], shown["data"]) == ("Tocsin", {"tocsin": {"test": True}})
    assert shown["navigate"] == "https://news.example/"
    assert (message.ttl, message.urgency) == (300, "normal")
    assert (await simulator.browser(other.id)).messages == []


async def test_it_is_in_the_readers_language_and_leads_to_the_newsrooms_own_page(
    api: Served, simulator: SimulatorClient, register: Register
) -> None:
    view, registered = await register()
    mine = f"/v1/subscriptions/{registered['id']}/preferences"
    given = {"reader_url": "https://www.news.example/alerts", "texts": {"en": {"push.test": "It works."}}}
    async with serve(changed(api.settings, language="ar", **given)) as arabic:
        for language in (None, "en"):
            await arabic.call("PATCH", mine, {"language": language}, bearer(registered["token"]))
            assert (await push(arabic, registered)).status == 200

    told = [message.payload["notification"] for message in (await simulator.browser(view.id)).messages]
    assert [(each["body"], each["lang"], each["dir"]) for each in told] == [
        ("هذه تجربة: التنبيهات تصل إلى هذا المتصفح.", "ar", "rtl"),
        ("It works.", "en", "auto"),
    ]
    assert {each["navigate"] for each in told} == {"https://www.news.example/alerts"}


@pytest.mark.parametrize("status", [404, 410])
async def test_a_subscription_that_ended_is_sent_nothing_until_it_comes_again(
    api: Served, simulator: SimulatorClient, register: Register, status: int
) -> None:
    view, registered = await register()
    await simulator.set_faults(view.id, StatusFault(status=status))

    assert_problem(await push(api, registered), 404, "not_found")

    await simulator.clear_faults()
    assert_problem(await push(api, registered), 404, "not_found")
    assert (await simulator.browser(view.id)).requests == 1
    again = await api.register(subscription_of(view))
    assert (again.status, again.json["id"]) == (200, registered["id"])  # out of quarantine


FAILURES: dict[str, tuple[Fault, str]] = {
    "refused as ours": (StatusFault(status=400), "answered 400"),
    "refused for the key": (StatusFault(status=403), "answered 403"),
    "too large": (StatusFault(status=413), "answered 413"),
    "throttled": (StatusFault(status=429, retry_after=60), "answered 429"),
    "broken": (StatusFault(status=500, body="<html>secret stack</html>"), "answered 500"),
    "a redirect": (RedirectFault(location="https://169.254.169.254/"), "answered 307"),
    "silent": (HangFault(), "gave no answer (timeout)"),
    "down": (RefuseFault(), "gave no answer (connect)"),
}


@pytest.mark.parametrize(("fault", "words"), FAILURES.values(), ids=FAILURES)
async def test_a_failure_is_told_in_plain_words_and_deletes_nothing(
    api: Served, simulator: SimulatorClient, register: Register, fault: Fault, words: str
) -> None:
    view, registered = await register()
    await simulator.set_faults("fcm" if isinstance(fault, RefuseFault) else view.id, fault)
    async with serve(changed(api.settings, request_seconds=0.5)) as impatient, api.nothing_kept():
        reply = await push(impatient, registered)

    assert_problem(reply, 502, "push_failed")
    assert words in reply.json["detail"]
    assert "secret" not in reply.text
    assert view.subscription.endpoint not in reply.text
    if isinstance(fault, RefuseFault):
        await simulator.clear_faults()
        await push(api, registered)  # the shared sender learns at its next push that its connection was dropped


async def test_tests_have_a_rate_too(api: Served, simulator: SimulatorClient, register: Register) -> None:
    view, registered = await register()
    _, other = await register()
    async with serve(changed(api.settings, subscribe_rate="2/hour")) as slow:
        statuses = [(await push(slow, registered)).status for _ in range(3)]
        refused = await push(slow, registered)
        assert (await push(slow, other)).status == 200

    assert statuses == [200, 200, 429]
    assert_problem(refused, 429, "too_many_requests")
    assert (await simulator.browser(view.id)).requests == 2
