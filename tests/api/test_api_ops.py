"""What operators and their machines read: is it up, how deep are the queues, the metrics by their promised names."""

import re
from typing import Any

import pytest
from api_served import Served, assert_problem, changed, serve
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from samples import a_subscription
from tocsin import clock
from tocsin.clock import milliseconds
from tocsin.domain.pace import WindowReport
from tocsin.domain.preferences import Preferences
from tocsin.domain.subscriptions import Address
from tocsin.store.prekeys import Prekeys
from town import Town

QUEUES = {"priority", "standard", "maintenance"}
PUSH_SERVICES = {"fcm", "mozilla", "apple", "wns"}
PROMISED = {
    "tocsin_alerts_queued_total": set(),
    "tocsin_push_attempts_total": {"push_service", "outcome"},
    "tocsin_unaccounted": set(),
    "tocsin_queue_depth": {"queue"},
    "tocsin_queue_oldest_age_seconds": {"queue"},
    "tocsin_breaker_open": {"push_service"},
    "tocsin_push_service_stopped": {"push_service"},
    "tocsin_quarantined_subscriptions": {"push_service"},
    "tocsin_subscriptions": {"push_service"},
    "tocsin_leases_lapsed_total": set(),
    "tocsin_receipts_total": {"fate"},
    "tocsin_prekeys": set(),
    "tocsin_prekeys_wanted": set(),
    "tocsin_prekeys_made_total": set(),
    "tocsin_prekeys_used_total": set(),
    "tocsin_prekeys_missed_total": set(),
    "tocsin_canary_age_seconds": set(),
    "tocsin_build_info": {"version"},
    "tocsin_queued_to_first_request_seconds_bucket": {"le"},
    "tocsin_queued_to_first_request_seconds_count": set(),
    "tocsin_queued_to_first_request_seconds_sum": set(),
    "tocsin_queued_to_accepted_seconds_bucket": {"le"},
    "tocsin_queued_to_accepted_seconds_count": set(),
    "tocsin_queued_to_accepted_seconds_sum": set(),
}
Samples = dict[str, dict[tuple[tuple[str, str], ...], float]]


def parsed(text: str) -> Samples:
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation
        assert family.type in ("counter", "gauge", "histogram")
        for sample in family.samples:
            samples = found.setdefault(sample.name, {})
            labels = tuple(sorted(sample.labels.items()))
            assert labels not in samples
            samples[labels] = sample.value
    return found


def labelled(samples: Samples, name: str, label: str) -> set[str]:
    return {dict(labels)[label] for labels in samples[name]}


async def test_every_promised_metric_is_there_before_its_first_use(api: Served) -> None:
    reply = await api.call("GET", "/metrics")
    samples = parsed(reply.text)

    assert reply.headers["Content-Type"].startswith("text/plain; version=")
    for name, labels in PROMISED.items():
        assert name in samples
        assert all({label for label, _ in key} == labels for key in samples[name]), name
    assert labelled(samples, "tocsin_queue_depth", "queue") == QUEUES
    assert labelled(samples, "tocsin_queue_oldest_age_seconds", "queue") == QUEUES
    for name in [name for name, labels in PROMISED.items() if "push_service" in labels]:
        assert labelled(samples, name, "push_service") >= PUSH_SERVICES
    zero = {name: values for name, values in samples.items() if name != "tocsin_build_info"}
    assert {value for values in zero.values() for value in values.values()} == {0}


async def test_histograms_rise_to_their_count(api: Served) -> None:
    samples = parsed((await api.call("GET", "/metrics")).text)

    for name in ("tocsin_queued_to_first_request_seconds", "tocsin_queued_to_accepted_seconds"):
        rows = sorted((float(dict(labels)["le"]), value) for labels, value in samples[f"{name}_bucket"].items())
        assert [value for _, value in rows] == sorted(value for _, value in rows)
        assert rows[-1] == (float("inf"), samples[f"{name}_count"][()])


async def test_metrics_count_what_was_done(town: Town) -> None:
    before = await scraped(town)
    await town.subscribe(5)
    await town.ended((await town.send())["id"])
    after = await scraped(town, lambda samples: accepted(samples) >= accepted(before) + 5)

    assert after["tocsin_alerts_queued_total"][()] == 1
    assert after["tocsin_subscriptions"][(("push_service", "fcm"),)] == 5
    assert after["tocsin_unaccounted"][()] == 0
    assert after["tocsin_queued_to_first_request_seconds_count"][()] == 1


