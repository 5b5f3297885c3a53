"""Several alerts that waited for the end of the quiet hours, as one message."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from samples import NOW, an_alert
from tocsin.domain.alerts import MAX_BODY, MAX_HEADLINE, Alert, Correction
from tocsin.domain.payload import MAX_PAYLOAD, MOST_NAMED, collapse_key, notification, summary, summary_key
from tocsin.domain.text import graphemes


def waiting(*levels: str, **given: Any) -> list[Alert]:
    """Newest first."""
    links = [{"headline": f"News {at}", "url": f"https://x.org/{at}", **given} for at, _ in enumerate(levels)]
    return [an_alert(now=NOW - timedelta(hours=at), level=level, **links[at]) for at, level in enumerate(levels)]


def shown(alerts: Sequence[Alert], site_name: str = "The Daily") -> dict[str, Any]:
    payload = json.loads(summary(alerts, site_name))
    assert payload["web_push"] == 8030
    notification: dict[str, Any] = payload["notification"]
    return notification


def test_the_shape() -> None:
    alerts = waiting("update", "breaking", "breaking", "update")
    assert shown(alerts) == {
        "title": "The Daily: 4 alerts while it was quiet",
        "navigate": "https://x.org/1",
        "body": "News 0 · News 1 · News 2 · News 3",
        "lang": "en",
        "dir": "auto",
        "tag": summary_key(alerts),
        "silent": False,
        "data": {
            "tocsin": {"alert": alerts[1].id, "alerts": [alert.id for alert in alerts], "level": "breaking"},
        },
    }


def test_it_asks_for_receipts_as_an_alert_does() -> None:
    alerts = waiting("update", "breaking")
    assert json.loads(summary(alerts, "The Daily", 0.5))["notification"]["data"]["tocsin"]["receipts"] == 0.5


@pytest.mark.parametrize(
    ("levels", "biggest"),
    [(("update", "update"), 0), (("update", "flash"), 1), (("breaking", "breaking"), 0), (("breaking", "flash"), 1)],
)
def test_a_click_leads_to_the_biggest_and_of_these_to_the_newest(levels: tuple[str, ...], biggest: int) -> None:
    alerts = waiting(*levels)
    assert shown(alerts)["navigate"] == alerts[biggest].draft.url
    assert shown(alerts)["data"]["tocsin"]["alert"] == alerts[biggest].id


@pytest.mark.parametrize("path", ["", "x" * 2_000])
@pytest.mark.parametrize("letter", ["x", "界", "क्ष्म", "👩‍👩‍👧"])
def test_however_many_and_long_it_fits(letter: str, path: str) -> None:
    """One that did not fit would be tried again and again, and nobody would get any of the alerts."""
    url = f"https://news.example.com/{path}"
    alerts = waiting(*["breaking"] * 60, headline=letter * (20 if path else 60), url=url, body="")
    assert all(len(notification(alert)) <= MAX_PAYLOAD for alert in alerts)
    seen = shown(alerts, letter[0] * 60)
    assert len(summary(alerts, letter[0] * 60)) <= MAX_PAYLOAD
    assert seen["navigate"] == url
    assert seen["body"].endswith("…")
    assert graphemes(seen["title"]) <= MAX_HEADLINE
    assert 1 <= graphemes(seen["body"]) <= MAX_BODY
    ids = seen["data"]["tocsin"]["alerts"]
    assert ids == [alert.id for alert in alerts[: len(ids)]]
    if (letter, path) == ("x", ""):
        assert (graphemes(seen["body"]), len(ids)) == (MAX_BODY, MOST_NAMED)


def test_its_place_on_screen_is_that_of_the_chains() -> None:
    """A summary that holds a correction replaces the one that held the original."""
    one, two = waiting("update", "update")
    better = two.correction(Correction(headline="Better"), "desk", NOW)
    assert summary_key([one, two]) == summary_key([one, better])
    assert len({summary_key([one, two]), summary_key([one]), collapse_key(two.id)}) == 3
    assert len(summary_key([one, two])) == 32
