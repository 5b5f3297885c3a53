"""The SDK as it is served: one small file, and right about the clock."""

import gzip
import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Browser, expect
from sdk_page import sdk_page

from api.api_served import Served
from browsers import needs_chromium
from tocsin.domain.hours import QuietHours
from tocsin.web.assets import asset, sdk_parts, source
from tocsin.web.joined import joined

# Arabic letters take two bytes each.
BUDGETS = {"en": 15_000, "ar": 15 * 1024}
AS_SENT = 6  # zlib's own level, which the service compresses by


def served(name: str) -> bytes:
    found = asset(name)
    assert found is not None, name
    return found.body


def gaps(text: str) -> list[str]:
    return sorted(re.findall(r"\{\w+\}", text))


@pytest.mark.parametrize("language", BUDGETS)
def test_the_sdk_with_all_elements_and_one_language_stays_small(language: str) -> None:
    files = [served("tocsin.js"), served(f"words-{language}.json")]
    assert sum(len(gzip.compress(file, AS_SENT)) for file in files) <= BUDGETS[language]


def test_both_languages_have_the_same_words_in_order_and_with_the_same_gaps() -> None:
    english, arabic = (json.loads(served(f"words-{language}.json")) for language in ("en", "ar"))
    plural = tuple(f".{form}" for form in ("zero", "one", "two", "few", "many", "other"))
    assert {key for key in english if not key.endswith(plural)} == {key for key in arabic if not key.endswith(plural)}
    for words in (english, arabic):
        assert list(words) == sorted(words)
        assert all(words.values())
    for key in english.keys() & arabic.keys():
        assert gaps(english[key]) == gaps(arabic[key]), key


def test_no_two_modules_of_the_sdk_give_one_name_to_two_things() -> None:
    names: list[str] = []
    for name in sdk_parts():
        for line in source(name).splitlines():
            words = line.removeprefix("export ").removeprefix("async ").split()
            if len(words) > 1 and words[0] in {"const", "let", "function", "class"} and not line.startswith(" "):
                names.append(words[1].split("(")[0])
    assert sorted(names) == sorted(set(names))


ENTRY = 'export { b } from "./b.js";\n'
REFUSED = {
    "a form of export": "export default 1;\n",
    "another name for an import": 'import { c as d } from "./c.js";\nexport const b = d;\n',
    "a text in single quotes": "export const b = 'a , b // c';\n",
    "a text within a text": 'export const b = `a ${["x"].map((c) => `${c} , c // d`)} b`;\n',
    "two signs that become one": "export const b = (a) => a + +a;\n",
}


@pytest.mark.parametrize("source", REFUSED.values(), ids=list(REFUSED))
def test_what_would_not_survive_is_refused(source: str) -> None:
    files = {"a.js": ENTRY, "b.js": source, "c.js": "export const c = 1;\n"}
    with pytest.raises(ValueError, match=r"b\.js"):
        joined("a.js", files.__getitem__)


KEPT = {
    "texts": ('"a  // b" + `c /* d */ { e }`', '"a  // b"+`c /* d */ { e }`'),
    "regular expressions": (r"f(/ , [/\]] {2} \/ /g, /a - b/, 1 / 2 / 3)", r"f(/ , [/\]] {2} \/ /g,/a - b/,1/2/3)"),
    "a quote in a regular expression": ('f(/"/, " , ")', 'f(/"/," , ")'),
    "what a comment stands between": ("typeof/* no */a", "typeof a"),
}


@pytest.mark.parametrize(("written", "tight"), KEPT.values(), ids=list(KEPT))
def test_texts_and_expressions_keep_every_character_and_comments_go(written: str, tight: str) -> None:
    source = f"// no\nexport const b = {written}; // no\n/** no */\n"
    files = {"a.js": ENTRY, "b.js": source}
    assert joined("a.js", files.__getitem__) == f"const b={tight};export{{b}};\n"


@pytest.mark.browser
@needs_chromium
async def test_a_page_asks_for_two_files_of_ours_and_no_other_host(sdk_api: Served, shared_chromium: Browser) -> None:
    async with sdk_page(shared_chromium, sdk_api) as reader:
        await reader.show(
            "<tocsin-subscribe></tocsin-subscribe><tocsin-preferences></tocsin-preferences>"
            '<tocsin-follow story="a"></tocsin-follow>'
        )
        await expect(reader.page.get_by_role("button", name="Get alerts").first).to_be_visible()
        assert all(request.startswith(sdk_api.origin) for request in reader.requests)
        paths = [request.removeprefix(sdk_api.origin) for request in reader.requests]
        ours = [path for path in paths if path not in {"/story", "/sw.js", "/favicon.ico"}]
        assert sorted(ours) == ["/assets/words-en.json", "/tocsin.js", "/v1/site"]


@pytest.mark.browser
@needs_chromium
async def test_the_preview_knows_when_clocks_change(sdk_api: Served, shared_chromium: Browser) -> None:
    """Against the very rule by which alerts wait, over the days of both changes."""
    hours = [("22:00", "07:00"), ("22:00", "01:30"), ("01:30", "07:00"), ("23:00", "02:00"), ("09:00", "17:00")]
    zones = ["Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]
    changes = ((3, 7), (3, 28), (4, 4), (10, 3), (10, 24), (10, 31))
    days = [datetime(2026, month, day, 12, tzinfo=UTC) for month, day in changes]
    moments = [day + timedelta(hours=3 * step) for day in days for step in range(12)]
    cases = [(start, end, zone, moment) for start, end in hours for zone in zones for moment in moments]
    async with sdk_page(shared_chromium, sdk_api) as reader:
        await reader.show("")
        told = await reader.page.evaluate(
            """async (cases) => {
              const { quiet } = await import("/assets/quiet.js");
              return cases.map(([start, end, zone, now]) => quiet({ start, end }, zone, now));
            }""",
            [[start, end, zone, int(moment.timestamp() * 1000)] for start, end, zone, moment in cases],
        )
    for (start, end, zone, moment), said in zip(cases, told, strict=True):
        rule = QuietHours(start=start, end=end)
        begins, ends = (datetime.fromtimestamp(said[name] / 1000, UTC) for name in ("begins", "ends"))
        case = (start, end, zone, moment, begins, ends)
        until = rule.quiet_until(moment, zone)
        assert said["isNow"] == (until is not None), case
        assert rule.quiet_until(begins, zone) == ends, case
        assert rule.quiet_until(ends, zone) is None, case
        if until is None:
            assert rule.quiet_until(begins - timedelta(minutes=1), zone) is None, case
