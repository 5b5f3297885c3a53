"""Merge patches of what is nested in preferences, and the faults that they are refused with."""

from typing import Any

import pytest

from tocsin.domain.errors import Invalid
from tocsin.domain.preferences import Preferences, PreferencesPatch

HOURS = {"start": "22:00", "end": "07:00", "wake_for": "flash", "then": "drop", "time_zone": "Asia/Tokyo"}
STORED = Preferences.model_validate(
    {
        "topics": ["world"],
        "quiet_hours": HOURS,
        "daily_cap": {"count": 5, "flash_exempt": True, "time_zone": "Asia/Tokyo"},
        "snoozed_until": "2026-03-01T12:00:00Z",
        "muted_stories": ["aleppo"],
        "followed_stories": ["budget"],
        "language": "en",
        "time_zone": "Europe/London",
    }
)
SITE = Preferences.model_validate({"topics": ["politics"]})


def patched(patch: dict[str, Any], stored: Preferences = STORED, site: Preferences = SITE) -> dict[str, Any]:
    return PreferencesPatch.model_validate(patch).applied_to(stored, site).model_dump(mode="json")


@pytest.mark.parametrize(
    ("patch", "part"),
    [
        ({"quiet_hours": {"end": "08:00"}}, {**HOURS, "end": "08:00"}),
        ({"quiet_hours": {"wake_for": None}}, {**HOURS, "wake_for": None}),
        ({"quiet_hours": {"then": None, "time_zone": None}}, {**HOURS, "then": "defer", "time_zone": None}),
        ({"quiet_hours": {}}, HOURS),
        ({"quiet_hours": None}, None),
        ({"daily_cap": {"count": 3}}, {"count": 3, "flash_exempt": True, "time_zone": "Asia/Tokyo"}),
        ({"daily_cap": {"flash_exempt": None}}, {"count": 5, "flash_exempt": False, "time_zone": "Asia/Tokyo"}),
        ({"daily_cap": None}, None),
        ({"muted_stories": ["b", "a", "b"]}, ["a", "b"]),
        ({"muted_stories": None}, []),
        ({"followed_stories": [{"story": "a", "until": "2026-03-01T12:00:00Z"}, "a"]}, ["a"]),
        ({"snoozed_until": "2026-03-01T13:00:00+01:00"}, "2026-03-01T12:00:00Z"),
        ({"snoozed_until": None}, None),
        ({"language": None}, None),
        ({"time_zone": None}, None),
        ({"topics": None}, ["politics"]),
    ],
)
def test_only_what_is_named_changes(patch: dict[str, Any], part: Any) -> None:
    [name] = patch
    assert patched(patch) == {**STORED.model_dump(mode="json"), name: part}


def test_quiet_hours_begin_with_their_parts() -> None:
    expected = {"start": "22:00", "end": "07:00", "wake_for": None, "then": "defer", "time_zone": None}
    assert patched({"quiet_hours": {"start": "22:00", "end": "07:00"}}, SITE)["quiet_hours"] == expected
    assert patched({"daily_cap": {"count": 5}}, SITE)["daily_cap"] == {
        "count": 5,
        "flash_exempt": False,
        "time_zone": None,
    }


@pytest.mark.parametrize(
    ("patch", "stored", "fields"),
    [
        ({"quiet_hours": {"start": "22:00"}}, SITE, ["quiet_hours.end"]),
        ({"quiet_hours": {"then": "drop"}}, SITE, ["quiet_hours.start", "quiet_hours.end"]),
        ({"quiet_hours": {"end": None}}, STORED, ["quiet_hours.end"]),
        ({"quiet_hours": {"end": "22:00"}}, STORED, ["quiet_hours"]),
        ({"daily_cap": {"flash_exempt": True}}, SITE, ["daily_cap.count"]),
        (
            {"daily_cap": {"count": None}, "quiet_hours": {"start": None}},
            STORED,
            ["quiet_hours.start", "daily_cap.count"],
        ),
    ],
)
def test_what_makes_no_whole_is_refused_with_its_place(
    patch: dict[str, Any], stored: Preferences, fields: list[str]
) -> None:
    with pytest.raises(Invalid) as refusal:
        PreferencesPatch.model_validate(patch).applied_to(stored, SITE, "preferences.")
    assert [fault.field for fault in refusal.value.faults] == [f"preferences.{field}" for field in fields]
    assert all(fault.message and "Value error" not in fault.message for fault in refusal.value.faults)
