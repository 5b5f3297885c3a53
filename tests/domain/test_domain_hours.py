"""Quiet hours and days on a reader's own clock, on the days on which clocks change above all."""

from datetime import UTC, date, datetime, timedelta

import pytest
from pydantic import ValidationError

from tocsin.domain.hours import DailyCap, QuietHours


def until(start: str, end: str, zone: str, now: str) -> str | None:
    """`now` and the answer in UTC, as 2026-03-01T12:00."""
    found = QuietHours(start=start, end=end).quiet_until(datetime.fromisoformat(now).replace(tzinfo=UTC), zone)
    return None if found is None else found.strftime("%Y-%m-%dT%H:%M")


@pytest.mark.parametrize(
    ("start", "end", "now", "expected"),
    [
        ("22:00", "07:00", "2026-03-01T21:59", None),
        ("22:00", "07:00", "2026-03-01T22:00", "2026-03-02T07:00"),
        ("22:00", "07:00", "2026-03-02T00:00", "2026-03-02T07:00"),
        ("22:00", "07:00", "2026-03-02T06:59", "2026-03-02T07:00"),
        ("22:00", "07:00", "2026-03-02T07:00", None),
        ("09:00", "17:00", "2026-03-01T08:59", None),
        ("09:00", "17:00", "2026-03-01T09:00", "2026-03-01T17:00"),
        ("09:00", "17:00", "2026-03-01T17:00", None),
        ("00:00", "00:01", "2026-03-01T00:00", "2026-03-01T00:01"),
        ("23:59", "00:00", "2026-03-01T23:59", "2026-03-02T00:00"),
        # All day but for one minute.
        ("12:01", "12:00", "2026-03-01T12:00", None),
        ("12:01", "12:00", "2026-03-01T12:01", "2026-03-02T12:00"),
        ("12:01", "12:00", "2026-03-01T11:59", "2026-03-01T12:00"),
    ],
)
@pytest.mark.parametrize(("zone", "ahead"), [("UTC", 0.0), ("Asia/Tokyo", 9.0), ("Asia/Kathmandu", 5.75)])
def test_a_day_like_any_other(start: str, end: str, now: str, expected: str | None, zone: str, ahead: float) -> None:
    """Zones that know no change of clocks; the times given are those on the wall."""
    utc = datetime.fromisoformat(now) - timedelta(hours=ahead)
    ends = None if expected is None else datetime.fromisoformat(expected) - timedelta(hours=ahead)
    assert until(start, end, zone, f"{utc:%Y-%m-%dT%H:%M}") == (None if ends is None else f"{ends:%Y-%m-%dT%H:%M}")


def test_seconds_are_of_their_minute() -> None:
    hours = QuietHours(start="22:00", end="07:00")
    night = datetime(2026, 3, 1, 21, 59, 59, 999_999, tzinfo=UTC)
    assert hours.quiet_until(night, "UTC") is None
    assert hours.quiet_until(night + timedelta(microseconds=1), "UTC") == datetime(2026, 3, 2, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "start", "end", "now", "expected"),
    [
        # London, clocks forward at 01:00 UTC: 01:00 to 02:00 is not there. The night is an hour shorter.
        ("Europe/London", "22:00", "07:00", "2026-03-28T22:30", "2026-03-29T06:00"),
        ("Europe/London", "22:00", "01:30", "2026-03-29T00:59", "2026-03-29T01:00"),
        ("Europe/London", "22:00", "01:30", "2026-03-29T01:00", None),
        ("Europe/London", "01:30", "07:00", "2026-03-29T00:59", None),
        ("Europe/London", "01:30", "07:00", "2026-03-29T01:00", "2026-03-29T06:00"),
        ("Europe/London", "01:10", "01:50", "2026-03-29T01:00", None),
        # London, back at 01:00 UTC: 01:00 to 02:00 is there twice. The night is an hour longer.
        ("Europe/London", "22:00", "07:00", "2026-10-24T21:30", "2026-10-25T07:00"),
        ("Europe/London", "22:00", "01:30", "2026-10-25T00:45", "2026-10-25T01:30"),  # in doubt: quiet
        ("Europe/London", "22:00", "01:30", "2026-10-25T01:30", None),
        ("Europe/London", "22:00", "01:00", "2026-10-24T23:59", "2026-10-25T00:00"),  # no doubt: over
        ("Europe/London", "22:00", "01:00", "2026-10-25T00:00", None),
        ("Europe/London", "22:00", "02:00", "2026-10-25T00:59", "2026-10-25T02:00"),
        ("Europe/London", "01:30", "07:00", "2026-10-25T00:29", None),
        ("Europe/London", "01:30", "07:00", "2026-10-25T00:30", "2026-10-25T07:00"),
        ("Europe/London", "01:30", "07:00", "2026-10-25T01:15", "2026-10-25T07:00"),
        ("Europe/London", "01:30", "01:00", "2026-10-25T00:45", "2026-10-26T01:00"),  # one night runs into the next
        # New York, forward at 07:00 UTC, back at 06:00 UTC.
        ("America/New_York", "22:00", "07:00", "2026-03-08T04:00", "2026-03-08T11:00"),
        ("America/New_York", "02:30", "07:00", "2026-03-08T06:59", None),
        ("America/New_York", "02:30", "07:00", "2026-03-08T07:00", "2026-03-08T11:00"),
        ("America/New_York", "22:00", "07:00", "2026-11-01T03:00", "2026-11-01T12:00"),
        ("America/New_York", "22:00", "01:30", "2026-11-01T05:45", "2026-11-01T06:30"),
        # Lord Howe changes by half an hour: 02:00 to 02:30 is not there in October, 01:30 to 02:00 twice in April.
        ("Australia/Lord_Howe", "22:00", "07:00", "2026-10-03T12:00", "2026-10-03T20:00"),
        ("Australia/Lord_Howe", "22:00", "02:15", "2026-10-03T15:29", "2026-10-03T15:30"),
        ("Australia/Lord_Howe", "22:00", "02:15", "2026-10-03T15:30", None),
        ("Australia/Lord_Howe", "22:00", "01:45", "2026-04-04T14:50", "2026-04-04T15:15"),
        ("Australia/Lord_Howe", "22:00", "01:45", "2026-04-04T15:15", None),
        # No change in Kolkata, whatever others do.
        ("Asia/Kolkata", "22:00", "07:00", "2026-03-28T22:30", "2026-03-29T01:30"),
        # Samoa went over the date line: there was no 30 December 2011, and one night came after another.
        ("Pacific/Apia", "22:00", "07:00", "2011-12-30T09:00", "2011-12-30T17:00"),
        ("Pacific/Apia", "22:00", "07:00", "2011-12-30T10:00", "2011-12-30T17:00"),
        ("Pacific/Apia", "09:00", "17:00", "2011-12-30T10:00", None),
        ("Pacific/Apia", "12:00", "11:00", "2011-12-30T02:00", "2011-12-30T21:00"),
        # Kwajalein skipped 21 August 1993.
        ("Pacific/Kwajalein", "22:00", "07:00", "1993-08-21T11:00", "1993-08-21T19:00"),
    ],
)
def test_days_on_which_clocks_change(zone: str, start: str, end: str, now: str, expected: str | None) -> None:
    assert until(start, end, zone, now) == expected


