"""What commands share: the store of a running Tocsin, and a console that shows text as it is."""

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from tocsin.domain.errors import Invalid, Unavailable
from tocsin.settings import Settings, load, named
from tocsin.store.store import Store

# The longest headline, and the columns before it.
WIDE = 240


def console() -> Console:
    """Headlines and names are anybody's: `[/]` or `:bell:` in them is text. Only a terminal has an edge to wrap at."""
    width = None if sys.stdout.isatty() else WIDE
    return Console(markup=False, emoji=False, highlight=False, width=width)


@contextmanager
def progress(what: str, total: int) -> Iterator[tuple[Progress, TaskID]]:
    """On standard error, where that is a terminal."""
    errors = Console(stderr=True)
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=errors, disable=not errors.is_terminal) as bar:
        yield bar, bar.add_task(what, total=total)


def invalid(error: ValidationError) -> Invalid:
    """pydantic's faults in the API's words."""
    from tocsin.api.body import fault  # noqa: PLC0415 (it brings aiohttp along)

    return Invalid(map(fault, error.errors()))


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[Store, Settings]]:
    """Raises Unavailable with what to do when no store answers, Misconfigured where its form is not this program's."""
    settings = load()
    async with Store(settings) as store:
        await reachable(store, settings)
        await store.schema.check()
        yield store, settings


async def reachable(store: Store, settings: Settings) -> None:
    """Raises Unavailable with what to do."""
    try:
        await store.server.ping()
    except Unavailable:
        where = named("store_url") if settings.store_url else f"the embedded store of {settings.data_dir.resolve()}"
        raise Unavailable(f"{where} does not answer: is `tocsin up` running, with this folder?") from None
