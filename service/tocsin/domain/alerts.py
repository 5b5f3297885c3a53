"""An alert from an editor's words to its end: `AlertDraft` is what is asked, `Alert` what is kept."""

import hashlib
import json
import secrets
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from tocsin.domain.decisions import Audience
from tocsin.domain.errors import Fault, Invalid
from tocsin.domain.levels import Level
from tocsin.domain.notices import ENGLISH, RETRACTED, Notices
from tocsin.domain.preferences import Language
from tocsin.domain.queues import PRIORITY, STANDARD
from tocsin.domain.stories import StoryId
from tocsin.domain.text import link_fault, shortened, text_fault
from tocsin.domain.topics import TopicId

DEFAULT_TTL = 14_400
MAX_TTL = 86_400
MAX_HEADLINE, MAX_BODY = 120, 300
MAX_UNDO = 15
MOST_AHEAD = timedelta(days=30)
LEAST_ATTEMPTS = timedelta(seconds=60)
DEFAULT_EXPIRY = timedelta(hours=24)


class AlertState(StrEnum):
    DRAFT = "draft"
    AWAITING_APPROVAL = "awaiting_approval"
    SCHEDULED = "scheduled"
    UNDO_WINDOW = "undo_window"
    SENDING = "sending"
    SENT = "sent"
    REJECTED = "rejected"
    STOPPED = "stopped"
    EXPIRED = "expired"

    @property
    def is_terminal(self) -> bool:
        return self in (AlertState.SENT, AlertState.REJECTED, AlertState.STOPPED, AlertState.EXPIRED)

    @property
    def is_before_sending(self) -> bool:
        return self in (AlertState.DRAFT, AlertState.AWAITING_APPROVAL, AlertState.SCHEDULED, AlertState.UNDO_WINDOW)


class Kind(StrEnum):
    """What an alert is to the ones before it; the last two go to those who had the first of their chain."""

    ALERT = "alert"
    CORRECTION = "correction"
    RETRACTION = "retraction"


class Action(BaseModel):
    """A button under the notification; Chrome and Firefox show two at most."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    action: str = Field(pattern=r"^[a-z0-9-]{1,32}$")
    title: str
    url: str


class AlertDraft(BaseModel):
    """What an editor asks to be sent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    headline: str = Field(description="1 to 120 graphemes", examples=["Aid convoy reaches Aleppo"])
    body: str = Field(default="", description="0 to 300 graphemes")
    url: str = Field(
        description="https, on an allowed host, 2,048 characters at most", examples=["https://www.example.com/aleppo"]
    )
    topics: list[TopicId] = Field(min_length=1, max_length=20, examples=[["world"]])
    level: Level
    image: str | None = None
    icon: str | None = None
    actions: list[Action] = Field(default_factory=list, max_length=2)
    language: Language | None = None
    story: StoryId | None = None
    ttl: int = Field(default=DEFAULT_TTL, ge=0, le=MAX_TTL, strict=True, description="seconds")
    expires_at: AwareDatetime | None = None
    send_at: AwareDatetime | None = Field(default=None, description="at once, if not given; 30 days ahead at most")
    max_per_second: int | None = Field(default=None, ge=1, le=1_000_000, strict=True, description="requests")
    undo_seconds: int = Field(
        default=0, ge=0, le=MAX_UNDO, strict=True, description="may be taken back so long; not with send_at"
    )
    state: Literal["draft"] | None = Field(default=None, description="draft: kept, and sent only when that is asked")

    def check(self, known_topics: AbstractSet[str], link_hosts: Sequence[str], now: datetime) -> None:
        """Raises Invalid with every fault at once; what pydantic can say has been said before."""
        faults = [
            Fault(f"topics[{place}]", f"there is no topic {topic!r}")
            for place, topic in enumerate(self.topics)
            if topic not in known_topics
        ]
        if len(set(self.topics)) != len(self.topics):
            faults.append(Fault("topics", "names a topic twice"))
        texts = [("headline", self.headline, 1, MAX_HEADLINE), ("body", self.body, 0, MAX_BODY)]
        texts += [(f"actions[{place}].title", action.title, 1, 40) for place, action in enumerate(self.actions)]
        for field, text, least, most in texts:
            if message := text_fault(text, least, most):
                faults.append(Fault(field, message))
        links = [("url", self.url), ("image", self.image), ("icon", self.icon)]
        links += [(f"actions[{place}].url", action.url) for place, action in enumerate(self.actions)]
        for field, link in links:
            if link is not None and (message := link_fault(link, link_hosts)):
                faults.append(Fault(field, message))
        faults += self._times_at_fault(now)
        if faults:
            raise Invalid(faults)

    def _times_at_fault(self, now: datetime) -> list[Fault]:
        faults = []
        if self.send_at is not None and self.send_at <= now:
            faults.append(Fault("send_at", "is past"))
        if self.send_at is not None and self.send_at > now + MOST_AHEAD:
            faults.append(Fault("send_at", f"is more than {MOST_AHEAD.days} days ahead"))
        if self.send_at is not None and self.undo_seconds:
            faults.append(Fault("undo_seconds", "is for alerts that go at once: one with send_at can be stopped"))
        if self.expires_at is not None and self.expires_at <= (self.send_at or now):
            faults.append(Fault("expires_at", "is before send_at" if self.send_at else "is past"))
        return faults

    @property
    def body_hash(self) -> str:
        """Stands for what was asked, however it was written down: the same words in another order are the same."""
        # Without defaults, so that a repeat is known for one by a newer version that has more fields.
        return hashlib.sha256(self.model_dump_json(exclude_defaults=True).encode()).hexdigest()


