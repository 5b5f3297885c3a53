"""`make browser ARGS=--pictures=docs/images` keeps the pictures of the pages that the README shows."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from browser_machines import Machine, Machines
from browser_reader import Reader, open_reader
from browser_site import Site, open_site

from browsers import needs_chromium, needs_desktop, needs_firefox
from faults.towns import clocks_can_move, movable_clock, set_clock, town_of
from town import Town

BOTH = [
    pytest.param("firefox", marks=[needs_firefox, needs_desktop]),
    pytest.param("chromium", marks=[needs_chromium, needs_desktop]),
]


@pytest.fixture
def pictures(request: pytest.FixtureRequest) -> Path | None:
    folder: str | None = request.config.getoption("--pictures")
    return Path(folder) if folder else None


@pytest.fixture(scope="session")
async def shared_site() -> AsyncIterator[Site]:
    async with open_site() as opened:
        yield opened


@pytest.fixture
def site(shared_site: Site) -> Site:
    """A newsroom's own site, empty; the readers' town answers its pages."""
    shared_site.becomes({})
    return shared_site


@pytest.fixture(scope="session")
async def shared_readers_town(tmp_path_factory: pytest.TempPathFactory, shared_site: Site) -> AsyncIterator[Town]:
    if not clocks_can_move() and "CI" not in os.environ:
        pytest.skip("no libfaketime on this machine")
    folder = tmp_path_factory.mktemp("readers")
    async with (
        town_of(folder, production=False, allowed_origins=shared_site.origin) as opened,
        movable_clock(opened),
    ):
        yield opened


@pytest.fixture
async def readers_town(shared_readers_town: Town) -> AsyncIterator[Town]:
    """A whole Tocsin whose clock can be moved, and which pages of one other origin may call."""
    set_clock(shared_readers_town, 0)
    await shared_readers_town.clear()
    yield shared_readers_town
    await shared_readers_town.settle()


@pytest.fixture(scope="session")
async def machines(shared_readers_town: Town, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Machines]:
    """Each is started when a test first needs it: a browser takes seconds to start, a new reader a part of one."""
    async with Machines(shared_readers_town, tmp_path_factory.mktemp("machines")) as opened:
        yield opened


@pytest.fixture(params=BOTH)
async def machine(request: pytest.FixtureRequest, machines: Machines) -> Machine:
    """Each browser in turn."""
    kind: str = request.param
    return await machines.get(kind)


@pytest.fixture
async def reader(machine: Machine, readers_town: Town, site: Site) -> AsyncIterator[Reader]:
    """Somebody who has never been here; they would say yes to the browser's question."""
    async with open_reader(machine, readers_town, "granted", site.origin) as opened:
        yield opened
