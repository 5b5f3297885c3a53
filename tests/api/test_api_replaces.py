"""A browser whose subscription changed, and what its reader agreed to."""

from typing import Any

import pytest
from api_served import Reply, Served, assert_problem, bearer, changed, serve, subscription_of

from tocsin.domain.errors import Misconfigured
from tocsin.domain.subscriptions import Address
from tocsin.push.prekeys import ENTRY_SIZE
from tocsin.settings import Settings, load
from tocsin.simulator.client import SimulatorClient

CHOSEN = {"topics": ["sport"], "muted_stories": ["aleppo"], "daily_cap": {"count": 3}}
ASKS = {"consent_text": "May we keep what you open?", "consent_text_version": "2026-03"}


async def a_browser(api: Served, simulator: SimulatorClient, push_service: str = "fcm") -> dict[str, Any]:
    key = (await api.call("GET", "/v1/site")).json["application_server_key"]
    (view,) = await simulator.create_browsers(1, push_service, key)
    return subscription_of(view)


async def read(api: Served, registered: dict[str, Any]) -> Reply:
    return await api.call("GET", f"/v1/subscriptions/{registered['id']}", headers=bearer(registered["token"]))


def named(registered: dict[str, Any]) -> dict[str, str]:
    return {"id": registered["id"], "token": registered["token"]}


@pytest.mark.parametrize("push_service", ["fcm", "mozilla"])
async def test_preferences_go_over_and_the_old_one_ends(
    api: Served, simulator: SimulatorClient, push_service: str
) -> None:
    old = (await api.register(await a_browser(api, simulator), CHOSEN)).json
    before = (await read(api, old)).json["preferences"]
    new = await a_browser(api, simulator, push_service)

    reply = await api.register(new, replaces=named(old))

    assert reply.status == 201
    assert reply.json["id"] != old["id"]
    assert reply.json["preferences"] == before
    assert (await read(api, old)).status == 404
    assert (await read(api, reply.json)).json["preferences"] == before
    again = await api.register(new, replaces=named(old))
    assert (again.status, again.json) == (200, reply.json)
    assert sum((await api.store.numbers.counts()).values()) == 1


async def test_the_keys_made_ahead_for_the_old_one_go_with_it(api: Served, simulator: SimulatorClient) -> None:
    old = (await api.register(await a_browser(api, simulator))).json
    prekeys = api.services.prekeys
    leave = await prekeys.claim("fcm.0")
    assert leave
    assert await prekeys.put(leave, [{0: b"x" * ENTRY_SIZE}] * prekeys.layers)
    assert await prekeys.held(Address("fcm", 0)) == prekeys.layers

    await api.register(await a_browser(api, simulator, "mozilla"), replaces=named(old))

    assert await prekeys.held(Address("fcm", 0)) == 0


async def test_preferences_that_come_with_it_change_what_is_carried(api: Served, simulator: SimulatorClient) -> None:
    old = (await api.register(await a_browser(api, simulator), CHOSEN)).json
    new = await a_browser(api, simulator)

    moved = (await api.register(new, {"topics": ["world"]}, replaces=named(old))).json["preferences"]

    assert (moved["topics"], moved["muted_stories"]) == (["world"], ["aleppo"])


async def test_an_old_one_that_nobody_knows_keeps_no_browser_from_healing(
    api: Served, simulator: SimulatorClient
) -> None:
    other = (await api.register(await a_browser(api, simulator), CHOSEN)).json
    for replaces in (
        {"id": "A" * 22, "token": "B" * 43},
        {"id": "x", "token": ""},
        {**named(other), "token": "B" * 43},
        {**named(other), "token": "é"},
    ):
        reply = await api.register(await a_browser(api, simulator), {"topics": ["world"]}, replaces=replaces)
        assert (reply.status, reply.json["preferences"]["topics"]) == (201, ["world"])
        assert reply.json["preferences"]["muted_stories"] == []
    assert (await read(api, other)).status == 200  # nobody ends another's subscription


async def test_one_that_is_known_already_gets_what_the_old_one_had(api: Served, simulator: SimulatorClient) -> None:
    """The browser's worker was quicker and did not know the old one."""
    old = (await api.register(await a_browser(api, simulator), CHOSEN)).json
    new = await a_browser(api, simulator)
    known = (await api.register(new)).json

    reply = await api.register(new, replaces=named(old))

    assert (reply.status, reply.json["id"], reply.json["token"]) == (200, known["id"], known["token"])
    assert (reply.json["preferences"]["topics"], reply.json["preferences"]["muted_stories"]) == (["sport"], ["aleppo"])
    assert (await read(api, old)).status == 404


async def test_one_whom_a_push_service_called_gone_is_carried_over(api: Served, simulator: SimulatorClient) -> None:
    old = (await api.register(await a_browser(api, simulator), CHOSEN)).json
    (shard,) = await api.store.numbers.shards()
    ((slot, packed),) = (await api.store.subscriptions.records(shard)).items()
    assert await api.store.quarantine.add(Address.of(shard, slot), packed, 1)

    reply = await api.register(await a_browser(api, simulator), replaces=named(old))

    assert reply.json["preferences"]["topics"] == ["sport"]
    assert not any((await api.store.numbers.quarantined()).values())


