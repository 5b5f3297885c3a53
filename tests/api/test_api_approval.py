"""The desk: drafts, edits that name their version, approval by a second person."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from api_served import Reply, Served, assert_problem, changed, serve

from tocsin import clock
from tocsin.settings import Settings
from town import ALERT, Town

DRAFT = {"state": "draft"}
JSON = {"Content-Type": "application/json"}
Headers = Mapping[str, str]


def in_days(days: int) -> str:
    return (clock.now().replace(microsecond=0) + timedelta(days=days)).isoformat().replace("+00:00", "Z")


SOON, LATER = in_days(5), in_days(6)


@pytest.fixture
async def desk(settings: Settings) -> AsyncIterator[Served]:
    """Where flash and breaking need a second person."""
    async with serve(changed(settings, approval=("flash", "breaking"))) as served:
        yield served


async def write(api: Served, who: Headers, **changes: Any) -> Reply:
    headers = {**who, "Idempotency-Key": api.with_key()["Idempotency-Key"]}
    return await api.call("POST", "/v1/alerts", {**ALERT, **changes}, headers)


async def step(api: Served, alert: Any, name: str, who: Headers, body: Any = None) -> Reply:
    body = {} if name == "approve" and body is None else body
    return await api.call("POST", f"/v1/alerts/{alert['id']}/{name}", body, who)


async def edit(api: Served, alert: Any, who: Headers, tag: str | None, **changes: Any) -> Reply:
    headers = {**who, "If-Match": tag} if tag else who
    return await api.call("PATCH", f"/v1/alerts/{alert['id']}", changes, headers)


async def read(api: Served, alert: Any) -> Reply:
    reply = await api.call("GET", f"/v1/alerts/{alert['id']}", headers=api.editor)
    assert reply.status == 200, reply.text
    return reply


async def state(api: Served, alert: Any) -> str:
    return str((await read(api, alert)).json["state"])


async def test_a_draft_is_kept_and_nobody_gets_it(api: Served) -> None:
    reply = await api.queue(DRAFT, "one-and-the-same-key")
    again = await api.queue(DRAFT, "one-and-the-same-key")

    assert (reply.status, again.status, reply.json["state"]) == (201, 201, "draft")
    assert again.json["id"] == reply.json["id"]
    assert reply.headers["Location"] == f"/v1/alerts/{reply.json['id']}"
    assert (await read(api, reply.json)).headers["ETag"] == reply.headers["ETag"]
    assert await api.store.alerts.open_ids() == []
    assert await api.store.alerts.timed() == {}
    assert await api.store.alerts.count() == 0
    assert await api.store.alerts.recent_with_ledgers() == []
    assert_problem(
        await api.queue({**DRAFT, "headline": "x"}, "one-and-the-same-key"), 422, "invalid", "Idempotency-Key"
    )


async def test_a_reporter_writes_drafts_and_does_nothing_else(api: Served) -> None:
    reporter = await api.api_key("reporter")

    draft = await write(api, reporter, state="draft")

    assert draft.status == 201
    assert_problem(await write(api, reporter), 403, "forbidden")
    for name in ("submit", "approve", "reject", "send", "stop"):
        assert_problem(await step(api, draft.json, name, reporter), 403, "forbidden")
    assert_problem(await edit(api, draft.json, reporter, draft.headers["ETag"], headline="x"), 403, "forbidden")
    assert await api.store.alerts.open_ids() == []
    assert_problem(await write(api, reporter, state="draft", headline=""), 422, "invalid", "headline")
    assert_problem(await write(api, reporter, state="sent"), 403, "forbidden")
    for body in (b"", b"{", b"[]", b'"draft"', b"[" * 20_000):
        reply = await api.call("POST", "/v1/alerts", headers={**reporter, **JSON}, data=body)
        assert_problem(reply, 403, "forbidden")


async def test_a_draft_is_sent_when_somebody_says_so(api: Served) -> None:
    draft = (await api.queue(DRAFT)).json

    sent = await step(api, draft, "send", api.editor)

    assert (sent.status, sent.json["state"]) == (200, "sending")
    assert sent.json["created_at"] > draft["created_at"]  # its time counts from when it goes out
    assert await api.store.alerts.open_ids() == [draft["id"]]
    assert await api.store.alerts.count() == 1


async def test_a_draft_goes_out_at_its_own_time(api: Served) -> None:
    scheduled = (await api.queue({**DRAFT, "send_at": SOON})).json
    undone = (await api.queue({**DRAFT, "undo_seconds": 15})).json

    assert (await step(api, scheduled, "send", api.editor)).json["state"] == "scheduled"
    assert (await step(api, undone, "send", api.editor)).json["state"] == "undo_window"
    assert set(await api.store.alerts.timed()) == {scheduled["id"], undone["id"]}
    assert await api.store.alerts.open_ids() == []


async def test_readers_get_what_was_approved(town: Town) -> None:
    views = await town.subscribe(3)
    draft = await town.draft()
    path = f"/v1/alerts/{draft['id']}"
    _, edited = await town.call("PATCH", path, {"headline": "As it is now"}, {**town.editor, "If-Match": '"0-draft"'})
    assert edited["headline"] == "As it is now"

    status, _ = await town.call("POST", f"{path}/send", headers=town.editor)

    assert status == 200
    ended = await town.ended(draft["id"])
    assert (ended["state"], ended["progress"]["accepted"], ended["progress"]["within_120_s"]) == ("sent", 3, 3)
    assert await town.got(draft["id"], views) == [1, 1, 1]


async def test_an_edit_names_its_version(api: Served) -> None:
    first = await api.queue(DRAFT)
    alert, tag = first.json, first.headers["ETag"]

    edited = await edit(api, alert, api.editor, tag, headline="Better", body=None)

    assert (edited.status, edited.json["headline"], edited.json["body"]) == (200, "Better", "")
    assert edited.json["topics"] == alert["topics"]
    assert edited.headers["ETag"] == (await read(api, alert)).headers["ETag"] != tag
    assert_problem(await edit(api, alert, api.editor, None, headline="x"), 428, "precondition_required")
    for stale in (tag, '"x"', "nonsense"):
        assert_problem(await edit(api, alert, api.editor, stale, headline="x"), 412, "precondition_failed")
    assert (await read(api, alert)).json["headline"] == "Better"


async def test_of_two_edits_at_once_one_is_told_to_read_again(api: Served) -> None:
    first = await api.queue(DRAFT)
    edits = [edit(api, first.json, api.editor, first.headers["ETag"], headline=f"No {n}") for n in range(10)]

    replies = await asyncio.gather(*edits)

    assert sorted(reply.status for reply in replies) == [200, *[412] * 9]
    (done,) = [reply for reply in replies if reply.status == 200]
    assert (await read(api, first.json)).json["headline"] == done.json["headline"]


BAD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no headline": ({"headline": None}, ["headline"]),
    "an empty headline": ({"headline": ""}, ["headline"]),
    "an override": ({"body": "a\u202eb"}, ["body"]),
    "a topic that is not there": ({"topics": ["nowhere"]}, ["topics[0]"]),
    "no topic": ({"topics": []}, ["topics"]),
    "a state": ({"state": "sending"}, ["state"]),
    "an id": ({"id": "x"}, ["id"]),
    "ttl as text": ({"ttl": "1"}, ["ttl"]),
    "a past": ({"send_at": "2020-01-01T00:00:00Z"}, ["send_at"]),
    "far too much": ({"headline": "😀" * 120, "body": "👨‍👩‍👧‍👦" * 100}, ["body"]),
}


@pytest.mark.parametrize(("changes", "fields"), BAD.values(), ids=BAD)
async def test_an_edit_that_makes_no_sense_changes_nothing(
    api: Served, changes: dict[str, Any], fields: list[str]
) -> None:
    first = await api.queue(DRAFT)

    async with api.nothing_kept():
        assert_problem(
            await edit(api, first.json, api.editor, first.headers["ETag"], **changes), 422, "invalid", *fields
        )


async def test_what_is_out_is_not_edited(api: Served) -> None:
    sent = await api.queue()

    assert_problem(await edit(api, sent.json, api.editor, sent.headers["ETag"], headline="x"), 409, "conflict")


async def test_a_schedule_is_edited_and_put_off(api: Served) -> None:
    first = await api.queue({"send_at": SOON})

    moved = await edit(api, first.json, api.editor, first.headers["ETag"], send_at=LATER)

    assert (moved.json["state"], moved.json["send_at"]) == ("scheduled", LATER)
    assert [due.isoformat()[:19] for due in (await api.store.alerts.timed()).values()] == [LATER[:19]]
    assert await api.store.alerts.count() == 1


async def test_a_level_that_needs_a_second_person_waits_for_one(desk: Served) -> None:
    author, second = await desk.api_key("editor"), await desk.api_key("editor")

    waits = await write(desk, author)
    free = await write(desk, author, level="update")

    assert (waits.status, waits.json["state"], waits.json["approved_by"]) == (202, "awaiting_approval", None)
    assert (free.status, free.json["state"]) == (202, "sending")
    assert await desk.store.alerts.open_ids() == [free.json["id"]]
    assert_problem(await step(desk, waits.json, "approve", author), 403, "forbidden")
    assert_problem(await step(desk, waits.json, "send", second), 409, "conflict")
    approved = await step(desk, waits.json, "approve", second)
    assert (approved.status, approved.json["state"]) == (200, "sending")
    assert approved.json["approved_by"] not in (None, approved.json["author"])
    assert await desk.store.alerts.count() == 2


async def test_an_approval_is_of_what_was_read(desk: Served) -> None:
    author, second = await desk.api_key("editor"), await desk.api_key("editor")
    waits = await write(desk, author)
    seen = waits.json["content_hash"]
    edited = await edit(desk, waits.json, author, waits.headers["ETag"], headline="Another")

    assert edited.json["state"] == "awaiting_approval"
    assert edited.json["content_hash"] != seen
    assert_problem(await step(desk, waits.json, "approve", second, {"content_hash": seen}), 409, "conflict")
    assert await state(desk, waits.json) == "awaiting_approval"
    body = {"content_hash": edited.json["content_hash"]}
    assert (await step(desk, waits.json, "approve", second, body)).json["state"] == "sending"
    assert_problem(
        await step(desk, waits.json, "approve", second, {"content_hash": "x"}), 422, "invalid", "content_hash"
    )


async def test_an_edit_voids_the_approval_and_who_edits_writes(desk: Served) -> None:
    author, second, third = [await desk.api_key("editor") for _ in range(3)]
    waits = await write(desk, author, send_at=SOON)
    approved = await step(desk, waits.json, "approve", second)
    assert (approved.json["state"], len(await desk.store.alerts.timed())) == ("scheduled", 1)

    edited = await edit(desk, waits.json, second, approved.headers["ETag"], headline="Another")

    assert (edited.json["state"], edited.json["approved_by"]) == ("awaiting_approval", None)
    assert await desk.store.alerts.timed() == {}
    for writer in (author, second):
        assert_problem(await step(desk, waits.json, "approve", writer), 403, "forbidden")
    assert (await step(desk, waits.json, "approve", third)).json["state"] == "scheduled"
    assert await desk.store.alerts.count() == 1


async def test_a_bigger_level_needs_the_second_person_after_all(desk: Served) -> None:
    author = await desk.api_key("editor")
    first = await write(desk, author, level="update", send_at=SOON)
    assert first.json["state"] == "scheduled"

    edited = await edit(desk, first.json, author, first.headers["ETag"], level="flash")

    assert edited.json["state"] == "awaiting_approval"


async def test_sending_a_draft_asks_for_approval_where_that_is_needed(desk: Served) -> None:
    author = await desk.api_key("editor")
    draft = (await write(desk, author, state="draft")).json

    assert (await step(desk, draft, "send", author)).json["state"] == "awaiting_approval"
    assert await desk.store.alerts.open_ids() == []


async def test_submitting_and_rejecting(api: Served) -> None:
    draft = (await api.queue(DRAFT)).json
    editor = await api.api_key("editor")

    for _ in range(2):  # a repeat changes nothing
        assert (await step(api, draft, "submit", editor)).json["state"] == "awaiting_approval"
    for _ in range(2):
        rejected = await step(api, draft, "reject", editor)
        assert (rejected.json["state"], rejected.json["ended_at"] is None) == ("rejected", False)
    for name in ("submit", "approve", "send", "stop"):
        assert_problem(await step(api, draft, name, editor), 409, "conflict")
    assert_problem(await edit(api, draft, editor, (await read(api, draft)).headers["ETag"], body="x"), 409, "conflict")


async def test_of_many_approvals_at_once_one_counts(desk: Served) -> None:
    waits = (await write(desk, await desk.api_key("editor"))).json
    seconds = [await desk.api_key("editor") for _ in range(5)]

    replies = await asyncio.gather(*(step(desk, waits, "approve", who) for who in seconds))

    assert sorted(reply.status for reply in replies) == [200, 409, 409, 409, 409]
    assert await desk.store.alerts.open_ids() == [waits["id"]]
    assert await desk.store.alerts.count() == 1


async def test_a_draft_whose_topic_is_gone_cannot_go_out(api: Served) -> None:
    draft = (await api.queue(DRAFT)).json
    await api.store.topics.replace([topic for topic in await api.store.topics.all() if topic.id != "world"])

    assert_problem(await step(api, draft, "send", api.editor), 422, "invalid", "topics[0]")
    assert await state(api, draft) == "draft"


async def test_steps_of_an_unknown_alert_are_404(api: Served) -> None:
    for name in ("submit", "approve", "reject", "send"):
        assert_problem(await step(api, {"id": "x"}, name, api.editor), 404, "not_found")
    assert_problem(await edit(api, {"id": "x"}, api.editor, '"x"', body="x"), 404, "not_found")


async def test_drafts_are_listed_by_their_state_and_shown_to_nobody_else(api: Served) -> None:
    draft = (await api.queue(DRAFT)).json
    await api.queue({"headline": "Sent", "level": "update"})

    listed = await api.call("GET", "/v1/alerts?state=draft", headers=api.editor)
    public = await api.call("GET", "/v1/alerts/recent")

    assert [alert["id"] for alert in listed.json["alerts"]] == [draft["id"]]
    assert draft["id"] not in public.text


async def test_a_correction_waits_for_its_approval_and_takes_its_place_then(desk: Served) -> None:
    author, second = await desk.api_key("editor"), await desk.api_key("editor")
    first = (await write(desk, author)).json
    assert (await step(desk, first, "approve", second)).status == 200

    correction = await desk.call("POST", f"/v1/alerts/{first['id']}/correction", {"headline": "Right"}, author)

    assert (correction.status, correction.json["state"]) == (202, "awaiting_approval")
    assert (await read(desk, first)).json["corrected_by"] is None
    assert_problem(await step(desk, correction.json, "approve", author), 403, "forbidden")
    tag = correction.headers["ETag"]
    assert_problem(await edit(desk, correction.json, author, tag, undo_seconds=5), 422, "invalid", "undo_seconds")
    assert (await step(desk, correction.json, "approve", second)).json["state"] == "sending"
    assert (await read(desk, first)).json["corrected_by"] == correction.json["id"]
