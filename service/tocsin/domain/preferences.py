"""What a reader asked for. What many share is stored once for all of them (a profile), so it has one canonical form;
what is personal and changes often is kept apart."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_serializer

from tocsin.domain.errors import Fault, Invalid
from tocsin.domain.hours import DailyCap, QuietHours, TimeZone, WallTime
from tocsin.domain.levels import Level
from tocsin.domain.personal import read_personal
from tocsin.domain.stories import StoryChoice, StoryChoices, in_order, utc
from tocsin.domain.topics import MAX_TOPICS, TopicId

Language = Annotated[
    str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=35, examples=["en"], description="BCP 47")
]

_PERSONAL = {"snoozed_until", "muted_stories", "followed_stories"}
# Parts that are objects of their own: a patch changes what it names of them (RFC 7396).
_NESTED = ("topic_levels", "quiet_hours", "daily_cap")


class Preferences(BaseModel):
    """A whole set of preferences. `topics` is sorted and without repeats, so that equal sets are equal texts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    topics: tuple[TopicId, ...] = ()
    min_level: Level = Level.UPDATE
    topic_levels: dict[str, Level] = Field(default_factory=dict)
    time_zone: TimeZone | None = None
    quiet_hours: QuietHours | None = None
    daily_cap: DailyCap | None = None
    snoozed_until: AwareDatetime | None = None
    muted_stories: StoryChoices = ()
    followed_stories: StoryChoices = ()
    language: Language | None = None

    @field_serializer("snoozed_until")
    def _in_utc(self, value: AwareDatetime | None) -> str | None:
        return None if value is None else utc(value)

    # Not cached: a copy with other personal parts would take the text along.
    @property
    def canonical(self) -> str:
        """The text of what is not personal, under which it is interned; defaults are left out."""
        return _ordered(self).model_dump_json(exclude_defaults=True, exclude=_PERSONAL)

    @property
    def personal(self) -> str:
        """The text of what is personal; empty for the many who have nothing of the kind."""
        # `exclude_defaults` alone keeps the null of a field with a serializer of its own.
        text = _ordered(self).model_dump_json(exclude_defaults=True, exclude_none=True, include=_PERSONAL)
        return "" if text == "{}" else text

    def with_personal(self, text: str | bytes) -> "Preferences":
        """Raises ValueError for a form that a newer version wrote."""
        if not text:
            return self
        mine = read_personal(text)
        snoozed_until = mine.snoozed_until and datetime.fromisoformat(mine.snoozed_until)
        stories = {
            name: tuple(map(StoryChoice.read, getattr(mine, name))) for name in ("muted_stories", "followed_stories")
        }
        return self.model_copy(update={"snoozed_until": snoozed_until, **stories})

    def is_snoozed(self, now: datetime) -> bool:
        return self.snoozed_until is not None and now < self.snoozed_until

    def least_level(self, topic: str) -> Level:
        """The least level wanted on a topic: its own where set, else the general one."""
        return self.topic_levels.get(topic, self.min_level)


class QuietHoursPatch(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    start: WallTime | None = None
    end: WallTime | None = None
    wake_for: Level | None = None
    then: Literal["defer", "drop"] | None = None
    time_zone: TimeZone | None = None


class DailyCapPatch(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    count: int | None = Field(default=None, ge=0, le=1_000, strict=True, examples=[5])
    flash_exempt: bool | None = None
    time_zone: TimeZone | None = None


class PreferencesPatch(BaseModel):
    """A merge patch (RFC 7396) of preferences: what is absent stays, what is null goes back to its default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    topics: list[TopicId] | None = Field(default=None, max_length=MAX_TOPICS, examples=[["world"]])
    min_level: Level | None = Field(default=None, examples=["breaking"])
    topic_levels: dict[str, Level | None] | None = Field(
        default=None, max_length=MAX_TOPICS, examples=[{"sport": "flash"}]
    )
    time_zone: TimeZone | None = None
    quiet_hours: QuietHoursPatch | None = Field(default=None, examples=[{"start": "22:00", "end": "07:00"}])
    daily_cap: DailyCapPatch | None = Field(default=None, examples=[{"count": 5}])
    snoozed_until: AwareDatetime | None = None
    muted_stories: StoryChoices | None = None
    followed_stories: StoryChoices | None = None
    language: Language | None = None

    def applied_to(self, stored: Preferences, defaults: Preferences, path: str = "") -> Preferences:
        """The set after this patch; `defaults` are the site's, for what is null.

        Raises Invalid where the two together make no whole, such as quiet hours without an end; `path` is where the
        patch stands in the body.
        """
        whole = stored.model_dump()
        given = defaults.model_dump()
        for name, value in self.model_dump(exclude_unset=True).items():
            if value is None:
                whole[name] = given[name]
            elif name in _NESTED:
                whole[name] = _merged(whole[name] or {}, value)
            else:
                whole[name] = value
        whole["topics"] = tuple(sorted(set(whole["topics"])))
        whole["topic_levels"] = dict(sorted(whole["topic_levels"].items()))
        try:
            merged = Preferences.model_validate(whole)
        except ValidationError as error:
            raise Invalid(_faults(error, path)) from None
        stories = {name: in_order(getattr(merged, name)) for name in ("muted_stories", "followed_stories")}
        return merged.model_copy(update=stories)

    def check_topics(self, known: AbstractSet[str], path: str = "") -> None:
        """Raises Invalid for topics that the site does not have; `path` is where the patch stands in the body."""
        faults = [
            Fault(f"{path}topics[{place}]", f"there is no topic {topic!r}")
            for place, topic in enumerate(self.topics or ())
            if topic not in known
        ]
        faults += [
            Fault(f"{path}topic_levels.{topic}", f"there is no topic {topic!r}")
            for topic, level in (self.topic_levels or {}).items()
            if level is not None and topic not in known  # a topic that is gone can still be let go
        ]
        if faults:
            raise Invalid(faults)


def _ordered(preferences: Preferences) -> Preferences:
    """Sorted; written without what is default, so that a later version with more fields writes the same."""
    return preferences.model_copy(
        update={
            "topics": tuple(sorted(set(preferences.topics))),
            "topic_levels": dict(sorted(preferences.topic_levels.items())),
            "muted_stories": in_order(preferences.muted_stories),
            "followed_stories": in_order(preferences.followed_stories),
        }
    )


def _merged(stored: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**stored, **patch}
    return {name: value for name, value in merged.items() if value is not None}


def _faults(error: ValidationError, path: str) -> list[Fault]:
    missing = {"missing": "is missing"}
    return [
        Fault(
            path + ".".join(map(str, fault["loc"])),
            missing.get(fault["type"], fault["msg"].removeprefix("Value error, ")),
        )
        for fault in error.errors()
    ]
