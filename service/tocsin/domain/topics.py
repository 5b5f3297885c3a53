"""What readers follow. Not to be confused with the push header `Topic`, which is `collapse_key` in this code."""

import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from tocsin.domain.errors import Conflict, Misconfigured, NotFound

TOPIC_ID = r"^[a-z0-9][a-z0-9-]{0,39}$"
TopicId = Annotated[str, StringConstraints(pattern=TOPIC_ID)]

MAX_TOPICS = 200
MAX_NAME = 60


class Topic(BaseModel):
    """A line of news that readers can follow. `default` is ticked on the page before the reader chooses."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: TopicId
    name: str = Field(min_length=1, max_length=MAX_NAME)
    description: str = Field(default="", max_length=200)
    default: bool = False


def find_topic(topics: Sequence[Topic], topic_id: str) -> Topic | None:
    return next((topic for topic in topics if topic.id == topic_id), None)


def with_topic(topics: Sequence[Topic], topic: Topic) -> tuple[Topic, ...]:
    """The topic in its place, or at the end where it is new. Raises Conflict for one too many."""
    if find_topic(topics, topic.id) is not None:
        return tuple(topic if kept.id == topic.id else kept for kept in topics)
    if len(topics) >= MAX_TOPICS:
        raise Conflict(f"there are {len(topics)} topics, and {MAX_TOPICS} are the most; delete one first")
    return (*topics, topic)


def without_topic(topics: Sequence[Topic], topic_id: str) -> tuple[Topic, ...]:
    """Raises NotFound, or Conflict for the last one: no alert could be sent, and readers had nothing to follow."""
    left = tuple(topic for topic in topics if topic.id != topic_id)
    if len(left) == len(topics):
        raise NotFound("there is no such topic")
    if not left:
        raise Conflict("this is the last topic; make another one first")
    return left


def parse_topics(text: str) -> tuple[Topic, ...]:
    """The setting TOPICS: `world:World news,sport:Sport`; the first one is the default.

    Raises Misconfigured with the entry at fault.
    """
    topics: list[Topic] = []
    for entry in filter(None, (part.strip() for part in text.split(","))):
        topic_id, _, name = entry.partition(":")
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", topic_id):
            raise Misconfigured(f"TOPICS: {entry!r} has no id of 1 to 40 characters a-z, 0-9 and - before the colon")
        name = name.strip() or topic_id.capitalize()
        if len(name) > MAX_NAME:
            raise Misconfigured(f"TOPICS: the name of {topic_id!r} is longer than {MAX_NAME} characters")
        topics.append(Topic(id=topic_id, name=name, default=not topics))
    if len(topics) > MAX_TOPICS:
        raise Misconfigured(f"TOPICS: {len(topics)} topics; {MAX_TOPICS} are the most")
    if len({topic.id for topic in topics}) != len(topics):
        raise Misconfigured("TOPICS: an id is there twice")
    return tuple(topics)
