"""Alerts: what a draft may hold, what stands for it, and when its attempts end."""

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from samples import DRAFT, NOW, a_draft, an_alert
from tocsin.domain.alerts import Alert, AlertDraft, AlertState, new_alert_id
from tocsin.domain.decisions import Audience
from tocsin.domain.errors import Invalid
from tocsin.domain.levels import Level
from tocsin.domain.queues import PRIORITY, STANDARD

KNOWN = frozenset({"world", "sport"})
HOSTS = ("news.example.com",)


def faults(**changes: Any) -> list[str]:
    with pytest.raises(Invalid) as refusal:
        a_draft(**changes).check(KNOWN, HOSTS, NOW)
    return [fault.field for fault in refusal.value.faults]


def test_a_good_draft_passes() -> None:
    a_draft(
        topics=["world", "sport"],
        actions=[{"action": "live", "title": "Live", "url": "https://news.example.com/live"}],
        image="https://news.example.com/i.jpg",
        expires_at=NOW + timedelta(seconds=1),
    ).check(KNOWN, HOSTS, NOW)


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"headline": ""}, ["headline"]),
        ({"headline": "x" * 121}, ["headline"]),
        ({"headline": "\u202elive"}, ["headline"]),
        ({"body": "x" * 301}, ["body"]),
        ({"body": "two\nlines"}, ["body"]),
        ({"url": "https://evil.example/"}, ["url"]),
        ({"url": "javascript:alert(1)"}, ["url"]),
        ({"topics": ["world", "golf"]}, ["topics[1]"]),
        ({"topics": ["world", "world"]}, ["topics"]),
        ({"image": "https://evil.example/i.jpg"}, ["image"]),
        ({"icon": "data:image/png,x"}, ["icon"]),
        ({"expires_at": NOW}, ["expires_at"]),
        ({"send_at": NOW}, ["send_at"]),
        ({"send_at": NOW + timedelta(days=30, seconds=1)}, ["send_at"]),
        ({"send_at": NOW + timedelta(hours=1), "undo_seconds": 5}, ["undo_seconds"]),
        ({"send_at": NOW + timedelta(hours=2), "expires_at": NOW + timedelta(hours=2)}, ["expires_at"]),
        (
            {"actions": [{"action": "a", "title": "", "url": "http://news.example.com/"}]},
            ["actions[0].title", "actions[0].url"],
        ),
        ({"headline": " ", "url": "x", "topics": ["golf"]}, ["topics[0]", "headline", "url"]),
    ],
)
def test_every_fault_is_told_at_once(changes: dict[str, Any], fields: list[str]) -> None:
    assert faults(**changes) == fields


@pytest.mark.parametrize(
    "changes",
    [
        {"headline": None},
        {"topics": []},
        {"topics": ["world"] * 21},
        {"topics": ["World"]},
        {"level": "urgent"},
        {"ttl": -1},
        {"ttl": 86_401},
        {"ttl": "60"},
        {"ttl": 1.5},
        {"ttl": True},
        {"expires_at": "2026-03-01T12:00:00"},
        {"expires_at": "tomorrow"},
        {"language": "english!"},
        {"story": "Aleppo"},
        {"story": "a" * 61},
        {"send_at": "2026-03-01T13:00:00"},
        {"undo_seconds": -1},
        {"undo_seconds": 16},
        {"undo_seconds": "5"},
        {"max_per_second": 0},
        {"max_per_second": 1.5},
        {"state": "sent"},
        {"actions": [{"action": "a", "title": "t", "url": "u"}] * 3},
        {"actions": [{"action": "A b", "title": "t", "url": "u"}]},
        {"colour": "red"},
    ],
)
def test_what_is_no_draft(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        a_draft(**changes)


@given(st.randoms(use_true_random=False))
def test_the_hash_knows_no_order_of_keys(chance: random.Random) -> None:
    draft = {**DRAFT, "ttl": 60, "language": "en", "actions": [{"action": "a", "title": "t", "url": "https://x.y/"}]}
    names = list(draft)
    chance.shuffle(names)
    shuffled = AlertDraft.model_validate_json(json.dumps({name: draft[name] for name in names}, indent=2))
    assert shuffled.body_hash == AlertDraft.model_validate(draft).body_hash


def test_the_hash_is_that_of_what_was_meant() -> None:
    assert a_draft(ttl=14_400, actions=[], language=None).body_hash == a_draft().body_hash
    assert (
        a_draft(expires_at="2026-03-01T13:00:00Z").body_hash
        == a_draft(expires_at="2026-03-01T13:00:00+00:00").body_hash
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"headline": "Aid convoy reaches Aleppo "},
        {"body": ""},
        {"url": "https://news.example.com/aleppo/"},
        {"topics": ["world", "sport"]},
        {"level": "flash"},
        {"ttl": 14_401},
        {"language": "en"},
        {"story": "aleppo"},
        {"send_at": "2026-03-01T13:00:00Z"},
        {"undo_seconds": 5},
        {"max_per_second": 100},
        {"state": "draft"},
        {"icon": "https://news.example.com/i.png"},
        {"expires_at": "2026-03-01T13:00:00Z"},
    ],
)
def test_another_body_has_another_hash(changes: dict[str, Any]) -> None:
    assert a_draft(**changes).body_hash != a_draft().body_hash


