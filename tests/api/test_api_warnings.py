"""Warnings come with the answer or later, and never instead of it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from api_served import Served, changed, serve

from newsroom import SITE, Newsroom
from samples import a_draft
from tocsin.cautions import Cautions
from tocsin.settings import Settings

UNLIKE = {"headline": "Budget passed by one vote", "url": f"{SITE}/200"}


def codes(body: Any) -> list[str]:
    return [warning["code"] for warning in body["warnings"] if warning["code"] != "any_link_host"]


async def read(api: Served, alert_id: str) -> Any:
    reply = await api.call("GET", f"/v1/alerts/{alert_id}", headers=api.editor)
    assert reply.status == 200, reply.text
    return reply.json


@pytest.fixture
def opening(settings: Settings, newsroom: Newsroom, tmp_path: Path) -> Settings:
    """Settings with which links are opened."""
    # In a folder of its own: the certificates to trust are joined into a file there.
    return changed(
        settings,
        link_check=True,
        push_connect_to=(newsroom.connect_to,),
        push_ca_file=newsroom.ca_file,
        data_dir=tmp_path,
        vapid_private_key_file=settings.vapid_file,
    )


@pytest.fixture
async def desk(opening: Settings) -> AsyncIterator[Served]:
    async with serve(opening) as served:
        yield served


@pytest.fixture
async def cautions(api: Served, opening: Settings) -> AsyncIterator[Cautions]:
    made = Cautions(api.store, opening)
    yield made
    await made.close()


async def test_the_first_alert_is_like_no_other_and_the_second_is_told_so(api: Served) -> None:
    first, second = await api.queue(), await api.queue({"headline": "Aid convoy reaches ALEPPO!"})
    third = await api.queue(UNLIKE)

    assert (codes(first.json), codes(third.json)) == ([], [])
    assert (second.status, codes(second.json)) == (202, ["similar_alert"])
    (detail,) = [one["detail"] for one in second.json["warnings"] if one["code"] == "similar_alert"]
    assert first.json["headline"] in detail
    assert "ago" in detail


async def test_a_repeat_and_whoever_looks_later_are_told_the_same(api: Served) -> None:
    await api.queue()
    second = await api.queue(key="one-and-the-same-key")

    again = await api.queue(key="one-and-the-same-key")

    assert again.json["warnings"] == second.json["warnings"]
    assert codes(await read(api, second.json["id"])) == ["similar_alert"]


async def test_the_answer_does_not_wait_for_the_link(desk: Served, newsroom: Newsroom) -> None:
    queued = await desk.queue({"url": f"{SITE}/slow/404"})

    assert (queued.status, codes(queued.json)) == (202, [])  # had it waited, it would say that the link does not answer
    async with asyncio.timeout(10):
        while not newsroom.asked["HEAD /slow/404"]:
            await asyncio.sleep(0.01)
    newsroom.answer.set()


async def test_what_comes_later_is_kept_with_the_alert(desk: Served, newsroom: Newsroom) -> None:
    await desk.queue()
    queued = await desk.queue({"url": f"{SITE}/slow/404"})

    newsroom.answer.set()

    async with asyncio.timeout(10):
        while "link_not_ready" not in codes(alert := await read(desk, queued.json["id"])):
            await asyncio.sleep(0.01)
    assert codes(alert) == ["similar_alert", "link_not_ready"]
    assert alert["warnings"][-1]["detail"] == "the link answers 404"
    again = await desk.call("GET", "/v1/alerts", headers=desk.editor)
    assert len(again.json["alerts"]) == 2


async def test_an_estimate_waits_and_knows_all(cautions: Cautions, newsroom: Newsroom) -> None:
    newsroom.answer.set()

    good = await cautions.all(a_draft(url=f"{SITE}/slow/200"))
    bad = await cautions.all(a_draft(url=f"{SITE}/404"))

    assert [warned.code for warned in good] == ["any_link_host"]
    assert [warned.code for warned in bad] == ["any_link_host", "link_not_ready"]


async def test_what_an_estimate_found_is_in_the_answer_of_the_alert_after_it(
    cautions: Cautions, desk: Served, newsroom: Newsroom
) -> None:
    await cautions.all(a_draft(url=f"{SITE}/404"))
    queued = await desk.queue({"url": f"{SITE}/404"})
    alert = await desk.store.alerts.get(queued.json["id"])

    known = await cautions.known(alert.alert)

    assert [warned.code for warned in known] == ["any_link_host", "link_not_ready"]


async def test_a_link_that_no_reader_may_be_sent_to_is_not_opened(opening: Settings, newsroom: Newsroom) -> None:
    async with serve(changed(opening, allowed_link_hosts=("www.example.com",))) as strict:
        assert (await strict.queue({"url": f"{SITE}/200"})).status == 422
    assert newsroom.asked == {}


async def test_nothing_is_opened_where_the_check_is_off(opening: Settings, newsroom: Newsroom) -> None:
    async with serve(changed(opening, link_check=False)) as silent:
        queued = await silent.queue({"url": f"{SITE}/404"})
        assert codes(await read(silent, queued.json["id"])) == []
    assert newsroom.asked == {}


async def test_a_recent_alert_that_cannot_be_read_costs_nobody_the_next(cautions: Cautions, api: Served) -> None:
    queued = await api.queue()
    await api.store.server.redis.hset("{alerts}:alert:" + queued.json["id"], "state", "a state of tomorrow")

    assert [warned.code for warned in await cautions.all(a_draft(url=f"{SITE}/200"))] == ["any_link_host"]
    assert (await api.queue(UNLIKE)).status == 202
