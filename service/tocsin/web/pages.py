"""HTML pages: Jinja2 with autoescape on and every name required."""

from importlib.resources import files
from typing import Final

from jinja2 import DictLoader, Environment, StrictUndefined

PAGES: Final = frozenset({"reader.html", "console.html", "ops.html"})


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


def render(page: str, **context: str) -> str:
    """A page of `PAGES`. Context: `base_path` ("" or "/alerts", no slash at its end), `site_name`, `version`."""
    if page not in PAGES:
        raise ValueError(f"no such page: {page!r}")
    return _environment.get_template(page).render(context)