def test_an_alert_comes_back_from_its_text() -> None:
    alert = an_alert(expires_at="2026-03-02T12:00:00+01:00", ttl=0)
    assert Alert.model_validate_json(alert.model_dump_json()) == alert
    assert alert.audience("UTC") == Audience(frozenset({"world"}), Level.BREAKING)


@pytest.mark.parametrize(("level", "queue"), [("flash", PRIORITY), ("breaking", PRIORITY), ("update", STANDARD)])
def test_the_queue_follows_the_level(level: str, queue: str) -> None:
    assert an_alert(level=level).queue == queue


@pytest.mark.parametrize(
    ("ttl", "expires_in", "end"),
    [
        (0, None, 60),
        (59, None, 60),
        (61, None, 61),
        (14_400, None, 14_400),
        (86_400, None, 86_400),
        (14_400, 10, 10),
        (0, 10, 10),
        (60, 100_000, 60),
        (14_400, -10, -10),
    ],
)
def test_attempts_end(ttl: int, expires_in: int | None, end: int) -> None:
    began_at = NOW + timedelta(seconds=5)
    expires_at = None if expires_in is None else began_at + timedelta(seconds=expires_in)
    assert an_alert(ttl=ttl, expires_at=expires_at).attempts_end(began_at) == began_at + timedelta(seconds=end)


@given(st.lists(st.integers(1_600_000_000_000, 7_000_000_000_000), min_size=2, unique=True))
def test_ids_sort_by_time(moments_ms: list[int]) -> None:
    # A quarter of a millisecond more, so that no rounding of a float decides.
    ordered = [datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=at + 0.25) for at in sorted(moments_ms)]
    ids = [new_alert_id(moment) for moment in ordered]
    assert ids == sorted(ids)
    assert all(len(alert_id) == 22 and int(alert_id, 16) for alert_id in ids)


def test_ids_of_one_moment_differ() -> None:
    assert len({new_alert_id(NOW) for _ in range(1_000)}) == 1_000


def test_states() -> None:
    assert {str(state): (state.is_before_sending, state.is_terminal) for state in AlertState} == {
        "draft": (True, False),
        "awaiting_approval": (True, False),
        "scheduled": (True, False),
        "undo_window": (True, False),
        "sending": (False, False),
        "sent": (False, True),
        "rejected": (False, True),
        "stopped": (False, True),
        "expired": (False, True),
    }


@pytest.mark.parametrize(
    ("changes", "state", "after"),
    [
        ({}, AlertState.SENDING, 0),
        ({"undo_seconds": 15}, AlertState.UNDO_WINDOW, 15),
        ({"send_at": NOW + timedelta(hours=2)}, AlertState.SCHEDULED, 7_200),
    ],
)
def test_when_it_begins(changes: dict[str, Any], state: AlertState, after: int) -> None:
    alert = an_alert(**changes)
    assert (alert.first_state, alert.begins_at) == (state, NOW + timedelta(seconds=after))


def test_the_audience_is_all_that_preferences_look_at() -> None:
    alert = an_alert(topics=["world", "sport"], level="flash", story="aleppo", language="en")
    expected = Audience(frozenset({"world", "sport"}), Level.FLASH, "aleppo", "en", False, "Asia/Tokyo")
    assert alert.audience("Asia/Tokyo") == expected
