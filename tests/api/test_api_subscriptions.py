"""A browser's way: it registers, comes again, changes its mind, leaves; and nobody else does it in its name."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from api_served import Served, assert_problem, bearer, changed, serve, subscription_of

from tocsin.api.readers import SITE_CACHE
from tocsin.domain.stories import MAX_STORIES
from tocsin.domain.subscriptions import Address, Record
from tocsin.domain.topics import Topic
from tocsin.push import vapid_keys
from tocsin.push.vapid import read_private
from tocsin.push.vapid_files import install, retire, rotate
from tocsin.simulator.client import SimulatorClient

Browser = dict[str, Any]
DEFAULTS = {
    "topics": ["world"],
    "min_level": "update",
    "topic_levels": {},
    "time_zone": None,
    "quiet_hours": None,
    "daily_cap": None,
    "snoozed_until": None,
    "muted_stories": [],
    "followed_stories": [],
    "language": None,
}


@pytest.fixture
def browser(api: Served, simulator: SimulatorClient) -> Callable[[], Awaitable[Browser]]:
    """`await browser()` is a new one's `PushSubscription.toJSON()`."""

    async def make() -> Browser:
        key = (await api.call("GET", "/v1/site")).json["application_server_key"]
        (view,) = await simulator.create_browsers(1, "fcm", key)
        return subscription_of(view)

    return make


MakeBrowser = Callable[[], Awaitable[Browser]]


async def read(api: Served, registered: dict[str, Any]) -> Any:
    reply = await api.call("GET", f"/v1/subscriptions/{registered['id']}", headers=bearer(registered["token"]))
    assert reply.status == 200, reply.text
    return reply.json


async def patch(api: Served, registered: dict[str, Any], changes: Any) -> Any:
    path = f"/v1/subscriptions/{registered['id']}/preferences"
    reply = await api.call("PATCH", path, changes, bearer(registered["token"]))
    assert reply.status == 200, reply.text
    assert await read(api, registered) == reply.json
    return reply.json["preferences"]


async def test_new_is_201_and_known_is_200_with_the_same_id_and_token(api: Served, browser: MakeBrowser) -> None:
    subscription = await browser()

    first = await api.register(subscription)
    again = await api.register(subscription)

    assert (first.status, again.status) == (201, 200)
    assert first.json == again.json
    assert set(first.json) == {"id", "token", "preferences"}
    assert first.json["preferences"] == DEFAULTS
    assert len(first.json["token"]) == 43


async def test_each_browser_has_an_id_and_a_token_of_its_own(api: Served, browser: MakeBrowser) -> None:
    registered = [(await api.register(await browser())).json for _ in range(5)]

    assert len({one["id"] for one in registered}) == 5
    assert len({one["token"] for one in registered}) == 5


async def test_many_tabs_at_once_are_one_browser(api: Served, browser: MakeBrowser) -> None:
    subscription = await browser()

    replies = await asyncio.gather(*(api.register(subscription) for _ in range(20)))

    assert {reply.status for reply in replies} <= {200, 201, 409}
    assert len({reply.text for reply in replies if reply.status != 409}) == 1
    again = await api.register(subscription)
    assert again.status == 200
    assert (await api.store.numbers.counts())["fcm"] == 1


async def test_a_repeat_changes_only_the_preferences_that_it_names(api: Served, browser: MakeBrowser) -> None:
    subscription = await browser()
    await api.register(subscription, {"topics": ["sport"], "min_level": "breaking"})

    silent = await api.register(subscription)
    named = await api.register(subscription, {"topics": ["culture", "world", "culture"]})

    assert silent.json["preferences"] == {**DEFAULTS, "topics": ["sport"], "min_level": "breaking"}
    assert named.json["preferences"] == {**DEFAULTS, "topics": ["culture", "world"], "min_level": "breaking"}


