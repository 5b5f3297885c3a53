"""An alert's way through the API: queued once, listed, read, stopped."""

import asyncio
import re
from typing import Any
from urllib.parse import urlencode

import pytest
from api_served import Served, assert_problem, bearer

from tocsin.api.models import ProgressView
from town import ALERT, PARTS, Town


async def pages(api: Served, query: str) -> list[list[str]]:
    """The ids on each page, by following Link."""
    found, path = [], f"/v1/alerts?{query}"
    while path:
        reply = await api.call("GET", path, headers=api.editor)
        assert reply.status == 200, reply.text
        found.append([alert["id"] for alert in reply.json["alerts"]])
        link = reply.headers.get("Link", "")
        assert bool(link) == (reply.json["next"] is not None)
        path = link.removeprefix("<").partition(">")[0]
        assert not link or re.fullmatch(r'</v1/alerts\?[^>]*>; rel="next"', link)
    return found


async def queued(api: Served, count: int) -> list[str]:
    return [(await api.queue({"headline": f"No {number}"})).json["id"] for number in range(count)]


async def test_an_alert_is_queued_and_told_where_it_is(api: Served) -> None:
    reply = await api.queue()

    assert reply.status == 202
    alert = reply.json
    assert reply.headers["Location"] == f"/v1/alerts/{alert['id']}"
    assert {name: alert[name] for name in ALERT} == ALERT
    assert (alert["state"], alert["author"], alert["ttl"]) == ("sending", "admin-key", 14_400)
    assert (alert["began_at"], alert["ended_at"]) == (None, None)
    assert {name: alert["progress"][name] for name in ("eligible", *PARTS)} == dict.fromkeys(("eligible", *PARTS), 0)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", alert["created_at"])
    read = await api.call("GET", reply.headers["Location"], headers=api.editor)
    assert (read.status, {**read.json, "warnings": alert["warnings"]}) == (200, alert)


async def test_a_repeat_gives_the_same_alert_however_its_body_is_written(api: Served) -> None:
    first = await api.queue({"ttl": 14_400}, "one-and-the-same-key")
    backwards = dict(reversed(ALERT.items()))

    again = await api.call("POST", "/v1/alerts", backwards, api.with_key("one-and-the-same-key"))

    assert (again.status, again.json["id"]) == (202, first.json["id"])
    assert again.headers["Location"] == first.headers["Location"]
    assert await api.store.alerts.count() == 1


@pytest.mark.parametrize("changes", [{"headline": "Another"}, {"level": "flash"}, {"topics": ["sport"]}, {"ttl": 1}])
async def test_another_body_with_a_used_key_is_refused(api: Served, changes: dict[str, Any]) -> None:
    await api.queue(key="one-and-the-same-key")

    async with api.nothing_kept():
        assert_problem(await api.queue(changes, "one-and-the-same-key"), 422, "invalid", "Idempotency-Key")


async def test_a_key_belongs_to_who_used_it(api: Served) -> None:
    ids = set()
    for headers in (await api.api_key("editor"), await api.api_key("editor"), api.editor):
        reply = await api.call("POST", "/v1/alerts", ALERT, {**headers, "Idempotency-Key": "the-same-key-for-all"})
        assert reply.status == 202
        ids.add(reply.json["id"])
    assert len(ids) == 3


async def test_fifty_at_once_with_one_key_are_one_alert(api: Served) -> None:
    replies = await asyncio.gather(*(api.queue(key="one-and-the-same-key") for _ in range(50)))

    assert {reply.status for reply in replies} == {202}
    assert len({reply.json["id"] for reply in replies}) == 1
    assert await api.store.alerts.count() == 1


async def test_a_repeat_is_answered_whatever_changed_since(api: Served) -> None:
    first = await api.queue(key="one-and-the-same-key")
    await api.store.topics.replace([topic for topic in await api.store.topics.all() if topic.id != "world"])

    again = await api.queue(key="one-and-the-same-key")

    assert (again.status, again.json["id"]) == (202, first.json["id"])
    assert (await api.queue()).status == 422


