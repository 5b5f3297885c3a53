"""Corrections and retractions: what they take over from the alert before them, and whose chain they belong to."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from samples import NOW, an_alert
from tocsin.domain.alerts import MAX_HEADLINE, Alert, AlertState, Correction, Kind, Retraction
from tocsin.domain.payload import collapse_key, notification
from tocsin.domain.text import graphemes

SOON = NOW + timedelta(minutes=5)
ORIGINAL = an_alert(
    topics=["world", "sport"],
    level="flash",
    story="aleppo",
    language="en",
    ttl=60,
    icon="https://news.example.com/i.png",
    undo_seconds=10,
    expires_at=NOW + timedelta(hours=1),
)


def corrected(alert: Alert = ORIGINAL, **words: Any) -> Alert:
    return alert.correction(Correction.model_validate({"headline": "It was not so", **words}), "night desk", SOON)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({}, (ORIGINAL.draft.body, ORIGINAL.draft.url)),
        ({"body": ""}, ("", ORIGINAL.draft.url)),
        ({"body": "Two convoys."}, ("Two convoys.", ORIGINAL.draft.url)),
        ({"url": "https://news.example.com/2"}, (ORIGINAL.draft.body, "https://news.example.com/2")),
    ],
)
def test_a_correction_says_what_changes(words: dict[str, Any], expected: tuple[str, str]) -> None:
    alert = corrected(**words)
    assert alert.draft.headline == "It was not so"
    assert (alert.draft.body, alert.draft.url) == expected
    assert (alert.kind, alert.root, alert.chain) == (Kind.CORRECTION, ORIGINAL.id, ORIGINAL.id)
    assert (alert.author, alert.queued_at, alert.begins_at) == ("night desk", SOON, SOON)
    assert alert.id != ORIGINAL.id


def test_it_goes_as_the_original_did_but_at_once() -> None:
    alert = corrected()
    changed = {"headline", "expires_at", "send_at", "undo_seconds", "state"}
    assert alert.draft.model_dump(exclude=changed) == ORIGINAL.draft.model_dump(exclude=changed)
    assert (alert.draft.expires_at, alert.draft.send_at, alert.draft.undo_seconds) == (None, None, 0)
    assert alert.first_state is AlertState.SENDING
    assert alert.queue == ORIGINAL.queue
    assert alert.audience("UTC").follows_up
    assert not ORIGINAL.audience("UTC").follows_up


def test_a_chain_has_one_root_and_one_place_on_screen() -> None:
    second = corrected(corrected(), body="And again.")
    third = second.retraction("None of it was true.", "desk", SOON)
    assert [alert.chain for alert in (ORIGINAL, second, third)] == [ORIGINAL.id] * 3
    assert third.kind is Kind.RETRACTION
    assert (third.draft.headline, third.draft.body) == ("Retracted: It was not so", "None of it was true.")
    for alert in (ORIGINAL, second, third):
        assert collapse_key(ORIGINAL.id).encode() in notification(alert)


@pytest.mark.parametrize("letter", ["x", "é", "👩‍👩‍👧"])
def test_a_retraction_of_a_long_headline_fits(letter: str) -> None:
    alert = an_alert(headline=letter * MAX_HEADLINE).retraction("No.", "desk", SOON)
    assert alert.draft.headline == "Retracted: " + letter * (MAX_HEADLINE - 12) + "…"
    assert graphemes(alert.draft.headline) == MAX_HEADLINE


def test_what_just_fits_is_not_cut() -> None:
    headline = "x" * (MAX_HEADLINE - len("Retracted: "))
    assert an_alert(headline=headline).retraction("No.", "desk", SOON).draft.headline == f"Retracted: {headline}"


def test_the_hash_knows_what_is_followed() -> None:
    hashes = {alert.body_hash for alert in (ORIGINAL, corrected(), ORIGINAL.retraction("No.", "desk", SOON))}
    same_words = an_alert(**{**corrected().draft.model_dump(), "headline": "It was not so"})
    other = corrected(an_alert(**ORIGINAL.draft.model_dump()))
    assert len({*hashes, same_words.body_hash, other.body_hash}) == 5
    assert corrected().body_hash == corrected().body_hash


def test_it_comes_back_from_its_text() -> None:
    for alert in (ORIGINAL, corrected(), ORIGINAL.retraction("No.", "desk", SOON)):
        assert Alert.model_validate_json(alert.model_dump_json()) == alert


def test_an_alert_with_a_field_that_is_not_known_is_refused() -> None:
    """A newer version wrote it: sent as if the field were not there, it might go to the wrong readers."""
    text = ORIGINAL.model_dump_json()
    for newer in (
        text[:-1] + ',"segment":"north"}',
        text.replace('"headline"', '"region":"north","headline"', 1),
    ):
        with pytest.raises(ValidationError):
            Alert.model_validate_json(newer)


def test_what_was_queued_before_there_were_stories_still_loads() -> None:
    kept = ORIGINAL.model_dump(mode="json", exclude={"kind", "root"})
    for name in ("story", "send_at", "max_per_second", "undo_seconds", "state"):
        del kept["draft"][name]
    alert = Alert.model_validate(kept)
    assert (alert.kind, alert.root, alert.draft.story, alert.first_state) == (
        Kind.ALERT,
        None,
        None,
        AlertState.SENDING,
    )


@pytest.mark.parametrize(
    ("form", "given"),
    [
        (Correction, {}),
        (Correction, {"headline": None}),
        (Correction, {"headline": "x", "level": "flash"}),
        (Correction, {"headline": "x", "topics": ["sport"]}),
        (Retraction, {}),
        (Retraction, {"reason": None}),
        (Retraction, {"reason": "x", "headline": "y"}),
    ],
)
def test_what_is_no_follow_up(form: type[Correction] | type[Retraction], given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        form.model_validate(given)