def accepted(samples: Samples) -> float:
    return samples["tocsin_push_attempts_total"][(("outcome", "accepted"), ("push_service", "fcm"))]


async def scraped(town: Town, wanted: Any = lambda _: True) -> Samples:
    """Processes write their counts once a second."""
    while True:
        async with town.session.get("/metrics") as response:
            assert response.status == 200
            samples = parsed(await response.text())
        if wanted(samples):
            return samples


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "Via", "X-Real-IP"])
async def test_metrics_through_a_proxy_need_the_role(api: Served, header: str) -> None:
    proxied = {header: "127.0.0.1"}

    for trusted in ((), ("127.0.0.1",)):
        async with serve(changed(api.settings, trusted_proxies=trusted)) as served:
            assert_problem(await served.call("GET", "/metrics", headers=proxied), 401, "unauthorized")
            editor, ops = await served.api_key("editor"), await served.api_key("ops")
            assert_problem(await served.call("GET", "/metrics", headers={**proxied, **editor}), 403, "forbidden")
            assert (await served.call("GET", "/metrics", headers={**proxied, **ops})).status == 200


async def test_alive_and_ready_are_open_to_all(api: Served) -> None:
    live, ready = await api.call("GET", "/livez"), await api.call("GET", "/readyz")

    assert (live.status, live.text) == (200, "ok\n")
    assert (ready.status, ready.json) == (200, {"ready": True, "checks": {"store": "ok", "broker": "ok"}})


async def test_the_queues_say_what_waits(api: Served) -> None:
    await api.queue({"level": "flash"})
    await api.queue({"level": "update"})

    answer = (await api.call("GET", "/v1/ops/queues", headers=await api.api_key("ops"))).json

    queues = {queue["queue"]: queue for queue in answer["queues"]}
    assert queues.keys() == QUEUES
    assert [queues[name]["waiting"] for name in ("priority", "standard")] == [1, 1]
    assert all(queues[name]["oldest_age_seconds"] >= 0 for name in ("priority", "standard"))
    assert {queue["in_work"] for queue in queues.values()} == {0}
    assert answer["unaccounted"] == 0


async def test_every_known_push_service_is_told_of(api: Served) -> None:
    answer = (await api.call("GET", "/v1/ops/push-services", headers=await api.api_key("ops"))).json

    views = {view["push_service"]: view for view in answer["push_services"]}
    assert views.keys() >= PUSH_SERVICES
    for view in views.values():
        assert view["subscriptions"] == 0
        assert set(view["answers"].values()) == {0}
        assert (view["held_until"], view["latency_ms"], view["statuses"]) == (None, None, {})
        assert (view["breaker"], view["quarantined"]) == ("closed", 0)
        for name in ("retry_after_until", "pace_per_second", "stopped", "storm_since"):
            assert view[name] is None


@pytest.fixture
async def ops(api: Served) -> dict[str, str]:
    return await api.api_key("ops")


async def test_a_queue_is_paused_and_goes_on(api: Served, ops: dict[str, str]) -> None:
    for _ in range(2):
        paused = await api.call("POST", "/v1/ops/queues/standard/pause", headers=ops)
        assert (paused.status, paused.json["queue"], paused.json["paused"]) == (200, "standard", True)
    assert await paused_queues(api, ops) == {"standard"}
    resumed = await api.call("POST", "/v1/ops/queues/standard/resume", headers=ops)
    assert (resumed.status, resumed.json["paused"]) == (200, False)
    assert await paused_queues(api, ops) == set()


async def paused_queues(api: Served, ops: dict[str, str]) -> set[str]:
    queues = (await api.call("GET", "/v1/ops/queues", headers=ops)).json["queues"]
    return {queue["queue"] for queue in queues if queue["paused"]}


@pytest.mark.parametrize("path", ["queues/nonsense/pause", "queues/Priority/resume", "push-services/nobody/resume"])
async def test_what_is_not_there_is_neither_paused_nor_resumed(api: Served, ops: dict[str, str], path: str) -> None:
    async with api.nothing_kept():
        assert_problem(await api.call("POST", f"/v1/ops/{path}", headers=ops), 404, "not_found")


