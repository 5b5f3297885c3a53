"""Languages: those that our own pages and words speak, and which way any is written. An alert's is its own matter."""

from enum import StrEnum

_RIGHT_TO_LEFT = frozenset({"ar", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"})


class SiteLanguage(StrEnum):
    ENGLISH = "en"
    ARABIC = "ar"

    @property
    def direction(self) -> str:
        """As in HTML's `dir`."""
        return "rtl" if primary(self) in _RIGHT_TO_LEFT else "ltr"


def primary(language: str) -> str:
    """`pt` of `pt-BR`, in small letters."""
    return language.partition("-")[0].lower()


def direction(language: str | None) -> str:
    """A notification's `dir`: told where we know that it runs from the right, since an Arabic headline that begins with
    a Latin name would run from the left; else for the browser to see."""
    return "rtl" if language and primary(language) in _RIGHT_TO_LEFT else "auto"
