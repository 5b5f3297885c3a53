"""The SDK as it is served: one small file, and right about the clock."""

import gzip
import json
import os
import re
import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.util import find_spec

import pytest
from playwright.async_api import Browser, Route, expect
from sdk_page import sdk_page

from api.api_served import Served
from browsers import needs_chromium
from tocsin.domain.hours import QuietHours
from tocsin.web.assets import JOINED, asset, sdk_parts, small, source
from tocsin.web.joined import joined
from tocsin.web.minified import NotMinified, minified

needs_minifier = pytest.mark.skipif(
    find_spec("minify") is None and "CI" not in os.environ, reason="no tdewolff-minify for this machine"
)

# Arabic letters take two bytes each.
BUDGETS = {"en": 15_000, "ar": 15 * 1024}
AS_SENT = 6  # zlib's own level, which the service compresses by


def served(name: str) -> bytes:
    found = asset(name)
    assert found is not None, name
    return found.body


def gaps(text: str) -> list[str]:
    return sorted(re.findall(r"\{\w+\}", text))


@needs_minifier
@pytest.mark.parametrize("language", BUDGETS)
def test_the_sdk_with_all_elements_and_one_language_stays_small(language: str) -> None:
    files = [served("tocsin.js"), served(f"words-{language}.json")]
    assert sum(len(gzip.compress(file, AS_SENT)) for file in files) <= BUDGETS[language]


@pytest.mark.parametrize("file", ["words", "data-words"])
def test_both_languages_have_the_same_words_in_order_and_with_the_same_gaps(file: str) -> None:
    english, arabic = (json.loads(served(f"{file}-{language}.json")) for language in ("en", "ar"))
    plural = tuple(f".{form}" for form in ("zero", "one", "two", "few", "many", "other"))
    assert {key for key in english if not key.endswith(plural)} == {key for key in arabic if not key.endswith(plural)}
    for words in (english, arabic):
        assert list(words) == sorted(words)
        assert all(words.values())
    for key in english.keys() & arabic.keys():
        assert gaps(english[key]) == gaps(arabic[key]), key


@pytest.mark.parametrize("script", JOINED)
def test_no_two_modules_of_the_sdk_give_one_name_to_two_things(script: str) -> None:
    names: list[str] = []
    for name in sdk_parts(script):
        for line in source(name).splitlines():
            words = line.removeprefix("export ").removeprefix("async ").split()
            if len(words) > 1 and words[0] in {"const", "let", "function", "class"} and not line.startswith(" "):
                names.append(words[1].split("(")[0])
    assert sorted(names) == sorted(set(names))


ENTRY = 'export { b } from "./b.js";\n'
REFUSED = {
    "a form of export": "export default 1;\n",
    "another name for an import": 'import { c as d } from "./c.js";\nexport const b = d;\n',
}


@pytest.mark.parametrize("source", REFUSED.values(), ids=list(REFUSED))
def test_what_would_not_survive_is_refused(source: str) -> None:
    files = {"a.js": ENTRY, "b.js": source, "c.js": "export const c = 1;\n"}
    with pytest.raises(ValueError, match=r"b\.js"):
        joined("a.js", files.__getitem__)


# What a smaller script could get wrong, as a page sees it.
KEPT = r"""
class Kept {
  #field = " a  // b ";
  static address = new URL(".", import.meta.url).href.length > 0;
  get field() { return this.#field; }
  static order() {
    const first = [2];
    const { length } = Object.values({ first, second: 2 });
    return length;
  }
  set field(value) { this.#field = value?.text ?? `c /* ${["d"].map((each) => `<${each}  ${1 + +1}>`)} */ e`; }
}
const kept = new Kept();
const before = kept.field;
kept.field = null;
const all = [before, kept.field, "a / , b / , c".replace(/ , [/\]]? ?/g, ";"), Kept.address, Kept.order(), 6 / 2 / 3];
export { all };
"""
MEANT = [" a  // b ", "c /* <d  2> */ e", "a /;b /;c", True, 2, 1]


@needs_minifier
def test_a_sheet_within_the_sdk_loses_its_spaces_too() -> None:
    assert "const STYLE=`a b{color:red}`" in minified(
        "const STYLE = `\n  a  b { color: red; }\n`;\nexport { STYLE };\n"
    )


@pytest.mark.browser
@needs_chromium
@needs_minifier
async def test_a_minified_script_means_the_same(sdk_api: Served, shared_chromium: Browser) -> None:
    async with sdk_page(shared_chromium, sdk_api) as reader:
        await reader.show("")
        for script in (KEPT, minified(KEPT)):
            reply = partial(Route.fulfill, body=script, content_type="text/javascript")
            await reader.page.route("**/kept.js*", reply)
            assert await reader.page.evaluate("async (n) => (await import(`/kept.js?${n}`)).all", len(script)) == MEANT


def test_where_nothing_minifies_scripts_are_served_as_they_are_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert small("const a = 1; // why\n", "a.js") == "const a = 1; // why\n"
    assert "a script is not minified" in capsys.readouterr().out


@needs_minifier
def test_what_cannot_be_read_is_told_with_its_reason() -> None:
    with pytest.raises(NotMinified, match="unexpected"):
        minified("const a = ;\n")


@pytest.mark.browser
@needs_chromium
async def test_a_page_asks_for_few_files_of_ours_and_no_other_host(sdk_api: Served, shared_chromium: Browser) -> None:
    async with sdk_page(shared_chromium, sdk_api) as reader:
        await reader.show(
            "<tocsin-subscribe></tocsin-subscribe><tocsin-preferences></tocsin-preferences>"
            '<tocsin-follow story="a"></tocsin-follow>'
        )
        await expect(reader.page.get_by_role("button", name="Get alerts").first).to_be_visible()
        assert all(request.startswith(sdk_api.origin) for request in reader.requests)
        paths = [request.removeprefix(sdk_api.origin) for request in reader.requests]
        ours = [path for path in paths if path not in {"/story", "/sw.js", "/favicon.ico"}]
        words = re.compile(r"/assets/words-en\.[0-9a-f]{8}\.json")
        assert sorted(words.sub("words", path) for path in ours) == [
            "/tocsin-quiet.js",
            "/tocsin.js",
            "/v1/site",
            "words",
        ]


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