def test_the_own_zone_beats_the_readers() -> None:
    noon = datetime(2026, 3, 1, 14, tzinfo=UTC)  # 23 o'clock in Tokyo
    assert QuietHours(start="22:00", end="07:00").quiet_until(noon, "UTC") is None
    assert QuietHours(start="22:00", end="07:00", time_zone="Asia/Tokyo").quiet_until(noon, "UTC") is not None


@pytest.mark.parametrize(
    "given",
    [
        {"start": "22:00", "end": "22:00"},
        {"start": "24:00", "end": "07:00"},
        {"start": "7:00", "end": "22:00"},
        {"start": "22:00:00", "end": "07:00"},
        {"start": "22:60", "end": "07:00"},
        {"start": "22:00"},
        {"start": "22:00", "end": "07:00", "then": "wait"},
        {"start": "22:00", "end": "07:00", "wake_for": "urgent"},
        {"start": "22:00", "end": "07:00", "time_zone": "Mars/Olympus"},
        {"start": "22:00", "end": "07:00", "time_zone": "../etc/passwd"},
        {"start": "22:00", "end": "07:00", "until": "x"},
    ],
)
def test_what_are_no_quiet_hours(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        QuietHours.model_validate(given)


@pytest.mark.parametrize(
    ("zone", "now", "day"),
    [
        ("UTC", "2026-03-01T23:59", date(2026, 3, 1)),
        ("UTC", "2026-03-02T00:00", date(2026, 3, 2)),
        ("Asia/Tokyo", "2026-03-01T14:59", date(2026, 3, 1)),
        ("Asia/Tokyo", "2026-03-01T15:00", date(2026, 3, 2)),
        ("America/New_York", "2026-03-08T03:59", date(2026, 3, 7)),
        ("America/New_York", "2026-03-08T05:00", date(2026, 3, 8)),
        ("America/New_York", "2026-03-09T03:59", date(2026, 3, 8)),  # a day of 23 hours
        ("America/New_York", "2026-03-09T04:00", date(2026, 3, 9)),
        ("Pacific/Apia", "2011-12-30T09:59", date(2011, 12, 29)),
        ("Pacific/Apia", "2011-12-30T10:00", date(2011, 12, 31)),
    ],
)
def test_the_day_of_a_cap(zone: str, now: str, day: date) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    expected = (day - date(1970, 1, 1)).days
    assert DailyCap(count=1).day(moment, zone) == expected
    assert DailyCap(count=1, time_zone=zone).day(moment, "UTC") == expected


@pytest.mark.parametrize(
    "given", [{}, {"count": -1}, {"count": 1_001}, {"count": 1, "flash": True}, {"count": 1, "time_zone": "Mars"}]
)
def test_what_is_no_cap(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DailyCap.model_validate(given)
