"""Words of ours in notifications: of the alert's language or its reader's, and as a newsroom wishes them."""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from tocsin.domain.languages import SiteLanguage, primary
from tocsin.domain.text import text_fault

Texts = Mapping[str, Mapping[str, str]]

MAX_TEXT = 120  # graphemes, as a headline

TEST, QUIET, RETRACTED = "push.test", "push.quiet", "push.retracted"
# Every text that a newsroom can replace, with what is put into it. Those of the service worker are in words-*.json.
GAPS: Mapping[str, tuple[str, ...]] = {
    TEST: (),
    QUIET: ("n", "site"),
    RETRACTED: ("headline",),
    "worker.again": (),
    "worker.mute": (),
    "worker.muted": (),
    "worker.news": ("site",),
    "worker.news_body": (),
    "worker.news_unnamed": (),
    "worker.not_muted": (),
    "worker.not_unmuted": (),
    "worker.read": (),
    "worker.undo": (),
    "worker.unmuted": (),
}

# One Arabic form that is right for every number.
_OURS: Texts = {
    SiteLanguage.ENGLISH: {
        TEST: "This is a test: alerts reach this browser.",
        QUIET: "{site}: {n} alerts while it was quiet",
        RETRACTED: "Retracted: {headline}",
    },
    SiteLanguage.ARABIC: {
        TEST: "هذه تجربة: التنبيهات تصل إلى هذا المتصفح.",
        QUIET: "{site}: تنبيهات ساعات الهدوء ({n})",
        RETRACTED: "تنبيه مسحوب: {headline}",
    },
}

_GAP = re.compile(r"\{(\w+)\}")
_LANGUAGE = re.compile(r"[a-z]{2,3}")


class Said(NamedTuple):
    text: str
    language: str


class Notices:
    """`texts` are a newsroom's own, by language and key, as `texts_fault` lets them pass; they go before ours."""

    def __init__(self, site: SiteLanguage = SiteLanguage.ENGLISH, texts: Texts | None = None) -> None:
        self.texts = texts or {}
        self._site = site
        languages = _OURS.keys() | self.texts.keys()
        self._words = {each: {**_OURS.get(each, {}), **self.texts.get(each, {})} for each in languages}

    def say(self, key: str, *wanted: str | None, **values: object) -> Said:
        """In the first of the wanted languages that has words, else in the site's."""
        languages = [*(primary(each) for each in wanted if each), self._site.value]
        language = next(each for each in languages if key in self._words.get(each, {}))
        return Said(_GAP.sub(lambda gap: str(values[gap[1]]), self._words[language][key]), language)


ENGLISH: Final = Notices()


def texts_fault(texts: Texts) -> str | None:
    """What is wrong with a newsroom's texts, or None."""
    for language, words in texts.items():
        if not _LANGUAGE.fullmatch(language):
            return f"{language!r} is no language: two or three small letters, such as fr"
        for key, text in words.items():
            if message := _fault(key, text):
                return f"{language}: {key}: {message}"
    return None


def _fault(key: str, text: str) -> str | None:
    if key not in GAPS:
        return f"there is no such text; there are {', '.join(sorted(GAPS))}"
    if (gaps := tuple(sorted(_GAP.findall(text)))) != GAPS[key]:
        return f"must hold {_named(GAPS[key])}, each once, not {_named(gaps)}"
    return text_fault(text, 1, MAX_TEXT)


def _named(gaps: tuple[str, ...]) -> str:
    return " and ".join(f"{{{gap}}}" for gap in gaps) or "no gap"
