"""`decide` agrees with the contract as somebody else wrote it down (tests/oracle.py), whatever is asked and when."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

import oracle
from tocsin.domain.decisions import Audience, decide, limit, quiet_until
from tocsin.domain.hours import QuietHours
from tocsin.domain.levels import Level
from wishes import alerts, hours, parsed, places, preferences

EPOCH = datetime(1970, 1, 1).date()  # noqa: DTZ001 (a day, not a moment)


@st.composite
def cases(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any], datetime, str]:
    zone, now = draw(places())
    site_zone = draw(st.sampled_from(["UTC", zone]))
    return draw(alerts), draw(preferences(zone, now)), now, site_zone


@given(cases(), st.integers(0, 3))
@settings(max_examples=400)
def test_every_reader_alert_and_moment(
    case: tuple[dict[str, Any], dict[str, Any], datetime, str], had_today: int
) -> None:
    alert, wants, now, site_zone = case
    audience = Audience(
        frozenset(alert["topics"]),
        Level(alert["level"]),
        alert.get("story"),
        alert.get("language"),
        alert.get("follows_up", False),
        site_zone,
    )
    mine = parsed(wants)

    decision = decide(audience, mine, now, had_today)

    assert (decision.verdict, decision.reason, decision.until) == oracle.answer(alert, wants, now, site_zone, had_today)
    assert quiet_until(audience, mine, now) == oracle.quiet_until(alert, wants, now, site_zone)
    cap = limit(audience, mine, now)
    assert (cap is not None) is oracle.counts(alert, wants)
    if cap is not None:
        assert cap == ((oracle.own_day(wants, now, site_zone) - EPOCH).days, wants["daily_cap"]["count"])


@example(("America/St_Johns", datetime(1990, 10, 28, 2, 31, tzinfo=UTC)), {"start": "00:00", "end": "22:00"})
@given(places(), hours(st.none()))
@settings(max_examples=150)
def test_quiet_hours_by_walking_along_the_clock(place: tuple[str, datetime], given_hours: dict[str, Any]) -> None:
    zone, now = place
    quiet = QuietHours.model_validate(given_hours)
    until = quiet.quiet_until(now, zone)
    minute = now.replace(second=0)
    assert until == oracle.quiet_end(given_hours["start"], given_hours["end"], zone, minute)
    if until is not None:
        assert quiet.quiet_until(until, zone) is None
        assert quiet.quiet_until(until - timedelta(microseconds=1), zone) == until
