"""What is personal of a reader's preferences, as it is written beside those that many share.

Read for tens of thousands of readers while one waits for an estimate. So these are plain dataclasses and a moment is
its text until it is asked for: both together a third of what a model takes.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from pydantic import ConfigDict, TypeAdapter


@dataclass(frozen=True, slots=True)
class UntilChoice:
    """A story and until when, as ISO text in UTC."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)

    story: str
    until: str

    def holds(self, now: datetime) -> bool:
        return now < datetime.fromisoformat(self.until)


@dataclass(frozen=True, slots=True)
class Personal:
    """`snoozed_until` is ISO text in UTC; a story without an end is its id alone."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)

    snoozed_until: str | None = None
    muted_stories: tuple[str | UntilChoice, ...] = ()
    followed_stories: tuple[str | UntilChoice, ...] = ()

    def is_snoozed(self, now: datetime) -> bool:
        return self.snoozed_until is not None and now < datetime.fromisoformat(self.snoozed_until)


_NOTHING = Personal()
_validate_json = TypeAdapter(Personal).validator.validate_json


def read_personal(text: str | bytes) -> Personal:
    """What `Preferences.personal` wrote; nothing for "". Raises ValueError for a form of a newer version, or when it is
    asked for a moment that is none."""
    return _validate_json(text) if text else _NOTHING
