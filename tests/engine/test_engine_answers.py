"""What each answer of a push service does to an alert and to its readers: the table, on the real way."""

from datetime import UTC, datetime, timedelta

import pytest

from tocsin.simulator.faults import (
    CertificateFault,
    DelayFault,
    EndlessFault,
    Fault,
    HangFault,
    RedirectFault,
    RefuseFault,
    ResetFault,
    StatusFault,
)
from town import Town

COUNT = 20


@pytest.mark.parametrize("status", [404, 410])
async def test_the_gone_are_deleted_and_nobody_else(town: Town, status: int) -> None:
    views = await town.subscribe(COUNT)
    await town.simulator.set_faults("fcm", StatusFault(status=status, count=5))

    alert = await town.ended((await town.send())["id"])

    assert (alert["progress"]["gone"], alert["progress"]["accepted"]) == (5, COUNT - 5)
    assert (await town.store.numbers.counts())["fcm"] == COUNT - 5
    await town.simulator.clear_faults()
    again = await town.ended((await town.send())["id"])
    assert again["progress"]["accepted"] == COUNT - 5
    assert sorted(await town.got(again["id"], views)) == [0] * 5 + [1] * (COUNT - 5)


@pytest.mark.parametrize("status", [400, 401, 403, 413])
async def test_refusals_are_recorded_and_delete_nobody(town: Town, status: int) -> None:
    await town.subscribe(COUNT)
    await town.simulator.set_faults("fcm", StatusFault(status=status, count=5))

    alert = await town.ended((await town.send())["id"])

    assert (alert["progress"]["rejected"], alert["progress"]["accepted"]) == (5, COUNT - 5)
    assert (await town.store.numbers.counts())["fcm"] == COUNT


@pytest.mark.parametrize(
    "fault",
    [
        StatusFault(status=500, count=COUNT),
        StatusFault(status=503, count=COUNT, retry_after=1),
        StatusFault(status=429, count=3),
        StatusFault(status=429, count=3, retry_after=1),
        StatusFault(status=429, count=3, retry_after=1, retry_after_as="http_date"),
        RedirectFault(location="https://push.example.net/elsewhere", count=COUNT),
        ResetFault(when="mid_request", count=1),
        HangFault(count=2),
    ],
    ids=lambda fault: f"{fault.kind}-{getattr(fault, 'status', '')}",
)
async def test_outages_are_retried_until_everybody_has_it(town: Town, fault: Fault) -> None:
    views = await town.subscribe(COUNT)
    await town.simulator.set_faults("fcm", fault)

    alert = await town.ended((await town.send())["id"])

    assert (alert["state"], alert["progress"]["accepted"]) == ("sent", COUNT)
    assert await town.got(alert["id"], views) == [1] * COUNT
    assert (await town.store.numbers.counts())["fcm"] == COUNT


@pytest.mark.parametrize(
    "fault", [RefuseFault(), CertificateFault(certificate="wrong_name"), CertificateFault(certificate="expired")]
)
async def test_a_push_service_that_cannot_be_reached_or_trusted_gets_nothing_until_it_can(
    town: Town, fault: Fault
) -> None:
    views = await town.subscribe(COUNT)
    await town.simulator.set_faults("fcm", fault)
    alert_id = (await town.send())["id"]
    await town.progress_until(alert_id, lambda progress: progress["retrying"] == COUNT)
    assert await town.got(alert_id, views) == [0] * COUNT

    await town.simulator.clear_faults()

    alert = await town.ended(alert_id)
    assert alert["progress"]["accepted"] == COUNT
    assert await town.got(alert_id, views) == [1] * COUNT


async def test_an_endless_reply_is_cut_and_its_status_counts(town: Town) -> None:
    await town.subscribe(2)
    await town.simulator.set_faults("fcm", EndlessFault(status=201, delivered=True))

    alert = await town.ended((await town.send())["id"])

    assert alert["progress"]["accepted"] == 2


async def test_one_push_service_that_hangs_does_not_hold_up_another(town: Town) -> None:
    slow = await town.subscribe(COUNT, None, "apple")
    quick = await town.subscribe(COUNT, None, "fcm")
    await town.simulator.set_faults("apple", HangFault())

    alert_id = (await town.send())["id"]
    await town.progress_until(alert_id, lambda progress: progress["accepted"] == COUNT)

    # Apple hangs for as long as the fault stands, so whatever came, came beside it.
    assert await town.got(alert_id, quick) == [1] * COUNT
    assert await town.got(alert_id, slow) == [0] * COUNT
    second = (await town.send(headline="A second one, while Apple still hangs"))["id"]
    await town.progress_until(second, lambda progress: progress["accepted"] == COUNT)
    await town.simulator.clear_faults()
    await town.ended(alert_id)
    await town.ended(second)
    assert await town.got(alert_id, slow) == [1] * COUNT


