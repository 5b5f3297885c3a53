"""The connection to a server, and its failures told as ours."""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Generic, TypeVar

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError, ResponseError

from tocsin.domain.errors import Unavailable

# A store that hangs must be told apart from one that is slow before a caller's 3 s are over.
SOCKET_TIMEOUT = 2.0

# Refusals that do not pass, as no memory, loading or failing over do.
_LASTING = ("WRONGTYPE", "user_script:")

Argument = str | bytes | int | float

Found = TypeVar("Found")


@dataclass(frozen=True)
class Script(Generic[Found]):
    """One call of `scripts/<name>.lua`, and what its answer means."""

    name: str
    keys: Sequence[str]
    arguments: Sequence[Argument]
    read: Callable[[Any], Found]


class Server:
    """One server. `run` calls a script by its name; `redis` is there for plain commands.

    Only a lost connection is tried again, once: after a restart of the server every pooled connection is stale. A
    time-out is not, since the caller waits.
    """

    def __init__(self, url: str, timeout: float = SOCKET_TIMEOUT) -> None:
        # Typed as Any: the client's own types allow text, and nothing here is ever decoded.
        self.redis: Any = Redis.from_url(
            url,
            protocol=3,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            **({} if url.startswith("unix:") else {"socket_keepalive": True}),
            health_check_interval=30,
            retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        )
        self._shas: dict[str, str] = {}

    async def run(self, script: str, keys: Sequence[str], *arguments: Argument) -> Any:
        """The script `scripts/<name>.lua`. Raises Unavailable when the server does not answer."""
        async with answering():
            if script not in self._shas:
                await self._load([script])
            try:
                return await self.redis.evalsha(self._shas[script], len(keys), *keys, *arguments)
            except NoScriptError:  # the server was restarted or flushed
                await self._load([script])
                return await self.redis.evalsha(self._shas[script], len(keys), *keys, *arguments)

    async def call(self, script: Script[Found]) -> Found:
        return script.read(await self.run(script.name, script.keys, *script.arguments))

    async def together(self, *scripts: Script[Any]) -> list[Any]:
        """Several in one trip, each read. Their order is no promise: those that a restarted server does not know run
        after the others."""
        async with answering():
            await self._load({script.name for script in scripts} - self._shas.keys())
            answers = await self._at_once(scripts)
            unknown = [place for place, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
            if unknown:
                await self._load({scripts[place].name for place in unknown})
                again = await self._at_once([scripts[place] for place in unknown])
                for place, answer in zip(unknown, again, strict=True):
                    answers[place] = answer
            for answer in answers:
                if isinstance(answer, Exception):
                    raise answer
        return [script.read(answer) for script, answer in zip(scripts, answers, strict=True)]

    async def _load(self, names: Collection[str]) -> None:
        for name in names:
            self._shas[name] = await self.redis.script_load(_source(name))

    async def _at_once(self, scripts: Sequence[Script[Any]]) -> list[Any]:
        async with self.redis.pipeline(transaction=False) as pipe:
            for script in scripts:
                pipe.evalsha(self._shas[script.name], len(script.keys), *script.keys, *script.arguments)
            answers: list[Any] = await pipe.execute(raise_on_error=False)
        return answers

    async def ping(self) -> None:
        async with answering():
            await self.redis.ping()

    async def close(self) -> None:
        await self.redis.aclose()


@asynccontextmanager
async def answering() -> AsyncIterator[None]:
    """Tells every failure of the server as Unavailable, which callers may repeat."""
    try:
        yield
    except ResponseError as error:
        if type(error) is ResponseError and any(word in str(error) for word in _LASTING):
            # Repeating would bring the same again, for ever. The text may quote what was written, so it is left out.
            raise RuntimeError("the store refused a command: a key of another kind, or a script's own error") from None
        raise Unavailable(f"the store does not answer ({type(error).__name__})") from error
    except (RedisError, OSError) as error:
        # The message may quote a command with an endpoint in it, so only the kind of failure is passed on.
        raise Unavailable(f"the store does not answer ({type(error).__name__})") from error


@cache
def _source(script: str) -> str:
    return (files("tocsin.store") / "scripts" / f"{script}.lua").read_text("utf-8")
