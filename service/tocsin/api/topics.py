"""Topics: what readers can follow, in the order in which they see them."""

from hashlib import sha256
from typing import Annotated

from aiohttp import web
from pydantic import AfterValidator, BaseModel, Field, TypeAdapter, ValidationError

from tocsin.api.call import Call
from tocsin.api.models import Strict, readable
from tocsin.api.route import answer
from tocsin.domain.errors import Invalid, NotFound, Stale
from tocsin.domain.topics import MAX_NAME, Topic, TopicId, find_topic, with_topic, without_topic

_ID = TypeAdapter(TopicId)


class TopicChange(Strict):
    """A whole topic but its id, which stands in the path. What is left out is empty, and not ticked by default."""

    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME), AfterValidator(readable)]
    description: Annotated[str, Field(max_length=200), AfterValidator(readable)] = ""
    default: bool = False


class TopicList(Strict):
    topics: tuple[Topic, ...]


async def list_topics(call: Call[BaseModel]) -> web.Response:
    return answer(TopicList(topics=await call.services.store.topics.all()))


async def read_topic(call: Call[BaseModel]) -> web.Response:
    topic = find_topic(await call.services.store.topics.all(), call.path["id"])
    if topic is None:
        raise NotFound("there is no such topic")
    return _answer(topic, 200)


async def put_topic(call: Call[TopicChange]) -> web.Response:
    topic = Topic(id=_checked_id(call.path["id"]), **dict(call.body))
    is_new = True

    def put(topics: tuple[Topic, ...]) -> tuple[Topic, ...]:
        nonlocal is_new
        is_new = _check_version(call, topics) is None
        return with_topic(topics, topic)

    await call.services.store.topics.change(put)
    return _answer(topic, 201 if is_new else 200)


async def delete_topic(call: Call[BaseModel]) -> web.Response:
    """Readers who follow it keep that among their preferences: it comes to life again with a topic of the same id."""

    def delete(topics: tuple[Topic, ...]) -> tuple[Topic, ...]:
        _check_version(call, topics)
        return without_topic(topics, call.path["id"])

    await call.services.store.topics.change(delete)
    return web.Response(status=204)


def _check_version(call: Call[BaseModel], topics: tuple[Topic, ...]) -> Topic | None:
    """The topic that the path names. Raises Stale where If-Match means another version of it, or it is not there."""
    topic = find_topic(topics, call.path["id"])
    if topic is not None:
        call.check_version(_etag(topic))
    elif call.request.method == "PUT" and call.request.if_match is not None:
        raise Stale("there is no such topic")
    return topic


def _checked_id(text: str) -> str:
    try:
        return _ID.validate_python(text)
    except ValidationError:
        raise Invalid.at("id", "must have 1 to 40 characters a-z, 0-9 and -, and not begin with -") from None


def _answer(topic: Topic, status: int) -> web.Response:
    return answer(topic, status, {"ETag": f'"{_etag(topic)}"'})


def _etag(topic: Topic) -> str:
    return sha256(topic.model_dump_json().encode()).hexdigest()[:32]