async def test_other_keys_at_a_known_endpoint_need_its_token(api: Served, browser: MakeBrowser) -> None:
    subscription, other = await browser(), await browser()
    stolen = {**subscription, "keys": other["keys"]}
    registered = (await api.register(subscription)).json
    elsewhere = (await api.register(other)).json

    async with api.nothing_kept():
        for token in ("", "x" * 43, elsewhere["token"], registered["token"][:-1]):
            reply = await api.register(stolen, {"topics": []}, token)
            assert_problem(reply, 409, "conflict")
            assert registered["token"] not in reply.text

    replaced = await api.register(stolen, token=registered["token"])
    assert (replaced.status, replaced.json) == (200, registered)
    assert (await api.register(stolen)).status == 200
    assert (await api.register(subscription)).status == 409


async def test_a_patch_merges(api: Served, browser: MakeBrowser) -> None:
    registered = (await api.register(await browser())).json

    async def preferences(changes: dict[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = await patch(api, registered, changes)
        return made

    assert await preferences({}) == DEFAULTS
    assert (await preferences({"topics": ["sport", "culture"]}))["topics"] == ["culture", "sport"]
    assert (await preferences({"min_level": "flash"})) == {
        **DEFAULTS, "topics": ["culture", "sport"], "min_level": "flash"
    }  # fmt: skip
    levels = (await preferences({"topic_levels": {"sport": "flash", "world": "breaking"}}))["topic_levels"]
    assert levels == {"sport": "flash", "world": "breaking"}
    levels = (await preferences({"topic_levels": {"sport": None, "culture": "update"}}))["topic_levels"]
    assert levels == {"world": "breaking", "culture": "update"}
    assert (await preferences({"topic_levels": {"business": None}}))["topic_levels"] == levels
    assert (await preferences({"topics": []}))["topics"] == []
    assert await preferences({"topics": None, "min_level": None, "topic_levels": None}) == DEFAULTS


async def test_a_patch_merges_into_parts_of_a_preference_too(api: Served, browser: MakeBrowser) -> None:
    registered = (await api.register(await browser())).json
    night = {"start": "22:00", "end": "07:00", "wake_for": None, "then": "defer", "time_zone": None}

    assert (await patch(api, registered, {"quiet_hours": {"start": "22:00", "end": "07:00"}}))["quiet_hours"] == night
    woken = await patch(api, registered, {"quiet_hours": {"wake_for": "flash"}})
    assert woken["quiet_hours"] == {**night, "wake_for": "flash"}
    assert (await patch(api, registered, {"quiet_hours": {"wake_for": None}}))["quiet_hours"] == night
    assert (await patch(api, registered, {"quiet_hours": None}))["quiet_hours"] is None


async def test_what_is_personal_is_kept_and_let_go(api: Served, browser: MakeBrowser) -> None:
    registered = (await api.register(await browser(), {"snoozed_until": "2030-01-01T01:00:00+01:00"})).json
    assert registered["preferences"]["snoozed_until"] == "2030-01-01T00:00:00Z"
    stories = ["budget", {"story": "aleppo", "until": "2030-01-01T00:00:00Z"}]

    changed = await patch(api, registered, {"muted_stories": stories, "followed_stories": ["cup"]})

    assert changed["muted_stories"] == [{"story": "aleppo", "until": "2030-01-01T00:00:00Z"}, "budget"]
    assert (await read(api, registered))["preferences"] == changed
    gone = {"snoozed_until": None, "muted_stories": None, "followed_stories": None}
    assert await patch(api, registered, gone) == DEFAULTS


async def test_quick_changes_do_not_undo_one_another(api: Served, browser: MakeBrowser) -> None:
    registered = (await api.register(await browser())).json
    path, token = f"/v1/subscriptions/{registered['id']}/preferences", bearer(registered["token"])
    changes: list[dict[str, Any]] = [
        {"topics": ["sport"]},
        {"min_level": "breaking"},
        {"topic_levels": {"sport": "flash"}},
    ]

    replies = await asyncio.gather(*(api.call("PATCH", path, change, token) for change in changes))

    assert {reply.status for reply in replies} == {200}
    wanted = {**DEFAULTS, "topics": ["sport"], "min_level": "breaking", "topic_levels": {"sport": "flash"}}
    assert (await read(api, registered))["preferences"] == wanted


async def test_a_topic_that_the_site_gave_up_can_still_be_let_go(api: Served, browser: MakeBrowser) -> None:
    registered = (await api.register(await browser(), {"topics": ["sport", "world"]})).json
    await api.store.topics.replace([Topic(id="world", name="World")])

    assert (await read(api, registered))["preferences"]["topics"] == ["sport", "world"]
    assert (await patch(api, registered, {"topics": ["world"]}))["topics"] == ["world"]


async def test_a_reader_sees_what_is_kept_of_it_and_no_secret(api: Served, browser: MakeBrowser) -> None:
    subscription = await browser()
    registered = (await api.register(subscription)).json

    view = await read(api, registered)

    assert set(view) == {"id", "push_service", "created_at", "preferences", "consent"}
    assert view["push_service"] == "fcm"
    for secret in (subscription["endpoint"], *subscription["keys"].values(), registered["token"]):
        assert secret not in str(view)


async def test_unknown_and_wrong_are_told_alike(api: Served, browser: MakeBrowser) -> None:
    registered, other = [(await api.register(await browser())).json for _ in range(2)]
    unknown = "A" * 22
    tries: list[tuple[str, dict[str, str]]] = [
        (unknown, bearer(registered["token"])),
        ("x", bearer(registered["token"])),
        (registered["id"], {}),
        (registered["id"], bearer(other["token"])),
        (registered["id"], bearer(registered["token"] + "x")),
        (registered["id"], bearer(registered["token"].lower())),
        (registered["id"], api.editor),
        (registered["id"], {"Authorization": registered["token"]}),
        (registered["id"], {"Authorization": f"Basic {registered['token']}"}),
        (registered["id"] + "=", bearer(registered["token"])),
    ]
    texts = set()
    async with api.nothing_kept():
        for subscription_id, headers in tries:
            path = f"/v1/subscriptions/{subscription_id}"
            calls = (("GET", ""), ("PATCH", "/preferences"), ("DELETE", ""), ("POST", "/test"), ("GET", "/export"))
            for method, end in calls:
                reply = await api.call(method, path + end, {} if method == "PATCH" else None, headers)
                assert_problem(reply, 404, "not_found")
                texts.add(reply.text)
    assert len(texts) == 1


async def test_who_left_is_unknown_and_may_come_again(api: Served, browser: MakeBrowser) -> None:
    subscription = await browser()
    registered = (await api.register(subscription, {"topics": ["sport"]})).json
    path = f"/v1/subscriptions/{registered['id']}"

    left = await api.call("DELETE", path, headers=bearer(registered["token"]))
    again = await api.call("DELETE", path, headers=bearer(registered["token"]))
    back = await api.register(subscription)

    assert (left.status, left.body) == (204, b"")
    assert_problem(again, 404, "not_found")
    assert back.status == 201
    assert back.json["preferences"] == DEFAULTS
    assert (await read(api, back.json))["id"] == back.json["id"]


async def test_who_comes_while_it_is_forgotten_as_inactive_is_here_afterwards(
    api: Served, browser: MakeBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscription = await browser()
    await api.register(subscription)
    await api.store.server.redis.delete("{fcm.0}:seen")
    activity = api.services.store.activity
    seen = activity.seen

    async def too_late(address: Address, packed: bytes) -> bool:
        kept = await api.store.subscriptions.get(Record.unpack(packed).digest)
        assert kept
        assert await api.store.subscriptions.delete_silent(kept, 1)
        return await seen(address, packed)

    monkeypatch.setattr(activity, "seen", too_late)

    reply = await api.register(subscription)

    assert reply.status == 201
    read = await api.call("GET", f"/v1/subscriptions/{reply.json['id']}", headers=bearer(reply.json["token"]))
    assert read.status == 200


async def test_leaving_leaves_nothing_of_the_browser(api: Served, browser: MakeBrowser) -> None:
    subscription = await browser()
    registered = (await api.register(subscription)).json
    await api.call("DELETE", f"/v1/subscriptions/{registered['id']}", headers=bearer(registered["token"]))

    redis = api.store.server.redis
    assert not [key async for key in redis.scan_iter() if key.endswith(b":records")]


async def test_another_application_server_key_heals_at_the_next_visit(api: Served, browser: MakeBrowser) -> None:
    subscription = await browser()
    registered = (await api.register(subscription)).json
    folder = api.settings.data_dir / "another-key"
    async with serve(changed(api.settings, vapid_private_key_file=folder / "vapid.pem")) as moved:
        key = (await moved.call("GET", "/v1/site")).json["application_server_key"]
        assert key != (await api.call("GET", "/v1/site")).json["application_server_key"]
        assert (await moved.register(subscription)).json == registered
    kept = await api.call("GET", f"/v1/subscriptions/{registered['id']}", headers=bearer(registered["token"]))
    assert kept.status == 200


async def test_the_site_says_what_a_page_needs(api: Served) -> None:
    site = (await api.call("GET", "/v1/site")).json

    assert [topic["id"] for topic in site["topics"]] == ["world", "politics", "business", "sport", "culture"]
    assert all(set(topic) == {"id", "name", "description", "default", "per_day"} for topic in site["topics"])
    assert site["levels"] == ["flash", "breaking", "update"]
    assert site["default_preferences"] == DEFAULTS
    assert len(site["application_server_key"]) == 87
    assert (site["limits"]["headline"], site["limits"]["stories"]) == (120, MAX_STORIES)
    assert site["privacy_url"] is None


async def test_a_site_says_where_its_privacy_policy_is_and_its_pages_link_to_it(api: Served) -> None:
    policy = "https://www.news.example/privacy?a=1&b=2"
    async with serve(changed(api.settings, privacy_url=policy)) as served:
        assert (await served.call("GET", "/v1/site")).json["privacy_url"] == policy
        for page in ("/", "/preferences"):
            assert '<a href="https://www.news.example/privacy?a=1&amp;b=2">' in (await served.call("GET", page)).text


async def test_a_site_names_all_keys_in_force_the_present_one_first(
    api: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vapid_keys, "LOOK_SECONDS", 0)
    settings, before = api.settings, api.services.keys.present
    pem = read_private(settings.vapid_file)
    try:
        new = rotate(settings.vapid_file, settings.vapid_subject)
        site = (await api.call("GET", "/v1/site")).json
        assert site["application_server_keys"][0] == site["application_server_key"] == new.public_key
        assert before.public_key in site["application_server_keys"]
    finally:
        install(pem, settings.vapid_file, settings.vapid_subject)
        retire(settings.vapid_file, new.key_id)
    site = (await api.call("GET", "/v1/site")).json
    assert site["application_server_keys"] == [site["application_server_key"]] == [before.public_key]


async def test_the_site_is_not_sent_again_to_who_has_it(api: Served) -> None:
    first = await api.call("GET", "/v1/site")
    tag = first.headers["ETag"]

    for seen in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        reply = await api.call("GET", "/v1/site", headers={"If-None-Match": seen})
        assert (reply.status, reply.body) == (304, b"")
        assert (reply.headers["ETag"], reply.headers["Cache-Control"]) == (tag, SITE_CACHE)
    for other in ('"other"', "", "nonsense", '"'):
        assert (await api.call("GET", "/v1/site", headers={"If-None-Match": other})).status == 200
    await api.store.topics.replace([Topic(id="world", name="The World")])
    assert (await api.call("GET", "/v1/site", headers={"If-None-Match": tag})).status == 200
