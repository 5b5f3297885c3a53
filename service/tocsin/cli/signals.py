"""Ctrl-C and SIGTERM: whatever is at work is cancelled, and what it had opened is closed on the way out."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

from rich.console import Console

Result = TypeVar("Result")


class AskedToEnd(Exception):
    """A signal came before the work was done."""


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Raises AskedToEnd when a signal ended it. Further signals change nothing: ending is under way."""

    async def watched() -> Result:
        asked = False
        task = asyncio.ensure_future(work)

        def ask() -> None:
            nonlocal asked
            if not asked:
                asked = True
                task.cancel()

        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, ask)
        try:
            return await task
        except asyncio.CancelledError:
            if asked:
                raise AskedToEnd from None
            raise

    return asyncio.run(watched())


async def told_to_end(console: Console) -> None:
    """Returns when the signal comes, for work that has no other end; and says so, since ending takes a moment."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()
        console.print("Ending …")
