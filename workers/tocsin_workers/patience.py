"""A store that is away for a while: what is at work waits for it instead of giving up what it did."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from tocsin.domain.errors import Unavailable

log = structlog.get_logger()

_PAUSE_SECONDS = 0.2
_TELL_SECONDS = 10.0

Result = TypeVar("Result")


async def patiently(call: Callable[[], Awaitable[Result]]) -> Result:
    """Repeats a call, which has to be idempotent, until the store answers. Nobody else can go on meanwhile either."""
    started = told = time.monotonic() - _TELL_SECONDS
    while True:
        try:
            return await call()
        except Unavailable as error:
            if time.monotonic() - told >= _TELL_SECONDS:
                told = time.monotonic()
                log.warning("waiting for the store", error=error.detail, seconds=round(told - started - _TELL_SECONDS))
            await asyncio.sleep(_PAUSE_SECONDS)
