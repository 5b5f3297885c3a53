"""`tocsin.d.ts` declares what is there: checked against the code in a browser, and against what the service answers."""

import re
from typing import Any

import pytest
from playwright.async_api import Browser
from pydantic import BaseModel
from sdk_page import sdk_page

from api.api_served import Served
from browsers import needs_chromium
from tocsin.api.history import HistoryEntry
from tocsin.api.models import Site
from tocsin.domain.preferences import Preferences
from tocsin.web.assets import source

TYPES = source("tocsin.d.ts")
# `name(`, `name:`, `name?:` at the first step of indentation, with `readonly`, `static` and `get` before it.
MEMBER = re.compile(r"^ {2}(?:readonly |static )*([a-z]\w*)\??[(:<]", re.MULTILINE | re.IGNORECASE)


def declared(kind: str, name: str) -> set[str]:
    found = re.search(rf"^export {kind} {name}\b[^{{]*\{{\n(.*?)^\}}", TYPES, re.MULTILINE | re.DOTALL)
    assert found, name
    return set(MEMBER.findall(found[1]))


@pytest.mark.parametrize(
    ("name", "model"), [("Site", Site), ("HistoryEntry", HistoryEntry), ("Preferences", Preferences)]
)
def test_what_the_service_answers_is_declared(name: str, model: type[BaseModel]) -> None:
    assert declared("interface", name) == set(model.model_fields)


# What an object of ours answers to, without what every event target, error or element does.
MEMBERS = """async () => {
  const { Tocsin, ProblemError } = await import("/tocsin.js");
  const tocsin = await Tocsin.connect();
  const error = await Tocsin.connect({ base: "/nothing-here/" }).catch((error) => error);
  const of = (one, until) => {
    const names = new Set(Object.keys(one));
    for (let each = Object.getPrototypeOf(one); each !== until.prototype; each = Object.getPrototypeOf(each)) {
      for (const name of Object.getOwnPropertyNames(each)) names.add(name);
    }
    names.delete("constructor");
    return [...names];
  };
  return {
    Tocsin: [...of(tocsin, EventTarget), "connect" in Tocsin && "connect"],
    ProblemError: of(error, Error),
    known: error instanceof ProblemError,
    elements: %s.filter((name) => customElements.get(name)),
  };
}"""


@pytest.mark.browser
@needs_chromium
async def test_what_is_declared_is_there_and_what_is_there_is_declared(
    sdk_api: Served, shared_chromium: Browser
) -> None:
    tags = re.findall(r'^ {4}"(tocsin-[a-z]+)": TocsinElement;', TYPES, re.MULTILINE)
    async with sdk_page(shared_chromium, sdk_api) as reader:
        await reader.show("".join(f"<{tag}></{tag}>" for tag in tags))
        there: dict[str, Any] = await reader.page.evaluate(MEMBERS % tags)
    assert there["known"]
    # The texts and language given to `connect`, which the elements read.
    assert set(there["Tocsin"]) - {"texts", "language"} == declared("class", "Tocsin") - {"constructor"}
    # Its name is every error's.
    assert set(there["ProblemError"]) - {"name"} == declared("class", "ProblemError")
    assert there["elements"] == tags
    assert len(tags) == 4
