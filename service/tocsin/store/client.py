"""The connection to a server, and its failures told as ours."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Generic, TypeVar

import structlog
from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError, ResponseError

from tocsin.domain.errors import Unavailable
from tocsin.store.gathering import GatheringRedis

log = structlog.get_logger()

# A store that hangs must be told apart from one that is slow before a caller's 3 s are over.
SOCKET_TIMEOUT = 2.0

# Refusals that do not pass, as no memory, loading or failing over do.
_LASTING = ("WRONGTYPE", "user_script:")

_CONNECTIONS = 100

Argument = str | bytes | int | float

Found = TypeVar("Found")


@dataclass(frozen=True)
class Script(Generic[Found]):
    """One call of `scripts/<name>.lua`, and what its answer means. Where it is `apart`, what fails for it and would
    again is answered with None, so that the others of its trip are done with."""

    name: str
    keys: Sequence[str]
    arguments: Sequence[Argument]
    read: Callable[[Any], Found]
    apart: bool = False


class Server:
    """One server. `run` calls a script by its name; `redis` is there for plain commands. With `gathers` all that is
    asked of it in the same moment goes together (store/gathering.py).

    Only a lost connection is tried again, `retries` times: after a restart of the server every pooled connection is
    stale. A time-out is not, since the caller waits.
    """

    def __init__(self, url: str, timeout: float = SOCKET_TIMEOUT, *, retries: int = 1, gathers: bool = False) -> None:
        options: dict[str, Any] = {
            "protocol": 3,
            "socket_timeout": timeout,
            "socket_connect_timeout": timeout,
            "health_check_interval": 30,
            "retry": Retry(NoBackoff(), retries, supported_errors=(RedisConnectionError,)),
        }
        if not url.startswith("unix:"):
            options["socket_keepalive"] = True
        if gathers:
            # A burst of calls waits its turn: the usual pool refuses the 101st, which looks like a store that is down.
            options |= {"max_connections": _CONNECTIONS, "timeout": timeout}
            pool: ConnectionPool = BlockingConnectionPool.from_url(url, **options)
        else:
            pool = ConnectionPool.from_url(url, **options)
        # Typed as Any: the client's own types allow text, and nothing here is ever decoded.
        self.redis: Any = (GatheringRedis if gathers else Redis).from_pool(pool)
        self._shas: dict[str, str] = {}

    async def run(self, script: str, keys: Sequence[str], *arguments: Argument) -> Any:
        """The script `scripts/<name>.lua`. Raises Unavailable when the server does not answer."""
        async with answering():
            sha = await self._sha(script)
            try:
                return await self.redis.evalsha(sha, len(keys), *keys, *arguments)
            except NoScriptError:  # the server was restarted or flushed
                await self._load(script)
                return await self.redis.evalsha(sha, len(keys), *keys, *arguments)

    async def call(self, script: Script[Found]) -> Found:
        return script.read(await self.run(script.name, script.keys, *script.arguments))

    async def together(self, *scripts: Script[Any]) -> list[Any]:
        """Several in one trip, each read. Their order is no promise: those that a restarted server does not know run
        after the others."""
        async with answering():
            answers = await self._at_once(scripts)
            unknown = [place for place, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
            if unknown:
                for name in {scripts[place].name for place in unknown}:
                    await self._load(name)
                again = await self._at_once([scripts[place] for place in unknown])
                for place, answer in zip(unknown, again, strict=True):
                    answers[place] = answer
            for script, answer in zip(scripts, answers, strict=True):
                if isinstance(answer, BaseException) and not (script.apart and _is_lasting(answer)):
                    raise answer
        return list(map(_read, scripts, answers))

    async def _at_once(self, scripts: Sequence[Script[Any]]) -> list[Any]:
        return await self._together(
            *[
                ("EVALSHA", await self._sha(script.name), len(script.keys), *script.keys, *script.arguments)
                for script in scripts
            ]
        )

    async def run_after(
        self, before: Sequence[Argument], script: str, keys: Sequence[str], *arguments: Argument
    ) -> Any:
        """`run`, with a command done before it, in one trip. Not atomic: what comes between is seen by others, and a
        crash may leave the first without the second, as it may between two trips."""
        async with answering():
            sha = await self._sha(script)
            first, second = await self._together(before, ("EVALSHA", sha, len(keys), *keys, *arguments))
            if isinstance(first, BaseException):
                raise first
            if isinstance(second, NoScriptError):
                return await self.run(script, keys, *arguments)
            if isinstance(second, BaseException):
                raise second
            return second

    async def _together(self, *commands: Sequence[Argument]) -> list[Any]:
        if isinstance(self.redis, GatheringRedis):
            return await self.redis.together(commands)
        async with self.redis.pipeline(transaction=False) as pipe:
            for command in commands:
                pipe.execute_command(*command)
            answers: list[Any] = await pipe.execute(raise_on_error=False)
            return answers

    async def _sha(self, script: str) -> str:
        if script not in self._shas:
            await self._load(script)
        return self._shas[script]

    async def _load(self, script: str) -> None:
        self._shas[script] = await self.redis.script_load(_source(script))

    async def prepare(self, scripts: Sequence[str] = ()) -> None:
        """Connects and makes these scripts known, or all: so that the first alert is as quick as all others."""
        names = scripts or [path.name.removesuffix(".lua") for path in _scripts().iterdir()]
        async with answering():
            shas = await self._together(*[("SCRIPT LOAD", _source(name)) for name in names])
        self._shas |= {name: sha for name, sha in zip(names, shas, strict=True) if not isinstance(sha, BaseException)}

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
        if _is_lasting(error):
            # Repeating would bring the same again, for ever. The text may quote what was written, so it is left out.
            raise RuntimeError("the store refused a command: a key of another kind, or a script's own error") from None
        raise Unavailable(f"the store does not answer ({type(error).__name__})") from error
    except (RedisError, OSError) as error:
        # The message may quote a command with an endpoint in it, so only the kind of failure is passed on.
        raise Unavailable(f"the store does not answer ({type(error).__name__})") from error


def _is_lasting(error: BaseException) -> bool:
    return type(error) is ResponseError and any(word in str(error) for word in _LASTING)


def _read(script: Script[Any], answer: Any) -> Any:
    if not script.apart:
        return script.read(answer)
    fault = answer
    if not isinstance(answer, BaseException):
        try:
            return script.read(answer)
        except Exception as error:  # noqa: BLE001
            fault = error
    # Without its text, which may quote what was written.
    log.error("what is kept is broken", key=script.keys[0], script=script.name, error=type(fault).__name__)
    return None


def _scripts() -> Traversable:
    return files("tocsin.store") / "scripts"


@cache
def _source(script: str) -> str:
    return (_scripts() / f"{script}.lua").read_text("utf-8")
