"""Topics by API: made, changed and deleted one at a time, while readers keep what they follow."""

import asyncio
from typing import Any

import pytest
from api_served import Reply, Served, assert_problem, bearer, subscription_of

from tocsin.domain.topics import MAX_TOPICS, Topic
from tocsin.simulator.client import SimulatorClient

FIRST = ["world", "politics", "business", "sport", "culture"]


async def put(api: Served, topic_id: str, body: Any, **headers: str) -> Reply:
    return await api.call("PUT", f"/v1/topics/{topic_id}", body, {**api.editor, **headers})


async def delete(api: Served, topic_id: str, **headers: str) -> Reply:
    return await api.call("DELETE", f"/v1/topics/{topic_id}", headers={**api.editor, **headers})


async def ids(api: Served) -> list[str]:
    """As readers see them."""
    return [topic["id"] for topic in (await api.call("GET", "/v1/site")).json["topics"]]


async def test_a_new_topic_goes_to_the_end_and_is_there_for_readers(api: Served) -> None:
    body = {"name": "Our city", "description": "Traffic, weather", "default": True}

    made = await put(api, "city", body)

    assert (made.status, made.json) == (201, {"id": "city", **body})
    assert await ids(api) == [*FIRST, "city"]
    read = await api.call("GET", "/v1/topics/city", headers=api.editor)
    assert (read.status, read.json, read.headers["ETag"]) == (200, made.json, made.headers["ETag"])
    assert (await api.queue({"topics": ["city"]})).status == 202


async def test_a_change_keeps_the_place_and_is_whole(api: Served) -> None:
    await put(api, "politics", {"name": "Power", "description": "Who decides", "default": True})

    changed = await put(api, "politics", {"name": "Politics"})

    assert (changed.status, changed.json) == (
        200,
        {"id": "politics", "name": "Politics", "description": "", "default": False},
    )
    listed = await api.call("GET", "/v1/topics", headers=api.editor)
    assert [topic["id"] for topic in listed.json["topics"]] == FIRST
    assert changed.json in listed.json["topics"]


async def test_many_at_once_lose_nothing(api: Served) -> None:
    new = [f"new-{number}" for number in range(30)]

    replies = await asyncio.gather(*(put(api, topic_id, {"name": topic_id}) for topic_id in new))
    gone = await asyncio.gather(*(delete(api, topic_id) for topic_id in (*FIRST, *new[::2])))

    assert {reply.status for reply in replies} == {201}
    assert {reply.status for reply in gone} == {204}
    assert sorted(await ids(api)) == sorted(new[1::2])


async def test_a_deleted_topic_is_gone_and_its_readers_keep_their_others(
    api: Served, simulator: SimulatorClient
) -> None:
    key = (await api.call("GET", "/v1/site")).json["application_server_key"]
    (view,) = await simulator.create_browsers(1, "fcm", key)
    registered = (await api.register(subscription_of(view), {"topics": ["sport", "world"]})).json

    first, again = await delete(api, "sport"), await delete(api, "sport")

    assert (first.status, first.body) == (204, b"")
    assert_problem(again, 404, "not_found")
    assert_problem(await api.call("GET", "/v1/topics/sport", headers=api.editor), 404, "not_found")
    assert_problem(await api.queue({"topics": ["sport"]}), 422, "invalid", "topics[0]")
    path, token = f"/v1/subscriptions/{registered['id']}", bearer(registered["token"])
    assert (await api.call("GET", path, headers=token)).json["preferences"]["topics"] == ["sport", "world"]


async def test_the_last_topic_stays(api: Served) -> None:
    await api.store.topics.replace([Topic(id="world", name="World")])

    assert_problem(await delete(api, "world"), 409, "conflict")
    assert_problem(await delete(api, "sport"), 404, "not_found")
    assert await ids(api) == ["world"]


async def test_there_are_200_at_most(api: Served) -> None:
    await api.store.topics.replace([Topic(id=f"t{number}", name="T") for number in range(MAX_TOPICS)])

    assert_problem(await put(api, "one-more", {"name": "One more"}), 409, "conflict")
    assert (await put(api, "t7", {"name": "Seven"})).status == 200
    assert len(await ids(api)) == MAX_TOPICS


async def test_an_old_version_is_not_changed(api: Served) -> None:
    old = (await put(api, "sport", {"name": "Sports"})).headers["ETag"]
    new = (await put(api, "sport", {"name": "Sport"}, **{"If-Match": old})).headers["ETag"]

    for tag in (old, '"x"', "nonsense"):
        assert_problem(await put(api, "sport", {"name": "Games"}, **{"If-Match": tag}), 412, "precondition_failed")
        assert_problem(await delete(api, "sport", **{"If-Match": tag}), 412, "precondition_failed")
    assert_problem(await put(api, "games", {"name": "Games"}, **{"If-Match": "*"}), 412, "precondition_failed")
    assert (await put(api, "sport", {"name": "Sport"}, **{"If-Match": f"W/{new}"})).status == 200
    assert (await delete(api, "sport", **{"If-Match": new})).status == 204


BAD: dict[str, tuple[str, Any, list[str]]] = {
    "no name": ("city", {}, ["name"]),
    "an empty name": ("city", {"name": ""}, ["name"]),
    "a blank name": ("city", {"name": "  "}, ["name"]),
    "a long name": ("city", {"name": "x" * 61}, ["name"]),
    "a name that draws on terminals": ("city", {"name": "a\x1b[2Jb"}, ["name"]),
    "a description that misleads": ("city", {"name": "City", "description": "a\u202eb"}, ["description"]),
    "a long description": ("city", {"name": "City", "description": "x" * 201}, ["description"]),
    "default as text": ("city", {"name": "City", "default": "yes"}, ["default"]),
    "an id in the body": ("city", {"name": "City", "id": "city"}, ["id"]),
    "capitals": ("City", {"name": "City"}, ["id"]),
    "a long id": ("c" * 41, {"name": "City"}, ["id"]),
    "a dash first": ("-city", {"name": "City"}, ["id"]),
    "a line break": ("city%0A", {"name": "City"}, ["id"]),
}


@pytest.mark.parametrize(("topic_id", "body", "fields"), BAD.values(), ids=BAD)
async def test_a_topic_that_makes_no_sense_is_refused(api: Served, topic_id: str, body: Any, fields: list[str]) -> None:
    async with api.nothing_kept():
        assert_problem(await put(api, topic_id, body), 422, "invalid", *fields)
