"""`/sw.js` as it is served: one script that knows its service, with the words in it."""

import json
import re
from importlib.resources import files

import pytest

from tocsin.domain.notices import GAPS, Notices
from tocsin.web import service_worker
from tocsin.web.service_worker import LANGUAGES, PARTS, worker_words


def source(service: str = "https://alerts.example.com/") -> str:
    return service_worker(service).body.decode()


def written(part: str) -> str:
    return files("tocsin.web").joinpath("worker", f"{part}.js").read_text()


def test_it_knows_its_service_and_its_tag_follows_it() -> None:
    assert 'const SERVICE = "https://alerts.example.com/x/";' in source("https://alerts.example.com/x/")
    one, other = service_worker("https://one.example/"), service_worker("https://other.example/")
    assert one.etag != other.etag
    assert one.headers["Cache-Control"] == "no-cache"
    assert one.headers["Service-Worker-Allowed"] == "/"


def test_a_newsroom_says_it_in_its_own_words_and_leads_to_its_own_page() -> None:
    texts = {"en": {"worker.read": "Read on"}, "fr": {"worker.read": "Lire"}}
    script = service_worker("https://a.example/", "https://b.example/alerts", Notices(texts=texts)).body.decode()
    assert 'const READER = "https://b.example/alerts";' in script
    words = json.loads(re.findall(r"^const WORDS = (.*);$", script, re.MULTILINE)[0])
    assert words == {
        "en": {**worker_words("en"), "worker.read": "Read on"},
        "ar": worker_words("ar"),
        "fr": {"worker.read": "Lire"},
    }


def test_its_policy_lets_it_ask_its_service_and_nobody_else() -> None:
    policy = service_worker("https://alerts.example.com:8443/news/").headers["Content-Security-Policy"]
    assert "default-src 'none'; connect-src 'self' https://alerts.example.com:8443; img-src 'self' https:;" in policy


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_is_there_and_used(language: str) -> None:
    words, script = worker_words(language), source()
    asked = {name for part in PARTS for name in re.findall(r'word\("(\w+)"\)', written(part))} | {
        "muted",
        "unmuted",
        "not_muted",
        "not_unmuted",
    }
    assert {f"worker.{key}" for key in asked} == set(words)
    assert all(text.strip() == text != "" for text in words.values())
    assert {key: tuple(re.findall(r"\{(\w+)\}", text)) for key, text in words.items()} == {
        key: gaps for key, gaps in GAPS.items() if key.startswith("worker.")
    }
    assert json.dumps(words) in script


def test_it_leaves_no_name_behind_in_another_worker_and_makes_no_code() -> None:
    script = source()
    assert re.search(r"^\(\(\) => \{\n\"use strict\";$", script, re.MULTILINE)
    assert script.rstrip().endswith("})();")
    for forbidden in ("eval(", "new Function", 'importScripts("', "deliver"):
        assert forbidden not in script


def test_its_parts_are_short() -> None:
    folder = files("tocsin.web").joinpath("worker")
    assert {entry.name for entry in folder.iterdir()} == {f"{name}.js" for name in PARTS}
    assert all(len(written(part).splitlines()) <= 200 for part in PARTS)
