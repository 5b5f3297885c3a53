"""The one payload for every browser (Declarative Web Push), and its headers."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samples import an_alert
from tocsin.domain.errors import Invalid
from tocsin.domain.levels import Level
from tocsin.domain.payload import MAX_PAYLOAD, collapse_key, notification, own_test, urgency


def test_the_shape() -> None:
    action = {"action": "live", "title": "Live", "url": "https://news.example.com/live"}
    alert = an_alert(
        headline="Überraschung 👩‍👩‍👧",
        topics=["world", "sport"],
        language="de",
        icon="https://news.example.com/i.png",
        image="https://news.example.com/i.jpg",
        actions=[action],
    )

    payload = notification(alert)

    assert "Überraschung 👩‍👩‍👧".encode() in payload
    assert json.loads(payload) == {
        "web_push": 8030,
        "notification": {
            "title": "Überraschung 👩‍👩‍👧",
            "navigate": alert.draft.url,
            "body": alert.draft.body,
            "lang": "de",
            "dir": "auto",
            "tag": collapse_key(alert.id),
            "silent": False,
            "icon": "https://news.example.com/i.png",
            "image": "https://news.example.com/i.jpg",
            "actions": [{"action": "live", "title": "Live", "navigate": action["url"]}],
            "data": {"tocsin": {"alert": alert.id, "level": "breaking", "topics": ["world", "sport"]}},
        },
    }


def test_what_is_not_there_is_left_out() -> None:
    shown = json.loads(notification(an_alert()))["notification"]
    # `mutable` would keep Safari from showing it by itself.
    assert not {"lang", "icon", "image", "actions", "mutable"} & shown.keys()


def test_what_the_worker_needs_to_know() -> None:
    def about(receipts: float = 0.0, **draft: str) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(notification(an_alert(**draft), receipts))["notification"]["data"]["tocsin"]
        return told

    assert about(story="aleppo")["story"] == "aleppo"
    assert (about(1.0)["receipts"], about(0.25)["receipts"]) == (1, 0.25)
    assert not {"story", "receipts", "kind", "corrects"} & about().keys()


def test_what_is_not_needed_gives_way_to_the_text() -> None:
    """An alert that was taken must go out after a setting has changed, too."""
    spare = MAX_PAYLOAD - len(notification(an_alert(body="")))
    full, nearly = an_alert(body="x" * spare, story="aleppo"), an_alert(body="x" * (spare - 20), story="aleppo")
    for alert, kept in ((full, set()), (nearly, {"story"})):
        payload = notification(alert, 0.25)
        assert len(payload) <= MAX_PAYLOAD
        assert {"story", "receipts"} & json.loads(payload)["notification"]["data"]["tocsin"].keys() == kept


@pytest.mark.parametrize("character", ["x", "é", "界", "🇸"])
def test_bytes_are_counted_not_characters(character: str) -> None:
    spare = MAX_PAYLOAD - len(notification(an_alert(body="")))
    size = len(character.encode())
    fits = character * (spare // size)

    assert len(notification(an_alert(body=fits))) <= MAX_PAYLOAD
    with pytest.raises(Invalid) as refusal:
        notification(an_alert(body=fits + character))
    assert [fault.field for fault in refusal.value.faults] == ["body"]


@given(st.text())
def test_collapse_keys_are_what_every_push_service_takes(alert_id: str) -> None:
    key = collapse_key(alert_id)
    assert re.fullmatch(r"[A-Za-z0-9_-]{32}", key)
    assert key == collapse_key(alert_id)
    assert key != collapse_key(alert_id + "x")


def test_only_what_is_urgent_wakes_a_phone() -> None:
    assert {str(level): urgency(level) for level in Level} == {"flash": "high", "breaking": "high", "update": "normal"}


def test_a_test_push_is_told_apart() -> None:
    shown = json.loads(own_test("The Daily", "https://news.example.com/"))["notification"]
    assert (shown["title"], shown["navigate"]) == ("The Daily", "https://news.example.com/")
    assert shown["data"] == {"tocsin": {"test": True}}