async def reported(api: Served, push_service: str, window: WindowReport) -> None:
    """What a worker tells, and the log with it: that an operator is alarmed is meant here."""
    with capture_logs():
        await api.store.pace.report(push_service, window)


async def view_of(api: Served, ops: dict[str, str], name: str) -> Any:
    views = (await api.call("GET", "/v1/ops/push-services", headers=ops)).json["push_services"]
    return next(view for view in views if view["push_service"] == name)


async def gauges(api: Served, name: str) -> dict[str, float]:
    samples = parsed((await api.call("GET", "/metrics")).text)
    return {dict(labels)["push_service"]: value for labels, value in samples[name].items() if value}


async def test_a_stopped_push_service_is_seen_and_resumed(api: Served, ops: dict[str, str]) -> None:
    await reported(api, "apple", WindowReport(refused=20))

    assert (await view_of(api, ops, "apple"))["stopped"] == "vapid_refused"
    assert await gauges(api, "tocsin_push_service_stopped") == {"apple": 1}
    assert await gauges(api, "tocsin_breaker_open") == {"apple": 1}

    resumed = await api.call("POST", "/v1/ops/push-services/apple/resume", headers=ops)
    assert (resumed.status, resumed.json["push_service"], resumed.json["stopped"]) == (200, "apple", None)
    assert await gauges(api, "tocsin_breaker_open") == await gauges(api, "tocsin_push_service_stopped") == {}


async def test_an_open_breaker_is_seen_and_closed(api: Served, ops: dict[str, str]) -> None:
    await api.store.pace.grant("push.example.com", "an-alert", None, 10, 0)
    await reported(api, "push.example.com", WindowReport(failed=20))

    view = await view_of(api, ops, "push.example.com")
    assert view["breaker"] in ("open", "half_open")
    assert view["retry_after_until"] is None
    assert view["pace_per_second"] == 2_000
    assert await gauges(api, "tocsin_breaker_open") == {"push.example.com": 1}

    resumed = await api.call("POST", "/v1/ops/push-services/push.example.com/resume", headers=ops)
    assert (resumed.json["breaker"], resumed.json["held_until"]) == ("closed", None)


async def test_a_retry_after_is_told_and_is_no_open_breaker(api: Served, ops: dict[str, str]) -> None:
    await reported(api, "wns", WindowReport(throttled=1, retry_after=60))

    view = await view_of(api, ops, "wns")
    assert view["retry_after_until"] == view["held_until"] is not None
    assert view["breaker"] == "closed"
    assert await gauges(api, "tocsin_breaker_open") == {}


@pytest.mark.parametrize(("verb", "left"), [("restore", 30), ("confirm", 0)])
async def test_a_storm_is_ended_one_way_or_the_other(api: Served, ops: dict[str, str], verb: str, left: int) -> None:
    now_ms = milliseconds(clock.now())
    for number in range(30):
        subscription = a_subscription(f"browser-{number}", "fcm.googleapis.com")
        kept = await api.store.subscriptions.add(subscription, Preferences(topics=("world",)), b"vkey", now_ms, 2**50)
        await api.store.quarantine.add(kept.address, kept.packed, now_ms)
    await reported(api, "fcm", WindowReport(gone=200))
    view = await view_of(api, ops, "fcm")
    assert (view["subscriptions"], view["quarantined"]) == (0, 30)
    assert view["storm_since"] is not None
    assert await gauges(api, "tocsin_quarantined_subscriptions") == {"fcm": 30}
    prekeys, address = api.services.prekeys, Address("fcm", 7)
    leave = await prekeys.claim(address.shard)
    assert leave
    await prekeys.put(leave, [{address.slot: b"\x4e" + bytes(127)}])

    ended = await api.call("POST", f"/v1/ops/push-services/fcm/{verb}", headers=ops)

    assert (ended.status, ended.json["storm_since"]) == (200, None)
    assert (ended.json["subscriptions"], ended.json["quarantined"]) == (left, 0)
    assert await prekeys.held(address) == (left > 0)
    await prekeys.drop(address)


