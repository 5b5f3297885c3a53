"""Static files: known by name, tagged by content, small, and asking nobody else for anything."""

import gzip
import json
import re

import pytest

from tocsin.domain.languages import SiteLanguage
from tocsin.web import PAGES, ROOT_ASSETS, Asset, asset, manifest, render, service_worker
from tocsin.web.assets import JOINED, SDK, names, sdk_parts
from tocsin.web.pages import SCRIPTS

IMPORT = re.compile(r"""(?:from|import)\s+"(\.{1,2}/[^"]+)";""")
# A namespace is a name, not an address: nothing is fetched from it.
NAMESPACES = {"http://www.w3.org/2000/svg"}
READER_BUDGET = 60_000


def known(path: str) -> Asset:
    found = asset(path)
    assert found is not None, path
    return found


def source(path: str) -> str:
    return known(path).body.decode()


TEXT_FILES = sorted(name for name in names() if not name.endswith(".png"))


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "..",
        "../pages.py",
        "../templates/reader.html",
        "/base.css",
        "./base.css",
        "assets/../base.css",
        "base.css/",
        "BASE.CSS",
        "%2e%2e/pages.py",
        "base.css\0",
        "reader.html",
        "__init__.py",
    ],
)
def test_only_the_packages_own_names_are_found(path: str) -> None:
    assert asset(path) is None


def test_assets_carry_type_tag_and_headers() -> None:
    assert set(ROOT_ASSETS) <= names()
    for name in names():
        found = known(name)
        assert found.body
        assert re.fullmatch(r'"[0-9a-f]{32}"', found.etag)
        tagged = re.search(r"\.[0-9a-f]{8}\.json$", name)
        kept = "public, max-age=31536000, immutable" if tagged else "no-cache"
        assert found.headers["Cache-Control"] == ("public, max-age=0, s-maxage=60" if name == SDK else kept)
    assert known("tocsin.js").content_type.startswith("text/javascript")
    assert known("icon-192.png").body.startswith(b"\x89PNG")
    assert "Service-Worker-Allowed" not in known("tocsin.js").headers


def test_the_sdk_asks_for_words_by_their_tag_and_a_copy_of_another_release_gets_todays() -> None:
    asked = re.findall(r'"(words-(?:en|ar)\.[0-9a-f]{8}\.json)"', source(SDK))
    assert len(asked) == 2
    for name in asked:
        today = known(re.sub(r"\.[0-9a-f]{8}", "", name))
        assert known(name).body == today.body
        assert known(name.replace(name.split(".")[1], "01234567")) == today


def test_the_tag_follows_the_content() -> None:
    assert Asset("a.js", b"1").etag == Asset("b.js", b"1").etag != Asset("a.js", b"2").etag


def test_the_manifest_has_the_sites_name_and_icons_that_are_there() -> None:
    made = manifest("L’Écho “du” Nord", SiteLanguage.ARABIC)
    fields = json.loads(made.body)
    assert fields["name"] == fields["short_name"] == "L’Écho “du” Nord"
    assert fields["display"] == "standalone"
    assert (fields["lang"], fields["dir"]) == ("ar", "rtl")
    # Relative to the manifest's own address, so under any base path.
    assert fields["id"] == fields["start_url"] == fields["scope"] == "./"
    assert all(known(icon["src"].removeprefix("assets/")) for icon in fields["icons"])
    assert made.content_type.startswith("application/manifest+json")
    assert made.etag != known("manifest.webmanifest").etag


@pytest.mark.parametrize("name", TEXT_FILES)
def test_no_file_names_another_host(name: str) -> None:
    addresses = set(re.findall(r"""(?:https?:)?//[a-z0-9][^\s"'`)<>]*\.[a-z][^\s"'`)<>]*""", source(name)))
    assert addresses <= NAMESPACES
    assert "@import" not in source(name)


@pytest.mark.parametrize("name", sorted(PAGES))
def test_no_page_names_another_host(name: str) -> None:
    assert not re.search(r"//\w", render(name, base_path="", site_name="The Herald", version="1.2.3"))


@pytest.mark.parametrize("name", [name for name in TEXT_FILES if name.endswith(".js")])
def test_scripts_write_no_markup_and_make_no_code(name: str) -> None:
    for forbidden in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
        assert forbidden not in source(name)
    assert name in JOINED or len(source(name).splitlines()) <= 250


def modules(entry: str) -> set[str]:
    """The module and all that it imports. Its address is the root for root assets, else /assets/."""
    found: set[str] = set()
    waiting = [entry]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        for path in IMPORT.findall(source(name)):
            folder = "" if name in ROOT_ASSETS else "assets/"
            target = path.removeprefix("../") if path.startswith("../") else folder + path.removeprefix("./")
            assert target in ROOT_ASSETS or target.startswith("assets/"), (name, path)
            waiting.append(target.removeprefix("assets/"))
    return found


@pytest.mark.parametrize("entry", [*SCRIPTS.values(), "console.js", "ops.js", *JOINED])
def test_every_import_leads_to_a_file(entry: str) -> None:
    assert all(asset(name) for name in modules(entry))


def test_every_module_is_used() -> None:
    used = (
        set().union(*map(modules, SCRIPTS.values()), *map(sdk_parts, JOINED))
        | modules("console.js")
        | modules("ops.js")
    )
    assert {name for name in names() if name.endswith(".js")} == used


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_the_readers_modules_are_all_preloaded(name: str) -> None:
    text = render(name, base_path="", site_name="The Herald", version="1.2.3")
    preloaded = {path.removeprefix("assets/") for path in re.findall(r'modulepreload" href="/([^"]+)"', text)}
    assert preloaded == modules(SCRIPTS[name]) - {SCRIPTS[name]}


def test_the_readers_pages_stay_small() -> None:
    pages = [render(name, base_path="", site_name="The Herald", version="1.2.3").encode() for name in SCRIPTS]
    scripts = set().union(*map(modules, SCRIPTS.values()))
    more = ["base.css", "reader.css", "icon.svg", "page-words-ar.json", "words-ar.json", "data-words-ar.json"]
    worker = service_worker("https://alerts.herald.example/").body
    bodies = [*pages, worker, *(known(name).body for name in {*scripts, *JOINED, *more})]
    assert sum(len(gzip.compress(body)) for body in bodies) <= READER_BUDGET


def test_no_page_or_script_promises_delivery() -> None:
    texts = {name: source(name) for name in TEXT_FILES}
    texts |= {name: render(name, base_path="", site_name="The Herald", version="1.2.3") for name in PAGES}
    for name, text in texts.items():
        for line in text.splitlines():
            assert "deliver" not in line.lower() or line.lstrip().startswith("//"), (name, line)