async def test_the_list_goes_page_by_page_newest_first(api: Served) -> None:
    ids = await queued(api, 7)
    newest = ids[::-1]

    assert await pages(api, "limit=3") == [newest[:3], newest[3:6], newest[6:]]
    assert await pages(api, "limit=7") == [newest]
    assert await pages(api, "") == [newest]


async def test_nothing_is_an_empty_page(api: Served) -> None:
    reply = await api.call("GET", "/v1/alerts", headers=api.editor)

    assert reply.json == {"alerts": [], "next": None}


async def test_news_between_two_pages_repeats_and_loses_nothing(api: Served) -> None:
    ids = await queued(api, 4)
    first = await api.call("GET", "/v1/alerts?limit=2", headers=api.editor)
    await queued(api, 2)

    second = await api.call("GET", f"/v1/alerts?limit=2&cursor={first.json['next']}", headers=api.editor)

    assert [alert["id"] for alert in second.json["alerts"]] == [ids[1], ids[0]]


async def test_the_list_can_be_of_one_state(api: Served) -> None:
    ids = await queued(api, 6)
    for alert_id in ids[::2]:
        assert (await api.call("POST", f"/v1/alerts/{alert_id}/stop", headers=api.editor)).status == 200

    assert await pages(api, "state=stopped&limit=2") == [[ids[4], ids[2]], [ids[0]]]
    assert await pages(api, "state=sending") == [[ids[5], ids[3], ids[1]]]
    assert await pages(api, "state=sent") == [[]]


BAD_QUERIES = {
    "state=new": "state",
    "state=": "state",
    "limit=0": "limit",
    "limit=101": "limit",
    "limit=x": "limit",
    "limit=1e400": "limit",
    "cursor=x": "cursor",
    "cursor=%00": "cursor",
    "cursor=%ff": "cursor",
    "cursor=" + "x" * 41: "cursor",
    "state=sent&state=sent": "state",
    "q=" + "x" * 121: "q",
    "page=2": "page",
    "%ED%A0%80=1": "",
}


@pytest.mark.parametrize(("query", "field"), BAD_QUERIES.items(), ids=BAD_QUERIES)
async def test_a_query_that_makes_no_sense_is_refused_by_its_name(api: Served, query: str, field: str) -> None:
    reply = await api.call("GET", f"/v1/alerts?{query}", headers=api.editor)

    assert reply.status == 422
    (fault,) = reply.json["errors"]
    assert field in (fault["field"], "")


async def test_an_unknown_alert_is_404(api: Served) -> None:
    for method, path in (("GET", "/v1/alerts/x"), ("POST", "/v1/alerts/x/stop"), ("GET", "/v1/alerts/" + "0" * 22)):
        assert_problem(await api.call(method, path, headers=api.editor), 404, "not_found")


async def test_stopping_twice_is_stopped(api: Served) -> None:
    (alert_id,) = await queued(api, 1)
    path = f"/v1/alerts/{alert_id}"

    for _ in range(2):
        reply = await api.call("POST", f"{path}/stop", headers=api.editor)
        assert (reply.status, reply.json["state"]) == (200, "stopped")
    assert (await api.call("GET", path, headers=api.editor)).json["state"] == "stopped"


async def test_what_is_over_says_so_and_cannot_be_stopped(town: Town) -> None:
    await town.subscribe(3)
    ended = await town.ended((await town.send())["id"])
    path = f"/v1/alerts/{ended['id']}"

    status, problem = await town.call("POST", f"{path}/stop", headers=town.editor)

    assert (status, problem["code"]) == (409, "conflict")
    assert (await town.call("GET", path, headers=town.editor))[1] == ended
    assert (ended["state"], ended["progress"]["accepted"]) == ("sent", 3)
    assert ended["created_at"] <= ended["began_at"] <= ended["progress"]["first_at"] <= ended["ended_at"]
    assert set(ended["progress"]) == set(ProgressView.model_fields)


