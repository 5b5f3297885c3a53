"""The pages as a browser gets them: nothing inline, nothing from elsewhere, every link under the base path."""

import json
import re
from html.parser import HTMLParser
from importlib.resources import files

import pytest
from jinja2 import UndefinedError

from tocsin.domain.deliveries import Mark, told
from tocsin.domain.languages import SiteLanguage
from tocsin.web import CONTENT_SECURITY_POLICY, PAGE_HEADERS, PAGES, ROOT_ASSETS, asset, render
from tocsin.web.pages import SCRIPTS
from tocsin.web.words import page_words, speaker

GAP = re.compile(r"\{\w+\}")
# Keys that are put together from parts.
MADE = ("level.", "prefs.off_", "test.", "end.")
PATHS = {"", "preferences"}


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts = ""
        self.labels: set[str] = set()
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside in {"script", "style"}:
            self.scripts += data.strip()

    def links(self) -> list[str]:
        return [value for _, attrs in self.tags for name, value in attrs.items() if name in {"href", "src"} and value]


def page(name: str, *, base_path: str = "", site_name: str = "The Herald") -> Page:
    return Page(render(name, base_path=base_path, site_name=site_name, version="1.2.3"))


@pytest.mark.parametrize("name", sorted(PAGES))
def test_nothing_is_inline(name: str) -> None:
    parsed = page(name)
    assert parsed.scripts == ""
    for tag, attrs in parsed.tags:
        assert tag != "style"
        assert "style" not in attrs
        assert not [attribute for attribute in attrs if attribute.startswith("on")]
        assert tag != "script" or attrs.get("type") == "module"


@pytest.mark.parametrize("base_path", ["", "/alerts"])
@pytest.mark.parametrize("name", sorted(PAGES))
def test_every_link_is_under_the_base_path_and_is_there(name: str, base_path: str) -> None:
    links = [link for link in page(name, base_path=base_path).links() if not link.startswith("#")]
    assert links
    for link in links:
        assert link.startswith(f"{base_path}/")
        path = link.removeprefix(f"{base_path}/")
        assert path in PATHS or path in ROOT_ASSETS or path.startswith("assets/")
        assert path in PATHS or asset(path.removeprefix("assets/")), link


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_site_name_is_text_and_never_markup(name: str) -> None:
    text = render(name, base_path="", site_name="<script>alert(1)</script>\"'&", version="1.2.3")
    assert "<script>alert" not in text
    assert "&lt;script&gt;" in text


@pytest.mark.parametrize("name", sorted(PAGES))
def test_every_id_is_used_once_and_every_field_is_named(name: str) -> None:
    tags = page(name).tags
    ids = [attrs["id"] for _, attrs in tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    labelled = {attrs.get("for") for tag, attrs in tags if tag == "label"}
    for tag, attrs in tags:
        if tag in {"textarea", "select"} or (tag == "input" and attrs.get("type") not in {"radio", "checkbox"}):
            assert attrs["id"] in labelled
        for attribute in ("aria-labelledby", "aria-describedby", "aria-controls"):
            assert set((attrs.get(attribute) or "").split()) <= set(ids)


def test_an_unknown_page_and_a_forgotten_name_are_errors() -> None:
    with pytest.raises(ValueError, match="no such page"):
        render("layout.html", base_path="", site_name="The Herald", version="1.2.3")
    with pytest.raises(UndefinedError):
        render("reader.html", base_path="")


def test_the_policy_allows_our_own_files_only() -> None:
    directives = dict(directive.split(" ", 1) for directive in CONTENT_SECURITY_POLICY.split("; "))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == directives["style-src"] == directives["connect-src"] == "'self'"
    assert directives["form-action"] == directives["frame-ancestors"] == directives["base-uri"] == "'none'"
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert PAGE_HEADERS["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert PAGE_HEADERS["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_a_readers_page_speaks_the_sites_language(name: str) -> None:
    for language, direction in (("en", "ltr"), ("ar", "rtl")):
        text = render(name, SiteLanguage(language), base_path="", site_name="بريد", version="1.2.3")
        assert f'<html lang="{language}" dir="{direction}">' in text
        assert not GAP.search(text)


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_a_privacy_policy_is_linked_where_there_is_one(name: str) -> None:
    context = {"base_path": "", "site_name": "The Herald", "version": "1.2.3"}
    policy = "https://herald.example/privacy"
    assert policy in Page(render(name, privacy_url=policy, **context)).links()
    assert not [link for link in Page(render(name, **context)).links() if "privacy" in link]


@pytest.mark.parametrize("name", sorted(PAGES - SCRIPTS.keys()))
def test_the_desks_pages_speak_english(name: str) -> None:
    context = {"base_path": "", "site_name": "The Herald", "version": "1.2.3"}
    assert render(name, SiteLanguage.ARABIC, **context) == render(name, **context)


def test_both_languages_have_the_same_words_with_the_same_gaps() -> None:
    english, arabic = (page_words(language) for language in SiteLanguage)
    assert english.keys() == arabic.keys()
    for key, text in english.items():
        assert set(GAP.findall(text)) == set(GAP.findall(arabic[key])), key
        assert re.search(r"[\u0600-\u06ff]", arabic[key]), key


def asset_text(name: str) -> str:
    found = asset(name)
    assert found
    return found.body.decode()


def test_every_word_is_said_somewhere_and_every_word_said_is_there() -> None:
    words = page_words(SiteLanguage.ENGLISH)
    templates = [path.read_text() for path in files("tocsin.web").joinpath("templates").iterdir()]
    scripts = [asset_text(name) for name in (*SCRIPTS.values(), "latest.js", "page-words.js", "subscribing.js")]
    said = set(re.findall(r"""\bt\(["']([a-z_.]+)["'],? ?""", "\n".join([*templates, *scripts])))
    assert {key for key in said if not key.endswith((".", "_"))} <= words.keys()
    everything = "\n".join([*templates, *scripts])
    assert [
        key
        for key in words
        if f'"{key}"' not in everything and f"'{key}'" not in everything and not key.startswith(MADE)
    ] == []


def test_a_word_that_is_not_there_or_has_a_gap_left_is_an_error() -> None:
    say = speaker(SiteLanguage.ENGLISH)
    with pytest.raises(KeyError):
        say("home.nothing")
    with pytest.raises(KeyError):
        say("home.is")


@pytest.mark.parametrize("base_path", ["", "/alerts"])
@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_a_readers_page_can_stand_on_the_home_screen(name: str, base_path: str) -> None:
    tags = page(name, base_path=base_path).tags
    links = {attrs["rel"]: attrs["href"] for tag, attrs in tags if tag == "link" and attrs["rel"] != "modulepreload"}
    assert links["manifest"] == f"{base_path}/manifest.webmanifest"
    assert links["apple-touch-icon"] == f"{base_path}/assets/icon-180.png"
    names = {attrs.get("name"): attrs.get("content") for tag, attrs in tags if tag == "meta"}
    assert names["apple-mobile-web-app-title"] == "The Herald"
    assert names["theme-color"]


def test_each_fate_of_an_alert_has_its_words() -> None:
    """Those that the history tells; of "accepted" the page says only that it was sent."""
    words = json.loads(asset_text("data-words-en.json"))
    fates = [told(mark) for mark in Mark] + [("pending", None), ("skipped", "not_had")]
    for outcome, reason in fates:
        key = f"why.reason.{reason}" if reason and outcome != "deferred" else f"why.{outcome}"
        assert outcome == "accepted" or key in words
