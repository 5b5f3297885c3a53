"""The store of a running Tocsin, for commands."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tocsin.domain.errors import Unavailable
from tocsin.settings import Settings, load
from tocsin.store.store import Store


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[Store, Settings]]:
    """Raises Unavailable with what to do when no store answers."""
    settings = load()
    async with Store(settings.store, settings.lease_seconds) as store:
        try:
            await store.server.ping()
        except Unavailable:
            where = "TOCSIN_STORE_URL" if settings.store_url else f"the embedded store of {settings.data_dir.resolve()}"
            raise Unavailable(f"{where} does not answer: is `tocsin up` running, with this folder?") from None
        yield store, settings