class Correction(BaseModel):
    """What an alert should have said. `body` and `url` stay as they were where they are not given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    headline: str = Field(description="1 to 120 graphemes")
    body: str | None = Field(default=None, description="0 to 300 graphemes")
    url: str | None = None


class Retraction(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: str = Field(description="1 to 300 graphemes; what readers see under the headline")


class Alert(BaseModel):
    """An alert that we took. Everything that changes while it is sent stands beside it in the store, not in it."""

    # Forbidding what is not known makes an older program refuse a newer one's alert instead of sending it otherwise.
    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    draft: AlertDraft
    author: str
    queued_at: AwareDatetime
    kind: Kind = Kind.ALERT
    root: str | None = Field(default=None, description="the first alert of the chain, where this is not the first")
    asked: str | None = Field(default=None, description="hash of the words that asked for a follow-up")

    @classmethod
    def take(cls, draft: AlertDraft, author: str, now: datetime) -> "Alert":
        return cls(id=new_alert_id(now), draft=draft, author=author, queued_at=now)

    def correction(self, changes: "Correction", author: str, now: datetime) -> "Alert":
        """A linked alert in place of this one, to the same readers."""
        given = changes.model_dump(exclude_none=True)
        kept = {"body": self.draft.body, "url": self.draft.url} | given
        return self._follow_up(Kind.CORRECTION, given, kept, author, now)

    def retraction(self, reason: str, author: str, now: datetime, notices: Notices = ENGLISH) -> "Alert":
        said = notices.say(RETRACTED, self.draft.language, headline=self.draft.headline)
        headline = shortened(said.text, MAX_HEADLINE)
        return self._follow_up(Kind.RETRACTION, {"reason": reason}, {"headline": headline, "body": reason}, author, now)

    def _follow_up(
        self, kind: Kind, given: dict[str, str], words: dict[str, str], author: str, now: datetime
    ) -> "Alert":
        timeless = {"expires_at": None, "send_at": None, "undo_seconds": 0, "state": None}
        draft = self.draft.model_copy(update={**words, **timeless})
        taken = Alert.take(draft, author, now)
        asked = hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()
        return taken.model_copy(update={"kind": kind, "root": self.chain, "asked": asked})

    @property
    def body_hash(self) -> str:
        """As that of its draft. A follow-up's is of the words that asked for it: the rest comes from the alert before
        it, which is another one when the same call is repeated."""
        return self.draft.body_hash if self.root is None else f"{self.asked}:{self.kind}:{self.root}"

    @property
    def chain(self) -> str:
        """The id of the first alert of its chain."""
        return self.root or self.id

    @property
    def begins_at(self) -> datetime:
        """When sending may begin."""
        return self.draft.send_at or self.queued_at + timedelta(seconds=self.draft.undo_seconds)

    @property
    def first_state(self) -> AlertState:
        """What it is once it is queued."""
        if self.draft.send_at is not None:
            return AlertState.SCHEDULED
        return AlertState.UNDO_WINDOW if self.draft.undo_seconds else AlertState.SENDING

    def audience(self, site_zone: str) -> Audience:
        return Audience(
            frozenset(self.draft.topics),
            self.draft.level,
            self.draft.story,
            self.draft.language,
            follows_up=self.kind is not Kind.ALERT,
            site_zone=site_zone,
        )

    @property
    def queue(self) -> str:
        """`priority` for flash and breaking, `standard` for update."""
        return STANDARD if self.draft.level is Level.UPDATE else PRIORITY

    def expires_at(self, began_at: datetime) -> datetime:
        return self.draft.expires_at or began_at + DEFAULT_EXPIRY

    def attempts_end(self, began_at: datetime) -> datetime:
        """The moment after which no request may start: `max(ttl, 60 s)` after sending began, or when it expires."""
        by_ttl = began_at + max(timedelta(seconds=self.draft.ttl), LEAST_ATTEMPTS)
        return min(by_ttl, self.expires_at(began_at))


def new_alert_id(now: datetime) -> str:
    """22 characters that sort by time: 11 of milliseconds and 11 of chance, both hexadecimal."""
    return f"{int(now.timestamp() * 1000):011x}{secrets.token_hex(6)[:11]}"


def to_json(value: Any) -> str:
    """Compact JSON with letters as they are: what goes over the wire counts bytes."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
