"""The list of alerts, newest first, and looking for some by their state or their words."""

import unicodedata
from dataclasses import dataclass

from tocsin.domain.alerts import AlertState
from tocsin.store.alerts import AlertStatus
from tocsin.store.store import Store

# One call that looks for some looks at so many: there is no index of texts or states; an archive is another program.
SEARCHED = 1_000
_AT_ONCE = 100


@dataclass(frozen=True)
class Page:
    """`cursor` is where the next one goes on, None where there is none: behind the last of this one, or behind the last
    that was looked at where these were too many. So a page may be short, or empty, and have one."""

    statuses: list[AlertStatus]
    cursor: str | None = None


async def latest(
    store: Store, count: int, after: str | None = None, state: AlertState | None = None, words: str = ""
) -> Page:
    """Of one state and with these words in headline or body, where they are given.

    Raises NotFound for an `after` that is unknown.
    """
    sought = _folded(words)
    searches = bool(sought) or state is not None
    # One more than asked for, to know whether there is another page.
    at_once = max(count + 1, _AT_ONCE) if searches else count + 1
    found: list[AlertStatus] = []
    looked = 0
    while True:
        looked_at = await store.alerts.latest(at_once, after)
        found += [status for status in looked_at if state in (None, status.state) and _has(status, sought)]
        looked += len(looked_at)
        if len(found) > count:
            return Page(found[:count], found[count - 1].alert.id)
        if len(looked_at) < at_once:
            return Page(found)
        after = looked_at[-1].alert.id
        if looked >= SEARCHED:
            return Page(found, after)


def _has(status: AlertStatus, sought: str) -> bool:
    draft = status.alert.draft
    return not sought or sought in _folded(f"{draft.headline}\n{draft.body}")


def _folded(text: str) -> str:
    """Letters alike whatever their case, and however their accents were typed."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())
