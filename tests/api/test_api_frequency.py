"""How often each topic is heard of, as `/v1/site` tells it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from api_served import Served

from samples import an_alert
from tocsin import clock
from tocsin.domain.alerts import AlertState
from tocsin.frequency import Frequency


@pytest.fixture(autouse=True)
def _time_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else what is counted up to the full hour is another count for a test that lives through one."""
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)


def the_hour() -> datetime:
    return clock.now().astimezone(UTC).replace(minute=0, second=0, microsecond=0)


@pytest.fixture
def counted(api: Served) -> Frequency:
    """One that has counted nothing yet, as in an API that has just started."""
    return Frequency(api.store)


async def sent(
    api: Served, days_ago: float, state: AlertState = AlertState.SENT, root: str | None = None, **words: Any
) -> None:
    began_at = the_hour() - timedelta(days=days_ago)
    alert = an_alert(now=began_at, **words).model_copy(update={"root": root})
    await api.store.alerts.queue(alert, f"key-{alert.id}")
    await api.store.runs.begin(alert.id, {}, began_at, began_at + timedelta(days=1))
    if state is not AlertState.SENDING:
        assert await api.store.alerts.close(alert.id, state, {"deferred": 0}, 0, None)


async def test_each_level_of_each_topic_has_its_mean_of_thirty_days(api: Served, counted: Frequency) -> None:
    await sent(api, 31)  # too long ago
    for days_ago in (0.1, 10, 29.9):
        await sent(api, days_ago, topics=["world", "sport"], level="update")
    await sent(api, 3, topics=["world"], level="flash")
    await sent(api, 0, topics=["world"])  # the hour that is not over
    await sent(api, 0.5, AlertState.SENDING, topics=["culture"])

    assert await counted.per_day("world") == {"flash": 0.03, "breaking": 0, "update": 0.1}
    assert await counted.per_day("sport") == {"flash": 0, "breaking": 0, "update": 0.1}
    assert await counted.per_day("culture") == {"flash": 0, "breaking": 0.03, "update": 0}
    assert await counted.per_day("politics") == {"flash": 0, "breaking": 0, "update": 0}


async def test_languages_are_those_of_thirty_days_alerts_without_their_countries(
    api: Served, counted: Frequency
) -> None:
    await sent(api, 31, language="fr")
    await sent(api, 1, AlertState.STOPPED, language="es")
    for days_ago, language in ((3, "en-GB"), (2, "en"), (1, "AR"), (0.5, None)):
        await sent(api, days_ago, language=language)

    assert await counted.languages() == ("ar", "en")


async def test_a_young_site_knows_its_languages_at_once(api: Served, counted: Frequency) -> None:
    await sent(api, 1, language="ar")
    assert (await counted.per_day("world"), await counted.languages()) == (None, ("ar",))


async def test_corrections_and_what_was_stopped_do_not_count(api: Served, counted: Frequency) -> None:
    await sent(api, 40)
    await sent(api, 2, AlertState.STOPPED)
    await sent(api, 2, AlertState.EXPIRED)
    first = an_alert(now=the_hour())
    await api.store.alerts.queue(first, "a-key-of-sixteen")
    await sent(api, 1, root=first.id)
    await api.store.alerts.queue(an_alert(now=the_hour() - timedelta(days=3)), "never-begun-so-far")

    assert await counted.per_day("world") == {"flash": 0, "breaking": 0, "update": 0}


async def test_a_young_site_has_no_numbers_and_a_fortnight_is_divided_by_its_days(
    api: Served, counted: Frequency
) -> None:
    assert await counted.per_day("world") is None
    await sent(api, 6.9)
    assert await Frequency(api.store).per_day("world") is None
    await sent(api, 14)
    assert await Frequency(api.store).per_day("world") == {"flash": 0, "breaking": 0.14, "update": 0}


async def test_within_the_hour_nothing_is_counted_again(api: Served, counted: Frequency) -> None:
    await sent(api, 20)
    told = await counted.per_day("world")

    await sent(api, 2)

    assert await counted.per_day("world") == told == {"flash": 0, "breaking": 0.05, "update": 0}


async def test_the_site_tells_its_language_and_its_numbers_and_keeps_its_tag(
    api: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.services.frequency, "_until", None)
    await sent(api, 30)
    await sent(api, 12, topics=["sport"])

    first = await api.call("GET", "/v1/site")
    await api.queue()
    again = await api.call("GET", "/v1/site", headers={"If-None-Match": first.headers["ETag"]})

    assert first.json["language"] == "en"
    rates = {topic["id"]: topic["per_day"] for topic in first.json["topics"]}
    assert rates["sport"] == {"flash": 0, "breaking": 0.03, "update": 0}
    assert rates["world"] == {"flash": 0, "breaking": 0.03, "update": 0}
    assert again.status == 304
