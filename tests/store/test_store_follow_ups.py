"""Corrections and retractions: made once, and to those who had the first, whichever run is made first."""

from typing import Any

from store_hands import ALL, begin_run, work_off
from store_sound import add_some
from store_workers import PlayedRuntime, Silent, an_application_server

from samples import an_alert
from tocsin import clock
from tocsin.domain.alerts import Correction, Retraction
from tocsin.publishing import Publishing
from tocsin.settings import Settings
from tocsin.store.alerts import OPEN
from tocsin.store.runs import Unbegun
from tocsin.store.store import Store
from tocsin_workers.begin import begin

KEY = "one-call-of-an-editor"


def publishing_of(store: Store, settings: Settings) -> Publishing:
    silent: Any = Silent()
    return Publishing(store, silent, settings, silent)


async def test_a_follow_up_that_comes_first_makes_the_run_before_it(store: Store, servers: Settings) -> None:
    """Two machines of the API whose clocks differ: the correction seems to be the older one."""
    await add_some(store, 3)
    root = an_alert(now=clock.now())
    await store.alerts.queue(root, KEY)
    made = await publishing_of(store, servers).correct(root.id, Correction(headline="Otherwise"), "desk", None)
    follow_up = made.status.alert
    await store.server.redis.zadd(OPEN, {follow_up.id: 1})
    assert await store.runs.claim(ALL, ()) == Unbegun(follow_up.id)

    runtime: Any = PlayedRuntime(servers, store, an_application_server())
    await begin(runtime, follow_up.id)

    assert await store.runs.bounds(follow_up.id) == await store.runs.bounds(root.id) == {"fcm": 3}
    assert {alert_id for alert_id, _ in await work_off(store)} == {root.id, follow_up.id}


async def test_the_same_words_make_it_once_whatever_came_since(store: Store, servers: Settings) -> None:
    root = an_alert(now=clock.now())
    await store.alerts.queue(root, KEY)
    await begin_run(store, root.id, {})
    publishing = publishing_of(store, servers)
    calls = [
        (Correction(headline="One", body="The first."), "one".ljust(16)),
        (Correction(headline="Two", body="The second."), "two".ljust(16)),
        (Correction(headline="One"), "three".ljust(16)),
        (Retraction(reason="It is not so."), "four".ljust(16)),
    ]
    made = [await publishing.correct(root.id, words, "desk", key) for words, key in calls]
    assert [each.is_new for each in made] == [True] * 4

    again = [await publishing.correct(root.id, words, "desk", key) for words, key in calls]

    assert [each.is_new for each in again] == [False] * 4
    assert [each.status.alert for each in again] == [each.status.alert for each in made]
    assert len(await store.alerts.chain(root.id)) == 5