PAGES = ["/", "/console", "/ops", "/docs"]
FILES = ["/sw.js", "/tocsin.js", "/manifest.webmanifest", "/assets/base.css", "/docs/rapidoc-min.js", "/openapi.json"]


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_needs_no_other_host_and_no_inline_script(api: Served, path: str) -> None:
    reply = await api.call("GET", path)

    assert (reply.status, reply.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert reply.headers["X-Frame-Options"] == "DENY"
    policy = reply.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert not re.search(r"https?:|\*|unsafe-eval", policy)
    sources = re.findall(r"""(?:src|href|action)=["']([^"']*)""", reply.text)
    assert not [source for source in sources if re.match(r"\w+:|//", source)]
    assert not re.findall(r"<script(?![^>]*\bsrc=)|\son\w+=", reply.text)


@pytest.mark.parametrize("path", FILES)
async def test_a_file_is_not_sent_again_to_who_has_it(api: Served, path: str) -> None:
    first = await api.call("GET", path)
    again = await api.call("GET", path, headers={"If-None-Match": first.headers["ETag"]})

    assert (first.status, again.status, again.body) == (200, 304, b"")
    asked = {"/tocsin.js": "public, max-age=0, s-maxage=60"}.get(path, "no-cache")
    assert first.headers["Cache-Control"] == again.headers["Cache-Control"] == asked
    assert first.headers["Vary"] == again.headers["Vary"] == "Origin, Accept-Encoding"
    assert first.headers["ETag"] == again.headers["ETag"]


async def test_the_service_worker_may_serve_the_whole_path(api: Served) -> None:
    reply = await api.call("GET", "/sw.js")

    assert reply.headers["Content-Type"].startswith("text/javascript")
    assert reply.headers["Service-Worker-Allowed"] == "/"


async def test_the_site_name_is_text_wherever_it_stands(api: Served) -> None:
    async with serve(changed(api.settings, site_name='<b>News & "Views"</b>')) as served:
        assert "<b>News" not in (await served.call("GET", "/")).text
        assert (await served.call("GET", "/manifest.webmanifest")).json["name"] == '<b>News & "Views"</b>'
        assert (await served.call("GET", "/v1/site")).json["name"] == '<b>News & "Views"</b>'


async def test_the_stock_of_prekeys(api: Served) -> None:
    prekeys, ops = Prekeys(api.settings.prekey_server, api.settings.prekeys), await api.api_key("ops")
    before = (await api.call("GET", "/v1/ops/prekeys", headers=ops)).json
    await api.store.subscriptions.add(a_subscription("one"), Preferences(), b"vapi", milliseconds(clock.now()), 0)
    leave = await prekeys.claim("fcm.0")
    assert leave is not None
    await prekeys.put(leave, [{3: b"\x4e" + bytes(127), 4: b"\x4e" + bytes(127)}])
    await prekeys.close()

    found = (await api.call("GET", "/v1/ops/prekeys", headers=ops)).json
    samples = parsed((await api.call("GET", "/metrics", headers=ops)).text)

    assert (before["stock"], before["wanted"]) == (0, 0)
    assert found == {**before, "stock": 2, "wanted": 1, "per_subscription": 1, "fault": None}
    assert (samples["tocsin_prekeys"][()], samples["tocsin_prekeys_wanted"][()]) == (2, 1)


async def test_a_prekey_server_that_is_away_is_told_and_costs_nothing_else(api: Served) -> None:
    async with serve(changed(api.settings, prekey_url="unix:///nowhere/x.sock")) as alone:
        ops = await alone.api_key("ops")
        found = (await alone.call("GET", "/v1/ops/prekeys", headers=ops)).json
        samples = parsed((await alone.call("GET", "/metrics", headers=ops)).text)
    assert (found["stock"], found["fault"]) == (None, "their server does not answer")
    assert samples["tocsin_prekeys"][()] == 0


async def test_prekeys_that_are_turned_off(api: Served) -> None:
    async with serve(changed(api.settings, prekeys=0)) as without:
        found = (await without.call("GET", "/v1/ops/prekeys", headers=await without.api_key("ops"))).json
    assert (found["per_subscription"], found["wanted"], found["stock"], found["fault"]) == (0, 0, 0, None)
