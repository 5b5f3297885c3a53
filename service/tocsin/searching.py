"""The list of alerts, newest first, and looking for one by its state or its words."""

import unicodedata

from tocsin.domain.alerts import AlertState
from tocsin.store.alerts import AlertStatus
from tocsin.store.store import Store

# One call of a search looks at so many: there is no index of texts, and an archive is another program.
SEARCHED = 1_000
_AT_ONCE = 100


async def latest(
    store: Store, count: int, after: str | None = None, state: AlertState | None = None, words: str = ""
) -> list[AlertStatus]:
    """Of one state and with these words in headline or body, where they are given.

    Raises NotFound for an `after` that is unknown.
    """
    sought = _folded(words)
    at_once = max(count, _AT_ONCE) if sought else count
    found: list[AlertStatus] = []
    looked = 0
    while len(found) < count and not (sought and looked >= SEARCHED):
        page = await store.alerts.latest(at_once, after)
        found += [status for status in page if state in (None, status.state) and _has(status, sought)]
        looked += len(page)
        if len(page) < at_once:
            break
        after = page[-1].alert.id
    return found[:count]


def _has(status: AlertStatus, sought: str) -> bool:
    draft = status.alert.draft
    return not sought or sought in _folded(f"{draft.headline}\n{draft.body}")


def _folded(text: str) -> str:
    """Letters alike whatever their case, and however their accents were typed."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())
