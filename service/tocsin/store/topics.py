"""The site's topics, in the order in which readers see them."""

from collections.abc import Callable, Sequence

from pydantic import TypeAdapter

from tocsin.domain.preferences import Preferences
from tocsin.domain.topics import Topic
from tocsin.store.client import Server, answering

_KEY = "{site}:topics"
_LIST = TypeAdapter(tuple[Topic, ...])


class Topics:
    def __init__(self, server: Server) -> None:
        self._server = server

    async def all(self) -> tuple[Topic, ...]:
        async with answering():
            kept = await self._server.redis.get(_KEY)
        return _LIST.validate_json(kept) if kept else ()

    async def ids(self) -> frozenset[str]:
        return frozenset(topic.id for topic in await self.all())

    async def replace(self, topics: Sequence[Topic]) -> None:
        async with answering():
            await self._server.redis.set(_KEY, _LIST.dump_json(tuple(topics)))

    async def change(self, edit: Callable[[tuple[Topic, ...]], tuple[Topic, ...]]) -> tuple[Topic, ...]:
        """The topics after `edit`, which gets those that there are and may be called again.

        Compare-and-set: whoever comes second edits what the other left. Each failure is another call's success, so
        this ends. What `edit` raises is raised.
        """
        while True:
            async with answering():
                seen = await self._server.redis.get(_KEY) or b""
            edited = edit(_LIST.validate_json(seen) if seen else ())
            if await self._server.run("swap_topics", [_KEY], seen, _LIST.dump_json(edited)):
                return edited

    async def set_first(self, topics: Sequence[Topic]) -> None:
        """The topics of a first start: nothing changes where there are some."""
        async with answering():
            await self._server.redis.set(_KEY, _LIST.dump_json(tuple(topics)), nx=True)

    async def default_preferences(self) -> Preferences:
        """What a reader has who chose nothing: the topics that are ticked by default, every level."""
        return Preferences(topics=tuple(sorted(topic.id for topic in await self.all() if topic.default)))
