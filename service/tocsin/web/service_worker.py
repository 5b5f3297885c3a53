"""`/sw.js`: one classic script made of its parts, which knows the service that it belongs to."""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from tocsin.domain.notices import ENGLISH, Notices
from tocsin.web.assets import ASSET_HEADERS, WORKER_WORDS, Asset, small, source

PARTS: Final = ("service", "journal", "show", "receipts", "stories", "renew", "events")
LANGUAGES: Final = ("en", "ar")

_HEAD: Final = """\
// Tocsin's service worker. Not a module, so that a newsroom's own worker can take it in with importScripts().
(() => {
"use strict";
"""
_FOLDER: Final = files("tocsin.web").joinpath("worker")
# Without what they stand in, so that their own names stay as they are written.
_PARTS: Final = small("\n".join(_FOLDER.joinpath(f"{name}.js").read_text(encoding="utf-8") for name in PARTS), "sw.js")


@cache
def service_worker(service: str, reader: str = "", notices: Notices = ENGLISH) -> Asset:
    """`service` is its address, with a slash at its end: wherever the script runs, it asks there. `reader` is the
    newsroom's own page for its readers, where it has one.

    One file, since each more of them is a request that a browser makes again with every look for an update.
    """
    words = json.dumps({language: worker_words(language, notices) for language in (*LANGUAGES, *others(notices))})
    known = f"const SERVICE = {json.dumps(service)};\nconst READER = {json.dumps(reader)};\nconst WORDS = {words};\n"
    body = f"{_HEAD}{known}{_PARTS}\n}})();\n"
    return Asset("sw.js", body.encode(), _headers(service))


def worker_words(language: str, notices: Notices = ENGLISH) -> dict[str, str]:
    """Those that notifications need; in the script itself, so that no push waits for them."""
    ours: dict[str, str] = json.loads(source(f"words-{language}.json")) if language in LANGUAGES else {}
    words = {**ours, **notices.texts.get(language, {})}
    return {key: text for key, text in words.items() if key.startswith(WORKER_WORDS)}


def others(notices: Notices) -> list[str]:
    """Languages of the newsroom's own; what it gives no text for is said in English."""
    return sorted(notices.texts.keys() - {*LANGUAGES})


def _headers(service: str) -> Mapping[str, str]:
    # A worker is bound by the policy that its own script came with: it asks the service and loads icons, no more.
    parts = urlsplit(service)
    asked = f"connect-src 'self' {parts.scheme}://{parts.netloc}; img-src 'self' https:"
    policy = f"default-src 'none'; {asked}; frame-ancestors 'none'"
    return MappingProxyType({**ASSET_HEADERS, "Service-Worker-Allowed": "/", "Content-Security-Policy": policy})
