"""What is personal of a reader's preferences, as it is written beside those that many share.

Read for tens of thousands of readers while one waits for an estimate, so these are plain dataclasses: three times as
fast as models."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from pydantic import AwareDatetime, ConfigDict, TypeAdapter


@dataclass(frozen=True, slots=True)
class UntilChoice:
    """A story and until when."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    story: str
    until: AwareDatetime

    def holds(self, now: datetime) -> bool:
        return now < self.until


@dataclass(frozen=True, slots=True)
class Personal:
    """A story without an end is its id alone."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    snoozed_until: AwareDatetime | None = None
    muted_stories: tuple[str | UntilChoice, ...] = ()
    followed_stories: tuple[str | UntilChoice, ...] = ()


_NOTHING = Personal()
_validate_json = TypeAdapter(Personal).validator.validate_json


def read_personal(text: str | bytes) -> Personal:
    """What `Preferences.personal` wrote; nothing for "". Raises ValidationError for a form of a newer version."""
    return _validate_json(text) if text else _NOTHING
