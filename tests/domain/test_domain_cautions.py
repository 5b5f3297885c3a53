"""When two alerts look like one, as tables."""

from datetime import timedelta
from typing import Any

import pytest

from samples import NOW, a_draft, an_alert
from tocsin.domain.cautions import RECENT, near_identical, similar_alert

HEADLINE, LINK = "Aid convoy reaches Aleppo", "https://news.example.com/aleppo"
OTHER = {"headline": "Budget passed by one vote", "url": "https://news.example.com/budget"}


@pytest.mark.parametrize(
    "headline",
    [
        HEADLINE,
        "AID CONVOY REACHES ALEPPO",
        "Aid convoy reaches Aleppo.",
        "  Aid   convoy – reaches “Aleppo”!",
        "Convoy reaches Aleppo",
        "Aid convoy reaches Alepo",
        "Aid convoy reaches Aleppo",  # full-width letters
    ],
)
def test_headlines_that_say_the_same(headline: str) -> None:
    assert near_identical(headline, HEADLINE)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (HEADLINE, "Aid convoy reaches Homs"),
        (HEADLINE, "Budget passed by one vote"),
        (HEADLINE, "🔔"),
        ("🔔", "🚨"),
        ("ताज़ा खबर", "तीजे खुबरे"),
    ],
)
def test_headlines_that_do_not(one: str, other: str) -> None:
    assert not near_identical(one, other)


ALIKE: dict[str, tuple[dict[str, Any], str]] = {
    "link": ({"headline": OTHER["headline"]}, "the same link"),
    "link, another place on it": ({"headline": "x", "url": f"{LINK}#video"}, "the same link"),
    "link, another way to write the host": ({"headline": "x", "url": LINK.replace("news", "NEWS")}, "the same link"),
    "link, with its port": ({"headline": "x", "url": LINK.replace(".com", ".com:443")}, "the same link"),
    "headline": ({"url": OTHER["url"]}, "nearly the same headline"),
    "all": ({}, "the same link"),
}


@pytest.mark.parametrize(("changes", "words"), ALIKE.values(), ids=ALIKE)
def test_an_alert_like_another_names_it_and_its_age(changes: dict[str, Any], words: str) -> None:
    warned = similar_alert(a_draft(**changes), [an_alert()], NOW + timedelta(minutes=3, seconds=5))

    assert warned
    assert warned.code == "similar_alert"
    assert words in warned.detail
    assert HEADLINE in warned.detail
    assert "3 minutes ago" in warned.detail


@pytest.mark.parametrize("changes", [OTHER, {**OTHER, "url": f"{LINK}?page=2"}, {**OTHER, "url": f"{LINK}/"}])
def test_an_alert_unlike_any_other(changes: dict[str, Any]) -> None:
    assert similar_alert(a_draft(**changes), [an_alert()], NOW) is None
    assert similar_alert(a_draft(), [], NOW) is None


@pytest.mark.parametrize(
    ("age", "told"),
    [
        (timedelta(0), "0 seconds ago"),
        (timedelta(seconds=1), "1 second ago"),
        (timedelta(seconds=59), "59 seconds ago"),
        (timedelta(seconds=60), "1 minute ago"),
        (RECENT, "10 minutes ago"),
        (timedelta(seconds=-2), "0 seconds ago"),  # another machine's clock
    ],
)
def test_how_long_ago(age: timedelta, told: str) -> None:
    warned = similar_alert(a_draft(), [an_alert()], NOW + age)
    assert warned
    assert told in warned.detail


def test_what_is_ten_minutes_old_is_another_story() -> None:
    assert similar_alert(a_draft(), [an_alert()], NOW + RECENT + timedelta(seconds=1)) is None


def test_the_first_that_is_alike_is_named() -> None:
    others = [an_alert(**OTHER), an_alert(headline="Convoy reaches Aleppo"), an_alert()]
    warned = similar_alert(a_draft(), others, NOW)
    assert warned
    assert "“Convoy reaches Aleppo”" in warned.detail
