"""What an editor may want to know before an alert goes out. A warning never refuses an alert and never delays it."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import SequenceMatcher
from urllib.parse import urlsplit

from tocsin.domain.alerts import Alert, AlertDraft

ANY_LINK_HOST, SIMILAR_ALERT, LINK_NOT_READY = "any_link_host", "similar_alert", "link_not_ready"

# Two desks that hear the same news are minutes apart; what comes later is the story going on.
RECENT = timedelta(minutes=10)
# To "Aid convoy reaches Aleppo", "Convoy reaches Aleppo" has 0.91 and "Aid convoy reaches Homs" 0.83.
NEAR_IDENTICAL = 0.85


@dataclass(frozen=True)
class Warned:
    """`code` is stable; `detail` is a sentence for a person."""

    code: str
    detail: str


def similar_alert(draft: AlertDraft, others: Iterable[Alert], now: datetime) -> Warned | None:
    """The first of the others that went out lately and looks like this one."""
    for other in others:
        age = now - other.queued_at
        alike = _alike(draft, other.draft) if age <= RECENT else None
        if alike:
            headline = other.draft.headline
            return Warned(SIMILAR_ALERT, f"an alert of {_ago(age)} has {alike}: “{headline}”")
    return None


def _alike(one: AlertDraft, other: AlertDraft) -> str | None:
    """What the two have in common, as a phrase."""
    if _link(one.url) == _link(other.url):
        return "the same link"
    if near_identical(one.headline, other.headline):
        return "nearly the same headline"
    story = getattr(one, "story", None)
    return "the same story" if story is not None and story == getattr(other, "story", None) else None


def near_identical(one: str, other: str) -> bool:
    matcher = SequenceMatcher(None, _words(one), _words(other), autojunk=False)
    # The first two are upper bounds, and cheap.
    ratios = (matcher.real_quick_ratio, matcher.quick_ratio, matcher.ratio)
    return all(ratio() >= NEAR_IDENTICAL for ratio in ratios)


def _words(text: str) -> str:
    """Letters with their marks, and digits; a headline of nothing else (an emoji) stands for itself."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    kept = "".join(character if unicodedata.category(character)[0] in "LMN" else " " for character in folded)
    return " ".join(kept.split()) or folded


def _link(url: str) -> tuple[str, str, str]:
    """What decides which page opens: host, path and query, not the place on it."""
    parts = urlsplit(url)
    return parts.netloc.lower().removesuffix(":443"), parts.path or "/", parts.query


def _ago(age: timedelta) -> str:
    seconds = max(0, int(age.total_seconds()))
    count, unit = (seconds, "second") if seconds < 60 else (seconds // 60, "minute")
    return f"{count} {unit}{'' if count == 1 else 's'} ago"
