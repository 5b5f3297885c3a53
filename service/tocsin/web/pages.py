"""HTML pages: Jinja2 with autoescape on and every name required."""

from importlib.resources import files
from typing import Final

from jinja2 import DictLoader, Environment, StrictUndefined

from tocsin.domain.languages import SiteLanguage
from tocsin.web.assets import imports
from tocsin.web.words import speaker

# The readers' pages, and the script of each.
SCRIPTS: Final = {"reader.html": "reader.js", "preferences.html": "preferences-page.js"}
PAGES: Final = frozenset(SCRIPTS) | {"console.html", "ops.html"}


def _templates() -> dict[str, str]:
    entries = files("tocsin.web").joinpath("templates").iterdir()
    return {entry.name: entry.read_text(encoding="utf-8") for entry in entries if entry.name.endswith(".html")}


_environment: Final = Environment(
    loader=DictLoader(_templates()),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(
    page: str,
    language: SiteLanguage = SiteLanguage.ENGLISH,
    privacy_url: str = "",
    elsewhere: str = "",
    **context: str,
) -> str:
    """A page of `PAGES`. Context: `base_path` ("" or "/alerts", no slash at its end), `site_name`, `version`.

    `elsewhere` is the page on which readers subscribe, where that is not ours. The desk's pages speak English only.
    """
    if page not in PAGES:
        raise ValueError(f"no such page: {page!r}")
    script = SCRIPTS.get(page)
    spoken = language if script else SiteLanguage.ENGLISH
    words = {"language": spoken.value, "direction": spoken.direction, "t": speaker(spoken)}
    if script:
        context["script"] = script
    preloads = imports(script) if script else ()
    return _environment.get_template(page).render(
        words, preloads=preloads, privacy_url=privacy_url, elsewhere=elsewhere, **context
    )
