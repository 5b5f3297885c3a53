"""Words of ours in notifications: whose language they are in, which way they run, and a newsroom's own."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from samples import NOW, an_alert
from tocsin.domain.alerts import MAX_HEADLINE
from tocsin.domain.languages import SiteLanguage
from tocsin.domain.notices import ENGLISH, GAPS, MAX_TEXT, QUIET, RETRACTED, TEST, Notices, Texts, texts_fault
from tocsin.domain.payload import notification, own_test, summary

ARABIC = Notices(SiteLanguage.ARABIC)
ARABIC_TEST = ARABIC.say(TEST).text
FRENCH: Texts = {"fr": {RETRACTED: "Démenti : {headline}", TEST: "Ceci est un essai."}}


def shown(payload: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(payload)["notification"]
    return found


@pytest.mark.parametrize(
    ("notices", "wanted", "language"),
    [
        (ENGLISH, (), "en"),
        (ARABIC, (), "ar"),
        (ENGLISH, ("ar",), "ar"),
        (ARABIC, ("en-GB",), "en"),
        (ARABIC, (None, "en"), "en"),
        (ARABIC, ("fr", None), "ar"),
        (ENGLISH, ("fr", "ar-EG"), "ar"),
        (Notices(SiteLanguage.ARABIC, FRENCH), ("fr-CA", "en"), "fr"),
    ],
)
def test_the_first_language_wanted_that_has_words_speaks_else_the_sites(
    notices: Notices, wanted: tuple[str | None, ...], language: str
) -> None:
    assert notices.say(TEST, *wanted).language == language


def test_a_newsrooms_own_words_go_before_ours_and_the_others_stay() -> None:
    notices = Notices(texts={"en": {TEST: "It works."}, **FRENCH})
    assert notices.say(TEST).text == "It works."
    assert notices.say(TEST, "fr").text == "Ceci est un essai."
    assert notices.say(QUIET, "fr", site="{n}", n=2).text == "{n}: 2 alerts while it was quiet"


TOLD: dict[str, Callable[[str | None, Notices], bytes]] = {
    "a test": lambda language, notices: own_test("The Daily", "https://x.org/", notices, language),
    "a summary": lambda language, notices: summary([an_alert(language=language)] * 2, "The Daily", 0.0, notices),
    "a reader's summary": lambda language, notices: summary([an_alert()] * 2, "The Daily", 0.0, notices, language),
}


@pytest.mark.parametrize("told", TOLD.values(), ids=TOLD)
def test_arabic_words_run_from_the_right_whatever_the_site_speaks(told: Callable[..., bytes]) -> None:
    for language, notices in (("ar", ENGLISH), (None, ARABIC), ("fr", ARABIC)):
        payload = shown(told(language, notices))
        assert (payload["lang"], payload["dir"]) == ("ar", "rtl")
    english = shown(told("en", ARABIC))
    assert (english["lang"], english["dir"]) == ("en", "auto")


def test_a_summary_of_alerts_in_two_languages_is_in_its_readers() -> None:
    alerts = [an_alert(language="en"), an_alert(language="ar")]
    assert shown(summary(alerts, "The Daily", 0.0, ENGLISH, "ar"))["lang"] == "ar"
    assert shown(summary(alerts, "The Daily", 0.0, ENGLISH))["lang"] == "en"
    regions = [an_alert(language="ar-EG"), an_alert(language="ar")]
    assert shown(summary(regions, "The Daily", 0.0, ENGLISH, "en"))["lang"] == "ar"


@pytest.mark.parametrize(
    ("language", "notices", "headline", "direction"),
    [
        ("ar", ENGLISH, "تنبيه مسحوب: خبر", "rtl"),
        (None, ARABIC, "تنبيه مسحوب: خبر", "auto"),
        ("ar", Notices(texts={"ar": {RETRACTED: "سُحب: {headline}"}}), "سُحب: خبر", "rtl"),
        ("fr", Notices(texts=FRENCH), "Démenti : خبر", "auto"),
        (None, ENGLISH, "Retracted: خبر", "auto"),
    ],
)
def test_a_retraction_is_in_the_language_of_its_alert(
    language: str | None, notices: Notices, headline: str, direction: str
) -> None:
    retraction = an_alert(headline="خبر", language=language).retraction("No.", "desk", NOW, notices)
    payload = shown(notification(retraction))
    assert (payload["title"], payload.get("lang"), payload["dir"]) == (headline, language, direction)


def test_an_arabic_alert_that_begins_with_a_latin_name_runs_from_the_right() -> None:
    payload = shown(notification(an_alert(headline="NATO: قمة طارئة", language="ar")))
    assert (payload["lang"], payload["dir"]) == ("ar", "rtl")


WRONG: dict[str, tuple[Texts, str]] = {
    "no language": ({"Klingon": {TEST: "x"}}, "'Klingon' is no language"),
    "no such text": ({"en": {"push.nothing": "x"}}, "en: push.nothing: there is no such text"),
    "a gap left out": ({"en": {RETRACTED: "Sorry"}}, "en: push.retracted: must hold {headline}, each once, not no gap"),
    "a gap too many": ({"en": {TEST: "{site}"}}, "en: push.test: must hold no gap, each once, not {site}"),
    "blank": ({"en": {TEST: " "}}, "en: push.test: is blank"),
    "too long": ({"en": {TEST: "x" * (MAX_TEXT + 1)}}, "must have 1 to 120"),
    "a trick": ({"en": {TEST: "a\u202eb"}}, "bidirectional override"),
}


@pytest.mark.parametrize(("texts", "words"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_with_a_text_is_said_with_its_place(texts: Texts, words: str) -> None:
    assert words in (texts_fault(texts) or "")


def test_what_we_say_ourselves_would_pass_and_there_is_room_for_a_headline() -> None:
    assert MAX_TEXT == MAX_HEADLINE
    for notices in (ENGLISH, ARABIC):
        said = {key: notices.say(key, **{gap: f"{{{gap}}}" for gap in GAPS[key]}) for key in (TEST, QUIET, RETRACTED)}
        assert texts_fault({each.language: {key: each.text} for key, each in said.items()}) is None
