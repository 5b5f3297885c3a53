"""A browser that its operator erased on the reader's request: its page does not bring it back, its reader may."""

from typing import Any

import pytest
from api_served import Served, assert_problem, subscription_of

from tocsin.domain.subscriptions import parse_public_id
from tocsin.simulator.client import SimulatorClient


async def a_browser(api: Served, simulator: SimulatorClient, push_service: str = "fcm") -> dict[str, Any]:
    key = (await api.call("GET", "/v1/site")).json["application_server_key"]
    (view,) = await simulator.create_browsers(1, push_service, key)
    return subscription_of(view)


async def erase(api: Served, registered: dict[str, Any]) -> None:
    digest = parse_public_id(registered["id"])
    assert digest
    assert await api.store.subscriptions.erase(digest, 1)


async def test_its_endpoint_and_its_id_are_refused(api: Served, simulator: SimulatorClient) -> None:
    subscription = await a_browser(api, simulator)
    registered = (await api.register(subscription)).json
    healed, known = await a_browser(api, simulator), await a_browser(api, simulator)
    await api.register(known)
    await erase(api, registered)
    replaces = {"id": registered["id"], "token": registered["token"]}

    async with api.nothing_kept():
        assert_problem(await api.register(subscription), 410, "ended")
        assert_problem(await api.register(healed, replaces=replaces), 410, "ended")
        assert_problem(await api.register(known, replaces=replaces), 410, "ended")

    assert (await api.register(healed)).status == 201  # its reader subscribed anew


@pytest.mark.parametrize("push_service", ["fcm", "mozilla"])
async def test_one_that_changes_its_endpoint_at_that_moment_goes_as_well(
    api: Served, simulator: SimulatorClient, push_service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered = (await api.register(await a_browser(api, simulator))).json
    digest = parse_public_id(registered["id"])
    assert digest
    subscriptions = api.services.store.subscriptions
    move = subscriptions.move

    async def erased_amid(*arguments: Any) -> Any:
        """The other hand has noted it, and not deleted it yet."""
        await api.store.subscriptions._suppression.add(digest)
        return await move(*arguments)

    monkeypatch.setattr(subscriptions, "move", erased_amid)
    replaces = {"id": registered["id"], "token": registered["token"]}

    reply = await api.register(await a_browser(api, simulator, push_service), replaces=replaces)

    assert_problem(reply, 410, "ended")
    assert sum((await api.store.numbers.counts()).values()) == 0
