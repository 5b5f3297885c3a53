"""Two VAPID keys in force: whoever subscribed with the old one is sent to with it; new ones get the new one."""

from pathlib import Path
from typing import Any

import pytest
from api_served import Served, assert_problem, bearer, changed, serve, subscription_of
from structlog.testing import capture_logs

from samples import an_alert
from tocsin import clock
from tocsin.domain.deliveries import Mark
from tocsin.push import vapid_keys
from tocsin.push.vapid_files import retire, rotate
from tocsin.settings import Settings
from tocsin.simulator.client import SimulatorClient
from tocsin.store.census import by_key
from tocsin_workers.keyring import Keyring
from tocsin_workers.letters import Letter, Letters


async def register(api: Served, simulator: SimulatorClient, key: str, **more: Any) -> dict[str, Any]:
    (view,) = await simulator.create_browsers(1, "fcm", key)
    subscription = subscription_of(view)
    registered: dict[str, Any] = (await api.register(subscription, **more)).json
    return {**registered, "subscription": subscription}


async def key_of(api: Served) -> str:
    key: str = (await api.call("GET", "/v1/site")).json["application_server_key"]
    return key


async def try_push(api: Served, registered: dict[str, Any]) -> int:
    path = f"/v1/subscriptions/{registered['id']}/test"
    return (await api.call("POST", path, headers=bearer(registered["token"]))).status


async def test_each_is_sent_to_with_the_key_it_subscribed_with(
    api: Served, settings: Settings, simulator: SimulatorClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vapid_keys, "LOOK_SECONDS", 0)
    file = tmp_path / "vapid.pem"
    await api.store.server.redis.delete("{site}:vapid-key-id")
    async with serve(changed(settings, vapid_private_key_file=file, subscribe_rate="off")) as served:
        old_key = await key_of(served)
        old = await register(served, simulator, old_key)

        rotate(file, settings.vapid_subject)

        new_key = await key_of(served)
        assert new_key != old_key
        new = await register(served, simulator, new_key)
        # The page had the old key in hand when it subscribed, and says so.
        late = await register(served, simulator, old_key, application_server_key=old_key)
        assert [await try_push(served, each) for each in (old, new, late)] == [200, 200, 200]
        # The old one comes again and says nothing: its endpoint is still that of the old key.
        assert (await served.register(old["subscription"])).status == 200
        assert await try_push(served, old) == 200
        used = await by_key(served.store)
        keys = served.services.keys
        older = next(key_id for key_id in keys.all if key_id != keys.present.key_id)
        assert used == {older: 2, keys.present.key_id: 1}
        reply = await served.register(new["subscription"], application_server_key="A" * 87)
        assert_problem(reply, 422, "invalid", "application_server_key")

        retire(file, older)
        path = f"/v1/subscriptions/{old['id']}/test"
        assert_problem(await served.call("POST", path, headers=bearer(old["token"])), 409, "conflict")
        # The same endpoint again is still that of the old key: with the present one it would be refused.
        assert (await served.register(old["subscription"])).status == 200
        assert_problem(await served.call("POST", path, headers=bearer(old["token"])), 409, "conflict")
        # It heals on its next visit: another key is another endpoint.
        named = {"id": old["id"], "token": old["token"]}
        healed = await register(served, simulator, new_key, replaces=named)
        assert await try_push(served, healed) == 200
    await api.store.identity.adopt(api.services.keys.present.key_id)  # for the tests after this one


async def test_a_worker_sends_with_each_ones_own_key_or_not_at_all(
    api: Served, settings: Settings, simulator: SimulatorClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vapid_keys, "LOOK_SECONDS", 0)
    file = tmp_path / "vapid.pem"
    keys = vapid_keys.ServerKeys.load_or_make(file, settings.vapid_subject)
    letters = Letters(keys, settings)
    first = keys.present
    registered = await register(api, simulator, await key_of(api))
    path = f"/v1/subscriptions/{registered['id']}"
    assert (await api.call("GET", path, headers=bearer(registered["token"]))).status == 200
    (shard,) = [name for name in await api.store.numbers.shards() if name.startswith("fcm")]
    packed = list((await api.store.subscriptions.records(shard)).values())[-1]
    theirs, second = packed[:1] + first.key_id + packed[5:], rotate(file, settings.vapid_subject)
    new = packed[:1] + second.key_id + packed[5:]
    now = clock.now()
    message = letters.message(an_alert(), now)

    written = [letters.write(0, each, message, now, Keyring(None)) for each in (theirs, new, theirs)]

    used = [letter.envelope.authorization.partition("k=")[2] for letter in written if isinstance(letter, Letter)]
    assert used == [first.public_key, second.public_key, first.public_key]
    assert (first.signatures, keys.present.signatures) == (1, 1)
    retire(file, first.key_id)
    with capture_logs() as lines:
        written = [letters.write(0, theirs, message, now, Keyring(None)) for _ in range(2)]
    assert written == [Mark.NO_KEY, Mark.NO_KEY]
    assert [line["key"] for line in lines] == [first.key_id.hex()]  # an operator is told once
