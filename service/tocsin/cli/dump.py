"""A line of a dump of subscriptions (JSONL), ours or another's: `{"endpoint", "keys"}`, as browsers and libraries have
it, or the same under `subscription`, with what else is known of the browser."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from tocsin import clock
from tocsin.cli.opened import invalid
from tocsin.domain.consent import MAX_VERSION, Consent
from tocsin.domain.errors import Fault, Invalid, Malformed
from tocsin.domain.preferences import Preferences, PreferencesPatch
from tocsin.domain.subscriptions import PushSubscription, Subscription, encode_base64url, public_id
from tocsin.settings import Settings
from tocsin.store.subscriptions import Kept

# A line of 2,048 characters of endpoint with all preferences has a tenth of this.
MAX_LINE = 65_536
_BARE = ("endpoint", "expirationTime", "keys")
MAX_FAULTS = 20
# Another machine's clock may be ahead of ours.
_AHEAD_SECONDS = 86_400
KeyId = Annotated[str, Field(pattern="^[0-9a-f]{8}$")]


class ConsentLine(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text_version: str = Field(min_length=1, max_length=MAX_VERSION)
    given_at: AwareDatetime


class Line(BaseModel):
    """`vapid_key_id` is that of a key in force (`tocsin keys vapid list`); `id` is only compared."""

    model_config = ConfigDict(extra="forbid")

    subscription: PushSubscription
    preferences: PreferencesPatch = Field(default_factory=PreferencesPatch)
    vapid_key_id: KeyId | None = None
    created_at: AwareDatetime | None = None
    consent: ConsentLine | None = None
    id: str | None = None


@dataclass(frozen=True)
class Entry:
    """A line that passed every check."""

    subscription: Subscription
    preferences: Preferences
    key_id: bytes
    created: int | None
    consent: Consent | None
    left_out: frozenset[str]


@dataclass(frozen=True)
class Rules:
    """What lines are checked against; `key_id` is for those that name none, topics of `without` are left out."""

    settings: Settings
    topics: frozenset[str]
    without: frozenset[str]
    defaults: Preferences
    keys: frozenset[bytes]
    key_id: bytes

    def entry(self, text: bytes) -> Entry:
        """Raises Invalid with the fields at fault."""
        line = _parse(text)
        subscription = line.subscription.checked(self.settings.allowed_push_hosts)
        patch, left_out = _left_out(line.preferences, self.without)
        self._check_topics(patch)
        if line.id is not None and line.id != public_id(subscription.digest):
            raise Invalid.at("id", "is not that of the endpoint")
        key_id = bytes.fromhex(line.vapid_key_id) if line.vapid_key_id else self.key_id
        if key_id not in self.keys:
            raise Invalid.at("vapid_key_id", "is no key in force here: `tocsin keys vapid import` it first")
        given = line.consent
        return Entry(
            subscription,
            patch.applied_to(self.defaults, self.defaults, "preferences."),
            key_id,
            _seconds(line.created_at, "created_at") if line.created_at else None,
            Consent(_seconds(given.given_at, "consent.given_at"), given.text_version) if given else None,
            left_out,
        )

    def _check_topics(self, patch: PreferencesPatch) -> None:
        """A topic may be missing because it was removed since, or because it is yet to be made: who imports knows."""
        try:
            patch.check_topics(self.topics, "preferences.")
        except Invalid as error:
            advice = ": make it (`tocsin topics apply`), or leave it out by --without-topic"
            raise Invalid(Fault(fault.field, fault.message + advice) for fault in error.faults) from None


class Wrong:
    """What is wrong with a file. A fault that many lines share is told once, with how many: of a topic that is gone,
    a third of all readers may have been."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, str], Fault] = {}
        self._lines = Counter[tuple[str, str]]()

    def add(self, number: int, error: Invalid) -> None:
        for fault in error.faults:
            kind = (re.sub(r"\d+", "", fault.field), fault.message)
            place = f"line {number}: {fault.field}" if fault.field else f"line {number}"
            self._first.setdefault(kind, Fault(place, fault.message))
            self._lines[kind] += 1

    def __bool__(self) -> bool:
        return bool(self._first)

    @property
    def is_full(self) -> bool:
        return len(self._first) >= MAX_FAULTS

    def faults(self) -> list[Fault]:
        return [
            Fault(first.field, first.message + (f" (so {self._lines[kind]:,} times)" if self._lines[kind] > 1 else ""))
            for kind, first in self._first.items()
        ]


def lines(file: Path) -> Iterator[tuple[int, bytes]]:
    """The lines that are not empty, with their numbers. Raises Invalid for one without end, and for what is no file:
    it is read twice, and a pipe would be empty by then."""
    if not file.is_file():
        raise Invalid.at("FILE", "is no file that can be read twice: save the lines in one first")
    with file.open("rb") as opened:
        number = 0
        while text := opened.readline(MAX_LINE + 1):
            number += 1
            if len(text) > MAX_LINE:
                raise Invalid.at(f"line {number}", f"is over {MAX_LINE:,} bytes: one subscription a line, as JSON")
            if text.strip():
                yield number, text


def dumped(kept: Kept) -> str:
    """One that `Line` reads again."""
    record = kept.record
    keys = {"p256dh": encode_base64url(record.p256dh), "auth": encode_base64url(record.auth)}
    whole: dict[str, Any] = {
        "id": public_id(record.digest),
        "subscription": {"endpoint": record.endpoint, "keys": keys},
        "preferences": kept.preferences.model_dump(mode="json"),
        "vapid_key_id": record.vapid_key_id.hex(),
        "created_at": _moment(record.created),
        "consent": None,
    }
    if kept.consent:
        whole["consent"] = {"text_version": kept.consent.text_version, "given_at": _moment(kept.consent.given)}
    return json.dumps(whole, separators=(",", ":"))


def _left_out(patch: PreferencesPatch, topics: frozenset[str]) -> tuple[PreferencesPatch, frozenset[str]]:
    """The patch without these topics, and which of them it had."""
    named = topics & {*(patch.topics or ()), *(patch.topic_levels or ())}
    changes: dict[str, Any] = {}
    if named and patch.topics:
        changes["topics"] = [topic for topic in patch.topics if topic not in named]
    if named and patch.topic_levels:
        changes["topic_levels"] = {topic: level for topic, level in patch.topic_levels.items() if topic not in named}
    return patch.model_copy(update=changes), named


def _parse(text: bytes) -> Line:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise Invalid.at("", "is not JSON") from None
    if not isinstance(found, Mapping):
        raise Invalid.at("", "is not a JSON object")
    if "endpoint" in found:
        bare = {name: found[name] for name in _BARE if name in found}
        rest = {name: value for name, value in found.items() if name not in _BARE}
        found = {"subscription": bare, **rest}
    try:
        return Line.model_validate_json(json.dumps(found))
    except ValidationError as error:
        with suppress(Malformed):  # nested too deep, or half a character: its message is about an API's body
            raise invalid(error) from None
        raise Invalid.at("", "is not JSON") from None
    except RecursionError:
        raise Invalid.at("", "is not JSON") from None


def _seconds(moment: datetime, field: str) -> int:
    """Since 1970. Raises Invalid for the future, which no record has room for."""
    seconds = clock.milliseconds(moment) // 1000
    if seconds > clock.milliseconds(clock.now()) // 1000 + _AHEAD_SECONDS:
        raise Invalid.at(field, "is in the future")
    return max(0, seconds)


def _moment(seconds: int) -> str:
    return clock.from_milliseconds(seconds * 1000).isoformat().replace("+00:00", "Z")