async def test_an_api_key_is_shown_once_works_and_ends(api: Served) -> None:
    made = await api.call("POST", "/v1/keys", {"name": "Night desk", "roles": ["editor", "ops"]}, api.editor)
    key = made.json["key"]

    listed = await api.call("GET", "/v1/keys", headers=api.editor)
    assert (made.status, set(made.json)) == (201, {"id", "key"})
    (view,) = listed.json["keys"]
    assert (view["id"], view["name"], view["roles"]) == (made.json["id"], "Night desk", ["editor", "ops"])
    assert key not in listed.text
    assert key not in repr(await api.kept())
    assert (await api.call("GET", "/v1/alerts", headers=bearer(key))).status == 200
    assert (await api.call("GET", "/v1/keys", headers=bearer(key))).status == 403
    for other in (key[:-1], key + "x", key.upper(), key.replace("tk_", "xx_"), key.rpartition("_")[0]):
        assert (await api.call("GET", "/v1/alerts", headers=bearer(other))).status == 401

    path = f"/v1/keys/{made.json['id']}"
    assert (await api.call("DELETE", path, headers=api.editor)).status == 204
    assert_problem(await api.call("DELETE", path, headers=api.editor), 404, "not_found")
    assert_problem(await api.call("GET", "/v1/alerts", headers=bearer(key)), 401, "unauthorized")


BAD_KEYS: dict[str, tuple[Any, list[str]]] = {
    "no name": ({"roles": ["editor"]}, ["name"]),
    "an empty name": ({"name": "", "roles": ["editor"]}, ["name"]),
    "a long name": ({"name": "x" * 61, "roles": ["editor"]}, ["name"]),
    "no roles": ({"name": "x", "roles": []}, ["roles"]),
    "an unknown role": ({"name": "x", "roles": ["king"]}, ["roles[0]"]),
    "one role": ({"name": "x", "roles": "editor"}, ["roles"]),
    "a key of one's own": ({"name": "x", "roles": ["editor"], "key": "k"}, ["key"]),
    "topics": ({"name": "x", "roles": ["editor"], "topics": ["world"]}, ["topics"]),
    "levels": ({"name": "x", "roles": ["editor"], "levels": ["update"]}, ["levels"]),
    "a name that draws on terminals": ({"name": "a\x1b[2Jb", "roles": ["editor"]}, ["name"]),
}


@pytest.mark.parametrize(("body", "fields"), BAD_KEYS.values(), ids=BAD_KEYS)
async def test_a_key_that_makes_no_sense_is_refused(api: Served, body: Any, fields: list[str]) -> None:
    async with api.nothing_kept():
        assert_problem(await api.call("POST", "/v1/keys", body, api.editor), 422, "invalid", *fields)


SOUGHT = {
    "headline": ("convoy", [0, 2]),
    "body": ("three weeks", [1]),
    "another case": ("CONVOY", [0, 2]),
    "ß and SS": ("STRASSE", [3]),
    "an accent typed apart": ("cafe\u0301", [3]),
    "brackets are no pattern": ("(x.*", [4]),
    "nobody wrote it": ("parliament", []),
    "across headline and body": ("Aleppo The", []),
    "nothing": ("", [0, 1, 2, 3, 4]),
}


@pytest.mark.parametrize(("words", "numbers"), SOUGHT.values(), ids=SOUGHT)
async def test_words_are_sought_in_headline_and_body(api: Served, words: str, numbers: list[int]) -> None:
    texts = [("Aid convoy", ""), ("Aleppo", "The first in three weeks"), ("Another Convoy", "x"), ("Café Straße", "")]
    for headline, body in [*texts, ("(x.*", "")]:
        assert (await api.queue({"headline": headline, "body": body})).status == 202
    all_ids = (await pages(api, "limit=5"))[0][::-1]

    found = await pages(api, urlencode({"q": words, "limit": 3}))

    assert [alert_id for page in found for alert_id in page] == [all_ids[number] for number in numbers[::-1]]


async def test_a_search_goes_page_by_page_and_with_a_state(api: Served) -> None:
    ids = await queued(api, 6)
    await api.queue({"headline": "Something else"})
    assert (await api.call("POST", f"/v1/alerts/{ids[0]}/stop", headers=api.editor)).status == 200

    assert await pages(api, "q=no&limit=4") == [ids[:1:-1], [ids[1], ids[0]]]
    assert await pages(api, "q=no&state=stopped") == [[ids[0]]]
