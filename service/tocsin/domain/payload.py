"""The one payload for every browser: Declarative Web Push, which Safari shows with no worker and others as an event."""

import base64
import hashlib
from collections.abc import Sequence
from typing import Any

from tocsin.domain.alerts import MAX_BODY, MAX_HEADLINE, Alert, to_json
from tocsin.domain.errors import Invalid
from tocsin.domain.languages import direction, primary
from tocsin.domain.levels import Level
from tocsin.domain.notices import ENGLISH, QUIET, TEST, Notices, Said
from tocsin.domain.text import shortened

# Bridged Android at Mozilla takes about 2,744 bytes; every push service takes this.
MAX_PAYLOAD = 2_700

# A summary's body in graphemes, and how many alerts it names by their ids: the first that fits into a payload.
MOST_NAMED = 20
_SUMMARY_SIZES = ((MAX_BODY, MOST_NAMED), (150, MOST_NAMED), (60, 10), (20, 5), (1, 1))

_URGENCY = {Level.FLASH: "high", Level.BREAKING: "high", Level.UPDATE: "normal"}


def notification(alert: Alert, receipts: float = 0.0) -> bytes:
    """The JSON of an alert, UTF-8. Raises Invalid when it is over 2,700 bytes.

    `receipts` is the share of browsers that are to tell what became of it. That is left out where it does not fit, and
    so is the story, for which a button to mute it is shown: an alert that was taken before a setting or a version
    changed must go out after it all the same.
    """
    payload = _notification(alert, _about(alert) | _extras(alert, receipts))
    if len(payload) > MAX_PAYLOAD:
        payload = _notification(alert, _about(alert) | _extras(alert, 0.0))
    if len(payload) > MAX_PAYLOAD:
        payload = _notification(alert, _about(alert))
    if len(payload) > MAX_PAYLOAD:
        message = f"the whole alert makes {len(payload):,} bytes of payload; {MAX_PAYLOAD:,} is the most"
        raise Invalid.at("body", message)
    return payload


def _about(alert: Alert) -> dict[str, Any]:
    about: dict[str, Any] = {"alert": alert.id, "level": alert.draft.level, "topics": alert.draft.topics}
    return about | ({"kind": alert.kind, "corrects": alert.root} if alert.root else {})


def _extras(alert: Alert, receipts: float) -> dict[str, Any]:
    extras: dict[str, Any] = {"story": alert.draft.story} if alert.draft.story else {}
    return extras | _rate(receipts)


def _rate(receipts: float) -> dict[str, Any]:
    return {"receipts": int(receipts) if receipts == 1 else receipts} if receipts > 0 else {}


def _notification(alert: Alert, about: dict[str, Any]) -> bytes:
    draft = alert.draft
    shown: dict[str, Any] = {"title": draft.headline, "navigate": draft.url, "body": draft.body}
    if draft.language:
        shown["lang"] = draft.language
    shown["dir"] = direction(draft.language)
    shown["tag"] = collapse_key(alert.chain)
    shown["silent"] = False
    if draft.icon:
        shown["icon"] = draft.icon
    if draft.image:
        shown["image"] = draft.image
    if draft.actions:
        shown["actions"] = [
            {"action": action.action, "title": action.title, "navigate": action.url} for action in draft.actions
        ]
    shown["data"] = {"tocsin": about}
    return to_json({"web_push": 8030, "notification": shown}).encode()


def summary(
    alerts: Sequence[Alert],
    site_name: str,
    receipts: float = 0.0,
    notices: Notices = ENGLISH,
    reader: str | None = None,
) -> bytes:
    """Several alerts that waited for the end of a reader's quiet hours, as one; the newest comes first.

    Its words are in the alerts' language where they have one in common, else in `reader`, where we have that.

    A click leads to the biggest of them, and of these to the newest. Where a link or a script takes many bytes, fewer
    are named: it always fits, or nobody would get any of them.
    """
    said = notices.say(QUIET, _common_language(alerts), reader, site=site_name, n=len(alerts))
    for most, named in _SUMMARY_SIZES:
        payload = _summary(alerts, said, most, named, receipts)
        if len(payload) <= MAX_PAYLOAD:
            break
    return payload


def _common_language(alerts: Sequence[Alert]) -> str | None:
    languages = {alert.draft.language and primary(alert.draft.language) for alert in alerts}
    return languages.pop() if len(languages) == 1 else None


def _summary(alerts: Sequence[Alert], said: Said, most: int, named: int, receipts: float) -> bytes:
    biggest = max(alerts, key=lambda alert: alert.draft.level.rank)
    shown = {
        "title": shortened(said.text, MAX_HEADLINE),
        "navigate": biggest.draft.url,
        "body": shortened(" · ".join(alert.draft.headline for alert in alerts), most),
        "lang": said.language,
        "dir": direction(said.language),
        "tag": summary_key(alerts),
        "silent": False,
        "data": {
            "tocsin": {
                "alert": biggest.id,
                "alerts": [alert.id for alert in alerts[:named]],
                "level": biggest.draft.level,
            }
            | _rate(receipts)
        },
    }
    return to_json({"web_push": 8030, "notification": shown}).encode()


def own_test(site_name: str, url: str, notices: Notices = ENGLISH, reader: str | None = None) -> bytes:
    """What a reader's own test push shows, in the language `reader` where we have it."""
    said = notices.say(TEST, reader)
    shown = {
        "title": site_name,
        "navigate": url,
        "body": said.text,
        "lang": said.language,
        "dir": direction(said.language),
        "tag": "tocsin-test",
        "data": {"tocsin": {"test": True}},
    }
    return to_json({"web_push": 8030, "notification": shown}).encode()


def collapse_key(alert_id: str) -> str:
    """The header `Topic` and the notification's tag: 32 base64url characters, a length that Apple takes too."""
    digest = hashlib.sha256(alert_id.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode()[:32]


def summary_key(alerts: Sequence[Alert]) -> str:
    """The collapse key of a summary: that of its alerts, whatever a later one holds beside them."""
    return collapse_key(" ".join(alert.chain for alert in alerts))


def urgency(level: Level) -> str:
    """RFC 8030 §5.3: `high` wakes a phone on low battery, so an update does not ask for it."""
    return _URGENCY[level]
