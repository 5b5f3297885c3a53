"""Static files: read once at import, known by name, so that no request ever reaches the file system."""

import hashlib
import json
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final

import structlog

from tocsin.domain.languages import SiteLanguage
from tocsin.web.joined import joined, parts
from tocsin.web.minified import NotMinified, minified
from tocsin.web.words import speaker

log = structlog.get_logger()

CONTENT_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "css": "text/css; charset=utf-8",
        "js": "text/javascript; charset=utf-8",
        "json": "application/json",
        "png": "image/png",
        "ts": "text/plain; charset=utf-8",
        "svg": "image/svg+xml; charset=utf-8",
        "webmanifest": "application/manifest+json; charset=utf-8",
    }
)

# Modules import each other by plain names, so none may outlive a release in a cache: always asked again, answered 304.
ASSET_HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Cache-Control": "no-cache",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
)
# The SDK starts without any other file of its release, so a shared cache may answer for a minute; browsers ask there
# each time.
SDK_HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {**ASSET_HEADERS, "Cache-Control": "public, max-age=0, s-maxage=60"}
)
# A name that has the tag of its content in it never means another.
TAGGED_HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {**ASSET_HEADERS, "Cache-Control": "public, max-age=31536000, immutable"}
)

_IMPORT: Final = re.compile(r"""(?:from|import)\s+"(\.{1,2}/[^"]+)";""")

# Served beside the pages; everything else is served under /assets/.
ROOT_ASSETS: Final = ("tocsin.js", "tocsin-data.js", "tocsin-quiet.js", "tocsin.d.ts", "manifest.webmanifest")


@dataclass(frozen=True, slots=True)
class Asset:
    name: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=lambda: ASSET_HEADERS, repr=False)

    @property
    def content_type(self) -> str:
        return CONTENT_TYPES[self.name.rpartition(".")[2]]

    @property
    def etag(self) -> str:
        """A strong entity tag, with its quotes."""
        return f'"{hashlib.sha256(self.body).hexdigest()[:32]}"'


SDK: Final = "tocsin.js"
# Each of them is put together of modules; the first fetches the others when somebody looks at what is in them.
JOINED: Final = {SDK: SDK_HEADERS, "tocsin-data.js": ASSET_HEADERS, "tocsin-quiet.js": ASSET_HEADERS}
# Words that the service worker has in itself; pages have no use for them.
WORKER_WORDS: Final = "worker."

# Of words, in their name: `words-en.01234567.json`.
_TAG: Final = re.compile(r"\.[0-9a-f]{8}(?=\.json\Z)")
_STATIC: Final = files("tocsin.web").joinpath("static")


def source(name: str) -> str:
    """A text file as it is written; `asset` gives it as it is served."""
    return _STATIC.joinpath(name).read_text(encoding="utf-8")


def small(script: str, name: str) -> str:
    """As it is written where it cannot be made smaller: a page loses a moment by that, and no function."""
    try:
        return minified(script)
    except NotMinified as error:
        log.warning("a script is not minified", script=name, fault=str(error))
        return script


def _packaged() -> dict[str, Asset]:
    found = {entry.name: Asset(entry.name, entry.read_bytes()) for entry in _STATIC.iterdir() if entry.is_file()}
    words = {name: Asset(name, _compact(found[name].body)) for name in found if name.endswith(".json")}
    tagged = {name: _tagged(each) for name, each in words.items() if name.startswith("words-")}
    scripts = {name: joined(name, source) for name in JOINED}
    for name, each in tagged.items():
        scripts[SDK] = scripts[SDK].replace(f'"{name}"', f'"{each.name}"')
    whole = {name: Asset(name, small(script, name).encode(), JOINED[name]) for name, script in scripts.items()}
    return {**found, **words, **{each.name: each for each in tagged.values()}, **whole}


def _tagged(file: Asset) -> Asset:
    stem, _, ending = file.name.rpartition(".")
    return Asset(f"{stem}.{file.etag[1:9]}.{ending}", file.body, TAGGED_HEADERS)


def _compact(body: bytes) -> bytes:
    words = {key: text for key, text in json.loads(body).items() if not key.startswith(WORKER_WORDS)}
    return json.dumps(words, ensure_ascii=False, separators=(",", ":")).encode()


_ASSETS: Final[Mapping[str, Asset]] = MappingProxyType(_packaged())


def asset(path: str) -> Asset | None:
    """The file of that name; `path` is the part after `/` (root assets) or after `/assets/`.

    A copy of the SDK, or a page that is open since before a release, may ask for a tag of another: it gets today's.
    """
    return _ASSETS.get(path) or _ASSETS.get(_TAG.sub("", path))


def names() -> frozenset[str]:
    return frozenset(_ASSETS)


def sdk_parts(entry: str = SDK) -> frozenset[str]:
    """The modules that a script of `JOINED` is made of."""
    return frozenset(parts(entry, source))


@cache
def imports(entry: str) -> tuple[str, ...]:
    """The addresses below the base path of all that a script of ours imports, one through another."""
    found: dict[str, None] = {}
    waiting = [f"assets/{entry}"]
    while waiting:
        importer = waiting.pop()
        for path in _IMPORT.findall(_ASSETS[posixpath.basename(importer)].body.decode()):
            imported = posixpath.normpath(posixpath.join(posixpath.dirname(importer), path))
            if imported not in found:
                found[imported] = None
                waiting.append(imported)
    return tuple(sorted(found))


def manifest(site_name: str, language: SiteLanguage = SiteLanguage.ENGLISH) -> Asset:
    """The web app manifest under the site's own name, which iOS shows below the home-screen icon. Its addresses are
    relative to its own, so they are right under any base path."""
    fields = json.loads(_ASSETS["manifest.webmanifest"].body)
    named = {
        **fields,
        "name": site_name,
        "short_name": site_name,
        "description": speaker(language)("home.description", site=site_name),
        "lang": language,
        "dir": language.direction,
    }
    return Asset("manifest.webmanifest", json.dumps(named, ensure_ascii=False, indent=2).encode())
