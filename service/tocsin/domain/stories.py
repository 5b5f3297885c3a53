"""A running story that alerts belong to, and that a reader follows or mutes."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_serializer, model_validator

from tocsin.domain.personal import UntilChoice

StoryId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,59}$")]

MAX_STORIES = 100


def _or_id(schema: dict[str, Any]) -> None:
    """In the schema: the object, or the id alone."""
    whole = dict(schema)
    schema.clear()
    schema["anyOf"] = [whole["properties"]["story"], whole]


class StoryChoice(BaseModel):
    """A story and until when; written as its id alone where there is no end."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=_or_id)

    story: StoryId
    until: AwareDatetime | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_id(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"story": value}
        if isinstance(value, dict) and isinstance(value.get("until"), str):
            # Here the JSON is Python already, for which a strict field would want the moment itself.
            return {**value, "until": _moment(value["until"])}
        return value

    @model_serializer
    def _as_written(self) -> Any:
        if self.until is None:
            return self.story
        return {"story": self.story, "until": utc(self.until)}

    @classmethod
    def read(cls, choice: str | UntilChoice) -> "StoryChoice":
        if isinstance(choice, str):
            return cls(story=choice)
        return cls(story=choice.story, until=datetime.fromisoformat(choice.until))

    def holds(self, now: datetime) -> bool:
        return self.until is None or now < self.until


StoryChoices = Annotated[tuple[StoryChoice, ...], Field(max_length=MAX_STORIES, examples=[["aleppo"]])]


def in_order(choices: tuple[StoryChoice, ...]) -> tuple[StoryChoice, ...]:
    """Sorted, each story once; the last one named counts."""
    return tuple(choice for _, choice in sorted({choice.story: choice for choice in choices}.items()))


def names(choices: Iterable[StoryChoice | UntilChoice | str], story: str | None, now: datetime) -> bool:
    """Whether a story is among these and its choice has not ended."""
    if story is None:
        return False
    for choice in choices:
        if choice == story if isinstance(choice, str) else choice.story == story and choice.holds(now):
            return True
    return False


def utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("until must be a time such as 2026-03-01T12:00:00Z") from None
