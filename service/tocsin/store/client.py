"""The connection to a server, and its failures told as ours."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from importlib.resources import files
from typing import Any

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


class Server:
    """One server. `run` calls a script by its name; `redis` is there for plain commands.

    Only a lost connection is tried again, `retries` times: after a restart of the server every pooled connection is
    stale. A time-out is not, since the caller waits.
    """

    def __init__(self, url: str, timeout: float = SOCKET_TIMEOUT, *, retries: int = 1) -> None:
        # Typed as Any: the client's own types allow text, and nothing here is ever decoded.
        self.redis: Any = Redis.from_url(
            url,
            protocol=3,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            **({} if url.startswith("unix:") else {"socket_keepalive": True}),
            health_check_interval=30,
            retry=Retry(NoBackoff(), retries, supported_errors=(RedisConnectionError,)),
        )
        self._shas: dict[str, str] = {}

    async def run(self, script: str, keys: Sequence[str], *arguments: Argument) -> Any:
        """The script `scripts/<name>.lua`. Raises Unavailable when the server does not answer."""
        async with answering():
            sha = self._shas.get(script)
            if sha is None:
                sha = self._shas[script] = await self.redis.script_load(_source(script))
            try:
                return await self.redis.evalsha(sha, len(keys), *keys, *arguments)
            except NoScriptError:  # the server was restarted or flushed
                await self.redis.script_load(_source(script))
                return await self.redis.evalsha(sha, len(keys), *keys, *arguments)

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
