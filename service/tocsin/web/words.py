"""The words of the readers' pages, from the files that their scripts read too."""

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from tocsin.domain.languages import SiteLanguage

_GAP = re.compile(r"\{(\w+)\}")


@cache
def page_words(language: SiteLanguage) -> Mapping[str, str]:
    """Flat: a key to its text, with gaps such as `{site}`."""
    text = files("tocsin.web").joinpath("static", f"page-words-{language}.json").read_text(encoding="utf-8")
    return MappingProxyType(json.loads(text))


def speaker(language: SiteLanguage) -> Callable[..., str]:
    """What templates call as `t("key", site=…)`. Raises KeyError for a key or a gap that has nothing to fill it."""
    words = page_words(language)

    def say(key: str, **values: str) -> str:
        return _GAP.sub(lambda gap: str(values[gap[1]]), words[key])

    return say
