"""The languages that our own pages and words speak. An alert's language is its own matter."""

from enum import StrEnum


class SiteLanguage(StrEnum):
    ENGLISH = "en"
    ARABIC = "ar"

    @property
    def direction(self) -> str:
        """As in HTML's `dir`."""
        return "rtl" if self is SiteLanguage.ARABIC else "ltr"