async def test_its_own_token_lets_a_browser_renew_its_keys(api: Served, simulator: SimulatorClient) -> None:
    subscription, other = await a_browser(api, simulator), await a_browser(api, simulator)
    registered = (await api.register(subscription, CHOSEN)).json
    renewed = {**subscription, "keys": other["keys"]}
    assert_problem(await api.register(renewed), 409, "conflict")

    reply = await api.register(renewed, replaces=named(registered))

    assert (reply.status, reply.json["id"]) == (200, registered["id"])


async def test_healing_is_not_counted_as_new(api: Served, settings: Settings, simulator: SimulatorClient) -> None:
    async with serve(changed(settings, subscribe_rate="1/day")) as served:
        last = (await served.register(await a_browser(served, simulator))).json
        for _ in range(3):
            reply = await served.register(await a_browser(served, simulator), replaces=named(last))
            assert reply.status == 201
            last = reply.json
        assert_problem(await served.register(await a_browser(served, simulator)), 429, "too_many_requests")


async def test_healing_without_end_is_counted(api: Served, settings: Settings, simulator: SimulatorClient) -> None:
    """Each time its id is another, so no limit by id holds it; at another push service it takes a new number."""
    async with serve(changed(settings, subscribe_rate="1/day")) as served:
        last = (await served.register(await a_browser(served, simulator))).json
        elsewhere = await served.register(await a_browser(served, simulator, "mozilla"), replaces=named(last))
        assert_problem(elsewhere, 429, "too_many_requests")
        for _ in range(10):
            last = (await served.register(await a_browser(served, simulator), replaces=named(last))).json
        too_many = await served.register(await a_browser(served, simulator), replaces=named(last))
        assert_problem(too_many, 429, "too_many_requests")
        assert (await read(served, last)).status == 200
        assert sum((await served.store.numbers.bounds()).values()) == 1


async def test_a_site_says_what_it_asks(api: Served, settings: Settings) -> None:
    site = (await api.call("GET", "/v1/site")).json
    assert (site["receipts"], site["consent"]) == ("aggregate", None)
    async with serve(changed(settings, receipts="individual", **ASKS)) as served:
        site = (await served.call("GET", "/v1/site")).json
        assert site["receipts"] == "individual"
        assert site["consent"] == {"text": ASKS["consent_text"], "text_version": "2026-03"}


async def test_a_consent_is_kept_with_its_time_and_version(
    api: Served, settings: Settings, simulator: SimulatorClient
) -> None:
    async with serve(changed(settings, **ASKS)) as served:
        subscription = await a_browser(served, simulator)
        registered = (await served.register(subscription)).json
        assert (await read(served, registered)).json["consent"] is None

        await served.register(subscription, consent={"text_version": "2026-03"})
        given = (await read(served, registered)).json["consent"]
        assert given["text_version"] == "2026-03"
        await served.register(subscription)  # what says nothing changes nothing
        moved = (await served.register(await a_browser(served, simulator), replaces=named(registered))).json
        path = f"/v1/subscriptions/{moved['id']}/export"
        exported = (await served.call("GET", path, headers=bearer(moved["token"]))).json
        assert exported["consent"] == given == (await read(served, moved)).json["consent"]

        for wrong in ({"text_version": "2026-02"}, {"text_version": ""}):
            reply = await served.register(subscription, consent=wrong)
            assert_problem(reply, 422, "invalid", "consent.text_version")


async def test_a_consent_is_taken_back_by_null(api: Served, settings: Settings, simulator: SimulatorClient) -> None:
    async with serve(changed(settings, **ASKS)) as served:
        subscription = await a_browser(served, simulator)
        registered = (await served.register(subscription, consent={"text_version": "2026-03"})).json
        assert (await read(served, registered)).json["consent"] is not None

        await served.register(subscription, consent=None)

        assert (await read(served, registered)).json["consent"] is None


async def test_nobody_agrees_where_nothing_is_asked(api: Served, simulator: SimulatorClient) -> None:
    async with api.nothing_kept():
        reply = await api.register(await a_browser(api, simulator), consent={"text_version": "1"})
        assert_problem(reply, 422, "invalid", "consent.text_version")


@pytest.mark.parametrize(
    ("given", "named_settings"),
    [
        ({"receipts": "individual"}, ["RECEIPTS", "CONSENT_TEXT"]),
        ({"consent_text": "May we?"}, ["CONSENT_TEXT_VERSION"]),
        ({"consent_text_version": "1"}, ["CONSENT_TEXT"]),
        ({"consent_text": "May we?", "consent_text_version": "1 2"}, ["CONSENT_TEXT_VERSION"]),
    ],
)
def test_settings_that_do_not_fit_are_refused(given: dict[str, str], named_settings: list[str]) -> None:
    with pytest.raises(Misconfigured, match=".*".join(named_settings)):
        load(**given)
