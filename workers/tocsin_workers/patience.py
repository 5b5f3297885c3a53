"""A store that is away for a while: what is at work waits for it instead of giving up what it did."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tocsin.domain.errors import Unavailable

_PAUSE_SECONDS = 0.2

Result = TypeVar("Result")


async def patiently(call: Callable[[], Awaitable[Result]]) -> Result:
    """Repeats a call, which has to be idempotent, until the store answers. Nobody else can go on meanwhile either."""
    while True:
        try:
            return await call()
        except Unavailable:
            await asyncio.sleep(_PAUSE_SECONDS)