async def test_a_flash_does_not_wait_for_the_alert_before_it(town: Town) -> None:
    """All workers are busy with the first for many windows; both go to one push service."""
    views = await town.subscribe(1_200)
    await town.simulator.set_faults("fcm", DelayFault(milliseconds=300))
    first = (await town.send(level="flash"))["id"]
    await town.progress_until(first, lambda progress: progress["accepted"] > 0)

    second = (await town.send(level="flash", headline="And another flash"))["id"]

    await town.progress_until(second, lambda progress: progress["accepted"] > 0)
    assert (await town.read(first))["progress"]["pending"] > 0
    await town.simulator.clear_faults()
    for alert_id in (first, second):
        await town.ended(alert_id)
        assert await town.got(alert_id, views) == [1] * 1_200


async def test_a_record_that_cannot_be_read_costs_nobody_else_the_alert(town: Town) -> None:
    views = await town.subscribe(COUNT)
    records = "{fcm.0}:records"
    slot, packed = next(iter((await town.store.server.redis.hgetall(records)).items()))
    newer = b"\x63" + packed[1:]
    await town.store.server.redis.hset(records, slot, newer)

    alert = await town.ended((await town.send())["id"])

    assert (alert["progress"]["set_aside"], alert["progress"]["accepted"]) == (1, COUNT - 1)
    assert sorted(await town.got(alert["id"], views)) == [0] + [1] * (COUNT - 1)
    assert await town.store.server.redis.hget(records, slot) == newer


async def test_preferences_that_cannot_be_read_cost_nobody_else_the_alert(town: Town) -> None:
    await town.subscribe(COUNT)
    (odd,) = await town.subscribe(1, {"topics": ["world"], "min_level": "breaking"})
    redis, sets = town.store.server.redis, "{profiles}:sets"
    number = int(await redis.hlen(sets)) + 1
    await redis.hset(sets, str(number), '{"topics": ["world"], "mood": "gloomy"}')
    await redis.setrange("{fcm.0}:profiles", COUNT * 4, number.to_bytes(4, "little"))

    alert = await town.ended((await town.send())["id"])

    assert (alert["progress"]["set_aside"], alert["progress"]["accepted"]) == (1, COUNT)
    assert await town.got(alert["id"], [odd]) == [0]


async def test_stop_means_stop(town: Town) -> None:
    views = await town.subscribe(300)
    await town.simulator.set_faults("fcm", DelayFault(milliseconds=500))
    alert_id = (await town.send())["id"]
    await town.progress_until(alert_id, lambda progress: progress["pending"] > 0)

    status, stopped = await town.call("POST", f"/v1/alerts/{alert_id}/stop", headers=town.editor)

    assert (status, stopped["state"]) == (200, "stopped")
    alert = await town.ended(alert_id)
    assert alert["state"] == "stopped"
    assert alert["progress"]["stopped"] + alert["progress"]["accepted"] == 300
    assert alert["progress"]["stopped"] >= 100
    assert sum(await town.got(alert_id, views)) == alert["progress"]["accepted"]


async def test_an_alert_that_nobody_can_get_expires(town: Town) -> None:
    views = await town.subscribe(COUNT)
    await town.simulator.set_faults("fcm", StatusFault(status=503))

    expires_at = datetime.now(UTC) + timedelta(seconds=2)
    alert = await town.ended((await town.send(expires_at=expires_at.isoformat()))["id"])

    assert (alert["state"], alert["progress"]["expired"]) == ("expired", COUNT)
    assert await town.got(alert["id"], views) == [0] * COUNT


async def test_who_leaves_or_changes_their_mind_meanwhile_gets_nothing(town: Town) -> None:
    views = await town.subscribe(2)
    tokens = [await town.register(view) for view in views]
    await town.simulator.set_faults("fcm", StatusFault(status=503))
    alert_id = (await town.send())["id"]
    await town.progress_until(alert_id, lambda progress: progress["retrying"] == 2)

    leaver, changer = ({"Authorization": f"Bearer {token['token']}"} for token in tokens)
    status, _ = await town.call("DELETE", f"/v1/subscriptions/{tokens[0]['id']}", headers=leaver)
    assert status == 204
    path = f"/v1/subscriptions/{tokens[1]['id']}/preferences"
    status, _ = await town.call("PATCH", path, {"topics": ["sport"]}, changer)
    assert status == 200
    await town.simulator.clear_faults()

    alert = await town.ended(alert_id)
    assert alert["progress"]["opted_out"] == 2
    assert await town.got(alert_id, views) == [0, 0]


async def test_an_alert_without_a_reader_ends_at_once(town: Town) -> None:
    alert = await town.ended((await town.send())["id"])

    assert (alert["state"], alert["progress"]["eligible"]) == ("sent", 0)
