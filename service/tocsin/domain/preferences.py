"""What a reader asked for. Each distinct set is stored once (a profile), so a set has one canonical form."""

from collections.abc import Set as AbstractSet
from functools import cached_property

from pydantic import BaseModel, ConfigDict, Field

from tocsin.domain.errors import Fault, Invalid
from tocsin.domain.levels import Level
from tocsin.domain.topics import MAX_TOPICS, TopicId


class Preferences(BaseModel):
    """A whole set of preferences. `topics` is sorted and without repeats, so that equal sets are equal texts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    topics: tuple[TopicId, ...] = ()
    min_level: Level = Level.UPDATE
    topic_levels: dict[str, Level] = Field(default_factory=dict)

    @cached_property
    def canonical(self) -> str:
        """The text under which the set is interned."""
        levels = dict(sorted(self.topic_levels.items()))
        ordered = Preferences(topics=tuple(sorted(set(self.topics))), min_level=self.min_level, topic_levels=levels)
        return ordered.model_dump_json()

    def least_level(self, topic: str) -> Level:
        """The least level wanted on a topic: its own where set, else the general one."""
        return self.topic_levels.get(topic, self.min_level)


class PreferencesPatch(BaseModel):
    """A merge patch (RFC 7396) of preferences: what is absent stays, what is null goes back to its default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    topics: list[TopicId] | None = Field(default=None, max_length=MAX_TOPICS, examples=[["world"]])
    min_level: Level | None = Field(default=None, examples=["breaking"])
    topic_levels: dict[str, Level | None] | None = Field(
        default=None, max_length=MAX_TOPICS, examples=[{"sport": "flash"}]
    )

    def applied_to(self, stored: Preferences, defaults: Preferences) -> Preferences:
        """The set after this patch; `defaults` are the site's, for what is null."""
        topics = stored.topics
        if "topics" in self.model_fields_set:
            topics = defaults.topics if self.topics is None else tuple(sorted(set(self.topics)))
        min_level = stored.min_level
        if "min_level" in self.model_fields_set:
            min_level = self.min_level or defaults.min_level
        levels = dict(stored.topic_levels)
        if "topic_levels" in self.model_fields_set:
            if self.topic_levels is None:
                levels = dict(defaults.topic_levels)
            for topic, level in (self.topic_levels or {}).items():
                if level is None:
                    levels.pop(topic, None)
                else:
                    levels[topic] = level
        return Preferences(topics=topics, min_level=min_level, topic_levels=dict(sorted(levels.items())))

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
