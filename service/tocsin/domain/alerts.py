"""An alert from an editor's words to its end: `AlertDraft` is what is asked, `Alert` what is kept."""

import hashlib
import json
import secrets
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from tocsin.domain.decisions import Audience
from tocsin.domain.errors import Fault, Invalid
from tocsin.domain.levels import Level
from tocsin.domain.queues import PRIORITY, STANDARD
from tocsin.domain.text import link_fault, text_fault
from tocsin.domain.topics import TopicId

DEFAULT_TTL = 14_400
MAX_TTL = 86_400
LEAST_ATTEMPTS = timedelta(seconds=60)
DEFAULT_EXPIRY = timedelta(hours=24)


class AlertState(StrEnum):
    SENDING = "sending"
    SENT = "sent"
    STOPPED = "stopped"
    EXPIRED = "expired"

    @property
    def is_terminal(self) -> bool:
        return self is not AlertState.SENDING


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
    language: str | None = Field(default=None, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")
    ttl: int = Field(default=DEFAULT_TTL, ge=0, le=MAX_TTL, strict=True, description="seconds")
    expires_at: AwareDatetime | None = None

    def check(self, known_topics: AbstractSet[str], link_hosts: Sequence[str], now: datetime) -> None:
        """Raises Invalid with every fault at once; what pydantic can say has been said before."""
        faults = [
            Fault(f"topics[{place}]", f"there is no topic {topic!r}")
            for place, topic in enumerate(self.topics)
            if topic not in known_topics
        ]
        if len(set(self.topics)) != len(self.topics):
            faults.append(Fault("topics", "names a topic twice"))
        texts = [("headline", self.headline, 1, 120), ("body", self.body, 0, 300)]
        texts += [(f"actions[{place}].title", action.title, 1, 40) for place, action in enumerate(self.actions)]
        for field, text, least, most in texts:
            if message := text_fault(text, least, most):
                faults.append(Fault(field, message))
        links = [("url", self.url), ("image", self.image), ("icon", self.icon)]
        links += [(f"actions[{place}].url", action.url) for place, action in enumerate(self.actions)]
        for field, link in links:
            if link is not None and (message := link_fault(link, link_hosts)):
                faults.append(Fault(field, message))
        if self.expires_at is not None and self.expires_at <= now:
            faults.append(Fault("expires_at", "is past"))
        if faults:
            raise Invalid(faults)

    @property
    def body_hash(self) -> str:
        """Stands for what was asked, however it was written down: the same words in another order are the same."""
        # Without defaults, so that a repeat is known for one by a newer version that has more fields.
        return hashlib.sha256(self.model_dump_json(exclude_defaults=True).encode()).hexdigest()


class Alert(BaseModel):
    """An alert that we took. Everything that changes while it is sent stands beside it in the store, not in it."""

    model_config = ConfigDict(frozen=True)

    id: str
    draft: AlertDraft
    author: str
    queued_at: AwareDatetime

    @classmethod
    def take(cls, draft: AlertDraft, author: str, now: datetime) -> "Alert":
        return cls(id=new_alert_id(now), draft=draft, author=author, queued_at=now)

    @property
    def audience(self) -> Audience:
        return Audience(frozenset(self.draft.topics), self.draft.level)

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

    def ttl_at(self, now: datetime, began_at: datetime) -> int:
        """The header TTL in seconds: the asked one, cut to the time left before it expires (RFC 8030 §5.2)."""
        return max(0, min(self.draft.ttl, int((self.expires_at(began_at) - now).total_seconds())))


def new_alert_id(now: datetime) -> str:
    """22 characters that sort by time: 11 of milliseconds and 11 of chance, both hexadecimal."""
    return f"{int(now.timestamp() * 1000):011x}{secrets.token_hex(6)[:11]}"


def to_json(value: Any) -> str:
    """Compact JSON with letters as they are: what goes over the wire counts bytes."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
